"""Vectors of texts from the vectors of their words.

A. Pooling. "mean", "sum" and "max" are what they say. "sif" is the smooth inverse frequency of Arora, Liang and Ma 2017
   ("A Simple but Tough-to-Beat Baseline for Sentence Embeddings"): the mean weighs each word a / (a + p(w)), p(w) its
   share of the corpus, and then the direction that all sentences have in common is removed.
B. The common direction. The paper takes it from the sentences at hand, so that a sentence's vector depends on its
   neighbours and a single sentence has none. Here it comes from the vocabulary: the first principal direction of the
   vectors that sentences of independently drawn words would have, which is known in closed form. With weights u(w) = a
   / (a + p(w)) a sentence of L words has the mean m = sum p u v and the second moment (1 - 1/L) m m' + (1/L) sum p u^2
   v v'. ``sif_remove="batch"`` gives the paper's way.
C. Words without counts (GloVe files, word2vec's own format) get p(w) proportional to 1 / (rank + 2.7), Zipf's law as
   Mandelbrot wrote it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastemb.geometry import compute_dtype, inverse, principal_directions, remove_directions, row_norms, scale_rows
from fastemb.vectors.table import VectorTable, is_key

logger = logging.getLogger(__name__)

_WORDS = re.compile(r"[^ \t\n\v\f\r]+").findall
_GATHERED = 1 << 20  # floats gathered at a time
_LENGTH = 20  # L of note B: words of a typical sentence
_FREQUENT = 50_000  # words that note B sums over: nearly all of any corpus
POOLINGS = ("mean", "sum", "max", "sif")


@dataclass(frozen=True)
class EncodeReport:
    """What :meth:`KeyedVectors.encode` met.

    Attributes
    ----------
    texts, empty_texts : int
        Texts, and those among them without a single known word: their vectors are zero.
    tokens, tokens_oov : int
        Words, and those among them that are not in the vocabulary.
    """

    texts: int
    empty_texts: int
    tokens: int
    tokens_oov: int


def split_words(text: str) -> list[str]:
    """Words between ASCII white space (space, tab, LF, CR, VT, FF), the separators of the corpus readers.

    Examples
    --------
    >>> split_words("no\\u00a0break here")
    ['no\\xa0break', 'here']
    """
    # str.split also splits at other characters, only four of which are ASCII; it is three times faster than the
    # expression
    if text.isascii() and not any(c in text for c in "\x1c\x1d\x1e\x1f"):
        return text.split()
    return _WORDS(text)


class Encoding(VectorTable):
    """The method of :class:`fastemb.KeyedVectors` that turns texts into vectors."""

    def encode(
        self,
        texts: str | Iterable[str | Sequence[Any]],
        pooling: str = "mean",
        tokenizer: Callable[[str], Sequence[Any]] | None = None,
        normalize: bool = False,
        sif_a: float = 1e-3,
        sif_remove: str | NDArray | None = "vocabulary",
        return_report: bool = False,
    ) -> Any:
        """Vectors of whole texts.

        Parameters
        ----------
        texts : str, or iterable of str or of lists of keys
            A string is tokenised, a list of keys taken as it is.
        pooling : {"mean", "sum", "max", "sif"}
            "sif" is the weighted mean of Arora et al. 2017 without the direction common to all sentences.
        tokenizer : callable, optional
            From a text to its words; without one, texts are split at ASCII white space. Nothing is lower-cased.
        normalize : bool
            Scale the vectors to length 1.
        sif_a : float
            The ``a`` of a / (a + p(w)).
        sif_remove : {"vocabulary", "batch", None} or ndarray of shape (k, d)
            Where the common direction comes from: the vocabulary (a text's vector does not depend on the other texts),
            the given texts (the paper's way), given orthonormal directions, or nowhere.
        return_report : bool
            Return an :class:`EncodeReport`, too.

        Returns
        -------
        ndarray of shape (n, d), float32; (d,) for a single string
            Zeros for a text without a known word. With ``return_report``, a pair of this and the report.

        Raises
        ------
        ValueError
            For an unknown pooling or an ``sif_a`` that is not positive.
        TypeError
            For a text that is neither a string nor a list of keys.

        Notes
        -----
        How many words were unknown is in the report; texts without any known word are also counted in the log, as a
        warning.

        Examples
        --------
        >>> from fastemb import KeyedVectors
        >>> kv = KeyedVectors(2)
        >>> kv.add_vectors(["good", "day"], [[1.0, 0.0], [0.0, 1.0]])
        >>> vectors, report = kv.encode(["good day", "guten day"], return_report=True)
        >>> vectors.tolist(), report.tokens_oov
        ([[0.5, 0.5], [0.0, 1.0]], 1)
        """
        if pooling not in POOLINGS:
            raise ValueError(f"pooling must be one of {', '.join(POOLINGS)}, not {pooling!r}")
        if pooling == "sif" and not (np.isfinite(sif_a) and sif_a > 0):
            raise ValueError(f"sif_a must be a positive number, not {sif_a!r}")
        single = isinstance(texts, str)
        rows, lengths, tokens = self._rows_of_texts([texts] if single else texts, tokenizer or split_words)
        report = EncodeReport(len(lengths), int((lengths == 0).sum()), tokens, tokens - len(rows))
        if report.empty_texts:
            logger.warning(
                "%d of %d texts have no word of the vocabulary: their vectors are zero",
                report.empty_texts,
                report.texts,
            )
        if report.tokens_oov:
            logger.info("%d of %d words are not in the vocabulary", report.tokens_oov, report.tokens)

        weights = self._sif_weights(sif_a) if pooling == "sif" else None
        result = self._pool(rows, lengths, np.maximum if pooling == "max" else np.add, weights)
        if pooling in ("mean", "sif"):
            result /= np.maximum(lengths, 1).astype(np.float32)[:, None]
        if pooling == "sif":
            directions = self._common_directions(sif_remove, sif_a, result)
            if directions is not None:
                remove_directions(result, directions)
                result[lengths == 0] = 0.0
        if normalize:
            scale_rows(result, inverse(row_norms(result)))
        vectors = result[0] if single else result
        return (vectors, report) if return_report else vectors

    def _rows_of_texts(
        self, texts: Iterable[Any], tokenizer: Callable[[str], Sequence[Any]]
    ) -> tuple[NDArray, NDArray, int]:
        """Rows of the known words of all texts end to end, how many each text has, and the number of all words."""
        find, rows, lengths, tokens = self.key_to_index.get, [], [], 0
        for number, text in enumerate(texts):
            if isinstance(text, str):
                words = tokenizer(text)
            elif isinstance(text, bytes) or is_key(text) or not hasattr(text, "__iter__"):
                raise TypeError(
                    f"text {number} is neither a string nor a list of words but {type(text).__name__}: {text!r:.60}"
                )
            else:
                words = list(text)
            found = np.array(list(map(find, words, repeat(-1))), dtype=np.int64)
            tokens += len(found)
            found = found[found >= 0]
            rows.append(found)
            lengths.append(len(found))
        return np.concatenate(rows) if rows else np.empty(0, np.int64), np.array(lengths, np.int64), tokens

    def _pool(self, rows: NDArray, lengths: NDArray, reduce: np.ufunc, weights: NDArray | None) -> NDArray:
        """Reduce the vectors of each text, block by block; zeros for a text without words."""
        result = np.zeros((len(lengths), self.vector_size), np.float32)
        ends = np.cumsum(lengths)
        filled = np.flatnonzero(lengths)
        step = max(1, _GATHERED // self.vector_size)
        i = 0
        while i < len(filled):
            begin = ends[filled[i]] - lengths[filled[i]]
            # as many texts as fit, at least one; a longer text than fits is gathered alone
            j = max(i + 1, int(np.searchsorted(ends[filled], begin + step, side="right")))
            some = filled[i:j]
            chosen = rows[begin : ends[some[-1]]]
            gathered = self.vectors[chosen].astype(np.float32, copy=False)
            if weights is not None:
                gathered *= weights[chosen, None]
            result[some] = reduce.reduceat(gathered, ends[some] - lengths[some] - begin, axis=0)
            i = j
        return result

    # ---- smooth inverse frequency

    def _shares(self) -> NDArray:
        """p(w) of every row: its count over all counts, or Zipf's law where there are no counts."""
        counts = self.expandos.get("count")
        if counts is not None and len(counts) == len(self) and np.asarray(counts, np.float64).sum() > 0:
            shares = np.maximum(np.asarray(counts, np.float64), 0)
        else:
            logger.warning(
                "these vectors have no counts: sif takes the frequencies from Zipf's law over the rows' order"
            )
            shares = 1.0 / (np.arange(len(self)) + 2.7)
        return shares / shares.sum() if len(shares) else shares

    def _sif_weights(self, a: float) -> NDArray:
        return (a / (a + self._shares())).astype(np.float32)

    def _common_directions(self, source: Any, a: float, batch: NDArray) -> NDArray | None:
        if source is None:
            return None
        if isinstance(source, str):
            if source == "batch":
                wide = batch.astype(np.float64)
                return principal_directions(wide.T @ wide) if len(batch) > 1 else None
            if source == "vocabulary":
                if ("sif", a) not in self._cache:
                    self._cache["sif", a] = self._vocabulary_direction(a)
                return self._cache["sif", a]
            raise ValueError(f"sif_remove must be 'vocabulary', 'batch', None or an array, not {source!r}")
        directions = np.atleast_2d(np.asarray(source))
        if directions.ndim != 2 or directions.shape[1] != self.vector_size:
            raise ValueError(f"sif_remove needs directions of shape (k, {self.vector_size}), not {directions.shape}")
        return directions

    def _vocabulary_direction(self, a: float) -> NDArray:
        shares = self._shares()
        frequent = np.argsort(-shares, kind="stable")[:_FREQUENT]
        p = shares[frequent] / shares[frequent].sum()
        u = a / (a + shares[frequent])
        mean = np.zeros(self.vector_size)
        moment = np.zeros((self.vector_size, self.vector_size))
        step = max(1, _GATHERED // self.vector_size)
        for lo in range(0, len(frequent), step):
            part = slice(lo, lo + step)
            vectors = self.vectors[frequent[part]].astype(compute_dtype(self.vectors.dtype), copy=False)
            mean += (p * u)[part] @ vectors
            root = (np.sqrt(p) * u)[part, None] * vectors
            moment += root.T @ root
        return principal_directions((1 - 1 / _LENGTH) * np.outer(mean, mean) + moment / _LENGTH)
