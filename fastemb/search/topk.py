"""The k best of many scores that arrive in blocks.

Scores come as blocks of columns (candidates), in ascending order of the candidates. Once a query has k candidates, a
later one matters only if it beats the k-th: one comparison a score, and the few that pass are merged. Of n candidates
in random order only about k ln(n / first block) ever pass, so after the first block there is no sorting left to speak
of.

Order: score descending, equal scores by index ascending. NaN scores never enter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class TopK:
    """The k best candidates of each of ``n_queries`` queries.

    Parameters
    ----------
    n_queries, k : int
    dtype : dtype of the scores

    Attributes
    ----------
    indices : ndarray of shape (n_queries, k), int64
        -1 where there were fewer than k candidates.
    scores : ndarray of shape (n_queries, k)
        ``-inf`` where there were fewer than k candidates.
    """

    def __init__(self, n_queries: int, k: int, dtype: np.dtype | type = np.float32):
        self.k = k
        self.indices = np.full((n_queries, k), -1, dtype=np.int64)
        self.scores = np.full((n_queries, k), -np.inf, dtype=dtype)

    def offer(self, first_query: int, block: NDArray, first_candidate: int) -> None:
        """Take in the scores of some queries with the next candidates.

        Parameters
        ----------
        first_query : int
            The query of row 0 of the block.
        block : ndarray of shape (queries, candidates), C-contiguous
            ``-inf`` marks a candidate that must not be returned.
        first_candidate : int
            The index of column 0. Blocks of one query must come in ascending order.
        """
        n, width = block.shape
        if self.k == 0 or block.size == 0:
            return
        scores = self.scores[first_query : first_query + n]
        indices = self.indices[first_query : first_query + n]
        bound = scores[:, -1]
        if width > self.k and np.isneginf(bound).all():
            # nothing to beat yet: the k-th of this block is a bound. NaN sorts last, that is, as the largest: keep it
            # out.
            values = np.where(np.isnan(block), -np.inf, block) if np.isnan(block.max()) else block
            kth = np.partition(values, width - self.k, axis=1)[:, width - self.k]
            passed = values >= np.maximum(kth, np.finfo(block.dtype).min)[:, None]
        else:
            passed = block > bound[:, None]
        flat = np.flatnonzero(passed)
        if not len(flat):
            return
        rows = flat // width
        touched, starts = np.unique(rows, return_index=True)
        # old and new candidates of the touched rows in one list, sorted by (row, score descending, index ascending)
        row = np.concatenate((np.repeat(touched, self.k), rows))
        score = np.concatenate((scores[touched].ravel(), block.ravel()[flat]))
        index = np.concatenate((indices[touched].ravel(), flat - rows * width + first_candidate))
        order = np.lexsort((index, -score, row))
        begin = self.k * np.arange(len(touched)) + starts  # where each touched row begins in the sorted list
        best = order[begin[:, None] + np.arange(self.k)]
        scores[touched] = score[best]
        indices[touched] = index[best]


def best_first(scores: NDArray, k: int, exclude: NDArray | list[int] | None = None) -> NDArray:
    """Indices of the k largest scores, largest first, ties by index; without NaN and the excluded ones.

    Parameters
    ----------
    scores : ndarray of shape (n,)
    k : int
    exclude : ndarray of int, optional

    Returns
    -------
    ndarray of shape (<= k,), int64

    Examples
    --------
    >>> import numpy as np
    >>> best_first(np.array([0.1, 0.9, 0.5, 0.9]), 3).tolist()
    [1, 3, 2]
    """
    if exclude is not None and len(exclude):
        scores = scores.copy()
        scores[np.asarray(exclude)] = -np.inf
    top = TopK(1, min(k, len(scores)), scores.dtype)
    top.offer(0, np.ascontiguousarray(scores)[None, :], 0)
    found = top.indices[0]
    return found[found >= 0]
