"""``LSA``: words and documents in one space, by a singular value decomposition of term-document counts."""

from __future__ import annotations

import logging
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastemb.corpus import Corpus
from fastemb.corpus.documents import Documents, count_documents
from fastemb.geometry.norms import inverse, row_norms
from fastemb.geometry.sparse import CSR, from_panels, multiply, tiled, to_panels
from fastemb.geometry.svd import memory as svd_memory
from fastemb.geometry.svd import truncated_svd
from fastemb.training import config as cfg
from fastemb.training import spectral_store as store
from fastemb.training.face import Face
from fastemb.training.memory import give_back, require
from fastemb.training.phases import phases
from fastemb.training.ppmi import weighted
from fastemb.training.spectral_config import LSAConfig, renamed
from fastemb.vectors import KeyedVectors, register

logger = logging.getLogger("fastemb")

CELLS = 1 << 20  # weighted at a time


def local_weights(counts: NDArray, weighting: str) -> NDArray:
    """What a count within a document is worth."""
    if weighting in ("log-entropy", "log"):
        return np.log1p(counts)
    return np.ones_like(counts) if weighting == "binary" else counts


def global_weights(counts: CSR, weighting: str) -> NDArray:
    """float64 (V,): what a word is worth, from its distribution over the documents.

    Parameters
    ----------
    counts : CSR (documents, words)
    weighting : str
        "log-entropy": ``1 + sum_d p log p / log D`` with p the share of the word's occurrences that document d has, 0
        for a word spread evenly and 1 for a word of one document (Dumais 1991). "tf-idf": ``log(D / df)``. Others: 1.
    """
    documents, words = counts.rows, counts.cols
    if weighting == "tf-idf":
        frequency = np.bincount(counts.indices, minlength=words)
        return np.log(documents / np.maximum(frequency, 1))
    if weighting != "log-entropy" or documents == 1:
        return np.ones(words)
    totals, spread = np.zeros(words), np.zeros(words)
    for lo in range(0, counts.nnz, CELLS):
        at, n = counts.indices[lo : lo + CELLS], counts.data[lo : lo + CELLS].astype(np.float64)
        totals += np.bincount(at, weights=n, minlength=words)
        spread += np.bincount(at, weights=n * np.log(n), minlength=words)
    totals = np.maximum(totals, 1.0)
    return np.clip(1 + (spread / totals - np.log(totals)) / np.log(documents), 0.0, 1.0)


def apply_weights(counts: CSR, weighting: str, weights: NDArray) -> CSR:
    """The weighted matrix, in the memory of the counts."""
    for lo in range(0, counts.nnz, CELLS):
        part = counts.data[lo : lo + CELLS]
        part[:] = local_weights(part, weighting) * weights[counts.indices[lo : lo + CELLS]]
    return counts


