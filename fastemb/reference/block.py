"""One step of training, on plain arrays: gather -> block -> scatter.

Skip-gram, CBOW, negative sampling and hierarchical softmax are one computation on differently chosen rows:

    H (M, d)   inputs: one hidden vector a row (skip-gram: the context words' rows; CBOW: their mean or sum, so M = 1)
    O (N, d)   outputs: rows of the output matrix (negative sampling: the centre word, then the negatives;
               hierarchical softmax: the inner nodes on the centre word's path)
    labels (N,)    1 where the output is right, 0 where it is wrong (hierarchical softmax: 1 - code bit)
    weights (N,)   how much a column counts: 1; 0 for a negative that is the centre word; 2 for one drawn twice

    X = H O^T          scores              (M, N)
    S = sigmoid(X)     probabilities
    loss = sum over m, n of weights[n] * (softplus(X) - labels[n] * X)
    G = lr * weights * (labels - S)        minus the gradient of the loss with respect to X, times the learning rate
    dH = G O           dO = G^T H          both from the values before the step

Every function works in the dtype it is given, so the gradients can be checked by finite differences in float64.

References: Mikolov et al. 2013, "Distributed Representations of Words and Phrases and their Compositionality";
the shared negatives of a block: Ji et al. 2016, "Parallelizing Word2Vec in Shared and Distributed Memory".
"""

from __future__ import annotations

import numpy as np

__all__ = ["block_gradients", "block_loss", "block_step", "cbow_step", "gradient_cells", "sigmoid", "softplus"]


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Logistic function 1 / (1 + exp(-x)), for any x without overflow."""
    e = np.exp(-np.abs(x))  # in (0, 1]
    return np.where(x >= 0, 1, e) / (1 + e)


def softplus(x: np.ndarray) -> np.ndarray:
    """log(1 + exp(x)) without overflow; the loss of a wrong output with score x, and of a right one with score -x."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def block_loss(H: np.ndarray, O: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> float:
    """Weighted logistic loss of a block.

    Parameters
    ----------
    H : (M, d) array
        Inputs.
    O : (N, d) array
        Outputs.
    labels, weights : (N,) arrays
        Of the columns of ``H @ O.T``.

    Returns
    -------
    float
        Sum over all M * N cells.

    Examples
    --------
    >>> import numpy as np
    >>> block_loss(np.zeros((3, 4)), np.zeros((2, 4)), np.array([1, 0]), np.array([1, 1])) / float(np.log(2))
    6.0
    """
    X = H @ O.T
    return float(np.sum(weights * np.where(labels > 0, softplus(-X), softplus(X))))


def gradient_cells(H: np.ndarray, O: np.ndarray, labels: np.ndarray, weights: np.ndarray, lr: float) -> np.ndarray:
    """G, the (M, N) changes of the scores, in the dtype of H."""
    return np.asarray(lr * weights * (labels - sigmoid(H @ O.T)), dtype=H.dtype)


def block_gradients(
    H: np.ndarray, O: np.ndarray, labels: np.ndarray, weights: np.ndarray, lr: float
) -> tuple[np.ndarray, np.ndarray]:
    """What one step adds to the inputs and outputs: ``-lr`` times the gradients of :func:`block_loss`.

    Returns
    -------
    dH : (M, d) array
    dO : (N, d) array
    """
    G = gradient_cells(H, O, labels, weights, lr)
    return G @ O, G.T @ H


def block_step(
    W_in: np.ndarray,
    W_out: np.ndarray,
    inputs: np.ndarray,
    outputs: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    lr: float,
    lockf: np.ndarray | None = None,
    *,
    in_turn: bool = False,
) -> float:
    """One skip-gram block, in place: every input row against every output row.

    Parameters
    ----------
    W_in : (V, d) array
        Input matrix, changed in place.
    W_out : (V', d) array
        Output matrix, changed in place.
    inputs, outputs : (M,), (N,) int arrays
        Rows of the two matrices; a row may occur several times and then gets the sum of its changes.
    labels, weights : (N,) arrays
    lr : float
        Learning rate.
    lockf : (V,) array, optional
        Each input row's own factor on its change; 0 freezes the row.
    in_turn : bool
        For a word that is context twice: the outputs' change from its second place uses the row as its first place left
        it, which is what a kernel does that stores each input row as soon as it is done with it. A difference of the
        order of lr squared; all scores and the inputs' changes come from the old values either way.

    Returns
    -------
    float
        Loss of the block before the step.
    """
    H, O = W_in[inputs], W_out[outputs]  # copies: a word that is context twice is two inputs with the same value
    loss = block_loss(H, O, labels, weights)
    G = gradient_cells(H, O, labels, weights, lr)
    dH = G @ O
    if lockf is not None:
        dH *= lockf[inputs, None]
    if in_turn:
        H = H + np.tril(inputs[:, None] == inputs, -1).astype(H.dtype) @ dH
    dO = G.T @ H
    np.add.at(W_in, inputs, dH)
    np.add.at(W_out, outputs, dO)
    return loss


def cbow_step(
    W_in: np.ndarray,
    W_out: np.ndarray,
    inputs: np.ndarray,
    outputs: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    lr: float,
    lockf: np.ndarray | None = None,
    *,
    mean: bool = True,
) -> float:
    """One CBOW block, in place: the mean (or sum) of the input rows is the only hidden vector.

    What the rows get is word2vec's rule and gensim's, not the gradient: with the mean, each of the M rows takes the
    hidden vector's whole change, M times the gradient (Irsoy et al. 2021, "Corrected CBOW Performs as well as
    Skip-gram"); with the sum, each takes an M-th of it, an M-th of the gradient.

    Parameters and result as :func:`block_step`.
    """
    rows = W_in[inputs]
    H = (rows.mean(axis=0) if mean else rows.sum(axis=0))[None]
    O = W_out[outputs]
    loss = block_loss(H, O, labels, weights)
    dH, dO = block_gradients(H, O, labels, weights, lr)
    dH = np.repeat(dH if mean else dH / len(inputs), len(inputs), axis=0)
    if lockf is not None:
        dH *= lockf[inputs, None]
    np.add.at(W_in, inputs, dH)
    np.add.at(W_out, outputs, dO)
    return loss
