"""Bindings of csrc/fe_cooccur: the places of words, rows of co-occurrence counts, growing columns of cells."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy, memset

import numpy as np

cdef extern from "fe_common.h":
    ctypedef enum fe_status:
        FE_OK, FE_NOMEM, FE_OVERFLOW, FE_BADINPUT

cdef extern from "fe_random.h" nogil:
    uint64_t fe_epoch_key(uint64_t seed, uint64_t epoch)

cdef extern from "fe_cooccur.h" nogil:
    ctypedef struct fe_cooc_sums:
        int64_t v
        uint32_t *narrow
        uint64_t *wide
        uint8_t *mark
    ctypedef struct fe_cooc_job:
        const int32_t *ids
        const uint64_t *index
        const int64_t *start
        const int64_t *weight
        int64_t most
        int64_t window
    int64_t fe_cooc_marks(int64_t v)
    fe_status fe_cooc_tally(const int32_t *ids, int64_t n, int64_t v, int64_t *counts)
    void fe_cooc_place(const int32_t *ids, int64_t n, int64_t lo, int64_t hi, const int64_t *offsets, int64_t s,
                       int64_t base, int64_t window, int right, int64_t *cursor, uint64_t *index)
    int64_t fe_cooc_thin(const int32_t *ids, int64_t n, uint64_t position, uint64_t epoch_key, const uint32_t *keep,
                         const int64_t *points, int64_t n_points, int64_t *kept, int32_t *out)
    int64_t fe_cooc_rows(const fe_cooc_job *job, fe_cooc_sums *sums, int64_t lo, int64_t hi, int32_t *columns,
                         int64_t *counts, int64_t *nnz, const int *stop)
    enum: FE_COOC_MAX_WINDOW
    enum: FE_COOC_GROUP

MAX_WINDOW = FE_COOC_MAX_WINDOW


cdef class StopFlag:
    """Seen by C loops; set from any thread."""
    cdef int flag

    def set(self):
        self.flag = 1


def tally(const int32_t[::1] ids, int64_t[::1] counts):
    """Adds the number of times each id occurs to `counts` (V,). ``ValueError`` for an id outside 0..V - 1."""
    cdef fe_status status = FE_OK
    if ids.shape[0] and not counts.shape[0]:
        raise ValueError("a word id outside the vocabulary")
    if ids.shape[0]:
        with nogil:
            status = fe_cooc_tally(&ids[0], ids.shape[0], counts.shape[0], &counts[0])
    if status != FE_OK:
        raise ValueError("a word id outside the vocabulary")


def place(const int32_t[::1] ids, int64_t lo, int64_t hi, const int64_t[::1] offsets, int64_t base, int64_t window,
          bint right, int64_t[::1] cursor, uint64_t[::1] index):
    """Writes the places of the words at ids[lo:hi] to `index`, those of word i from cursor[i] on; moves the cursors.

    The ids have been through `tally`, and `cursor` comes from its counts. Sentences are corpus positions `offsets`,
    of which ids[0] is number `base`; they cover lo..hi.
    """
    cdef int64_t n = ids.shape[0], s
    if not 0 <= lo <= hi <= n or n >= 2**32 or not 1 <= window <= FE_COOC_MAX_WINDOW:
        raise ValueError("positions or window out of range")
    if lo == hi:
        return
    if offsets.shape[0] < 2 or offsets[0] - base > lo or offsets[offsets.shape[0] - 1] - base < hi:
        raise ValueError("the sentences do not cover the tokens")
    s = int(np.searchsorted(np.asarray(offsets), base + lo, side="right")) - 1
    with nogil:
        fe_cooc_place(&ids[0], n, lo, hi, &offsets[0], s, base, window, right, &cursor[0], &index[0])


def thin(const int32_t[::1] ids, int64_t position, uint64_t seed, const uint32_t[::1] keep, const int64_t[::1] points):
    """Subsampling: (ids that stay int32, for each corpus position of `points` how many stay before it, int64)."""
    cdef int64_t n = ids.shape[0], m, n_points = points.shape[0]
    out = np.empty(n + 1, np.int32)
    kept = np.zeros(max(n_points, 1), np.int64)
    cdef int32_t[::1] o = out
    cdef int64_t[::1] k = kept
    cdef int32_t none = 0
    cdef int64_t no_point = 0
    cdef uint64_t key = fe_epoch_key(seed, 0)
    with nogil:
        m = fe_cooc_thin(&ids[0] if n else &none, n, <uint64_t>position, key, &keep[0],
                         &points[0] if n_points else &no_point, n_points, &k[0], &o[0])
    return out[:m], kept[:n_points]


cdef class RowCounter:
    """One worker's dense sums and its room for the cells of one piece of rows."""
    cdef fe_cooc_sums sums
    cdef object _columns, _counts, _nnz

    def __cinit__(self, int64_t v):
        self.sums.v = v
        self.sums.narrow = <uint32_t *>calloc(v + FE_COOC_GROUP, 4)
        self.sums.wide = <uint64_t *>calloc(v + FE_COOC_GROUP, 8)
        self.sums.mark = <uint8_t *>calloc(fe_cooc_marks(v), 1)
        if self.sums.narrow == NULL or self.sums.wide == NULL or self.sums.mark == NULL:
            raise MemoryError(f"the sums of one row of {v} columns do not fit in memory")
        self._columns = np.empty(0, np.int32)
        self._counts = np.empty(0, np.int64)

    def __dealloc__(self):
        free(self.sums.narrow)
        free(self.sums.wide)
        free(self.sums.mark)

    def room(self, int64_t cells):
        """Makes room for so many cells."""
        if len(self._columns) < cells + 1:
            self._columns = np.empty(cells + 1, np.int32)
            self._counts = np.empty(cells + 1, np.int64)

    def rows(self, const int32_t[::1] ids, const uint64_t[::1] index, const int64_t[::1] start,
             const int64_t[::1] weight, bint symmetric, int64_t lo, int64_t hi, StopFlag stop not None):
        """Rows lo..hi - 1 of a text turned inside out: (columns int32, counts int64, nnz of each row int64).

        Columns and counts are views that the next call overwrites. None when the flag was seen.
        """
        cdef fe_cooc_job job
        cdef int64_t v = self.sums.v, i, d, total = 0, cells = 0, window = weight.shape[0] - 1, sides = 2 if symmetric else 1
        if start.shape[0] != v + 1 or not 0 <= lo <= hi <= v or start[v] > index.shape[0] or window < 1:
            raise ValueError("rows out of range")
        for i in range(lo, hi):
            cells += min(v, (start[i + 1] - start[i]) * window * sides)
        for d in range(1, window + 1):
            total += weight[d]
        self.room(cells)
        nnz = np.zeros(hi - lo, np.int64)
        if start[hi] == start[lo]:
            return self._columns[:0], self._counts[:0], nnz
        cdef int32_t[::1] columns = self._columns
        cdef int64_t[::1] counts = self._counts
        cdef int64_t[::1] n = nnz
        job.ids, job.index, job.start, job.weight = &ids[0], &index[0], &start[0], &weight[0]
        job.window, job.most = window, total * sides
        with nogil:
            cells = fe_cooc_rows(&job, &self.sums, lo, hi, &columns[0], &counts[0], &n[0], &stop.flag)
        if cells < 0:
            return None
        return self._columns[:cells], self._counts[:cells], nnz


