"""Directions that many vectors share, and their removal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def principal_directions(second_moment: NDArray, count: int = 1) -> NDArray:
    """Eigenvectors of the largest eigenvalues of a symmetric matrix, largest first.

    The sign is fixed (the component of largest size is positive), so that equal input gives equal output on any
    machine.

    Parameters
    ----------
    second_moment : ndarray of shape (d, d), float64
    count : int
        How many directions.

    Returns
    -------
    ndarray of shape (count, d), float64, orthonormal rows
    """
    _, vectors = np.linalg.eigh(np.asarray(second_moment, dtype=np.float64))
    directions = vectors[:, ::-1][:, :count].T.copy()
    largest = directions[np.arange(len(directions)), np.abs(directions).argmax(axis=1)]
    directions *= np.where(largest < 0, -1.0, 1.0)[:, None]
    return directions


def remove_directions(vectors: NDArray, directions: NDArray) -> None:
    """Subtract from every row its projection on the given orthonormal directions, in place.

    Parameters
    ----------
    vectors : ndarray of shape (n, d), changed
    directions : ndarray of shape (k, d)
    """
    directions = directions.astype(vectors.dtype, copy=False)
    vectors -= (vectors @ directions.T) @ directions
