"""PPMI + SVD in plain NumPy on dense matrices: the oracle of :class:`fastemb.PPMI` and of the sparse kernels."""

from __future__ import annotations

import numpy as np


def ppmi(counts, cds=0.75, shift=1.0):
    """max(0, PMI - log shift) of a matrix of counts (Levy, Goldberg, Dagan 2015).

    Parameters
    ----------
    counts : array (V, C)
    cds : float
        Exponent of the column sums.
    shift : float

    Returns
    -------
    float64 array (V, C)

    Examples
    --------
    >>> ppmi([[0, 2], [2, 4]], cds=1).round(6).tolist()
    [[0.0, 0.287682], [0.287682, 0.0]]
    """
    n = np.asarray(counts, dtype=np.float64)
    p_joint = n / n.sum()
    p_word = p_joint.sum(axis=1, keepdims=True)
    smoothed = np.where(n.sum(axis=0) > 0, n.sum(axis=0), 1.0) ** cds * (n.sum(axis=0) > 0)
    p_context = smoothed / smoothed.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        pmi = np.where(n > 0, np.log(p_joint / (p_word * p_context)), -np.inf)
    return np.maximum(pmi - np.log(shift), 0.0)


def truncated_svd(matrix, k):
    """(U (m, k), s (k,), V (n, k)) of the k largest singular values; the largest entry of each column of U positive."""
    u, s, vt = np.linalg.svd(np.asarray(matrix, dtype=np.float64), full_matrices=False)
    signs = np.where(u[np.abs(u).argmax(axis=0), np.arange(u.shape[1])] < 0, -1.0, 1.0)
    return (u * signs)[:, :k], s[:k], (vt.T * signs)[:, :k]


def randomized_svd(matrix, k, oversampling=10, power_iterations=4, seed=1):
    """The same, by random projection with Householder's QR after every product (Halko, Martinsson, Tropp 2011)."""
    a = np.asarray(matrix, dtype=np.float64)
    block = np.random.default_rng(seed).standard_normal((a.shape[1], k + oversampling))
    q, _ = np.linalg.qr(a @ block)
    for _ in range(power_iterations):
        q, _ = np.linalg.qr(a.T @ q)
        q, _ = np.linalg.qr(a @ q)
    u, s, v = truncated_svd(q.T @ a, k)
    u = q @ u
    signs = np.where(u[np.abs(u).argmax(axis=0), np.arange(k)] < 0, -1.0, 1.0)
    return u * signs, s, v * signs


def log_entropy(counts):
    """Log-entropy weights of a matrix of counts, words in rows, documents in columns (Dumais 1991)."""
    n = np.asarray(counts, dtype=np.float64)
    total = np.where(n.sum(axis=1, keepdims=True) > 0, n.sum(axis=1, keepdims=True), 1.0)
    p = n / total
    entropy = -(p * np.log(np.where(p > 0, p, 1.0))).sum(axis=1)
    documents = n.shape[1]
    weight = 1 - entropy / np.log(documents) if documents > 1 else np.ones(len(n))
    return np.log1p(n) * weight[:, None]


def tf_idf(counts):
    """tf log(D / df)."""
    n = np.asarray(counts, dtype=np.float64)
    df = (n > 0).sum(axis=1)
    return n * np.log(n.shape[1] / np.where(df > 0, df, 1))[:, None]
