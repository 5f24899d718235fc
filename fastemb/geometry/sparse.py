"""Sparse matrices that are multiplied many times: CSR arrays turned into tiles, and products with dense panels.

The layout and its reasons are in ``csrc/fe_spmm.h``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._sparse import PANEL, TILE_MOST, Tiled, check_csr, tile_count
from .threads import each

__all__ = ["CSR", "PANEL", "cuts", "empty_panels", "from_panels", "multiply", "tiled", "to_panels", "transposed"]

TILE = 4096  # columns a tile: PANEL float32 each are 1 MiB, which the L2 of today's processors holds or nearly holds
SEGMENT = 8  # cells that a row should have in a tile, on average: fewer, and loading and storing the sums dominates
PIECE = 1 << 24  # cells of one piece of a product: some tens of milliseconds


class CSR(NamedTuple):
    """A sparse matrix by rows: row i is ``indices[indptr[i]:indptr[i + 1]]`` and the same piece of ``data``."""

    indptr: NDArray  # int64 (rows + 1,)
    indices: NDArray  # int32 (nnz,)
    data: NDArray  # float32 (nnz,)
    cols: int

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.indptr) - 1

    @property
    def nnz(self) -> int:
        """Number of cells."""
        return len(self.data)


def cuts(indptr: NDArray, pieces: int) -> NDArray:
    """Row numbers that cut a CSR matrix into at most so many ranges of about equally many cells.

    Returns
    -------
    int64 array, ascending, from 0 to the number of rows

    Examples
    --------
    >>> cuts(np.array([0, 10, 11, 12, 20]), 2).tolist()
    [0, 2, 4]
    """
    rows = len(indptr) - 1
    marks = np.arange(1, pieces, dtype=np.float64) * (float(indptr[-1] + rows) / max(1, pieces))
    inner = np.searchsorted(np.asarray(indptr) + np.arange(rows + 1), marks)  # an empty row costs something, too
    return np.unique(np.concatenate([[0], inner, [rows]])).astype(np.int64)


def tile_width(rows: int, cols: int, nnz: int) -> int:
    """Columns a tile for a matrix of that shape."""
    most = max(1, nnz // (SEGMENT * max(1, rows)))
    return min(cols, TILE_MOST, max(TILE, -(-cols // most)))


def tiled(matrix: CSR, workers: int = 1) -> Tiled:
    """The tiles of a CSR matrix.

    Raises
    ------
    ValueError
        The arrays form no such matrix.
    """
    indptr, indices, data, cols = matrix
    rows = matrix.rows
    width = tile_width(rows, cols, matrix.nnz)
    at = cuts(indptr, max(1 + matrix.nnz // PIECE, 4 * workers if workers > 1 else 1))
    starts = np.zeros(-(-cols // width) * rows + 1, np.int64)

    def count(k: int) -> None:
        check_csr(indptr, indices, cols, int(at[k]), int(at[k + 1]))
        tile_count(indptr, indices, cols, width, int(at[k]), int(at[k + 1]), starts[1:])

    each(len(at) - 1, count, workers)
    np.cumsum(starts, out=starts)
    result = Tiled(rows, cols, width, starts, np.empty(matrix.nnz, np.uint16), np.empty(matrix.nnz, np.float32))
    each(len(at) - 1, lambda k: result.fill(indptr, indices, data, int(at[k]), int(at[k + 1])), workers)
    return result


def transposed(matrix: Tiled, workers: int = 1) -> Tiled:
    """The tiles of the transpose: a second copy of the cells, after which ``A^T X`` is as fast as ``A X``."""
    rows, cols = matrix.shape
    width = tile_width(cols, rows, matrix.nnz)
    starts = np.zeros(-(-rows // width) * cols + 1, np.int64)
    each(matrix.tiles, lambda k: matrix.count_transposed(k, width, starts[1:]), workers)
    np.cumsum(starts, out=starts)
    result = Tiled(cols, rows, width, starts, np.empty(matrix.nnz, np.uint16), np.empty(matrix.nnz, np.float32))
    each(matrix.tiles, lambda k: matrix.fill_transposed(k, result), workers)
    return result


def empty_panels(rows: int, columns: int) -> NDArray:
    """A dense matrix of that shape in panels: float32 (panels, rows, PANEL), on cache lines, not initialised."""
    shape = (-(-columns // PANEL), rows, PANEL)
    size = int(np.prod(shape)) * 4
    memory = np.empty(size + 64, np.uint8)
    lead = -memory.ctypes.data % 64
    return memory[lead : lead + size].view(np.float32).reshape(shape)


def to_panels(matrix: NDArray) -> NDArray:
    """A dense matrix in panels; what pads the last panel is zero."""
    rows, columns = matrix.shape
    panels = empty_panels(rows, columns)
    for p, panel in enumerate(panels):
        part = matrix[:, p * PANEL : (p + 1) * PANEL]
        panel[:, : part.shape[1]] = part
        panel[:, part.shape[1] :] = 0.0
    return panels


def from_panels(panels: NDArray, columns: int) -> NDArray:
    """The dense float32 matrix of panels, C-contiguous."""
    matrix = np.empty((panels.shape[1], columns), np.float32)
    for p, panel in enumerate(panels):
        part = matrix[:, p * PANEL : (p + 1) * PANEL]
        part[:] = panel[:, : part.shape[1]]
    return matrix


def multiply(
    matrix: Tiled, x: NDArray, workers: int = 1, tell: Callable[[float], None] | None = None, isa: str | None = None
) -> NDArray:
    """The product of a sparse matrix and panels, as panels.

    A cell of the result is added up in the same order whatever the number of workers.

    Parameters
    ----------
    matrix : Tiled, (m, n)
    x : float32 panels of n rows
    workers : int
    tell : callable, optional
        Called in this thread with the share done, 0 to 1.
    isa : str, optional
        Instruction set, for tests; default the fastest, or what FASTEMB_SIMD names.

    Returns
    -------
    float32 panels of m rows
    """
    panels, rows = len(x), matrix.shape[0]
    y = empty_panels(rows, panels * PANEL)
    ranges = max(1 + matrix.nnz // PIECE, -(-4 * workers // panels) if workers > 1 else 1)
    at = _row_cuts(matrix, ranges)

    pieces, done = panels * (len(at) - 1), []

    def work(k: int) -> None:
        p, r = divmod(k, len(at) - 1)
        matrix.multiply(x[p], y[p], int(at[r]), int(at[r + 1]), isa)
        done.append(k)

    each(pieces, work, workers, None if tell is None else lambda: tell(len(done) / pieces))
    if tell is not None:
        tell(1.0)
    return y


def _row_cuts(matrix: Tiled, ranges: int) -> NDArray:
    rows = matrix.shape[0]
    if ranges == 1:
        return np.array([0, rows])
    cells = np.zeros(rows + 1, np.int64)
    for t in range(matrix.tiles):
        cells[1:] += np.diff(matrix.starts[t * rows : (t + 1) * rows + 1])
    return cuts(np.cumsum(cells), ranges)
