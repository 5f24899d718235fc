"""``Cooccurrence``: how often the words of a corpus stand near each other."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from fastemb.formats import native

from . import cooccurrence_file
from ._cooccur import check_cells
from .cooccurrence_merge import merge
from .counting import Settings, count_rows
from .encoded import Corpus
from .memory import resolve_workers
from .spill import CellFiles, Counted
from .vocabulary import Vocabulary

__all__ = ["Cooccurrence"]

Progress = Callable[[dict[str, Any]], Any]
CHECK_CELLS = 1 << 24  # cells looked at in one go


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

    Notes
    -----
    Cells that did not fit in the ``max_memory`` of a count are in a temporary file, which goes with the object;
    ``indices`` and ``data`` are then memory maps, made when first asked for. ``values``, ``row`` and ``save`` read the
    file in pieces and need neither memory nor address space for all of it.

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
    scale: int
    window: int | None
    symmetric: bool | None
    weighting: str | None
    sample: float | None
    num_tokens: int | None
    _cells: list[Any]  # columns and counts, or None while they are in _files
    _files: CellFiles | None

    def __init__(self) -> None:
        raise TypeError("use Cooccurrence.count(), .load(), .merge() or .from_csr()")

    @classmethod
    def _make(
        cls,
        vocabulary: Vocabulary,
        counted: Counted,
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
        self.indptr = counted.indptr
        if isinstance(counted.cells, CellFiles):
            self._files, self._cells = counted.cells, [None, None]
        else:
            self._files, self._cells = None, list(counted.cells)
        for array in (self.indptr, *self._cells):
            if array is not None and array.flags.writeable:
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
            Bytes of memory to use, beside the vocabulary. A text that needs more is counted in pieces, whose counts go
            to a temporary file (TMPDIR chooses the disk) and are merged from there; the cells of the result go to one
            too when they need more than a half of this. Default: three quarters of what is available. The result does
            not depend on it.
        workers : int, optional
            Threads; default all CPUs. The result does not depend on it.
        progress : callable, optional
            Called from this thread with ``dict(phase="count", tokens=, total_tokens=, fraction=, cells=,
            words_per_s=)``.

        Raises
        ------
        ValueError, TypeError
            A parameter out of range, `max_memory` too small for even one row; whatever :class:`fastemb.Corpus` raises.
        OverflowError
            A count reaches 2**63.
        OSError
            The disk of the temporary files is full. They are gone then, as after Ctrl-C.

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
        if max_memory is not None and (isinstance(max_memory, bool) or not hasattr(max_memory, "__index__")):
            raise TypeError(f"max_memory must be None or a number of bytes, got {max_memory!r}")
        if max_memory is not None and max_memory < 0:
            raise ValueError(f"max_memory must be None or a number of bytes of at least 0, got {max_memory}")
        n_workers = resolve_workers(workers)
        if isinstance(source, Corpus):
            if corpus_options:
                raise TypeError(
                    f"{', '.join(sorted(corpus_options))}: the source is a Corpus already, give its options to Corpus()"
                )
            corpus = source
        else:
            if corpus_options.setdefault("cache", "auto") == "auto" and max_memory is not None:
                corpus_options["max_memory"] = max_memory // 4
            corpus = Corpus(source, workers=workers, progress=progress, **corpus_options)
            if max_memory is not None and corpus.in_memory:
                max_memory = max(0, max_memory - 4 * corpus.num_tokens)
        found = count_rows(corpus, settings, n_workers, progress, max_memory)
        return cls._make(
            corpus.vocabulary,
            found,
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
            holds whole numbers of at least 1: cells without a count are left out.
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
        return cls._make(vocabulary, Counted(arrays[0], (arrays[1], arrays[2])), int(scale), **how)

    @classmethod
    def merge(
        cls,
        *parts: Cooccurrence,
        vocabulary: Vocabulary | None = None,
        max_memory: int | None = None,
        workers: int | None = None,
    ) -> Cooccurrence:
        """The counts of several corpora, or of several parts of one, added up.

        Parameters
        ----------
        *parts : Cooccurrence
            Counted with the same window, weights and sides. Their vocabularies may differ.
        vocabulary : Vocabulary, optional
            Words of the result; what is not among them is left out. Default: ``Vocabulary.merge`` of those of the
            parts.
        max_memory, workers
            As in :meth:`count`.

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
        vocabulary, found = merge(parts, vocabulary, max_memory, resolve_workers(workers))
        samples, tokens = {p.sample for p in parts}, [p.num_tokens for p in parts]
        first = parts[0]
        return cls._make(
            vocabulary,
            found,
            first.scale,
            window=first.window,
            symmetric=first.symmetric,
            weighting=first.weighting,
            sample=first.sample if len(samples) == 1 else None,
            num_tokens=None if None in tokens else sum(t for t in tokens if t is not None),
        )

    # -- what is in it

    @property
    def shape(self) -> tuple[int, int]:
        """(V, V)."""
        return len(self.vocabulary), len(self.vocabulary)

    @property
    def nnz(self) -> int:
        """Cells that are not zero."""
        return int(self.indptr[-1])

    def _all(self, which: int) -> np.ndarray:
        if self._cells[which] is None:
            assert self._files is not None
            self._cells[which] = self._files.map(which)
        return self._cells[which]

    def _some(self, which: int, lo: int, hi: int) -> np.ndarray:
        """Cells lo..hi, a view or read from the file."""
        if self._cells[which] is not None:
            return self._cells[which][lo:hi]
        assert self._files is not None
        return self._files.read(which, lo, hi)

    @property
    def indices(self) -> np.ndarray:
        """int32 (nnz,): columns, ascending in each row, each once; read-only."""
        return self._all(0)

    @property
    def data(self) -> np.ndarray:
        """int64 (nnz,): counts in units of 1 / scale, at least 1; read-only."""
        return self._all(1)

    @property
    def in_memory(self) -> bool:
        """Whether the cells are in memory or in a mapped file, not in a temporary file."""
        return self._files is None

    @property
    def total(self) -> float:
        """The sum of all counts."""
        whole = sum(_sum(self._some(1, lo, min(lo + CHECK_CELLS, self.nnz))) for lo in range(0, self.nnz, CHECK_CELLS))
        return whole / self.scale

    def values(self, lo: int = 0, hi: int | None = None) -> np.ndarray:
        """float64: the counts of cells lo..hi, ``data / scale``."""
        lo, hi, _ = slice(lo, hi).indices(self.nnz)
        return self._some(1, lo, max(lo, hi)) / self.scale

    def row(self, word: Any) -> dict[Any, float]:
        """The contexts of a word with their counts. ``KeyError`` for a word that is not here."""
        i = self.vocabulary.id(word)
        lo, hi = int(self.indptr[i]), int(self.indptr[i + 1])
        pairs = zip(self._some(0, lo, hi).tolist(), self.values(lo, hi).tolist(), strict=True)
        return {self.vocabulary.word(j): x for j, x in pairs}

    def __repr__(self) -> str:
        kind = "" if self.window is None else f", {self.weighting} window {self.window}"
        return f"<Cooccurrence of {len(self.vocabulary):,} words, {self.nnz:,} cells{kind}>"

    def to_scipy(self, dtype: Any = np.float64) -> Any:
        """The counts as a ``scipy.sparse.csr_matrix``. ``ImportError`` where scipy is not installed."""
        try:
            from scipy.sparse import csr_matrix
        except ImportError:
            raise ImportError('to_scipy() needs scipy, which is not installed: pip install "fastemb[sparse]"') from None
        return csr_matrix((self.values().astype(dtype, copy=False), self.indices, self.indptr), shape=self.shape)

    # -- files

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the counts to a file; see docs/formats.md. An old file is replaced when the new one is complete."""
        parts = [self._all(k) if self._files is None else self._files.streamed(k) for k in (0, 1)]
        cooccurrence_file.write(path, self, parts[0], parts[1])

    @classmethod
    def load(cls, path: str | os.PathLike[str], mmap: bool = False) -> Cooccurrence:
        """Read what :meth:`save` wrote.

        Parameters
        ----------
        path : path-like
        mmap : bool
            Map the cells instead of reading them: processes share them, and what is not used takes no memory. The file
            is read once to check it all the same.

        Raises
        ------
        FormatError
            The file holds no counts, or is damaged or cut off.
        """
        return cls._from_native(*native.read(path, mmap), path)

    @classmethod
    def _from_native(cls, tensors: Any, meta: Any, path: Any = None) -> Cooccurrence:
        vocabulary, arrays, scale, how = cooccurrence_file.unpack(tensors, meta, path)
        problem = check_csr(len(vocabulary), *arrays)
        if problem:
            raise cooccurrence_file.damaged(path, problem)
        return cls._make(vocabulary, Counted(arrays[0], (arrays[1], arrays[2])), scale, **how)


def _sum(counts: np.ndarray) -> int:
    """The exact sum of int64 numbers that are not negative."""
    if not len(counts) or int(counts.max()) * len(counts) < 2**63:
        return int(counts.sum())
    low = int((counts & 0xFFFFFFFF).sum())
    return low + (int((counts >> 32).sum()) << 32)


def check_csr(v: int, indptr: np.ndarray, indices: np.ndarray, data: np.ndarray) -> str | None:
    """What is wrong with CSR arrays of v rows and columns, None if nothing is."""
    kinds = [str(a.dtype) for a in (indptr, indices, data)]
    if kinds != ["int64", "int32", "int64"] or any(a.ndim != 1 for a in (indptr, indices, data)):
        return f"indptr, indices and data must be flat arrays of int64, int32 and int64, not {', '.join(kinds)}"
    if indptr.shape != (v + 1,):
        return f"{v:,} words need an indptr of {v + 1:,} numbers, not of shape {indptr.shape}"
    if indptr[0] != 0 or np.any(np.diff(indptr) < 0) or indptr[-1] != len(indices) or len(indices) != len(data):
        return f"indptr must rise from 0 to the number of cells ({len(indices):,} columns, {len(data):,} counts)"
    row = 0
    while row < v:
        end = max(row + 1, int(np.searchsorted(indptr, indptr[row] + CHECK_CELLS, side="right")) - 1)
        lo, hi = int(indptr[row]), int(indptr[end])
        problem = check_cells(v, indptr[row : end + 1], indices[lo:hi], data[lo:hi])
        if problem:
            return problem
        row = end
    return None
