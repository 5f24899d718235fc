"""``Cooccurrence``: how often the words of a corpus stand near each other."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from fastemb.formats import native
from fastemb.formats.errors import FormatError

from .counting import Settings, count_rows
from .encoded import Corpus
from .memory import resolve_workers
from .vocabulary import Vocabulary

__all__ = ["Cooccurrence"]

logger = logging.getLogger("fastemb")
Progress = Callable[[dict[str, Any]], Any]
KIND = "Cooccurrence"
VERSION = 1


class Cooccurrence:
    """Co-occurrence counts as a sparse matrix in CSR form: row i holds the contexts of word i.

    Made by :meth:`count`, :meth:`load`, :meth:`merge` or :meth:`from_csr`.

    Attributes
    ----------
    vocabulary : Vocabulary
        V words; both rows and columns are their ids.
    indptr : int64 array (V + 1,)
        Row i is ``indices[indptr[i]:indptr[i + 1]]`` and the same piece of ``data``.
    indices : int32 array (nnz,)
        Columns, ascending in each row, each once.
    data : int64 array (nnz,)
        Counts in units of 1 / `scale`; integers, so that sums are exact and do not depend on their order.
    scale : int
        The count of a cell is ``data / scale``.
    window, symmetric, weighting, sample, num_tokens
        How the counts were made; None where that is not known. `num_tokens` is the number of tokens of the corpus that
        are in the vocabulary, before subsampling.

    Examples
    --------
    >>> c = Cooccurrence.count([["a", "b", "c"], ["a", "b"]], window=2, min_count=1)
    >>> c.row("a")
    {'b': 2.0, 'c': 0.5}
    >>> c.scale, c.data.tolist()
    (2, [4, 1, 4, 2, 1, 2])
    """

    vocabulary: Vocabulary
    indptr: np.ndarray
    indices: np.ndarray
    data: np.ndarray
    scale: int
    window: int | None
    symmetric: bool | None
    weighting: str | None
    sample: float | None
    num_tokens: int | None

    def __init__(self) -> None:
        raise TypeError("use Cooccurrence.count(), .load(), .merge() or .from_csr()")

    @classmethod
    def _make(
        cls,
        vocabulary: Vocabulary,
        indptr: np.ndarray,
        indices: np.ndarray,
        data: np.ndarray,
        scale: int,
        *,
        window: int | None = None,
        symmetric: bool | None = None,
        weighting: str | None = None,
        sample: float | None = None,
        num_tokens: int | None = None,
    ) -> Cooccurrence:
        self = cls.__new__(cls)
        self.vocabulary, self.scale = vocabulary, scale
        self.indptr, self.indices, self.data = indptr, indices, data
        for array in (indptr, indices, data):
            if array.flags.writeable:
                array.setflags(write=False)
        self.window, self.symmetric, self.weighting = window, symmetric, weighting
        self.sample, self.num_tokens = sample, num_tokens
        return self

    @classmethod
    def count(
        cls,
        source: Any,
        *,
        window: int = 10,
        symmetric: bool = True,
        weighting: str = "harmonic",
        sample: float = 0,
        seed: int = 1,
        max_memory: int | None = None,
        workers: int | None = None,
        progress: Progress | None = None,
        **corpus_options: Any,
    ) -> Cooccurrence:
        """Count the co-occurrences of a corpus.

        Parameters
        ----------
        source : Corpus or anything that Corpus takes
            Text, token lists, id arrays; see :class:`fastemb.Corpus`. Its options (``min_count``, ``vocabulary``, ...)
            are further keywords here, unless `source` is a Corpus already.
        window : int
            Largest distance of a context word, in words of the vocabulary, 1 to 65535. Sentences end a window.
        symmetric : bool
            Contexts on both sides. False: a word's contexts are the words to its left.
        weighting : {"harmonic", "linear", "flat"}
            What a pair at distance d counts: 1 / d, as in GloVe; (window + 1 - d) / window, the mean of word2vec's
            randomly shrunk windows; 1.
        sample : float
            Subsampling of frequent words as in word2vec, before windows are formed; 0 for none, 1e-3 to 1e-5 are
            usual.
        seed : int
            Of the subsampling.
        max_memory : int, optional
            Bytes of memory to use.
        workers : int, optional
            Threads; default all CPUs. The result does not depend on it.
        progress : callable, optional
            Called from this thread with ``dict(phase="count", tokens=, total_tokens=, fraction=, cells=,
            words_per_s=)``.

        Raises
        ------
        ValueError, TypeError
            A parameter out of range; whatever :class:`fastemb.Corpus` raises.

        Notes
        -----
        Counts are integers in units of 1 / `scale`. For harmonic weights `scale` is lcm(1..window), and counts are
        exact; beyond window 22, where that number would leave too little room in 64 bits, it is 16 lcm(1..22) and
        weights at distances above 22 are rounded to the nearest unit (an error below 7e-9 of 1 / d times d).

        Examples
        --------
        >>> c = Cooccurrence.count([["a", "b", "a"]], window=1, symmetric=False, min_count=1)
        >>> c.row("a"), c.row("b")
        ({'b': 1.0}, {'a': 1.0})
        """
        settings = Settings(window, symmetric, weighting, sample, seed)
        n_workers = resolve_workers(workers)
        if isinstance(source, Corpus):
            if corpus_options:
                raise TypeError(
                    f"{', '.join(sorted(corpus_options))}: the source is a Corpus already, give its options to Corpus()"
                )
            corpus = source
        else:
            corpus = Corpus(source, workers=workers, progress=progress, **corpus_options)
        found = count_rows(corpus, settings, n_workers, progress, max_memory)
        return cls._make(
            corpus.vocabulary,
            found.indptr,
            found.indices,
            found.data,
            settings.weights()[1],
            window=settings.window,
            symmetric=settings.symmetric,
            weighting=settings.weighting,
            sample=settings.sample,
            num_tokens=corpus.num_tokens,
        )

    @classmethod
    def from_csr(
        cls, vocabulary: Any, indptr: Any, indices: Any, data: Any, scale: int = 1, **how: Any
    ) -> Cooccurrence:
        """From arrays made elsewhere.

        Parameters
        ----------
        vocabulary : Vocabulary or sequence of words
        indptr, indices, data : array_like
            (V + 1,), (nnz,), (nnz,), as in ``scipy.sparse.csr_matrix``; columns ascend in each row, each once. `data`
            holds whole numbers of at least 0.
        scale : int
            What `data` is to be divided by.
        **how
            window, symmetric, weighting, sample, num_tokens, where known.

        Raises
        ------
        ValueError
            The arrays do not form such a matrix.

        Examples
        --------
        >>> Cooccurrence.from_csr(["a", "b"], [0, 1, 2], [1, 0], [3, 3]).row("a")
        {'b': 3.0}
        """
        unknown = set(how) - {"window", "symmetric", "weighting", "sample", "num_tokens"}
        if unknown:
            raise TypeError(f"from_csr() got unexpected keywords: {', '.join(sorted(unknown))}")
        vocabulary = vocabulary if isinstance(vocabulary, Vocabulary) else Vocabulary(vocabulary)
        arrays: list[np.ndarray] = []
        for name, value, dtype in (
            ("indptr", indptr, np.int64),
            ("indices", indices, np.int32),
            ("data", data, np.int64),
        ):
            given = np.asarray(value)
            array = np.array(given, dtype)
            if array.ndim != 1 or (given.size and not np.array_equal(array, given)):
                raise ValueError(f"{name} must be a one-dimensional array of whole numbers that fit in {array.dtype}")
            arrays.append(array)
        if isinstance(scale, bool) or not hasattr(scale, "__index__") or not 1 <= scale < 2**63:
            raise ValueError(f"scale must be an integer of at least 1, got {scale!r}")
        problem = check_csr(len(vocabulary), *arrays)
        if problem:
            raise ValueError(problem)
        return cls._make(vocabulary, arrays[0], arrays[1], arrays[2], int(scale), **how)

    @classmethod
    def merge(cls, *parts: Cooccurrence, vocabulary: Vocabulary | None = None) -> Cooccurrence:
        """The counts of several corpora, or of several parts of one, added up.

        Parameters
        ----------
        *parts : Cooccurrence
            Counted with the same window, weights and sides. Their vocabularies may differ.
        vocabulary : Vocabulary, optional
            Words of the result; what is not among them is left out. Default: that of the parts if they agree on words
            and order, with counts added, else ``Vocabulary.merge`` of them.

        Raises
        ------
        ValueError
            No parts, or parts that were counted in different ways.
        OverflowError
            A cell would reach 2**63.

        Examples
        --------
        >>> a = Cooccurrence.count([["a", "b"]], window=1, min_count=1)
        >>> b = Cooccurrence.count([["b", "c"]], window=1, min_count=1)
        >>> Cooccurrence.merge(a, b).row("b")
        {'a': 1.0, 'c': 1.0}
        """
        return merged(cls, parts, vocabulary)

    # -- what is in it

    @property
    def shape(self) -> tuple[int, int]:
        """(V, V)."""
        return len(self.vocabulary), len(self.vocabulary)

    @property
    def nnz(self) -> int:
        """Cells that are not zero."""
        return int(self.indptr[-1])

    @property
    def total(self) -> float:
        """The sum of all counts."""
        return int(self.data.sum()) / self.scale if self.nnz else 0.0

    def values(self, lo: int = 0, hi: int | None = None) -> np.ndarray:
        """float64: the counts of cells lo..hi, ``data / scale``."""
        return self.data[lo:hi] / self.scale

    def row(self, word: Any) -> dict[Any, float]:
        """The contexts of a word with their counts. ``KeyError`` for a word that is not here."""
        i = self.vocabulary.id(word)
        lo, hi = int(self.indptr[i]), int(self.indptr[i + 1])
        pairs = zip(self.indices[lo:hi].tolist(), self.values(lo, hi).tolist(), strict=True)
        return {self.vocabulary.word(j): x for j, x in pairs}

    def __repr__(self) -> str:
        kind = "" if self.window is None else f", {self.weighting} window {self.window}"
        return f"<Cooccurrence of {len(self.vocabulary):,} words, {self.nnz:,} cells{kind}>"

    def to_scipy(self, dtype: Any = np.float64) -> Any:
        """The counts as a ``scipy.sparse.csr_matrix``. ``ImportError`` where scipy is not installed."""
        try:
            from scipy.sparse import csr_matrix
        except ImportError:
            raise ImportError("to_scipy() needs scipy, which is not installed: pip install scipy") from None
        return csr_matrix((self.values().astype(dtype, copy=False), self.indices, self.indptr), shape=self.shape)

    # -- files

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the counts to a file; see docs/formats.md. An old file is replaced when the new one is complete."""
        v = self.vocabulary
        tensors = {"indptr": self.indptr, "indices": self.indices, "data": self.data, "counts": v.counts}
        if v.is_int:
            tensors["vocab_ints"] = v.int_keys
        else:
            tensors["vocab_bytes"], tensors["vocab_offsets"] = v.blob, v.offsets
        how = {name: getattr(self, name) for name in ("window", "symmetric", "weighting", "sample", "num_tokens")}
        meta = {"kind": KIND, "version": VERSION, "scale": self.scale, "total": v.total, "config": how}
        native.write(path, tensors, meta)

    @classmethod
    def load(cls, path: str | os.PathLike[str], mmap: bool = False) -> Cooccurrence:
        """Read what :meth:`save` wrote.

        Parameters
        ----------
        path : path-like
        mmap : bool
            Map the cells instead of reading them.

        Raises
        ------
        FormatError
            The file holds no counts, or is damaged or cut off.
        """
        tensors, meta = native.read(path, mmap)
        if meta.get("kind") != KIND:
            raise FormatError(
                f"holds {meta.get('kind', 'something else')}, not co-occurrence counts", path=path, format=native.FORMAT
            )
        if meta.get("version") != VERSION:
            raise FormatError(
                f"version {meta.get('version')} of the counts; this fastemb reads version {VERSION}",
                path=path,
                format=native.FORMAT,
            )
        try:
            vocabulary = Vocabulary.from_parts(
                tensors.get("vocab_bytes"),
                tensors.get("vocab_offsets"),
                tensors["counts"],
                int_keys=tensors.get("vocab_ints"),
                total=meta["total"],
            )
            arrays = [tensors[name] for name in ("indptr", "indices", "data")]
            scale, config = int(meta["scale"]), dict(meta["config"])
        except (KeyError, TypeError) as e:
            raise FormatError(f"a part is missing: {e}", path=path, format=native.FORMAT) from None
        problem = check_csr(len(vocabulary), *arrays)
        if problem or scale < 1:
            raise FormatError(problem or f"scale {scale}", path=path, format=native.FORMAT)
        return cls._make(vocabulary, arrays[0], arrays[1], arrays[2], scale, **config)


