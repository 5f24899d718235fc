"""``PPMI``: word vectors by counting and one singular value decomposition; no learning rate, no epochs."""

from __future__ import annotations

import logging
import time
from typing import Any

import numpy as np

from fastemb.corpus import Cooccurrence, Corpus
from fastemb.geometry.sparse import CSR
from fastemb.geometry.svd import memory as svd_memory
from fastemb.geometry.svd import truncated_svd
from fastemb.training import config as cfg
from fastemb.training import spectral_store as store
from fastemb.training.face import Face
from fastemb.training.memory import give_back, require
from fastemb.training.phases import phases
from fastemb.training.pmi import PMI
from fastemb.training.spectral_config import CountConfig, PPMIConfig, renamed
from fastemb.vectors import KeyedVectors, register

logger = logging.getLogger("fastemb")


def weighted(vectors: np.ndarray, values: np.ndarray, eig: float) -> np.ndarray:
    """Singular vectors times their values to the power of `eig`, in place; directions of value 0 stay zero."""
    factors = np.where(values > 0, np.power(np.where(values > 0, values, 1.0), eig), 0.0)
    vectors *= factors.astype(np.float32)
    return vectors


class PPMI(Face):
    """Word vectors from positive pointwise mutual information and a truncated singular value decomposition.

    Counts how often words stand near each other, takes ``max(0, PMI - log shift)`` of the counts, and decomposes that
    sparse matrix: ``M ~ U S V^T``, word vectors ``U S^eig``. On small and middling corpora this is hard to beat, and
    takes seconds.

    Parameters
    ----------
    source : Cooccurrence, Corpus, or whatever :class:`fastemb.Corpus` takes, optional
        Without it the model is empty, for :meth:`load`-like uses.
    vector_size : int
        Dimension of the vectors; at most the number of words.
    window : int
        Largest distance of a context word (default 5).
    min_count : int
        Rarer words are left out (default 5).
    weighting : {"linear", "harmonic", "flat"}
        What a pair at distance d counts. "linear" (default): (window + 1 - d) / window, the mean of word2vec's dynamic
        window; "harmonic": 1 / d; "flat": 1.
    symmetric : bool
        Contexts on both sides (default), or to the left only.
    sample : float
        Subsampling of frequent words before windows are formed, as in word2vec; 0 (default) for none.
    max_vocab_size, max_final_vocab, sorted_vocab : int, optional
        As in :class:`fastemb.Corpus`.
    cds : float
        Context distribution smoothing: the exponent of the contexts' counts, word2vec's ``ns_exponent``. 1 is plain
        PMI, whose largest values are rare contexts; 0.75 tames them.
    shift : float
        k of shifted PPMI, at least 1: log k is subtracted. Skip-gram with k negatives factorises PMI - log k; here 1
        is nearly always best.
    eig : float
        Power of the singular values in the vectors: 1 is the textbook's ``U S``, 0 takes ``U`` alone; 0.5 and 0 are
        better word vectors.
    combine : {"word", "sum", "context"}
        The word's vector; that and its vector as a context, ``V S^eig``, added up ("w+c"); the latter alone.
    oversampling, power_iterations : int
        Accuracy of the decomposition, see :func:`fastemb.geometry.svd.truncated_svd`.
    seed : int
        Of the decomposition's random block and of the subsampling. The result does not depend on `workers`.
    workers : int, optional
        Threads; None or -1 means every core this process may use.
    progress : bool or callable, optional
        True for a line on stderr, False for none, None chooses; a callable gets dicts with ``phase`` ("scan", "count",
        "ppmi", "svd"), ``fraction``, ``seconds``, ``eta``.
    max_memory : int, optional
        Bytes for counting, see ``Cooccurrence.count``.
    **corpus_options
        ``tokenizer, trim_rule, keep, cache`` as in :class:`fastemb.Corpus`.

    Attributes
    ----------
    wv : KeyedVectors
    singular_values : float64 array (vector_size,)
    cooccurrence : Cooccurrence or None
        The counts, which :meth:`pmi` and its relatives need. Set it to None to free them.
    seconds : dict
        Wall time of each phase.

    Raises
    ------
    ValueError, TypeError
        A parameter is wrong (before any work), the corpus is empty, or `vector_size` exceeds the number of words.
    MemoryError, OSError
        As in ``Cooccurrence.count``.

    Notes
    -----
    Levy, Goldberg, Dagan 2015, "Improving Distributional Similarity with Lessons Learned from Word Embeddings" (TACL
    3), whose choices the parameters are; Halko, Martinsson, Tropp 2011 for the decomposition.

    Memory: 12 bytes for each cell of counts; while decomposing, 14 bytes for each positive cell at the peak and three
    blocks of 4 (vector_size + oversampling) bytes a word.

    Examples
    --------
    >>> from fastemb import PPMI
    >>> sentences = [["cats", "say", "meow"], ["dogs", "say", "woof"]] * 20
    >>> model = PPMI(sentences, vector_size=2, window=2, min_count=1)
    >>> model.wv["cats"].shape, round(model.pmi("cats", "meow"), 3)
    ((2,), 0.708)
    """

    def __init__(
        self,
        source: Any = None,
        vector_size: int = 100,
        window: int | None = None,
        min_count: int | None = None,
        *,
        weighting: str | None = None,
        symmetric: bool | None = None,
        sample: float | None = None,
        max_vocab_size: int | None = None,
        max_final_vocab: int | None = None,
        sorted_vocab: int | None = None,
        cds: float = 0.75,
        shift: float = 1.0,
        eig: float = 0.5,
        combine: str = "word",
        oversampling: int = 10,
        power_iterations: int = 5,
        seed: int = 1,
        workers: int | None = None,
        progress: Any = None,
        max_memory: int | None = None,
        tokenizer: Any = None,
        trim_rule: Any = None,
        keep: Any = (),
        cache: Any = None,
        **unknown: Any,
    ) -> None:
        if unknown:
            raise cfg.unknown_keywords(unknown, KEYWORDS, type(self).__name__, renamed(KEYWORDS))
        self.config = PPMIConfig(
            vector_size=vector_size,
            eig=eig,
            oversampling=oversampling,
            power_iterations=power_iterations,
            seed=seed,
            workers=workers,
            cds=cds,
            shift=shift,
            combine=combine,
        )
        counting = CountConfig(
            window=window,
            min_count=min_count,
            weighting=weighting,
            symmetric=symmetric,
            sample=sample,
            max_vocab_size=max_vocab_size,
            max_final_vocab=max_final_vocab,
            sorted_vocab=sorted_vocab,
        )
        progress = cfg.check_progress(progress)
        options = {
            "tokenizer": tokenizer,
            "trim_rule": cfg.optional_callable("trim_rule", trim_rule),
            "keep": keep,
            "cache": cache,
            "max_memory": None if max_memory is None else cfg.integer("max_memory", max_memory, 1, 2**63 - 1),
        }
        self.wv = KeyedVectors(self.config.vector_size)
        self.singular_values = np.zeros(0)
        self.cooccurrence: Cooccurrence | None = None
        self.seconds: dict[str, float] = {}
        self._pmi: PMI | None = None
        if source is not None:
            with phases(progress) as tell:
                self._count(source, counting, {k: v for k, v in options.items() if v is not None and v != ()}, tell)
                self._decompose(tell)

    # ---- making

    def _count(self, source: Any, counting: CountConfig, options: dict[str, Any], tell: Any) -> None:
        began = time.monotonic()
        if isinstance(source, Cooccurrence):
            counting.refuse("Cooccurrence")
            if options:
                raise ValueError(f"{', '.join(options)}: the source is a Cooccurrence, which is counted already")
            self.cooccurrence = source
        else:
            how = CountConfig.DEFAULTS | counting.given()
            if isinstance(source, Corpus):
                counting.refuse("Corpus", CountConfig.DEFAULTS)
                options = {k: v for k, v in options.items() if k == "max_memory"} if set(options) <= {
                    "max_memory"
                } else _refuse_options(options)
            self.cooccurrence = Cooccurrence.count(
                source, seed=self.config.seed, workers=self.config.workers, progress=tell, **how, **options
            )
        words = len(self.cooccurrence.vocabulary)
        if self.config.vector_size > words:
            raise ValueError(
                f"vector_size={self.config.vector_size} is out of range: the matrix of {words:,} words has at most "
                f"{words:,} singular values; lower vector_size (or min_count)"
            )
        self.seconds["count"] = time.monotonic() - began

    def _decompose(self, tell: Any) -> None:
        assert self.cooccurrence is not None
        config, began = self.config, time.monotonic()
        tell({"phase": "ppmi", "fraction": 0.0})
        self._pmi = PMI(self.cooccurrence, config.cds, config.shift, config.threads)
        found: dict[str, int] = {}

        def check(cells: int) -> None:
            words, size = len(self._pmi.row_sums), config.vector_size + config.oversampling  # type: ignore[union-attr]
            require(svd_memory(words, words, cells, size), ("a smaller vector_size", "a larger min_count"))

        def matrix() -> CSR:
            assert self._pmi is not None
            csr = self._pmi.positive(check)
            found["nnz"], found["empty"] = csr.nnz, int(np.count_nonzero(np.diff(csr.indptr) == 0))
            self.seconds["ppmi"] = time.monotonic() - began
            tell({"phase": "svd", "fraction": 0.0})
            return csr

        left, values, right = truncated_svd(
            matrix,
            config.vector_size,
            oversampling=config.oversampling,
            power_iterations=config.power_iterations,
            seed=config.seed,
            workers=config.threads,
            tell=lambda share: tell({"phase": "svd", "fraction": share}),
        )
        vectors = weighted(right if config.combine == "context" else left, values, config.eig)
        if config.combine == "sum":
            vectors += weighted(right, values, config.eig)
        self.seconds["svd"] = time.monotonic() - began - self.seconds["ppmi"]
        give_back()
        self.singular_values = values
        self.wv = KeyedVectors.from_vocabulary(self.cooccurrence.vocabulary, vectors)
        logger.info(
            "PPMI: %s of %s cells are positive; singular values %.4g to %.4g",
            f"{found['nnz']:,}", f"{self.cooccurrence.nnz:,}", values[0], values[-1],
        )  # fmt: skip
        if found["empty"]:
            logger.info("%s words have no context of positive PMI and zero vectors", f"{found['empty']:,}")

    # ---- what the counts tell

    def _counts(self) -> PMI:
        if self.cooccurrence is None:
            raise RuntimeError(
                "the counts are not here (the model is empty, was saved with counts=False, or cooccurrence was set to "
                "None): give the model's `cooccurrence` a Cooccurrence"
            )
        if self._pmi is None or self._pmi.counts is not self.cooccurrence:
            if len(self.wv) and self.cooccurrence.vocabulary.words != self.wv.index_to_key:
                raise ValueError("these counts are of other words than the vectors")
            self._pmi = PMI(self.cooccurrence, self.config.cds, self.config.shift, self.config.threads)
        return self._pmi

    def _row(self, word: Any) -> int:
        return int(self.wv.get_index(word))

    def pmi(self, word: Any, context: Any) -> float:
        """Pointwise mutual information of a word and a context, smoothed by ``cds`` but not shifted.

        Returns
        -------
        float
            In nats; negative for pairs that avoid each other, -inf for pairs that were never seen.

        Raises
        ------
        KeyError
            An unknown word.
        RuntimeError
            The model has no counts.
        """
        return self._counts().pair(self._row(word), self._row(context))

    def ppmi_row(self, word: Any) -> dict[Any, float]:
        """The contexts of a word with positive ``PMI - log shift``: its row of the matrix that was decomposed.

        Raises
        ------
        KeyError, RuntimeError
            As in :meth:`pmi`.
        """
        columns, values = self._counts().row(self._row(word))
        keys = self.wv.index_to_key
        return {keys[j]: x for j, x in zip(columns.tolist(), values.tolist(), strict=True) if x > 0}

    def nearest_contexts(self, word: Any, topn: int = 10) -> list[tuple[Any, float]]:
        """The contexts that go with a word most, by PPMI; ties in the order of the vocabulary.

        Returns
        -------
        list of (context, PPMI)

        Examples
        --------
        >>> from fastemb import PPMI
        >>> model = PPMI([["ice", "cold"], ["fire", "hot"]] * 9, vector_size=2, min_count=1)
        >>> model.nearest_contexts("ice")[0][0]
        'cold'
        """
        topn = cfg.integer("topn", topn, 0, cfg.MAX_INT32)
        row = self.ppmi_row(word)
        return sorted(row.items(), key=lambda item: -item[1])[:topn]

    def matrix(self) -> CSR:
        """The positive PMI matrix in CSR form, made from the counts anew.

        Returns
        -------
        CSR
            ``indptr`` int64 (V + 1,), ``indices`` int32, ``data`` float32, ``cols``; rows are words, columns contexts.
        """
        return self._counts().positive()

    def to_scipy(self) -> Any:
        """:meth:`matrix` as a ``scipy.sparse.csr_matrix``. ``ImportError`` where scipy is not installed."""
        try:
            from scipy.sparse import csr_matrix
        except ImportError:
            raise ImportError('to_scipy() needs scipy, which is not installed: pip install "fastemb[sparse]"') from None
        indptr, indices, data, cols = self.matrix()
        return csr_matrix((data, indices, indptr), shape=(len(indptr) - 1, cols))

    # ---- files

    def save(self, fname: Any, counts: bool = True) -> None:
        """Save the model in one native file, atomically, without pickle.

        Parameters
        ----------
        fname : path
        counts : bool
            Keep the co-occurrence counts, 12 bytes a cell; without them :meth:`pmi` and its relatives end.

        Raises
        ------
        RuntimeError
            The model is empty.
        """
        store.save_ppmi(self, fname, bool(counts))

    @classmethod
    def load(cls, fname: Any, mmap: bool = False) -> PPMI:
        """Load what :meth:`save` wrote.

        Parameters
        ----------
        fname : path
        mmap : bool
            Map the file instead of reading it.

        Raises
        ------
        FormatError
            The file is damaged, or of another kind: the message says which.
        """
        return store.load(cls, fname, bool(mmap))

    # ---- small things

    @property
    def vector_size(self) -> int:
        """Dimension of the vectors."""
        return self.config.vector_size

    def __repr__(self) -> str:
        c = self.config
        return f"{type(self).__name__}<vocab={len(self.wv)}, vector_size={c.vector_size}, cds={c.cds:g}, eig={c.eig:g}>"

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and name in PPMIConfig.names():
            return getattr(self.config, name)
        return super().__getattr__(name)


def _refuse_options(options: dict[str, Any]) -> dict[str, Any]:
    wrong = ", ".join(sorted(set(options) - {"max_memory"}))
    raise ValueError(f"{wrong}: the source is a Corpus already; give these to Corpus()")


_CODE = PPMI.__init__.__code__
KEYWORDS = _CODE.co_varnames[1 : _CODE.co_argcount + _CODE.co_kwonlyargcount]

register(store.PPMI_KIND, lambda tensors, meta: store.from_native(PPMI, tensors, meta))
