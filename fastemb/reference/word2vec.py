"""Word2vec one centre word after the other: the oracle of the C trainer.

Both draw the same random numbers, so they keep the same words, give them the same windows and negatives, and after the
same text hold the same weights, up to rounding. To be read from `epoch` at the end upwards: a pass over the corpus is
*subsample, choose the window, choose the outputs, take one block step*, for each kept word in turn.

The two algorithms differ in the step (`block.block_step`, `block.cbow_step`), the two losses in the outputs:

    NegativeSampling     the centre word (label 1) and noise words (label 0), the same for all context words
    HierarchicalSoftmax  the inner nodes on the centre word's path, label 1 - code

References: Mikolov et al. 2013, "Efficient Estimation of Word Representations in Vector Space" and "Distributed
Representations of Words and Phrases and their Compositionality".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .block import block_step, cbow_step
from .huffman import huffman_paths
from .random import centre_keys, epoch_key, negative_bits, scale32, subsampling_bits
from .sampling import alias_table

__all__ = ["HierarchicalSoftmax", "NegativeSampling", "Totals", "epoch", "kept_tokens", "reaches"]

MOST_INPUTS = 16  # a centre word with more context words takes several blocks, one after the other
TILE = 6  # blocks of up to so many outputs are updated in one go, see block_step's in_turn


class NegativeSampling:
    """Outputs of a centre word: itself, and noise words drawn from a distribution.

    A noise word that is the centre word is dropped; one drawn twice is one output of weight 2.

    Parameters
    ----------
    noise : (V,) array of float
        Unnormalised noise distribution, see :func:`.sampling.noise_distribution`.
    negative : int
        Noise words a centre word.
    """

    def __init__(self, noise: np.ndarray, negative: int):
        accept, self.other = alias_table(noise)
        self.threshold = np.minimum(np.floor(accept * 2.0**32), 2.0**32 - 1).astype(np.uint64)
        self.negative = negative

    def draw(self, keys: np.ndarray) -> np.ndarray:
        """Noise words of each centre word, (T,) keys to (T, negative) ids, before any is dropped."""
        bits = negative_bits(keys, self.negative)
        column = scale32(bits >> np.uint64(32), len(self.other))  # high half: the cell; low half: which part of it
        return np.where((bits & np.uint64(0xFFFFFFFF)) < self.threshold[column], column, self.other[column])

    def outputs(self, centre: int, key: np.uint64) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows of the output matrix, labels, weights."""
        weight = {centre: 1}
        for word in self.draw(np.array([key]))[0].tolist():
            if word != centre:
                weight[word] = weight.get(word, 0) + 1
        labels = np.zeros(len(weight))
        labels[0] = 1
        return np.array(list(weight)), labels, np.array(list(weight.values()), dtype=float)


class HierarchicalSoftmax:
    """Outputs of a centre word: the inner nodes of the Huffman tree on the way to it.

    Parameters
    ----------
    counts : (V,) int array
    """

    def __init__(self, counts: np.ndarray):
        self.paths = huffman_paths(counts)

    def outputs(self, centre: int, key: np.uint64) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows of the output matrix, labels, weights; nothing is drawn."""
        nodes, codes = self.paths[centre]
        return np.array(nodes, dtype=np.int64), 1.0 - np.array(codes, dtype=float), np.ones(len(nodes))


@dataclass
class Totals:
    """What was trained: corpus words, those left by subsampling, examples, and the sum of the examples' losses.

    An example is a pair of centre and context word in skip-gram, a centre word with any context in CBOW.
    """

    words: int = 0
    kept: int = 0
    examples: int = 0
    loss: float = 0.0


def kept_tokens(ids: np.ndarray, keep: np.ndarray | None, key: np.uint64) -> np.ndarray:
    """Positions of the tokens that subsampling leaves."""
    if keep is None:
        return np.arange(len(ids))
    return np.flatnonzero(subsampling_bits(key, np.arange(len(ids))) <= keep[ids])


def reaches(keys: np.ndarray, window: int, shrink_windows: bool) -> np.ndarray:
    """How far each centre word's window reaches to either side, uniform in 1..window or always window."""
    if not shrink_windows:
        return np.full(len(keys), window)
    return window - scale32(keys >> np.uint64(32), window)


