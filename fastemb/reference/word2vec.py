"""Word2vec one block after the other: the oracle of the C trainer.

Both draw the same random numbers, so they keep the same words, give them the same windows and negatives, and after the
same text hold the same weights, up to rounding. To be read from `epoch` at the end upwards: a pass over the corpus is
*subsample, choose the windows, choose the outputs, take one block step*, for each group of kept words in turn.

A group is up to `group` kept words that follow each other in a sentence (and in a unit of it, see `units`). They share
their noise words, so that a block of them touches few rows for the pairs that it trains; a group of one with as many
noise words drawn as each pair has is word2vec as it was published. The two algorithms differ in the step
(`block.block_step`, `block.cbow_step`), the two losses in the outputs:

    NegativeSampling     the centre words and noise words, the same for all inputs of the group
    HierarchicalSoftmax  the inner nodes on the path of the centre word; its groups are of one word

References: Mikolov et al. 2013, "Efficient Estimation of Word Representations in Vector Space" and "Distributed
Representations of Words and Phrases and their Compositionality"; noise words shared by several centre words: Ji et al.
2016, "Parallelizing Word2Vec in Shared and Distributed Memory".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .block import block_step, cbow_step
from .huffman import huffman_paths
from .random import centre_keys, epoch_key, negative_bits, scale32, subsampling_bits
from .sampling import alias_table

__all__ = ["HierarchicalSoftmax", "NegativeSampling", "Totals", "epoch", "kept_tokens", "last_pass", "reaches", "units"]

MOST_INPUTS = 16  # a group with more context words takes several blocks, one after the other
UNIT = 1024  # tokens: a group does not cross the borders between stretches of so many tokens of a long sentence


class NegativeSampling:
    """Outputs of a group: its different centre words, and noise words drawn from a distribution.

    With c[m] the number of centre words that have input m in their context, and t[n] how often output n was drawn:

        P[m, n] = how many of those c[m] are the word n
        Q[m, n] = negative / draws * t[n] * (c[m] - P[m, n])

    so a noise word drawn twice is one output of twice the weight, and one that is a centre word is dropped for the
    pairs of that centre word only. The expected loss of the group is that of `negative` noise words for each pair.

    Parameters
    ----------
    noise : (V,) array of float
        Unnormalised noise distribution, see :func:`.sampling.noise_distribution`.
    negative : int
        Noise words a pair of centre and context word counts for.
    group : int
        Most centre words that share their noise words.
    draws : int, optional
        Noise words drawn for a group; by default `negative` for a group of 1, a fifth more (rounded up) for 2 and 3,
        two fifths more from 4 on.
    """

    def __init__(self, noise: np.ndarray, negative: int, *, group: int = 4, draws: int | None = None):
        accept, self.other = alias_table(noise)
        self.threshold = np.minimum(np.floor(accept * 2.0**32), 2.0**32 - 1).astype(np.uint64)
        self.group = group
        more = (0, 1, 1, 2)[min(group, 4) - 1]
        self.draws = negative + -(-negative * more // 5) if draws is None else draws
        self.weight = negative / self.draws

    def draw(self, keys: np.ndarray) -> np.ndarray:
        """Noise words of each key, (T,) keys to (T, draws) ids, before any is dropped."""
        bits = negative_bits(keys, self.draws)
        column = scale32(bits >> np.uint64(32), len(self.other))  # high half: the cell; low half: which part of it
        return np.where((bits & np.uint64(0xFFFFFFFF)) < self.threshold[column], column, self.other[column])

    def outputs(
        self, centres: np.ndarray, key: np.uint64, covers: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows of the output matrix, P and Q.

        Parameters
        ----------
        centres : (T,) int array
            The group's centre words.
        key : uint64
            Of the first one.
        covers : (M, T) bool array
            Whether input m belongs to the context of centre word t.

        Returns
        -------
        outputs : (N,) int array, all different
        right, wrong : (M, N) arrays
        """
        noise = self.draw(np.array([key]))[0]
        outputs = np.array(list(dict.fromkeys([*centres.tolist(), *noise.tolist()])))
        right = covers.astype(float) @ (centres[:, None] == outputs)
        times = np.count_nonzero(noise[:, None] == outputs, axis=0)
        return outputs, right, self.weight * times * (covers.sum(axis=1, keepdims=True) - right)


