"""Binding of the sparse kernels: checks shapes and ranges, releases the GIL, calls C."""

import os

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint16_t


cdef extern from "fe_common.h":
    ctypedef enum fe_status:
        FE_OK, FE_NOMEM, FE_OVERFLOW, FE_BADINPUT


cdef extern from "fe_spmm.h":
    enum: FE_PANEL, FE_TILE_MOST, FE_SPMM_ISA_MOST
    ctypedef struct fe_tiled:
        int64_t rows, cols, width, tiles
        const int64_t *starts
        const uint16_t *columns
        const float *data
    ctypedef void fe_spmm_fn(const fe_tiled *, const float *, float *, int64_t, int64_t) noexcept nogil
    ctypedef struct fe_spmm_isa:
        const char *name
        fe_spmm_fn *multiply
    int fe_spmm_usable(fe_spmm_isa *)
    int fe_csr_check(const int64_t *, const int32_t *, int64_t, int64_t, int64_t, int64_t) nogil
    void fe_tile_count(const int64_t *, const int32_t *, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t *) nogil
    fe_status fe_tile_fill(const int64_t *, const int32_t *, const float *, const fe_tiled *, int64_t, int64_t,
                           uint16_t *, float *) nogil
    void fe_transpose_count(const fe_tiled *, int64_t, int64_t, int64_t *) nogil
    void fe_transpose_fill(const fe_tiled *, int64_t, const fe_tiled *, int64_t *, uint16_t *, float *) nogil


cdef extern from "fe_ppmi.h":
    ctypedef struct fe_counts:
        int64_t rows, cols
        const int64_t *indptr
        const int32_t *indices
        const int64_t *data
    ctypedef struct fe_pmi:
        const double *row
        const double *column
        double total
    fe_status fe_counts_sum(const fe_counts *, int64_t, int64_t, int64_t *, int64_t *) nogil
    void fe_ppmi_count(const fe_counts *, const fe_pmi *, int64_t, int64_t, int64_t *) nogil
    void fe_ppmi_fill(const fe_counts *, const fe_pmi *, int64_t, int64_t, const int64_t *, int32_t *, float *) nogil


PANEL = FE_PANEL  # columns of a dense panel
TILE_MOST = FE_TILE_MOST

cdef fe_spmm_isa _isas[FE_SPMM_ISA_MOST]
cdef int _isa_count = fe_spmm_usable(_isas)


def available_simd():
    """Instruction sets that this build holds and this machine can run, slowest first."""
    return [(<bytes>_isas[i].name).decode() for i in range(_isa_count)]


cdef fe_spmm_fn *_multiply(isa) except NULL:
    names = available_simd()
    if isa is None:
        isa = os.environ.get("FASTEMB_SIMD") or names[len(names) - 1]
        if isa not in names:
            raise RuntimeError(f"FASTEMB_SIMD={isa!r} is not available on this machine; it has: {', '.join(names)}. "
                               "Unset FASTEMB_SIMD to use the fastest.")
    elif isa not in names:
        raise ValueError(f"isa={isa!r} is not available on this machine; it has: {', '.join(names)}")
    return _isas[names.index(isa)].multiply


cdef int _range(int64_t lo, int64_t hi, int64_t n) except -1:
    if not 0 <= lo <= hi <= n:
        raise IndexError(f"rows {lo}..{hi} of {n}")
    return 0


def check_csr(const int64_t[::1] indptr, const int32_t[::1] indices, int64_t cols, int64_t lo, int64_t hi):
    """``ValueError`` unless rows lo .. hi rise within the cells and every column is within 0 .. cols."""
    cdef int64_t rows = indptr.shape[0] - 1, nnz = indices.shape[0]
    cdef int wrong = 0
    _range(lo, hi, rows)
    if indptr[0] != 0 or indptr[rows] != nnz:
        raise ValueError(f"indptr must rise from 0 to the number of cells, {nnz}; it goes from {indptr[0]} to "
                         f"{indptr[rows]}")
    if nnz == 0 or lo == hi:
        return
    with nogil:
        wrong = fe_csr_check(&indptr[0], &indices[0], nnz, cols, lo, hi)
    if wrong == 1:
        raise ValueError(f"indptr falls, or leaves the {nnz} cells, between rows {lo} and {hi}")
    if wrong:
        raise ValueError(f"a column index in rows {lo}..{hi} is outside 0..{cols - 1}")


