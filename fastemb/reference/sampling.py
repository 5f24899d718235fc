"""Which words are trained and against what: subsampling, noise distribution, alias table."""

from __future__ import annotations

import numpy as np

__all__ = [
    "alias_pick",
    "alias_probabilities",
    "alias_table",
    "keep_probability",
    "keep_threshold",
    "noise_distribution",
]


def keep_probability(counts: np.ndarray, sample: float) -> np.ndarray:
    """Probability that an occurrence of each word is kept when frequent words are thinned out.

    word2vec's formula: with f the word's share of all words, sqrt(sample / f) + sample / f, at most 1.
    ``sample=0`` keeps everything; 1 and more is a count instead of a share, as in gensim.

    Parameters
    ----------
    counts : (V,) int array
    sample : float
        Share of the text above which a word is thinned; 1e-3 is usual.

    Returns
    -------
    (V,) float64 array

    Examples
    --------
    >>> import numpy as np
    >>> keep_probability(np.array([990_000, 9_999, 1]), 1e-3).round(3).tolist()
    [0.033, 0.416, 1.0]
    """
    counts = np.asarray(counts, dtype=np.float64)
    if sample <= 0:
        return np.ones(counts.shape)
    threshold = sample * counts.sum() if sample < 1 else sample * (3 + np.sqrt(5)) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = threshold / counts
        return np.where(counts > 0, np.minimum(np.sqrt(ratio) + ratio, 1), 1)


def keep_threshold(counts: np.ndarray, sample: float) -> np.ndarray:
    """The probabilities as 32-bit thresholds: an occurrence is kept if its 32 random bits are at most that.

    Returns
    -------
    (V,) uint32 array
    """
    return np.maximum(np.ceil(keep_probability(counts, sample) * 2.0**32) - 1, 0).astype(np.uint32)


def noise_distribution(counts: np.ndarray, exponent: float = 0.75) -> np.ndarray:
    """Probabilities with which words are drawn as negatives: proportional to counts ** exponent.

    Words with count 0 are never drawn, whatever the exponent.

    Examples
    --------
    >>> import numpy as np
    >>> noise_distribution(np.array([16, 1, 0])).round(4).tolist()
    [0.8889, 0.1111, 0.0]
    """
    counts = np.asarray(counts, dtype=np.float64)
    weights = np.zeros(counts.shape)
    weights[counts > 0] = counts[counts > 0] ** exponent
    return weights / weights.sum()


def alias_table(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Walker's alias table by Vose's method: O(n) to build, one random cell and one comparison a draw.

    The n outcomes are laid into n cells of equal height: cell i holds outcome i up to ``accept[i]`` and
    outcome ``alias[i]`` above.

    Parameters
    ----------
    weights : (n,) array of float
        Unnormalised, not negative, not all zero.

    Returns
    -------
    accept : (n,) float64 array, in [0, 1]
    alias : (n,) int64 array

    References
    ----------
    Vose 1991, "A linear algorithm for generating random numbers with a given distribution".
    """
    weights = np.asarray(weights, dtype=np.float64)
    n = len(weights)
    accept = weights / np.add.accumulate(weights)[-1] * n  # mean 1; summed from left to right, as C does
    alias = np.arange(n)
    small = [i for i in range(n) if accept[i] < 1]
    large = [i for i in range(n) if accept[i] >= 1]
    while small and large:
        i, j = small.pop(), large.pop()
        alias[i] = j  # the rest of cell i is filled with j, which has accept[i] - 1 less to place
        accept[j] -= 1 - accept[i]
        (small if accept[j] < 1 else large).append(j)
    for i in small + large:  # full but for rounding
        accept[i] = 1
    return accept, alias


def alias_pick(accept: np.ndarray, alias: np.ndarray, cell: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Outcomes for uniform cells (ints below n) and uniform u in [0, 1)."""
    return np.where(u < accept[cell], cell, alias[cell])


def alias_probabilities(accept: np.ndarray, alias: np.ndarray) -> np.ndarray:
    """The distribution that a table really has, to be compared with the one it was built from."""
    n = len(accept)
    return (accept + np.bincount(alias, weights=1 - accept, minlength=n)) / n
