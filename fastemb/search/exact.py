"""Exact nearest neighbours by cosine: blocks of queries times blocks of vectors over BLAS.

The outer loop walks over the vectors, the inner one over the queries, so that the matrix is read from memory once
however many queries there are, and the score block (queries x candidates) stays in the cache: 1,000 queries against
150,000 vectors never hold more than a few megabytes of scores. Rows are divided by their length block by block; no
normalised copy of the matrix exists at any time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastemb.geometry import compute_dtype, inverse
from fastemb.search.topk import TopK

QUERIES = 256  # queries a block
SCORES = 1 << 20  # scores a block: 4 MiB of float32


def cosine_scores(vector: NDArray, vectors: NDArray, norms: NDArray) -> NDArray:
    """Dot product of one vector with every row, divided by the row's length; 0 for rows of zeros.

    With a ``vector`` of length 1 these are the cosines.

    Parameters
    ----------
    vector : ndarray of shape (d,)
    vectors : ndarray of shape (n, d)
    norms : ndarray of shape (n,)

    Returns
    -------
    ndarray of shape (n,), float32 (float64 for a float64 matrix)
    """
    dtype = compute_dtype(vectors.dtype)
    vector = np.asarray(vector, dtype=dtype)
    if vectors.dtype == dtype:
        scores = vectors @ vector
    else:
        scores = np.empty(len(vectors), dtype)
        step = max(1, SCORES // max(1, vectors.shape[1]))
        for lo in range(0, len(vectors), step):
            scores[lo : lo + step] = vectors[lo : lo + step].astype(dtype) @ vector
    with np.errstate(invalid="ignore"):  # rows with infinite elements become NaN
        scores *= inverse(norms).astype(dtype, copy=False)
    return scores


def cosine_topk(
    queries: NDArray,
    vectors: NDArray,
    norms: NDArray,
    k: int,
    *,
    start: int = 0,
    stop: int | None = None,
    exclude: tuple[NDArray, NDArray] | None = None,
) -> tuple[NDArray, NDArray]:
    """The k rows nearest to each query by cosine.

    Parameters
    ----------
    queries : ndarray of shape (q, d)
        Vectors of length 1 (any other length scales that query's scores).
    vectors : ndarray of shape (n, d)
    norms : ndarray of shape (n,)
        Lengths of the rows; rows of length 0 score 0.
    k : int
    start, stop : int
        Search only the rows ``start:stop``.
    exclude : (query numbers, row numbers), optional
        Two equally long integer arrays: the row must not be returned for the query.

    Returns
    -------
    indices : ndarray of shape (q, min(k, stop - start)), int64
        Rows, nearest first, ties by row number; -1 where fewer remain.
    scores : ndarray of the same shape, float32 (float64 for a float64 matrix)
        ``-inf`` where fewer remain.

    Examples
    --------
    >>> import numpy as np
    >>> vectors = np.array([[1, 0], [1, 1], [0, 2]], dtype=np.float32)
    >>> indices, scores = cosine_topk(vectors[:1], vectors, np.array([1, 2**0.5, 2], dtype=np.float32), 2)
    >>> indices.tolist()
    [[0, 1]]
    """
    dtype = compute_dtype(vectors.dtype)
    queries = np.ascontiguousarray(queries, dtype=dtype)
    start, stop, _ = slice(start, stop).indices(len(vectors))
    (n_queries, dim), n = queries.shape, max(0, stop - start)
    top = TopK(n_queries, min(k, n), dtype)
    if not n_queries or not n or k < 1:
        return top.indices, top.scores
    scale = inverse(norms[start:stop]).astype(dtype, copy=False)
    hidden = Excluded(*exclude) if exclude is not None else None

    height = min(n_queries, QUERIES)
    width = min(n, max(1024, SCORES // height))
    scores = np.empty(height * width, dtype)
    # dividing the rows costs d a row, dividing the scores one a query and row
    rows_first = n_queries >= dim or vectors.dtype != dtype
    scaled = np.empty((width, dim), dtype) if rows_first else None
    for lo in range(start, stop, width):
        hi = min(lo + width, stop)
        block, factor = vectors[lo:hi], scale[lo - start : hi - start]
        if scaled is not None:
            block = _multiply(block, factor[:, None], scaled[: hi - lo])
        for first in range(0, n_queries, height):
            last = min(first + height, n_queries)
            out = scores[: (last - first) * (hi - lo)].reshape(last - first, hi - lo)
            np.matmul(queries[first:last], block.T, out=out)
            if scaled is None:
                _multiply(out, factor, out)
            if hidden is not None:
                hidden.hide(out, first, lo)
            top.offer(first, out, lo)
    return top.indices, top.scores


def _multiply(a: NDArray, b: NDArray, out: NDArray) -> NDArray:
    with np.errstate(invalid="ignore"):  # rows with infinite elements become NaN, and are never found
        return np.multiply(a, b, out=out)


class Excluded:
    """Pairs (query, row) that must not be found.

    Parameters
    ----------
    queries, rows : ndarray of int, of the same length, in any order
    """

    def __init__(self, queries: NDArray, rows: NDArray):
        order = np.argsort(queries, kind="stable")
        self._queries, self._rows = np.asarray(queries)[order], np.asarray(rows)[order]

    def hide(self, scores: NDArray, first_query: int, first_row: int) -> None:
        """Set the excluded scores of a block to ``-inf``."""
        lo, hi = np.searchsorted(self._queries, (first_query, first_query + len(scores)))
        columns = self._rows[lo:hi] - first_row
        inside = (columns >= 0) & (columns < scores.shape[1])
        scores[self._queries[lo:hi][inside] - first_query, columns[inside]] = -np.inf