def check_csr(v: int, indptr: np.ndarray, indices: np.ndarray, data: np.ndarray) -> str | None:
    """What is wrong with CSR arrays of v rows and columns, None if nothing is."""
    kinds = [str(a.dtype) for a in (indptr, indices, data)]
    if kinds != ["int64", "int32", "int64"]:
        return f"indptr, indices and data must be int64, int32 and int64, not {', '.join(kinds)}"
    if indptr.shape != (v + 1,):
        return f"{v:,} words need an indptr of {v + 1:,} numbers, not of shape {indptr.shape}"
    if indptr[0] != 0 or np.any(np.diff(indptr) < 0) or indptr[-1] != len(indices) or len(indices) != len(data):
        return f"indptr must rise from 0 to the number of cells ({len(indices):,} columns, {len(data):,} counts)"
    if len(indices):
        if indices.min() < 0 or indices.max() >= v:
            return f"a column is not in 0..{v - 1}"
        rising = np.diff(indices) > 0
        rising[indptr[1:-1][(indptr[1:-1] > 0) & (indptr[1:-1] < len(indices))] - 1] = True
        if not rising.all():
            return "the columns of a row must ascend, each once"
        if data.min() < 0:
            return "a count is negative"
    return None


def merged(cls: Any, parts: tuple[Cooccurrence, ...], vocabulary: Vocabulary | None) -> Any:
    """See :meth:`Cooccurrence.merge`."""
    if not parts:
        raise ValueError("merge() needs at least one Cooccurrence")
    for name in ("scale", "window", "symmetric", "weighting"):
        values = {getattr(p, name) for p in parts}
        if len(values) > 1:
            raise ValueError(f"the parts were counted in different ways: {name} is {' and '.join(map(repr, values))}")
    if vocabulary is None:
        vocabulary = Vocabulary.merge(*(p.vocabulary for p in parts))
    v, keys, data = len(vocabulary), [], []
    for p in parts:
        to = vocabulary.ids(p.vocabulary.words).astype(np.int64)
        rows, columns = np.repeat(to, np.diff(p.indptr)), to[p.indices]
        stay = (rows >= 0) & (columns >= 0)
        keys.append((rows * v + columns)[stay])
        data.append(p.data[stay])
    unique, where = np.unique(np.concatenate(keys), return_inverse=True)
    sums, high = np.zeros(len(unique), np.int64), np.zeros(len(unique))
    np.add.at(sums, where, np.concatenate(data))
    np.add.at(high, where, np.concatenate(data).astype(np.float64))
    if np.any(high >= 2.0**63) or np.any(sums < 0):
        raise OverflowError("a merged count reaches 2**63")
    indptr = np.zeros(v + 1, np.int64)
    np.cumsum(np.bincount(unique // v, minlength=v), out=indptr[1:])
    samples, tokens = {p.sample for p in parts}, [p.num_tokens for p in parts]
    return cls._make(
        vocabulary,
        indptr,
        (unique % v).astype(np.int32),
        sums,
        parts[0].scale,
        window=parts[0].window,
        symmetric=parts[0].symmetric,
        weighting=parts[0].weighting,
        sample=samples.pop() if len(samples) == 1 else None,
        num_tokens=None if None in tokens else sum(t for t in tokens if t is not None),
    )
