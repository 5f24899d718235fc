"""One step of training, on plain arrays: gather -> block -> scatter.

Skip-gram, CBOW, negative sampling and hierarchical softmax are one computation on differently chosen rows:

    H (M, d)   inputs: one hidden vector a row (skip-gram: the context words' rows; CBOW: a centre word's context words'
               mean or sum)
    O (N, d)   outputs: rows of the output matrix (negative sampling: the centre words, then the noise words;
               hierarchical softmax: the inner nodes on the centre word's path)
    P (M, N)   how often this output is the right answer to this input
    Q (M, N)   how often it is a wrong one

    X = H O^T          scores              (M, N)
    S = sigmoid(X)     probabilities
    loss = sum over m, n of P * softplus(-X) + Q * softplus(X)
    G = lr * (P - (P + Q) * S)             minus the gradient of the loss with respect to X, times the learning rate
    dH = G O           dO = G^T H          both from the values before the step

One centre word with its context is a block in which P is 1 in the centre's column and 0 elsewhere, and Q the reverse.
Neighbouring centre words overlap in context, so a block of several asks each input row for all of them at once; what P
and Q are then is told in `word2vec.NegativeSampling`.

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


def block_loss(H: np.ndarray, O: np.ndarray, right: np.ndarray, wrong: np.ndarray) -> float:
    """Weighted logistic loss of a block.

    Parameters
    ----------
    H : (M, d) array
        Inputs.
    O : (N, d) array
        Outputs.
    right, wrong : (M, N) arrays, or what broadcasts to it
        How often each output is a right and a wrong answer to each input: P and Q above.

    Returns
    -------
    float
        Sum over all M * N cells.

    Examples
    --------
    >>> import numpy as np
    >>> block_loss(np.zeros((3, 4)), np.zeros((2, 4)), np.array([1, 0]), np.array([0, 1])) / float(np.log(2))
    6.0
    """
    X = H @ O.T
    return float(np.sum(right * softplus(-X) + wrong * softplus(X)))


def gradient_cells(H: np.ndarray, O: np.ndarray, right: np.ndarray, wrong: np.ndarray, lr: float) -> np.ndarray:
    """G, the (M, N) changes of the scores, in the dtype of H."""
    return np.asarray(lr * (right - (right + wrong) * sigmoid(H @ O.T)), dtype=H.dtype)


def block_gradients(
    H: np.ndarray, O: np.ndarray, right: np.ndarray, wrong: np.ndarray, lr: float
) -> tuple[np.ndarray, np.ndarray]:
    """What one step adds to the inputs and outputs: ``-lr`` times the gradients of :func:`block_loss`.

    Returns
    -------
    dH : (M, d) array
    dO : (N, d) array
    """
    G = gradient_cells(H, O, right, wrong, lr)
    return G @ O, G.T @ H


def block_step(
    W_in: np.ndarray,
    W_out: np.ndarray,
    inputs: np.ndarray,
    outputs: np.ndarray,
    right: np.ndarray,
    wrong: np.ndarray,
    lr: float,
    lockf: np.ndarray | None = None,
    *,
    in_turn: int = 0,
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
    right, wrong : (M, N) arrays, or what broadcasts to it
    lr : float
        Learning rate.
    lockf : (V,) array, optional
        Each input row's own factor on its change; 0 freezes the row.
    in_turn : int
        For a word that is an input twice: the change of the last so many outputs uses, for its second place, the row as
        its first place left it, which is what a kernel does that stores each input row as soon as it is done with it.
        A difference of the order of lr squared; all scores and the inputs' changes come from the old values either way.

    Returns
    -------
    float
        Loss of the block before the step.
    """
    H, O = W_in[inputs], W_out[outputs]  # copies: a word that is context twice is two inputs with the same value
    loss = block_loss(H, O, right, wrong)
    G = gradient_cells(H, O, right, wrong, lr)
    dH = G @ O
    if lockf is not None:
        dH *= lockf[inputs, None]
    dO = G.T @ H
    if in_turn:
        before = np.tril(inputs[:, None] == inputs, -1).astype(H.dtype)  # which places of the same word come first
        dO[-in_turn:] += G.T[-in_turn:] @ (before @ dH)
    np.add.at(W_in, inputs, dH)
    np.add.at(W_out, outputs, dO)
    return loss


def cbow_step(
    W_in: np.ndarray,
    W_out: np.ndarray,
    contexts: list[np.ndarray],
    outputs: np.ndarray,
    right: np.ndarray,
    wrong: np.ndarray,
    lr: float,
    lockf: np.ndarray | None = None,
    *,
    mean: bool = True,
) -> float:
    """One CBOW block, in place: the mean (or sum) of each context's input rows is one hidden vector.

    What the rows get is word2vec's rule and gensim's, not the gradient: with the mean, each of a context's C rows takes
    the hidden vector's whole change, C times the gradient (Irsoy et al. 2021, "Corrected CBOW Performs as well as
    Skip-gram"); with the sum, each takes a C-th of it, a C-th of the gradient.

    Parameters
    ----------
    contexts : list of M int arrays, none empty
        Input rows of each centre word's context.

    The other parameters and the result are those of :func:`block_step`.
    """
    H = np.stack([W_in[rows].mean(axis=0) if mean else W_in[rows].sum(axis=0) for rows in contexts])
    O = W_out[outputs]
    loss = block_loss(H, O, right, wrong)
    dH, dO = block_gradients(H, O, right, wrong, lr)
    for rows, change in zip(contexts, dH, strict=True):
        share = np.full(len(rows), 1 if mean else 1 / len(rows), dtype=H.dtype)
        if lockf is not None:
            share *= lockf[rows]
        np.add.at(W_in, rows, share[:, None] * change)
    np.add.at(W_out, outputs, dO)
    return loss