cdef class Cells:
    """Growing columns and counts; large blocks grow by their page tables (realloc), not by copying."""
    cdef int32_t *columns
    cdef int64_t *counts
    cdef readonly int64_t n
    cdef int64_t size

    def __dealloc__(self):
        free(self.columns)
        free(self.counts)

    def append(self, const int32_t[::1] columns, const int64_t[::1] counts):
        """Adds cells at the end."""
        cdef int64_t n = columns.shape[0]
        if counts.shape[0] != n:
            raise ValueError("columns and counts differ in number")
        if not n:
            return
        if self.n + n > self.size:
            self.resize(self.n + n + (self.n + n) // 4)
        with nogil:
            memcpy(self.columns + self.n, &columns[0], n * 4)
            memcpy(self.counts + self.n, &counts[0], n * 8)
        self.n += n

    cdef int resize(self, int64_t size) except -1:
        cdef int32_t *columns = <int32_t *>realloc(self.columns, max(size, 1) * 4)
        if columns == NULL:
            raise MemoryError(f"{size * 12} bytes for {size} cells of co-occurrence counts; try max_memory")
        self.columns = columns
        cdef int64_t *counts = <int64_t *>realloc(self.counts, max(size, 1) * 8)
        if counts == NULL:
            raise MemoryError(f"{size * 12} bytes for {size} cells of co-occurrence counts; try max_memory")
        self.counts = counts
        self.size = size
        return 0

    def take(self):
        """(columns int32, counts int64), which own the memory; nothing is left here."""
        self.resize(self.n)
        cdef Block a = Block(), b = Block()
        a.data, b.data = self.columns, self.counts
        a.nbytes, b.nbytes = self.n * 4, self.n * 8
        self.columns, self.counts = NULL, NULL
        n, self.n, self.size = self.n, 0, 0
        if n == 0:
            return np.empty(0, np.int32), np.empty(0, np.int64)
        return np.frombuffer(a, np.int32), np.frombuffer(b, np.int64)


cdef class Block:
    """Memory from malloc as a buffer."""
    cdef void *data
    cdef int64_t nbytes
    cdef Py_ssize_t shape[1]
    cdef Py_ssize_t strides[1]

    def __dealloc__(self):
        free(self.data)

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        self.shape[0], self.strides[0] = self.nbytes, 1
        buffer.buf = self.data
        buffer.format = "B"
        buffer.internal = NULL
        buffer.itemsize = 1
        buffer.len = self.nbytes
        buffer.ndim = 1
        buffer.obj = self
        buffer.readonly = 0
        buffer.shape = self.shape
        buffer.strides = self.strides
        buffer.suboffsets = NULL

    def __releasebuffer__(self, Py_buffer *buffer):
        pass
