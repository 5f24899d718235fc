"""GloVe in plain NumPy: the cost and its gradients, and the C trainer's steps in its order, in float64.

Pennington, Socher, Manning 2014, "GloVe: Global Vectors for Word Representation". Shapes: V words, d dimensions; W, C
(V, d); b, c (V,); counts are given as cells (i, j, x).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastemb.reference.random import GOLDEN, SILVER, epoch_key, mix64

__all__ = ["Model", "bins_of", "cost", "gradients", "permuted", "train_tile", "weight"]

GROUP_BITS = 7  # cells that stay together in the order of an epoch: 2 ** 7
BATCH = 8  # cells of one word whose products are taken before their steps
U32, U64 = np.uint32, np.uint64


@dataclass
class Model:
    """What is trained. A row is the vector and, in the last column, the bias; squares are AdaGrad's sums."""

    words: np.ndarray  # (V, d + 1)
    contexts: np.ndarray  # (V, d + 1)
    word_squares: np.ndarray  # (V, d + 1)
    context_squares: np.ndarray  # (V, d + 1)


def weight(x: np.ndarray, x_max: float, exponent: float) -> np.ndarray:
    """f(x) = min(1, (x / x_max) ** exponent).

    Examples
    --------
    >>> weight(np.array([1.0, 16.0, 99.0]), 16.0, 0.75).tolist()
    [0.125, 1.0, 1.0]
    """
    return np.minimum(1.0, (np.asarray(x) / x_max) ** exponent)


def differences(model: Model, i: np.ndarray, j: np.ndarray, x: np.ndarray) -> np.ndarray:
    """w_i . c_j + b_i + b'_j - log x, for cells (i, j, x)."""
    w, c = model.words, model.contexts
    return np.einsum("nd,nd->n", w[i, :-1], c[j, :-1]) + w[i, -1] + c[j, -1] - np.log(x)


def cost(model: Model, i: np.ndarray, j: np.ndarray, x: np.ndarray, x_max: float, exponent: float) -> float:
    """The sum over the cells of f(x) differences^2 / 2."""
    return float(0.5 * np.sum(weight(x, x_max, exponent) * differences(model, i, j, x) ** 2))


def gradients(
    model: Model, i: np.ndarray, j: np.ndarray, x: np.ndarray, x_max: float, exponent: float
) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives of :func:`cost` by `words` and `contexts`, of their shapes."""
    fd = weight(x, x_max, exponent) * differences(model, i, j, x)
    ones = np.ones((len(fd), 1))
    by_words, by_contexts = np.zeros_like(model.words), np.zeros_like(model.contexts)
    np.add.at(by_words, i, fd[:, None] * np.hstack([model.contexts[j, :-1], ones]))
    np.add.at(by_contexts, j, fd[:, None] * np.hstack([model.words[i, :-1], ones]))
    return by_words, by_contexts


@np.errstate(over="ignore")
def permuted(n: int, key: np.uint64) -> np.ndarray:
    """The numbers below n in the order that the trainer visits them.

    Examples
    --------
    >>> sorted(permuted(100, np.uint64(12345)).tolist()) == list(range(100))
    True
    """
    bits = max(1, int(n - 1).bit_length())
    mask, shift = U32((1 << bits) - 1), U32((bits + 1) // 2)
    key0, key1 = U32(int(key) & 0xFFFFFFFF), U32(int(key) >> 32)
    x = np.arange(1 << bits, dtype=U32)
    for factor, more in ((0x9E3779B1, key0), (0x85EBCA6B, key1), (0xC2B2AE35, key0 ^ key1)):
        x = (x * U32(factor) + more) & mask
        x ^= x >> shift
    return x[x < n].astype(np.int64)


def bins_of(i: np.ndarray, j: np.ndarray, blocks: int, per_tile: int) -> list[np.ndarray]:
    """Which cells each bin holds, in order: word w is number w // blocks of block w % blocks.

    The bins are in the order of the trainer's memory: tile by tile. In a bin, cells are sorted by word.

    Parameters
    ----------
    i, j : int arrays (n,)
        Rows and columns, in the order of a matrix in compressed rows.
    blocks, per_tile : int
    """
    r, c, tiles = i % blocks, j % blocks, blocks // per_tile
    tile = r // per_tile * tiles + c // per_tile
    key = (tile * per_tile + r % per_tile) * per_tile + c % per_tile
    order = np.argsort(key, kind="stable")
    return np.split(order, np.searchsorted(key[order], np.arange(1, blocks**2)))


@np.errstate(over="ignore")
def train_tile(
    model: Model,
    cells: tuple[np.ndarray, np.ndarray, np.ndarray],
    bins: list[np.ndarray],
    tile: int,
    *,
    per_tile: int,
    seed: int,
    epoch: int,
    eta: float,
    x_max: float,
    exponent: float,
    clip: float,
) -> float:
    """Train one tile in place, as the C trainer does; returns the sum of the losses.

    Parameters
    ----------
    model : Model
    cells : (i, j, x)
    bins : list of int arrays
        From :func:`bins_of`.
    tile, per_tile, seed, epoch : int
    eta, x_max, exponent, clip : float
    """
    i, j, x = cells
    f, total, count = weight(x, x_max, exponent), 0.0, per_tile**2
    key = U64(mix64(epoch_key(seed, epoch) + U64(tile) * GOLDEN))
    for b in permuted(count, key).tolist():
        members = bins[tile * count + b]
        if not len(members):
            continue
        own = U64(mix64(key + U64(b + 1) * SILVER))
        groups = -(-len(members) // (1 << GROUP_BITS))
        for group in permuted(groups, own).tolist():
            part = members[group << GROUP_BITS : (group + 1) << GROUP_BITS]
            starts = np.flatnonzero(np.diff(i[part], prepend=-1))
            for word in np.split(part, starts[1:]):
                for at in range(0, len(word), BATCH):
                    total += _batch(model, i, j, x, f, word[at : at + BATCH], eta, clip)
    return total


def _batch(
    model: Model,
    i: np.ndarray,
    j: np.ndarray,
    x: np.ndarray,
    f: np.ndarray,
    batch: np.ndarray,
    eta: float,
    clip: float,
) -> float:
    """The steps of cells of one word; returns the sum of their losses, which are those before the steps."""
    diff = differences(model, i[batch], j[batch], x[batch])
    fd = np.clip(f[batch] * diff, -clip, clip)
    word = i[batch[0]]
    rate = np.full(model.words.shape[1], eta)
    rate[-1] = 1.0
    row = model.words[word].copy()
    seen = np.append(row[:-1], 1.0)  # what a context's row is multiplied with: the bias has a one there
    step = np.zeros_like(row)
    for n, cell in enumerate(batch):
        context = j[cell]
        t = rate * fd[n] * np.append(model.contexts[context, :-1], 1.0)
        u = rate * fd[n] * seen
        step += t
        model.word_squares[word] += t * t
        model.contexts[context] -= u / np.sqrt(model.context_squares[context])
        model.context_squares[context] += u * u
    model.words[word] = row - step / np.sqrt(model.word_squares[word])
    return float(0.5 * np.sum(f[batch] * diff**2))