def epoch(
    W_in: np.ndarray,
    W_out: np.ndarray,
    ids: np.ndarray,
    offsets: np.ndarray,
    objective: NegativeSampling | HierarchicalSoftmax,
    *,
    algorithm: str = "skipgram",
    window: int = 5,
    shrink_windows: bool = True,
    cbow_mean: bool = True,
    keep: np.ndarray | None = None,
    lockf: np.ndarray | None = None,
    alpha0: float = 0.025,
    alpha1: float = 0.0001,
    seed: int = 1,
    number: int = 0,
    t0: int = 0,
    t1: int | None = None,
) -> Totals:
    """One pass over the corpus, in place.

    Parameters
    ----------
    W_in : (V, d) array
        Input rows, float32 or float64.
    W_out : (V, d) or (V - 1, d) array
        Output rows; of words for negative sampling, of inner nodes for hierarchical softmax.
    ids : (T,) int array
        Words of the corpus, sentences end to end.
    offsets : (S + 1,) int array
        Sentence s is ``ids[offsets[s]:offsets[s + 1]]``.
    objective : NegativeSampling or HierarchicalSoftmax
    algorithm : "skipgram" or "cbow"
    window, shrink_windows, cbow_mean
        As in word2vec.
    keep : (V,) uint32 array, optional
        Subsampling thresholds, see :func:`.sampling.keep_threshold`; None keeps every token.
    lockf : (V,) array, optional
        Each input row's own factor on its changes.
    alpha0, alpha1 : float
        Learning rate at token t0 and t1; it falls linearly in between.
    seed, number : int
        Of the run, and of this pass (from 0): with the token's position they determine all random numbers.
    t0, t1 : int
        Only the centre words at these token positions; their context may lie outside.

    Returns
    -------
    Totals

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> W_in, W_out = rng.normal(0, 0.1, (4, 8)), np.zeros((4, 8))
    >>> ids, offsets = np.array([0, 1, 0, 1, 2, 3, 2, 3]), np.array([0, 4, 8])
    >>> objective = NegativeSampling(np.ones(4), negative=3)
    >>> loss = [epoch(W_in, W_out, ids, offsets, objective, alpha0=0.1, alpha1=0.1, number=e).loss for e in range(50)]
    >>> loss[-1] < loss[0]
    True
    """
    t1 = len(ids) if t1 is None else t1
    key = epoch_key(seed, number)
    kept = kept_tokens(ids, keep, key)
    words = ids[kept]
    sentence = np.searchsorted(offsets, kept, side="right")
    keys = centre_keys(key, kept)
    reach = reaches(keys, window, shrink_windows)
    slope = np.float32((np.float32(alpha1) - np.float32(alpha0)) / np.float32(max(t1 - t0, 1)))

    totals = Totals(words=t1 - t0)
    for i in np.flatnonzero((kept >= t0) & (kept < t1)):
        totals.kept += 1
        around = np.arange(max(i - reach[i], 0), min(i + reach[i] + 1, len(kept)))
        context = words[around[(sentence[around] == sentence[i]) & (around != i)]]
        outputs, labels, weights = objective.outputs(int(words[i]), keys[i])
        if len(context) == 0 or len(outputs) == 0:
            continue
        lr = np.float32(alpha0) + slope * np.float32(kept[i] - t0)
        if algorithm == "skipgram":
            totals.examples += len(context)
            for first in range(0, len(context), MOST_INPUTS):
                inputs = context[first : first + MOST_INPUTS]
                totals.loss += block_step(
                    W_in, W_out, inputs, outputs, labels, weights, lr, lockf, in_turn=len(outputs) <= TILE
                )
        else:
            totals.examples += 1
            totals.loss += cbow_step(W_in, W_out, context, outputs, labels, weights, lr, lockf, mean=cbow_mean)
    return totals