def tile_count(const int64_t[::1] indptr, const int32_t[::1] indices, int64_t cols, int64_t width, int64_t lo,
               int64_t hi, int64_t[::1] counts):
    """counts[t * rows + i] = cells of row i in tile t, for rows lo .. hi of checked CSR arrays."""
    cdef int64_t rows = indptr.shape[0] - 1, tiles = (cols + width - 1) // width
    _range(lo, hi, rows)
    if not 1 <= width <= FE_TILE_MOST or counts.shape[0] != tiles * rows:
        raise ValueError("counts do not fit the tiles")
    if indices.shape[0] == 0:
        counts[:] = 0
        return
    with nogil:
        fe_tile_count(&indptr[0], &indices[0], rows, width, tiles, lo, hi, &counts[0])


cdef class Tiled:
    """A sparse matrix in tiles: see csrc/fe_spmm.h. The arrays are kept, not copied.

    Parameters
    ----------
    rows, cols, width : int
    starts : int64 (tiles * rows + 1,)
    columns : uint16 (nnz,)
    data : float32 (nnz,)
    """

    cdef fe_tiled t
    cdef readonly object starts, columns, data

    def __init__(self, int64_t rows, int64_t cols, int64_t width, starts, columns, data):
        cdef const int64_t[::1] s = starts
        cdef uint16_t[::1] c = columns
        cdef float[::1] v = data
        if rows < 1 or cols < 1 or not 1 <= width <= FE_TILE_MOST:
            raise ValueError(f"{rows} x {cols} cells in tiles of {width} columns")
        self.t.rows, self.t.cols, self.t.width = rows, cols, width
        self.t.tiles = (cols + width - 1) // width
        if s.shape[0] != self.t.tiles * rows + 1 or s[0] != 0 or s[s.shape[0] - 1] != c.shape[0] \
                or c.shape[0] != v.shape[0]:
            raise ValueError("starts, columns and data do not fit each other")
        self.starts, self.columns, self.data = starts, columns, data
        self.t.starts = &s[0]
        self.t.columns = &c[0] if c.shape[0] else NULL
        self.t.data = &v[0] if v.shape[0] else NULL

    @property
    def shape(self):
        return self.t.rows, self.t.cols

    @property
    def tiles(self):
        return self.t.tiles

    @property
    def width(self):
        return self.t.width

    @property
    def nnz(self):
        return len(self.data)

    def fill(self, const int64_t[::1] indptr, const int32_t[::1] indices, const float[::1] data, int64_t lo,
             int64_t hi):
        """Write the cells of rows lo .. hi of the CSR matrix whose cells `starts` has counted."""
        cdef uint16_t[::1] c = self.columns
        cdef float[::1] v = self.data
        cdef fe_status status
        _range(lo, hi, self.t.rows)
        if indptr.shape[0] != self.t.rows + 1 or indices.shape[0] != c.shape[0] or data.shape[0] != c.shape[0]:
            raise ValueError("this is another matrix")
        if c.shape[0] == 0:
            return
        with nogil:
            status = fe_tile_fill(&indptr[0], &indices[0], &data[0], &self.t, lo, hi, &c[0], &v[0])
        if status == FE_NOMEM:
            raise MemoryError("no memory for the places of a row's tiles")

    def count_transposed(self, int64_t tile, int64_t width, int64_t[::1] counts):
        """Add the cells of a tile to the counts of the transpose, (its tiles * its rows,)."""
        _range(tile, tile + 1, self.t.tiles)
        if not 1 <= width <= FE_TILE_MOST or counts.shape[0] != (self.t.rows + width - 1) // width * self.t.cols:
            raise ValueError("counts do not fit the tiles")
        if self.t.data == NULL:
            return
        with nogil:
            fe_transpose_count(&self.t, tile, width, &counts[0])

    def fill_transposed(self, int64_t tile, Tiled other not None):
        """Write the cells of a tile to `other`, the transpose whose `starts` have been counted."""
        cdef uint16_t[::1] c = other.columns
        cdef float[::1] v = other.data
        cdef int64_t[::1] next = np.empty(self.t.width, np.int64)
        _range(tile, tile + 1, self.t.tiles)
        if other.t.rows != self.t.cols or other.t.cols != self.t.rows or c.shape[0] != len(self.data):
            raise ValueError("this is not the transpose")
        if self.t.data == NULL:
            return
        with nogil:
            fe_transpose_fill(&self.t, tile, &other.t, &next[0], &c[0], &v[0])

    def multiply(self, const float[:, ::1] x, float[:, ::1] y, int64_t lo, int64_t hi, isa=None):
        """Rows lo .. hi of y = A x for one panel: x is (cols, PANEL), y (rows, PANEL)."""
        cdef fe_spmm_fn *f = _multiply(isa)
        _range(lo, hi, self.t.rows)
        if x.shape[0] != self.t.cols or x.shape[1] != FE_PANEL or y.shape[0] != self.t.rows or y.shape[1] != FE_PANEL:
            raise ValueError(f"panels of shape ({x.shape[0]}, {x.shape[1]}) and ({y.shape[0]}, {y.shape[1]}) for a "
                             f"matrix of {self.t.rows} x {self.t.cols}")
        with nogil:
            f(&self.t, &x[0, 0], &y[0, 0], lo, hi)


