"""Word similarity: does the cosine of two words rise with what people say about them?

Sets such as WordSim-353 (Finkelstein et al. 2001), SimLex-999 (Hill et al. 2015) and MEN (Bruni et al. 2014) hold lines
of two words and a human score. The figure everyone reports is Spearman's rank correlation between scores and cosines.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastemb.evaluation.correlation import Correlation, pearson, spearman
from fastemb.evaluation.sources import WordIndex, describe, numbered_lines

logger = logging.getLogger(__name__)

_BLOCK = 4096  # pairs gathered at a time


class WordPairScores(tuple):
    """``(pearson, spearman, oov_ratio)``, gensim's triple, and what was counted on the way.

    Attributes
    ----------
    pearson, spearman : Correlation
        Each a pair ``(statistic, pvalue)``.
    oov_ratio : float
        Percentage of pairs with a word outside the vocabulary.
    num_pairs : int
        Pairs that the correlations are over.
    num_oov : int
        Pairs with a word outside the vocabulary (among ``num_pairs`` only with ``dummy4unknown``).
    num_invalid : int
        Lines that are not two words and a number.
    """

    num_pairs: int
    num_oov: int
    num_invalid: int

    def __new__(cls, pearson: Correlation, spearman: Correlation, oov_ratio: float, **counts: int) -> WordPairScores:
        self = super().__new__(cls, (pearson, spearman, oov_ratio))
        self.__dict__.update(counts)
        return self

    pearson = property(lambda self: self[0])
    spearman = property(lambda self: self[1])
    oov_ratio = property(lambda self: self[2])


def pair_cosines(first: NDArray, second: NDArray, vectors: NDArray) -> NDArray:
    """Cosine of row ``first[i]`` and row ``second[i]``; 0 where a row is zero.

    Calculated in float64 from the rows alone, so that a word's cosine with itself is exactly 1 and that of (a, b) is
    that of (b, a): ranks must not hang on rounding.

    Parameters
    ----------
    first, second : ndarray of int, shape (n,)
    vectors : ndarray of shape (V, d)

    Returns
    -------
    ndarray of shape (n,), float64
    """
    cosines = np.zeros(len(first), np.float64)
    for lo in range(0, len(first), _BLOCK):
        part = slice(lo, lo + _BLOCK)
        a, b = (vectors[rows[part]].astype(np.float64) for rows in (first, second))
        dots, a2, b2 = (np.einsum("ij,ij->i", x, y) for x, y in ((a, b), (a, a), (b, b)))
        lengths = np.sqrt(a2 * b2)
        np.divide(dots, lengths, out=cosines[part], where=lengths > 0)
    return cosines


def evaluate_word_pairs(
    pairs: Any,
    keys: Sequence[Any],
    vectors: NDArray,
    *,
    delimiter: str | None = "\t",
    encoding: str = "utf-8",
    restrict_vocab: int | None = 300_000,
    case_insensitive: bool = True,
    dummy4unknown: bool = False,
) -> WordPairScores:
    """Correlation of cosines with human judgements.

    Parameters
    ----------
    pairs : path, open file, or iterable of lines or (word, word, score) tuples
        Lines that are empty or begin with ``#`` are skipped.
    keys : sequence of str or int
        The word of each row.
    vectors : ndarray of shape (V, d)
    delimiter : str or None
        Between the fields; None for any white space.
    encoding : str
    restrict_vocab : int or None
        Words further down than this count as unknown.
    case_insensitive : bool
        Compare upper-case forms.
    dummy4unknown : bool
        Give pairs with an unknown word the similarity 0 instead of leaving them out.

    Returns
    -------
    WordPairScores

    Raises
    ------
    ValueError
        If no pair is left to judge.
    """
    index = WordIndex(keys, restrict_vocab, case_insensitive)
    rows: list[tuple[int, int]] = []
    gold: list[float] = []
    invalid, first_invalid = 0, ""
    for number, line in numbered_lines(pairs, encoding):
        try:
            a, b, score = line.split(delimiter) if isinstance(line, str) else line
            value = float(score)
        except (ValueError, TypeError):
            invalid += 1
            first_invalid = first_invalid or f"line {number}: {line!r}"
            logger.info("Skipping invalid line #%d in %s", number, describe(pairs))
            continue
        rows.append((index.row(index.form(str(a).strip())), index.row(index.form(str(b).strip()))))
        gold.append(value)

    found = np.array(rows, dtype=np.int64).reshape(-1, 2)
    judged = np.array(gold, dtype=np.float64)
    known = np.all(found >= 0, axis=1)
    oov = int(len(known) - known.sum())
    if not len(judged) or not (known.any() or dummy4unknown):
        raise ValueError(_nothing_to_judge(pairs, len(judged), invalid, first_invalid, delimiter, index.size))
    cosines = np.zeros(len(judged), np.float64)
    cosines[known] = pair_cosines(found[known, 0], found[known, 1], vectors)
    if not dummy4unknown:
        cosines, judged = cosines[known], judged[known]
    ratio = 100.0 * oov / len(found)
    result = WordPairScores(
        pearson(judged, cosines),
        spearman(judged, cosines),
        ratio,
        num_pairs=len(judged),
        num_oov=oov,
        num_invalid=invalid,
    )
    log_word_pairs(result.pearson, result.spearman, ratio, describe(pairs))
    return result


def log_word_pairs(pearson: tuple[float, float], spearman: tuple[float, float], oov: float, pairs: str) -> None:
    """Log the three figures, as gensim does."""
    logger.info("Pearson correlation coefficient against %s: %.4f", pairs, pearson[0])
    logger.info("Spearman rank-order correlation coefficient against %s: %.4f", pairs, spearman[0])
    logger.info("Pairs with unknown words ratio: %.1f%%", oov)


def _nothing_to_judge(
    pairs: Any, valid: int, invalid: int, first_invalid: str, delimiter: str | None, vocabulary: int
) -> str:
    message = f"no valid similarity judgements in {describe(pairs)}: "
    if valid:
        return message + f"each of its {valid} pairs has a word that is not among the {vocabulary} words searched"
    if invalid:
        between = "white space" if delimiter is None else repr(delimiter)
        return message + (
            f"none of its {invalid} lines is two words and a number separated by {between} ({first_invalid}); "
            "pass delimiter=... (None for any white space)"
        )
    return message + "it is empty"
