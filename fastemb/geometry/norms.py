"""Lengths and unit vectors of the rows of a matrix, without a second matrix in memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_BLOCK = 1 << 18  # elements worked on at a time: 1 MiB of float32, small enough to stay in the cache


def _rows_a_block(dim: int) -> int:
    return max(1, _BLOCK // max(1, dim))


def compute_dtype(dtype: np.dtype) -> np.dtype:
    """The type to calculate in: float64 for float64, float32 for everything narrower (BLAS has no half precision)."""
    return np.dtype(np.float64 if dtype == np.float64 else np.float32)


def row_norms(vectors: NDArray) -> NDArray:
    """Euclidean length of every row.

    Parameters
    ----------
    vectors : ndarray of shape (n, d)

    Returns
    -------
    ndarray of shape (n,), float32 (float64 for a float64 matrix)

    Examples
    --------
    >>> import numpy as np
    >>> row_norms(np.array([[3, 4], [0, 0]], dtype=np.float32)).tolist()
    [5.0, 0.0]
    """
    n, dim = vectors.shape
    dtype = compute_dtype(vectors.dtype)
    norms = np.empty(n, dtype)
    step = _rows_a_block(dim)
    for lo in range(0, n, step):
        block = vectors[lo : lo + step].astype(dtype, copy=False)
        squares = np.einsum("ij,ij->i", block, block)
        # squares leave float32's range long before lengths do: below 1e-19 and above 1e19 an element is calculated in
        # float64
        if not np.isfinite(squares).all() or (squares < 1e-30).any():
            wide = block.astype(np.float64)
            squares = np.einsum("ij,ij->i", wide, wide)
        np.sqrt(squares, out=norms[lo : lo + step], casting="same_kind")
    return norms


def inverse(norms: NDArray) -> NDArray:
    """``1 / norms``, and 0 where the norm is 0: a zero vector is similar to nothing, and never NaN.

    Parameters
    ----------
    norms : ndarray of shape (n,)

    Returns
    -------
    ndarray of shape (n,), same dtype
    """
    return np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)


def unit_vector(vector: NDArray) -> NDArray:
    """The vector scaled to length 1, calculated in float64, returned in its own type; a zero vector stays zero."""
    wide = np.asarray(vector, dtype=np.float64)
    length = float(np.sqrt(wide @ wide))
    if length > 0 and np.isfinite(length):
        wide = wide / length
    return wide.astype(compute_dtype(np.asarray(vector).dtype), copy=False)


def scale_rows(vectors: NDArray, factors: NDArray) -> None:
    """Multiply row i by ``factors[i]``, in place and in blocks."""
    step = _rows_a_block(vectors.shape[1])
    for lo in range(0, len(vectors), step):
        block = vectors[lo : lo + step]
        np.multiply(block, factors[lo : lo + step, None], out=block, casting="same_kind")


def unit_rows(vectors: NDArray, norms: NDArray | None = None) -> NDArray:
    """A copy of the matrix whose rows have length 1; zero rows stay zero.

    Parameters
    ----------
    vectors : ndarray of shape (n, d)
    norms : ndarray of shape (n,), optional
        The lengths, where they are known already.

    Returns
    -------
    ndarray of shape (n, d), float32 (float64 for a float64 matrix)
    """
    scaled = np.array(vectors, dtype=compute_dtype(vectors.dtype), order="C")
    scale_rows(scaled, inverse(row_norms(vectors) if norms is None else norms))
    return scaled
