"""Pointwise mutual information of co-occurrence counts: of a pair, of a row, and of the whole matrix.

With counts n_ij, row sums r_i, column sums c_j and a = cds (Levy, Goldberg, Dagan 2015, section 3.1)::

    PMI(i, j) = log( P(i, j) / (P(i) P_a(j)) ) = log( n_ij sum_l c_l^a / (r_i c_j^a) )
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fastemb.corpus import Cooccurrence
from fastemb.geometry._sparse import Counts
from fastemb.geometry.sparse import CSR, cuts
from fastemb.geometry.threads import each

CELLS = 1 << 21  # of one piece of work


class PMI:
    """What is needed to turn counts into PMI, for one ``cds`` and one shift.

    Parameters
    ----------
    counts : Cooccurrence
    cds : float
        Exponent of the column sums.
    shift : float
        k; log k is subtracted where "shifted" is said.
    workers : int

    Raises
    ------
    ValueError
        There are no counts, or the arrays are damaged.
    OverflowError
        The counts add up to 2**63 or more.
    """

    def __init__(self, counts: Cooccurrence, cds: float, shift: float, workers: int = 1) -> None:
        rows, cols = counts.shape
        if not counts.nnz:
            raise ValueError(
                f"no two words of the {rows:,} in the vocabulary stand near each other: there are no counts to "
                "decompose. Are the sentences one word long?"
            )
        self.counts, self.workers, self.log_shift = counts, workers, float(np.log(shift))
        self.core = Counts(counts.indptr, counts.indices, counts.data, cols)
        self.at = cuts(counts.indptr, max(workers, -(-counts.nnz // CELLS)))
        self.row_sums = np.zeros(rows, np.int64)
        shares = min(workers, len(self.at) - 1)
        parts = [np.zeros(cols, np.int64) for _ in range(shares)]

        def add(share: int) -> None:
            for piece in range(share, len(self.at) - 1, shares):
                self.core.sums(int(self.at[piece]), int(self.at[piece + 1]), self.row_sums, parts[share])

        each(shares, add, workers)
        total = float(self.row_sums.astype(np.float64).sum())
        if total >= 2**63:
            raise OverflowError(f"the counts add up to {total:.3g} units of 1/{counts.scale}, more than 64 bits hold")
        self.column_sums = parts[0] if shares == 1 else np.sum(parts, axis=0)
        weights = self.column_sums.astype(np.float64)
        self.column_weights = weights if cds == 1 else np.where(weights > 0, weights**cds, 0.0)
        self.total = float(self.column_weights.sum())
        self.row_weights = self.row_sums * float(shift)
        self.core.weights(self.row_weights, self.column_weights, self.total)

    def pair(self, i: int, j: int) -> float:
        """PMI of a pair, not shifted; -inf for words that were never seen together."""
        c = self.counts
        lo, hi = int(c.indptr[i]), int(c.indptr[i + 1])
        at = lo + int(np.searchsorted(c.indices[lo:hi], j))
        if at == hi or c.indices[at] != j or c.data[at] == 0:
            return -np.inf
        denominator = float(self.row_sums[i]) * float(self.column_weights[j])
        return float(np.log(float(c.data[at]) * self.total / denominator))

    def row(self, i: int) -> tuple[NDArray, NDArray]:
        """(columns int32, float64 PMI - log shift) of the cells of a row that have a count."""
        c = self.counts
        lo, hi = int(c.indptr[i]), int(c.indptr[i + 1])
        columns, n = np.asarray(c.indices[lo:hi]), np.asarray(c.data[lo:hi], dtype=np.float64)
        columns, n = columns[n > 0], n[n > 0]
        return columns, np.log(n * self.total / (self.row_weights[i] * self.column_weights[columns]))

    def positive(self, check: Callable[[int], None] | None = None) -> CSR:
        """The matrix max(0, PMI - log shift), its positive cells only.

        `check` is told their number before memory is taken for them.
        """
        rows, cols = self.counts.shape
        kept = np.zeros(rows + 1, np.int64)
        pieces = len(self.at) - 1

        def count(k: int) -> None:
            self.core.count_positive(int(self.at[k]), int(self.at[k + 1]), kept[1:])

        each(pieces, count, self.workers)
        indptr = np.cumsum(kept)
        if check is not None:
            check(int(indptr[-1]))
        indices, data = np.empty(int(indptr[-1]), np.int32), np.empty(int(indptr[-1]), np.float32)

        def fill(k: int) -> None:
            self.core.fill_positive(int(self.at[k]), int(self.at[k + 1]), indptr, indices, data)

        each(pieces, fill, self.workers)
        return CSR(indptr, indices, data, cols)
