"""Bindings of csrc/fe_cooccur: the places of words, rows of co-occurrence counts, growing columns of cells."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy

import os

import numpy as np

cdef extern from "fe_common.h":
    ctypedef enum fe_status:
        FE_OK, FE_NOMEM, FE_OVERFLOW, FE_STOPPED, FE_BADINPUT

cdef extern from "fe_random.h" nogil:
    uint64_t fe_epoch_key(uint64_t seed, uint64_t epoch)

cdef extern from "fe_cooccur.h" nogil:
    ctypedef struct fe_cooc_sums:
        int64_t v
        uint32_t *narrow
        uint64_t *wide
        uint8_t *mark
        int avx512
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
    int64_t fe_cooc_encoded_most(int64_t rows, int64_t cells)
    int64_t fe_cooc_encode(const int32_t *columns, const int64_t *counts, const int64_t *nnz, int64_t rows, uint8_t *out)
    fe_status fe_cooc_add_run(fe_cooc_sums *sums, const uint8_t **at, const uint8_t *end)
    fe_status fe_cooc_add_cells(fe_cooc_sums *sums, const int32_t *columns, const int64_t *counts, int64_t n,
                                const int32_t *map)
    int64_t fe_cooc_harvest(fe_cooc_sums *sums, int32_t *columns, int64_t *counts)
    void fe_cooc_clear(fe_cooc_sums *sums)
    fe_status fe_cooc_merge(fe_cooc_sums *sums, const uint8_t **at, const uint8_t *const *end, int64_t runs,
                            int64_t rows, int32_t *columns, int64_t *counts, int64_t *nnz, int64_t *cells,
                            const int *stop)
    int fe_cooc_check(int64_t v, const int64_t *indptr, int64_t rows, const int32_t *columns, const int64_t *counts)
    void *fe_cooc_alloc(int64_t bytes)
    int fe_cooc_has_avx512()
    enum: FE_COOC_MAX_WINDOW
    enum: FE_COOC_GROUP

MAX_WINDOW = FE_COOC_MAX_WINDOW


cdef class StopFlag:
    """Seen by C loops; set from any thread."""
    cdef int flag

    def set(self):
        self.flag = 1

    def is_set(self):
        return self.flag != 0


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


def versions():
    """Instruction sets that this machine has a version for, slowest first."""
    return ["baseline", "avx512"] if fe_cooc_has_avx512() else ["baseline"]


cdef int use_avx512(object version) except -1:
    """FASTEMB_SIMD as for the kernels of training; here every instruction set but AVX-512 has the same version."""
    name = version or os.environ.get("FASTEMB_SIMD") or ("avx512" if fe_cooc_has_avx512() else "baseline")
    if name not in ("baseline", "scalar", "avx2", "neon", "avx512") or (name == "avx512" and not fe_cooc_has_avx512()):
        raise RuntimeError(f"FASTEMB_SIMD={name!r} is not available on this machine; it has: {', '.join(versions())}")
    return name == "avx512"


cdef int raise_status(fe_status status) except -1:
    if status == FE_OVERFLOW:
        raise OverflowError("a co-occurrence count reached 2**63: take a smaller window, flat weights or less text")
    if status == FE_BADINPUT:
        raise OSError("the temporary file of co-occurrence counts is damaged: is the disk all right?")
    return 0


cdef class RowCounter:
    """One worker's dense sums and its room for the cells of one piece of rows.

    The arrays that its methods return are views that the next call overwrites.
    """
    cdef fe_cooc_sums sums
    cdef object _columns, _counts, _bytes

    def __cinit__(self, int64_t v, version=None):
        self.sums.v = v
        self.sums.avx512 = use_avx512(version)
        self.sums.narrow = <uint32_t *>calloc(v + FE_COOC_GROUP, 4)
        self.sums.wide = <uint64_t *>calloc(v + FE_COOC_GROUP, 8)
        self.sums.mark = <uint8_t *>calloc(fe_cooc_marks(v), 1)
        if self.sums.narrow == NULL or self.sums.wide == NULL or self.sums.mark == NULL:
            raise MemoryError(f"the sums of one row of {v} columns do not fit in memory")
        self._columns = np.empty(0, np.int32)
        self._counts = np.empty(0, np.int64)
        self._bytes = np.empty(0, np.uint8)

    def __dealloc__(self):
        free(self.sums.narrow)
        free(self.sums.wide)
        free(self.sums.mark)

    def room(self, int64_t cells):
        """Makes room for so many cells."""
        if len(self._columns) < cells + 16:
            self._columns = self._counts = None
            self._columns = np.empty(cells + 16, np.int32)
            self._counts = np.empty(cells + 16, np.int64)

    def rows(self, const int32_t[::1] ids, const uint64_t[::1] index, const int64_t[::1] start,
             const int64_t[::1] weight, bint symmetric, int64_t lo, int64_t hi, StopFlag stop not None):
        """Rows lo..hi - 1 of a text turned inside out: (columns int32, counts int64, nnz of each row int64).

        None when the flag was seen.
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


    def encode(self, const int32_t[::1] columns, const int64_t[::1] counts, const int64_t[::1] nnz):
        """The rows as bytes of a run (uint8), see csrc/fe_cooccur.h."""
        cdef int64_t rows = nnz.shape[0], cells = columns.shape[0], i, total = 0
        for i in range(rows):
            total += nnz[i]
        if total != cells or counts.shape[0] != cells:
            raise ValueError("columns, counts and nnz do not fit together")
        cdef int64_t most = fe_cooc_encoded_most(rows, cells)
        if len(self._bytes) < most + 1:
            self._bytes = np.empty(most + most // 4 + 1, np.uint8)
        cdef uint8_t[::1] out = self._bytes
        if not rows:
            return self._bytes[:0]
        cdef const int32_t *c = &columns[0] if cells else NULL
        cdef const int64_t *x = &counts[0] if cells else NULL
        with nogil:
            total = fe_cooc_encode(c, x, &nnz[0], rows, &out[0])
        return self._bytes[:total]

    def merge(self, list slices, int64_t rows, int64_t most, StopFlag stop not None):
        """The rows of several runs, added up: as `rows`. `slices` holds the bytes of the runs, `most` bounds the cells.

        ``OverflowError`` when a count reaches 2**63. None when the flag was seen.
        """
        cdef int64_t runs = len(slices), r, cells = 0
        cdef const uint8_t[::1] view
        ends = np.zeros((2, runs + 1), np.uintp)
        cdef size_t[:, ::1] p = ends
        for r in range(runs):
            view = slices[r]
            if not view.shape[0]:
                raise_status(FE_BADINPUT)
            p[0, r] = <size_t>&view[0]
            p[1, r] = p[0, r] + <size_t>view.shape[0]
        self.room(most)
        nnz = np.zeros(rows, np.int64)
        cdef int32_t[::1] columns = self._columns
        cdef int64_t[::1] counts = self._counts
        cdef int64_t[::1] n = nnz
        cdef fe_status status
        with nogil:
            status = fe_cooc_merge(&self.sums, <const uint8_t **>&p[0, 0], <const uint8_t *const *>&p[1, 0], runs, rows,
                                   &columns[0], &counts[0], &n[0], &cells, &stop.flag)
            if status != FE_OK:
                fe_cooc_clear(&self.sums)
        if status == FE_STOPPED:
            return None
        raise_status(status)
        return self._columns[:cells], self._counts[:cells], nnz

    def add_run(self, const uint8_t[::1] row):
        """Adds one row of a run to the sums; `harvest` takes them out."""
        cdef fe_status status
        if not row.shape[0]:
            raise_status(FE_BADINPUT)
        cdef const uint8_t *at = &row[0]
        cdef const uint8_t *end = at + row.shape[0]
        with nogil:
            status = fe_cooc_add_run(&self.sums, &at, end)
            if status == FE_OK and at != end:
                status = FE_BADINPUT
            if status != FE_OK:
                fe_cooc_clear(&self.sums)
        raise_status(status)

    def add_cells(self, const int32_t[::1] columns, const int64_t[::1] counts, const int32_t[::1] map=None):
        """Adds cells of a row, their columns mapped if `map` is given (-1 leaves a cell out)."""
        cdef int64_t n = columns.shape[0], v = self.sums.v, k, limit = v if map is None else map.shape[0]
        cdef fe_status status = FE_OK
        cdef bint ok = counts.shape[0] == n
        if ok and n:
            with nogil:
                for k in range(n):
                    ok &= 0 <= columns[k] < limit and counts[k] >= 0
                if ok and map is not None:
                    for k in range(n):
                        ok &= map[columns[k]] < v
        if not ok:
            raise ValueError("a column or count is out of range")
        if n:
            with nogil:
                status = fe_cooc_add_cells(&self.sums, &columns[0], &counts[0], n, &map[0] if map is not None else NULL)
                if status != FE_OK:
                    fe_cooc_clear(&self.sums)
        raise_status(status)

    def harvest(self):
        """(columns int32, counts int64) of what was added; the sums are zero again."""
        self.room(self.sums.v)
        cdef int32_t[::1] columns = self._columns
        cdef int64_t[::1] counts = self._counts
        cdef int64_t n
        with nogil:
            n = fe_cooc_harvest(&self.sums, &columns[0], &counts[0])
        return self._columns[:n], self._counts[:n]


def check_cells(int64_t v, const int64_t[::1] indptr, const int32_t[::1] columns, const int64_t[::1] counts):
    """What is wrong with the cells of CSR rows, None if nothing is. Their `indptr` may begin anywhere."""
    cdef int64_t rows = indptr.shape[0] - 1, i, n = columns.shape[0]
    cdef int found = 0
    for i in range(rows):
        if indptr[i + 1] < indptr[i]:
            return "indptr falls"
    if rows < 0 or indptr[rows] - indptr[0] != n or counts.shape[0] != n:
        return "indptr does not fit the cells"
    if n:
        with nogil:
            found = fe_cooc_check(v, &indptr[0], rows, &columns[0], &counts[0])
    return (None, f"a column is not in 0..{v - 1}", "the columns of a row must ascend, each once",
            "a count is below 1")[found]


cdef class Cells:
    """Growing columns and counts; large blocks grow by their page tables (realloc), not by copying."""
    cdef int32_t *columns
    cdef int64_t *counts
    cdef readonly int64_t n
    cdef int64_t size

    def __dealloc__(self):
        free(self.columns)
        free(self.counts)

    def __cinit__(self, int64_t expected=0):
        """Address space, not memory, for so many cells."""
        if expected > 0:
            self.columns = <int32_t *>fe_cooc_alloc(expected * 4)
            self.counts = <int64_t *>fe_cooc_alloc(expected * 8)
            if self.columns != NULL and self.counts != NULL:
                self.size = expected
            else:
                free(self.columns)
                free(self.counts)
                self.columns, self.counts = NULL, NULL

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
        if columns != NULL:
            self.columns = columns
        cdef int64_t *counts = <int64_t *>realloc(self.counts, max(size, 1) * 8)
        if counts != NULL:
            self.counts = counts
        if columns == NULL or counts == NULL:
            raise MemoryError(f"{size:,} cells of co-occurrence counts need {size * 12:,} bytes; give max_memory, and "
                              "the cells go to a temporary file")
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
