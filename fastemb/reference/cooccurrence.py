"""Co-occurrence counts by the book: every pair of every sentence, one after the other."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fastemb.reference.random import epoch_key, subsampling_bits
from fastemb.reference.sampling import keep_threshold

__all__ = ["cooccurrences", "distance_weights", "thinned"]


def distance_weights(window: int, weighting: str = "harmonic") -> tuple[list[int], int]:
    """Whole-number weights of the distances 1..window, and the scale they are to be divided by.

    Harmonic weights are 1 / d and exact up to window 22; beyond, the scale stays at 16 lcm(1..22) and weights are
    rounded.

    Examples
    --------
    >>> distance_weights(4)
    ([12, 6, 4, 3], 12)
    >>> distance_weights(3, "linear")
    ([3, 2, 1], 3)
    """
    if weighting == "flat":
        return [1] * window, 1
    if weighting == "linear":
        return [window + 1 - d for d in range(1, window + 1)], window
    scale = math.lcm(*range(1, window + 1)) if window <= 22 else 16 * math.lcm(*range(1, 23))
    return [(2 * scale + d) // (2 * d) for d in range(1, window + 1)], scale


def thinned(sentences: Sequence[Sequence[int]], counts: np.ndarray, sample: float, seed: int) -> list[list[int]]:
    """The sentences after subsampling; whether a token stays depends on its position in the corpus and its word."""
    if not sample:
        return [list(s) for s in sentences]
    threshold = keep_threshold(counts, sample) if sample < 1 else np.full(len(counts), 2**32 - 1, np.uint32)
    ends = np.cumsum([len(s) for s in sentences]).tolist()
    bits = subsampling_bits(epoch_key(seed, 0), np.arange(ends[-1] if ends else 0))
    out = []
    for s, end in zip(sentences, ends, strict=True):
        start = end - len(s)
        out.append([i for k, i in enumerate(s) if bits[start + k] <= threshold[i]])
    return out


def cooccurrences(
    sentences: Sequence[Sequence[int]],
    v: int,
    *,
    window: int = 10,
    symmetric: bool = True,
    weighting: str = "harmonic",
    sample: float = 0,
    seed: int = 1,
) -> tuple[np.ndarray, int]:
    """(V, V) int64 counts of sentences of word ids, and their scale.

    Row i holds the contexts of word i: the words at most `window` to its left and, if `symmetric`, to its right.

    Examples
    --------
    >>> cooccurrences([[0, 1, 2]], 3, window=2)
    (array([[0, 2, 1],
           [2, 0, 2],
           [1, 2, 0]]), 2)
    """
    counts = np.bincount([i for s in sentences for i in s], minlength=v)
    weights, scale = distance_weights(window, weighting)
    x = np.zeros((v, v), np.int64)
    for sentence in thinned(sentences, counts, sample, seed):
        for p, i in enumerate(sentence):
            for d in range(1, min(window, p) + 1):
                j = sentence[p - d]
                x[i, j] += weights[d - 1]
                if symmetric:
                    x[j, i] += weights[d - 1]
    return x, scale