cdef class Counts:
    """A CSR matrix of integer counts, checked, and its pointwise mutual information.

    Parameters
    ----------
    indptr : int64 (rows + 1,)
    indices : int32 (nnz,)
    data : int64 (nnz,)
    cols : int
    """

    cdef fe_counts c
    cdef fe_pmi m
    cdef object _alive, _weights

    def __init__(self, indptr, indices, data, int64_t cols):
        cdef const int64_t[::1] p = indptr
        cdef const int32_t[::1] i = indices
        cdef const int64_t[::1] d = data
        if p.shape[0] < 2 or cols < 1:
            raise ValueError("a matrix of counts has at least one row and one column")
        if i.shape[0] != d.shape[0]:
            raise ValueError(f"{i.shape[0]} indices for {d.shape[0]} counts")
        check_csr(p, i, cols, 0, 0)
        self.c.rows, self.c.cols = p.shape[0] - 1, cols
        self.c.indptr = &p[0]
        self.c.indices = &i[0] if i.shape[0] else NULL
        self.c.data = &d[0] if d.shape[0] else NULL
        self._alive = (indptr, indices, data)

    def sums(self, int64_t lo, int64_t hi, int64_t[::1] rows, int64_t[::1] columns):
        """Sums of the rows lo .. hi to `rows` (rows,), and their cells added to `columns` (cols,).

        Checks the matrix on the way: ``ValueError`` for a negative count or a column out of range, ``OverflowError``
        for sums beyond 63 bits.
        """
        cdef fe_status status
        _range(lo, hi, self.c.rows)
        if rows.shape[0] != self.c.rows or columns.shape[0] != self.c.cols:
            raise ValueError("the sums do not fit the matrix")
        if self.c.data == NULL:
            rows[lo:hi] = 0
            return
        check_csr(self._alive[0], self._alive[1], self.c.cols, lo, hi)
        with nogil:
            status = fe_counts_sum(&self.c, lo, hi, &rows[0], &columns[0])
        if status == FE_BADINPUT:
            raise ValueError(f"a count in rows {lo}..{hi} is negative")
        if status == FE_OVERFLOW:
            raise OverflowError(f"the counts in rows {lo}..{hi} add up to more than 2^63 - 1")

    def weights(self, const double[::1] row, const double[::1] column, double total):
        """What PMI is made of: k times the row sums, smoothed column weights, their total."""
        if row.shape[0] != self.c.rows or column.shape[0] != self.c.cols:
            raise ValueError("the weights do not fit the matrix")
        self._weights = (row, column)
        self.m.row, self.m.column, self.m.total = &row[0], &column[0], total

    def count_positive(self, int64_t lo, int64_t hi, int64_t[::1] kept):
        """kept[i] = cells of row i whose PMI is positive."""
        _range(lo, hi, self.c.rows)
        if kept.shape[0] != self.c.rows or self._weights is None:
            raise ValueError("kept needs one number a row, and the weights must be known")
        if self.c.data == NULL:
            kept[lo:hi] = 0
            return
        with nogil:
            fe_ppmi_count(&self.c, &self.m, lo, hi, &kept[0])

    def fill_positive(self, int64_t lo, int64_t hi, const int64_t[::1] indptr, int32_t[::1] indices, float[::1] data):
        """Write these cells; `indptr` adds up what `count_positive` found."""
        _range(lo, hi, self.c.rows)
        if indptr.shape[0] != self.c.rows + 1 or indices.shape[0] != data.shape[0] or self._weights is None \
                or indptr[self.c.rows] != data.shape[0]:
            raise ValueError("indptr, indices and data do not fit the matrix")
        if data.shape[0] == 0:
            return
        with nogil:
            fe_ppmi_fill(&self.c, &self.m, lo, hi, &indptr[0], &indices[0], &data[0])