class LSA(Face):
    """Latent semantic analysis: vectors of words and of documents from the counts of words in documents.

    The matrix of weighted counts is decomposed, ``X ~ T S D^T``; words are ``T S^eig``, documents ``D S^eig``, and new
    documents are folded in at the place where they would be.

    Parameters
    ----------
    documents : path, list of paths, iterable of token lists, iterable of strings with `tokenizer`, id arrays, Corpus
        Row i of :attr:`document_vectors` is document i, empty ones included. A :class:`fastemb.Corpus` is taken as it
        is: its sentences are the documents.
    vector_size : int
        Dimension of the vectors; at most the number of words and of documents.
    weighting : {"log-entropy", "tf-idf", "log", "count", "binary"}
        What a cell is worth: ``log(1 + tf)`` times the word's entropy weight (Dumais 1991), ``tf log(D / df)``,
        ``log(1 + tf)``, tf, or 1.
    min_count : int
        Rarer words are left out (default 2).
    unit : {"line", "file"}
        What a document is, where they are read from files.
    eig : float
        Power of the singular values in the vectors; 1 as in Deerwester et al., where cosines of documents are those of
        the columns of the approximated matrix.
    max_vocab_size, max_final_vocab, sorted_vocab
        As in :class:`fastemb.Corpus`.
    oversampling, power_iterations : int
        Accuracy of the decomposition, see :func:`fastemb.geometry.svd.truncated_svd`.
    seed, workers, progress
        As in :class:`fastemb.PPMI`; the result does not depend on `workers`.
    tokenizer, trim_rule, keep, cache, max_memory
        As in :class:`fastemb.Corpus`.

    Attributes
    ----------
    wv : KeyedVectors
        The words.
    document_vectors : float32 array (documents, vector_size)
    singular_values : float64 array (vector_size,)
    global_weights : float64 array (V,)
    num_documents : int
    seconds : dict
        Wall time of each phase.

    Raises
    ------
    ValueError, TypeError
        A parameter is wrong (before any work), or no word reaches `min_count`.

    Notes
    -----
    Deerwester, Dumais, Furnas, Landauer, Harshman 1990, "Indexing by Latent Semantic Analysis" (JASIS 41); Dumais
    1991, "Improving the retrieval of information from external sources" for the weights.

    Memory: 8 bytes a cell of the matrix, 14 at the peak, and three blocks of 4 (vector_size + oversampling) bytes a
    word or document, whichever are more.

    Examples
    --------
    >>> from fastemb import LSA
    >>> documents = [["ship", "boat", "sea"], ["boat", "sea"], ["tree", "leaf"], ["leaf", "wood", "tree"]]
    >>> model = LSA(documents, vector_size=2, min_count=1)
    >>> model.nearest_documents(["ship"], 2)[0][0] in (0, 1)
    True
    >>> model.transform([["wood"], []]).shape
    (2, 2)
    """

    def __init__(
        self,
        documents: Any = None,
        vector_size: int = 100,
        weighting: str = "log-entropy",
        min_count: int = 2,
        *,
        unit: str = "line",
        eig: float = 1.0,
        max_vocab_size: int | None = None,
        max_final_vocab: int | None = None,
        sorted_vocab: int = 1,
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
        self.config = LSAConfig(
            vector_size=vector_size,
            weighting=weighting,
            min_count=min_count,
            eig=eig,
            max_vocab_size=max_vocab_size,
            max_final_vocab=max_final_vocab,
            sorted_vocab=sorted_vocab,
            oversampling=oversampling,
            power_iterations=power_iterations,
            seed=seed,
            workers=workers,
        )
        cfg.choice("unit", unit, {"line": 0, "file": 0})
        progress = cfg.check_progress(progress)
        options = {
            "trim_rule": cfg.optional_callable("trim_rule", trim_rule),
            "keep": keep,
            "cache": cache,
            "max_memory": None if max_memory is None else cfg.integer("max_memory", max_memory, 1, 2**63 - 1),
        }
        self.wv = KeyedVectors(self.config.vector_size)
        self.document_vectors = np.zeros((0, self.config.vector_size), np.float32)
        self.singular_values = np.zeros(0)
        self.global_weights = np.zeros(0)
        self.num_documents = 0
        self.seconds: dict[str, float] = {}
        self._fold = np.zeros((0, self.config.vector_size), np.float32)
        if documents is not None:
            options = {k: v for k, v in options.items() if v is not None and v != ()}
            with phases(progress) as tell:
                self._fit(documents, unit, tokenizer, options, tell)

    def _fit(self, source: Any, unit: str, tokenizer: Any, options: dict[str, Any], tell: Any) -> None:
        config, began = self.config, time.monotonic()
        if isinstance(source, Corpus):
            if options or tokenizer is not None:
                raise ValueError("the source is a Corpus already; give tokenizer, keep, cache and the like to Corpus()")
            documents = Documents(source)
        else:
            documents = Documents(
                source,
                unit=unit,
                tokenizer=tokenizer,
                min_count=config.min_count,
                max_vocab_size=config.max_vocab_size,
                max_final_vocab=config.max_final_vocab,
                sorted_vocab=bool(config.sorted_vocab),
                workers=config.workers,
                progress=tell,
                **options,
            )
        self.seconds["scan"] = time.monotonic() - began
        number, words = len(documents), len(documents.vocabulary)
        if config.vector_size > min(number, words):
            raise ValueError(
                f"vector_size={config.vector_size} is out of range: a matrix of {words:,} words and {number:,} "
                f"documents has at most {min(number, words):,} singular values; lower vector_size"
                + (" or min_count" if words < number else "")
            )
        vocabulary, found = documents.vocabulary, [documents]
        del documents

        def matrix() -> CSR:
            tell({"phase": "count", "fraction": 0.0})
            counts = count_documents(found[0], config.threads, lambda: tell({"phase": "count"}))
            found.clear()  # the ids are not needed any more
            need = svd_memory(number, words, counts.nnz, config.vector_size + config.oversampling)
            require(need, ("a smaller vector_size", "a larger min_count"))
            self.global_weights = global_weights(counts, config.weighting)
            weighted_counts = apply_weights(counts, config.weighting, self.global_weights)
            self.seconds["count"] = time.monotonic() - began - self.seconds["scan"]
            return weighted_counts

        left, values, right = truncated_svd(
            matrix,
            config.vector_size,
            oversampling=config.oversampling,
            power_iterations=config.power_iterations,
            seed=config.seed,
            workers=config.threads,
            tell=lambda share: tell({"phase": "svd", "fraction": share}),
        )
        self.seconds["svd"] = time.monotonic() - began - self.seconds["scan"] - self.seconds["count"]
        give_back()
        self.singular_values, self.num_documents, self._fold = values, number, right
        self.document_vectors = weighted(left, values, config.eig)
        self.wv = KeyedVectors.from_vocabulary(vocabulary, weighted(right.copy(), values, config.eig))
        logger.info("LSA: %s words, %s documents; singular values %.4g to %.4g",
                    f"{words:,}", f"{number:,}", values[0], values[-1])  # fmt: skip

    # ---- documents

    def transform(self, documents: Any, *, unit: str = "line", tokenizer: Any = None) -> NDArray:
        """Vectors of new documents: folded in, ``x^T T S^(eig - 1)``.

        The documents that the model was made from come back as their :attr:`document_vectors`, to rounding and the
        accuracy of the decomposition. Words outside the vocabulary are left out; a document without any known word is
        zero.

        Parameters
        ----------
        documents
            As in the constructor. One document is a list of one token list.
        unit, tokenizer
            As in the constructor.

        Returns
        -------
        float32 array (n, vector_size)

        Raises
        ------
        RuntimeError
            The model is empty.
        TypeError
            A string where a list of tokens is expected.
        """
        if not len(self.wv):
            raise RuntimeError("the model is empty: give it documents first")
        found = self._documents(documents, unit, tokenizer)
        if found is None:
            return np.zeros((0, self.config.vector_size), np.float32)
        config = self.config
        x = apply_weights(count_documents(found, config.threads), config.weighting, self.global_weights)
        k = config.vector_size
        vectors = from_panels(multiply(tiled(x, config.threads), to_panels(self._fold), config.threads), k)
        return weighted(vectors, self.singular_values, config.eig - 1)

    def _documents(self, documents: Any, unit: str, tokenizer: Any) -> Documents | None:
        if isinstance(documents, (list, tuple)) and not documents:
            return None
        vocabulary = store._own_vocabulary(self)
        return Documents(documents, unit=unit, tokenizer=tokenizer, vocabulary=vocabulary, workers=self.config.workers)

    def nearest_documents(self, document: Any, topn: int = 10) -> list[tuple[int, float]]:
        """Numbers of the documents nearest to one, with their cosines.

        Parameters
        ----------
        document : list of tokens, or int
            A query, folded in; or the number of one of the model's own documents, which is then left out.
        topn : int

        Returns
        -------
        list of (int, float)

        Raises
        ------
        IndexError
            There is no document of that number.
        """
        topn = cfg.integer("topn", topn, 0, cfg.MAX_INT32)
        own = isinstance(document, (int, np.integer)) and not isinstance(document, bool)
        if own and not 0 <= document < len(self.document_vectors):
            raise IndexError(f"document {document} of {len(self.document_vectors)}")
        query = self.document_vectors[document] if own else self.transform([document])[0]
        cosines = (self.document_vectors @ query) * inverse(row_norms(self.document_vectors))
        cosines *= inverse(row_norms(query[None]))[0]
        order = np.argsort(-cosines, kind="stable")
        if own:
            order = order[order != document]
        return [(int(i), float(cosines[i])) for i in order[:topn]]

    # ---- files

    def save(self, fname: Any) -> None:
        """Save the model in one native file, atomically, without pickle.

        Raises
        ------
        RuntimeError
            The model is empty.
        """
        store.save_lsa(self, fname)

    @classmethod
    def load(cls, fname: Any, mmap: bool = False) -> LSA:
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
        return (
            f"{type(self).__name__}<vocab={len(self.wv)}, documents={self.num_documents}, "
            f"vector_size={self.vector_size}, weighting={self.config.weighting!r}>"
        )

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and name in LSAConfig.names():
            return getattr(self.config, name)
        return super().__getattr__(name)


_CODE = LSA.__init__.__code__
KEYWORDS = _CODE.co_varnames[1 : _CODE.co_argcount + _CODE.co_kwonlyargcount]

register(store.LSA_KIND, lambda tensors, meta: store.from_native(LSA, tensors, meta))
