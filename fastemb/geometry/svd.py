"""Truncated singular value decomposition of large sparse matrices by random projection.

Halko, Martinsson, Tropp 2011, "Finding structure with randomness" (SIAM Review 53), their algorithms 4.4 and 5.1: a
random block, multiplied by A and in turn by A^T and A again, spans nearly the space of the leading singular vectors;
what A does in that space is a small matrix, whose decomposition is exact.

A. The products are ours: sparse, float32, threads (``sparse.py``).
B. Orthonormal bases come from Gram matrices (Yamamoto et al. 2015, "CholeskyQR2"; Stathopoulos and Wu 2002, "SVQB")
   instead of Householder's QR, which is several times slower. A Gram matrix squares the condition number, so it is
   added up in float64, and where the condition matters and is above 100 there is a second round. Between A^T and A all
   that matters is that the block keeps its directions apart in float32, so it stays as it is when the condition that
   the two products give it (known from the first time) is below KEEP.
C. Power iterations are shifted: with ``A A^T - shift I`` for ``A A^T``, and a shift of at most half the square of
   the block's last singular value, what is beyond the block falls faster, for nothing (Feng, Yu, Xie, Tang 2024,
   "Algorithm 1043: Faster Randomized SVD with Dynamic Shifts"). Spectra of words are flat: it halves the error.
D. Nothing depends on the number of workers: the products do not (see there), and the dense part is NumPy's alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._sparse import Tiled
from .sparse import CSR, PANEL, empty_panels, multiply, tiled, transposed

__all__ = ["SVD", "memory", "truncated_svd"]

BLOCK = 1024  # rows of the dense part at a time
KEEP = 1e4  # condition of a block that float32 carries between two products: its weakest direction is known to 1e-3
DROP = 1e-12  # squared lengths below this share of the largest are rounding, not directions
DENSE = 1 << 18  # cells of a matrix that is small enough to be decomposed exactly


class SVD(NamedTuple):
    """``A ~ left @ diag(values) @ right.T``."""

    left: NDArray  # float32 (m, k), orthonormal columns
    values: NDArray  # float64 (k,), falling
    right: NDArray  # float32 (n, k), orthonormal columns


def truncated_svd(
    matrix: CSR | Callable[[], CSR],
    k: int,
    *,
    oversampling: int = 10,
    power_iterations: int = 5,
    seed: int = 1,
    workers: int = 1,
    tell: Callable[[float], None] | None = None,
) -> SVD:
    """The k largest singular values of a sparse matrix and their vectors.

    Parameters
    ----------
    matrix : CSR (m, n), or a function that makes it
        float32 values. A function's result is let go as soon as its tiles are made, which saves a copy.
    k : int
        1 to min(m, n).
    oversampling : int
        Further random directions, which make the leading ones more accurate.
    power_iterations : int
        Products with ``A A^T``: each sharpens the spectrum, and costs as much as the whole job without any. 5 is good
        for spectra as flat as those of PPMI matrices.
    seed : int
        Of the random block. One seed gives the same result for any number of workers.
    workers : int
        Threads for the sparse products. NumPy's matrix products use as many as its BLAS is set to.
    tell : callable, optional
        Called with the share done, 0 to 1.

    Returns
    -------
    SVD
        Each column of `left` has its largest entry positive. Directions beyond the matrix's numerical rank are zero.

    Raises
    ------
    ValueError
        k is out of range, or the arrays form no matrix.
    FloatingPointError
        The matrix holds NaN or infinity, or numbers too large for float32 products.

    Notes
    -----
    Memory on top of the matrix: 12 bytes a cell (the tiles of A and of its transpose), and three dense blocks of
    ``4 (k + oversampling)`` bytes a row (or column, whichever is more).

    Examples
    --------
    >>> a = np.diag([3.0, 2.0, 1.0]).astype(np.float32)
    >>> indptr, indices, data = np.arange(4), np.arange(3, dtype=np.int32), a.diagonal().copy()
    >>> truncated_svd(CSR(indptr, indices, data, 3), 2).values.round(5).tolist()
    [3.0, 2.0]
    """
    csr = matrix() if callable(matrix) else matrix
    m, n = csr.rows, csr.cols
    if not 1 <= k <= min(m, n):
        raise ValueError(f"k={k} is out of range: a matrix of {m:,} x {n:,} has 1 to {min(m, n):,} singular values")
    size = min(k + oversampling, m, n)
    if m * n <= DENSE or (size == min(m, n) and m * n <= 64 * DENSE):  # a block of that size spans everything
        return _dense(csr, k)
    a = tiled(csr, workers)
    del csr, matrix
    at = transposed(a, workers)

    steps, done = 2 * power_iterations + 2, 0

    def product(what: Tiled, x: NDArray) -> NDArray:
        nonlocal done
        y = multiply(what, x, workers, None if tell is None else lambda share: tell((done + share) / steps))
        done += 1
        return y

    rng = np.random.default_rng(seed)
    x = empty_panels(n, size)
    for p, panel in enumerate(x):
        rng.standard_normal(dtype=np.float32, out=panel)
        panel[:, max(0, size - p * PANEL) :] = 0.0
    y = product(a, x)
    growth, shift, whole = KEEP, 0.0, False
    for turn in range(power_iterations):
        q, squares = _orthonormal(y, size)
        if whole:  # y was (A A^T - shift I) q
            shift = max(shift, (shift + float(np.sqrt(squares[0]))) / 2)
        elif turn > 0:  # y was A x
            shift = max(shift, float(squares[0]) / 2)
        x = product(at, q)
        whole = turn > 0 and growth * growth <= KEEP
        if not whole:
            x, squares = _orthonormal(x, size)
            growth, shift = _condition(squares), float(squares[0]) / 2
        y = product(a, x)
        if whole:
            for panel, start in zip(y, q, strict=True):
                panel -= np.float32(shift) * start
        del q, x
    q, squares = _orthonormal(y, size)
    if _condition(squares) > 100:
        q, _ = _orthonormal(q, size)
    del y
    b = product(at, q)  # B^T, for B = Q^T A
    squares, w = np.linalg.eigh(_gram(b, size))
    squares, w = squares[::-1][:k], w[:, ::-1][:, :k]
    values = np.sqrt(np.maximum(squares, 0.0))
    values[squares <= DROP * max(squares[0], np.finfo(np.float32).tiny)] = 0.0
    inverse = np.divide(1.0, values, out=np.zeros_like(values), where=values > 0)
    left, right = _times(q, w), _times(b, w * inverse)
    left[:, values == 0] = 0.0
    return _signed(left, values, right)


def memory(rows: int, cols: int, nnz: int, size: int) -> dict[str, int]:
    """Bytes that :func:`truncated_svd` will take at its peak, on top of the CSR matrix, by what they are for."""
    width = -(-size // PANEL) * PANEL
    return {"the matrix in tiles": 12 * nnz, "dense blocks": 12 * width * max(rows, cols)}


def _signed(left: NDArray, values: NDArray, right: NDArray) -> SVD:
    """The same decomposition with the largest entry of each left vector positive."""
    largest = np.abs(left).argmax(axis=0) if len(left) else np.zeros(0, np.int64)
    signs = np.where(left[largest, np.arange(left.shape[1])] < 0, np.float32(-1), np.float32(1))
    left *= signs
    right *= signs
    return SVD(left, values, right)


def _dense(csr: CSR, k: int) -> SVD:
    full = np.zeros((csr.rows, csr.cols))
    np.add.at(full, (np.repeat(np.arange(csr.rows), np.diff(csr.indptr)), csr.indices), csr.data)
    _finite(full)
    u, s, vt = np.linalg.svd(full, full_matrices=False)
    s[s <= np.sqrt(DROP) * max(float(s[0]), np.finfo(np.float32).tiny)] = 0.0
    u[:, s == 0] = 0.0
    vt[s == 0] = 0.0
    return _signed(
        np.ascontiguousarray(u[:, :k], np.float32), s[:k].copy(), np.ascontiguousarray(vt[:k].T, np.float32)
    )


def _finite(matrix: NDArray) -> None:
    if not np.isfinite(matrix).all():
        raise FloatingPointError("the matrix holds NaN or infinity, or its products leave float32's range")


def _rows(panels: NDArray, lo: int, dtype: type = np.float32) -> NDArray:
    """BLOCK rows of panels from `lo` on as one matrix."""
    part = panels[:, lo : lo + BLOCK].transpose(1, 0, 2)
    return part.reshape(part.shape[0], -1) if dtype is np.float32 else part.astype(dtype).reshape(part.shape[0], -1)


def _gram(panels: NDArray, size: int) -> NDArray:
    """float64 (size, size): inner products of the columns."""
    total = np.zeros((size, size))
    for lo in range(0, panels.shape[1], BLOCK):
        rows = np.ascontiguousarray(_rows(panels, lo, np.float64)[:, :size])
        total += rows.T @ rows
    _finite(total)
    return total


def _condition(squares: NDArray) -> float:
    """Condition number of a block, of the eigenvalues of its Gram matrix."""
    return float(np.sqrt(squares[-1] / max(squares[0], DROP * squares[-1]))) if squares[-1] > 0 else 1.0


def _orthonormal(panels: NDArray, size: int) -> tuple[NDArray, NDArray]:
    """The panels with their columns made orthonormal, in place; the squares of their singular values before, rising.

    Directions that are rounding only become zero.
    """
    gram = _gram(panels, size)
    before = np.maximum(np.linalg.eigvalsh(gram), 0.0)
    lengths = np.sqrt(np.diag(gram))
    scale = np.divide(1.0, lengths, out=np.zeros(size), where=lengths > 0)
    gram *= scale[:, None] * scale
    change = _cholesky_inverse(gram)
    if change is None:
        squares, vectors = np.linalg.eigh(gram)
        keep = squares > DROP * max(squares[-1], np.finfo(np.float64).tiny)
        change = np.where(keep, vectors / np.sqrt(np.where(keep, squares, 1.0)), 0.0)
    return _times_in_place(panels, change * scale[:, None]), before


def _cholesky_inverse(gram: NDArray) -> NDArray | None:
    """R^-1 of gram = R^T R, unless the columns are close to dependent."""
    try:
        lower = np.linalg.cholesky(gram)
    except np.linalg.LinAlgError:
        return None
    if np.diag(lower).min() < 1e-3:
        return None
    return np.linalg.inv(lower).T


def _times_in_place(panels: NDArray, w: NDArray) -> NDArray:
    wide = np.zeros((len(panels) * PANEL,) * 2, np.float32)
    wide[: len(w), : len(w)] = w
    for lo in range(0, panels.shape[1], BLOCK):
        rows = _rows(panels, lo) @ wide
        panels[:, lo : lo + BLOCK] = rows.reshape(len(rows), len(panels), PANEL).transpose(1, 0, 2)
    return panels


def _times(panels: NDArray, w: NDArray) -> NDArray:
    """float32 (rows, w's columns): panels times a small matrix."""
    wide = np.zeros((len(panels) * PANEL, w.shape[1]), np.float32)
    wide[: len(w)] = w
    out = np.empty((panels.shape[1], w.shape[1]), np.float32)
    for lo in range(0, panels.shape[1], BLOCK):
        np.matmul(_rows(panels, lo), wide, out=out[lo : lo + BLOCK])
    return out