class HierarchicalSoftmax:
    """Outputs of a centre word: the inner nodes of the Huffman tree on the way to it.

    Parameters
    ----------
    counts : (V,) int array
    """

    group = 1  # neighbours share no more than the nodes near the root

    def __init__(self, counts: np.ndarray):
        self.paths = huffman_paths(counts)

    def outputs(
        self, centres: np.ndarray, key: np.uint64, covers: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows of the output matrix, P and Q, as in :class:`NegativeSampling`; nothing is drawn."""
        nodes, codes = self.paths[int(centres[0])]
        branch = np.array(codes, dtype=float)  # right is 0, as in word2vec.c
        return np.array(nodes, dtype=np.int64), covers * (1 - branch), covers * branch


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


def units(offsets: np.ndarray, t0: int, t1: int, window: int) -> list[tuple[int, int]]:
    """Token ranges whose words form groups: sentences, or stretches of long ones, inside t0..t1.

    A stretch is 1,024 tokens, or as many as a window reaches where that is far more.
    """
    reach = min(window, int(np.diff(offsets).max(initial=0)))
    stretch = reach if 2 * reach > 3 * UNIT else UNIT
    parts = ((max(a, t0), min(b, t1)) for a, b in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True))
    return [(first, min(first + stretch, end)) for begin, end in parts for first in range(begin, end, stretch)]


def last_pass(outputs: int, tile: int) -> int:
    """How many of a block's outputs the last pass of the kernel's update takes: all, if they fit one tile.

    The C kernel updates up to `tile` outputs at a time while the inputs pass by, evenly shared out over the passes that
    it needs. The last one stores the inputs: see `in_turn` of :func:`.block.block_step`.
    """
    size = 0
    while outputs > 0:
        passes = -(-outputs // tile)
        size = -(-outputs // passes)
        outputs -= size
    return size


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
    tile: int = 12,
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
    tile : int
        Outputs that the kernel updates at a time, see :func:`last_pass`: 12 with 32 vector registers, 6 with 16, 4 with
        none.

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

    # the context of a kept word, as indices into `words`: lo..hi without itself
    at = np.arange(len(kept))
    lo = np.maximum(at - reach, np.searchsorted(sentence, sentence))
    hi = np.minimum(at + reach, np.searchsorted(sentence, sentence, side="right") - 1)

    totals = Totals(words=t1 - t0)
    for first, last in units(offsets, t0, t1, window):
        unit = at[np.searchsorted(kept, first) : np.searchsorted(kept, last)]
        totals.kept += len(unit)
        for i in range(0, len(unit), objective.group):
            group = unit[i : i + objective.group]
            lr = np.float32(alpha0) + slope * np.float32(kept[group[0]] - t0)
            around = np.arange(lo[group].min(), hi[group].max() + 1)[:, None]
            context = (around >= lo[group]) & (around <= hi[group]) & (around != group)  # (positions, centres)
            if algorithm == "skipgram":
                inputs, covers = words[around[context.any(axis=1), 0]], context[context.any(axis=1)]
            else:
                inputs = [words[around[mine, 0]] for mine in context.T if mine.any()]
                covers = np.eye(len(group), dtype=bool)[context.any(axis=0)]
            outputs, right, wrong = objective.outputs(words[group], keys[group[0]], covers)
            if len(inputs) == 0 or len(outputs) == 0:
                continue
            totals.examples += int(covers.sum())
            if algorithm == "skipgram":
                for m in range(0, len(inputs), MOST_INPUTS):
                    part = slice(m, m + MOST_INPUTS)
                    totals.loss += block_step(
                        W_in, W_out, inputs[part], outputs, right[part], wrong[part], lr, lockf,
                        in_turn=last_pass(len(outputs), tile),
                    )  # fmt: skip
            else:
                totals.loss += cbow_step(W_in, W_out, inputs, outputs, right, wrong, lr, lockf, mean=cbow_mean)
    return totals
