"""Checks, drops the GIL, calls csrc/fe_textvec.c: rows of words and floats in text and binary, and checks of words."""

from cpython.bytes cimport PyBytes_FromStringAndSize, PyBytes_AS_STRING
from cpython.buffer cimport PyBUF_FORMAT, PyBUF_ND, PyBUF_STRIDES, PyBUF_WRITABLE
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport free

import os

import numpy as np

cdef extern from "fe_textvec.h" nogil:
    ctypedef enum fe_tv_error:
        FE_TV_OK
    ctypedef struct fe_textvec:
        int64_t dim, max_rows
        int need_rows, no_trailing, allow_nonfinite, numeric_words
        int64_t rows
        float *vectors
        uint8_t *blob
        int64_t blob_len
        int64_t *offsets
        int64_t base, separators
        int no_final_newline, finished
        fe_tv_error error
        int64_t error_row, error_byte, error_found
    int FE_FLOAT_CHARS
    void fe_textvec_init(fe_textvec *t)
    void fe_textvec_free(fe_textvec *t)
    fe_tv_error fe_textvec_reserve(fe_textvec *t, int64_t rows, int64_t blob)
    fe_tv_error fe_textvec_text(fe_textvec *t, const uint8_t *buf, size_t n, int eof, size_t *used)
    fe_tv_error fe_textvec_binary(fe_textvec *t, const uint8_t *buf, size_t n, int eof, size_t *used)
    void fe_textvec_shrink(fe_textvec *t)
    const uint8_t *fe_parse_float(const uint8_t *p, const uint8_t *end, float *value)
    int fe_print_float(float x, char *out)
    size_t fe_rows_bound(const int64_t *offsets, int64_t lo, int64_t hi, int64_t dim, int binary)
    size_t fe_rows_print(const float *vectors, int64_t dim, const uint8_t *blob, const int64_t *offsets, int64_t lo,
                         int64_t hi, int binary, char *out)
    int64_t fe_words_duplicates(const uint8_t *blob, const int64_t *offsets, int64_t n, uint64_t seed, int64_t *dup_of)
    int64_t fe_words_invalid_utf8(const uint8_t *blob, const int64_t *offsets, int64_t start, int64_t n)
    int64_t fe_words_unfit(const uint8_t *blob, const int64_t *offsets, int64_t start, int64_t n)
    int64_t fe_first_nonfinite(const float *x, int64_t n)
    int fe_offsets_bad(const int64_t *offsets, int64_t n, int64_t blob_len)

ERRORS = ("ok", "nomem", "short-row", "long-row", "bad-number", "nonfinite", "blank-row", "no-numbers", "cut-number",
          "eof-in-word", "eof-in-vector", "trailing", "too-few")

cdef uint64_t HASH_SEED = int.from_bytes(os.urandom(8), "little")


cdef char *BYTE_FORMAT = "B"


cdef class _Block:
    """Memory of the C reader, handed to NumPy without a copy and freed with the last array on it."""

    cdef void *data
    cdef Py_ssize_t nbytes
    cdef Py_ssize_t shape[1]
    cdef Py_ssize_t strides[1]

    def __dealloc__(self):
        free(self.data)

    def __getbuffer__(self, Py_buffer *view, int flags):
        self.shape[0] = self.nbytes
        self.strides[0] = 1
        view.buf = self.data
        view.obj = self
        view.len = self.nbytes
        view.readonly = 0
        view.itemsize = 1
        view.format = BYTE_FORMAT if flags & PyBUF_FORMAT else NULL
        view.ndim = 1
        view.shape = self.shape if flags & PyBUF_ND else NULL
        view.strides = self.strides if (flags & PyBUF_STRIDES) == PyBUF_STRIDES else NULL
        view.suboffsets = NULL
        view.internal = NULL

    def __releasebuffer__(self, Py_buffer *view):
        pass


cdef object _array(void *data, int64_t nbytes, object dtype):
    if nbytes == 0:
        free(data)
        return np.empty(0, dtype)
    cdef _Block block = _Block()
    block.data = data
    block.nbytes = nbytes
    return np.frombuffer(block, dtype)


cdef class Reader:
    """Takes blocks of bytes, keeps the rows in them. One thread at a time."""

    cdef fe_textvec t

    def __cinit__(self):
        fe_textvec_init(&self.t)

    def __dealloc__(self):
        fe_textvec_free(&self.t)

    def __init__(self, dim=0, max_rows=None, *, need_rows=False, no_trailing=False, allow_nonfinite=False,
                 numeric_words=False, base=0):
        self.t.dim = dim
        if max_rows is not None:
            self.t.max_rows = max_rows
        self.t.need_rows = need_rows
        self.t.no_trailing = no_trailing
        self.t.allow_nonfinite = allow_nonfinite
        self.t.numeric_words = numeric_words
        self.t.base = base

    def reserve(self, int64_t rows, int64_t blob):
        with nogil:
            fe_textvec_reserve(&self.t, rows, blob)
        self._memory()

    def _memory(self):
        if self.error == "nomem":
            raise MemoryError(f"no memory for row {self.t.error_row:,} of {self.t.dim:,} numbers")

    def feed(self, const uint8_t[::1] block, bint eof, bint binary):
        """Take the whole rows of `block`; returns the bytes used. What is left must come again with more behind it."""
        cdef size_t used = 0, n = block.shape[0]
        cdef uint8_t nothing = 0
        cdef const uint8_t *p = &block[0] if n else &nothing
        with nogil:
            if binary:
                fe_textvec_binary(&self.t, p, n, eof, &used)
            else:
                fe_textvec_text(&self.t, p, n, eof, &used)
        self._memory()
        return used

    @property
    def rows(self):
        return self.t.rows

    @property
    def dim(self):
        return self.t.dim

    @property
    def base(self):
        return self.t.base

    @property
    def finished(self):
        return bool(self.t.finished)

    @property
    def no_final_newline(self):
        return bool(self.t.no_final_newline)

    @property
    def error(self):
        return ERRORS[<int>self.t.error]

    @property
    def where(self):
        """(row, byte, found) of the error; row 1 is the first vector."""
        return self.t.error_row, self.t.error_byte, self.t.error_found

    def result(self):
        """(blob uint8, offsets int64 (n + 1,), vectors float32 (n, dim)); the reader is empty afterwards."""
        cdef int64_t n = self.t.rows, dim = self.t.dim
        if n == 0:
            return np.empty(0, np.uint8), np.zeros(1, np.int64), np.empty((0, dim), np.float32)
        fe_textvec_shrink(&self.t)
        vectors = _array(self.t.vectors, n * dim * 4, np.float32)
        self.t.vectors = NULL
        blob = _array(self.t.blob, self.t.blob_len, np.uint8)
        self.t.blob = NULL
        offsets = _array(self.t.offsets, (n + 1) * 8, np.int64)
        self.t.offsets = NULL
        fe_textvec_free(&self.t)
        return blob, offsets, vectors.reshape(n, dim)


cdef int64_t _check_words(const uint8_t[::1] blob, const int64_t[::1] offsets) except -1:
    cdef int64_t n = offsets.shape[0] - 1, m = blob.shape[0]
    if n < 0:
        raise ValueError("offsets need at least one item")
    if n and fe_offsets_bad(&offsets[0], n, m) or n == 0 and (offsets[0] != 0 or m != 0):
        raise ValueError("word offsets must start at 0, never fall, and end at the number of bytes")
    return n


def offsets_ok(const int64_t[::1] offsets, int64_t nbytes) -> bool:
    """Do the offsets start at 0, never fall, and end at `nbytes`?"""
    cdef int64_t n = offsets.shape[0] - 1
    cdef int bad
    if n < 0:
        return False
    with nogil:
        bad = fe_offsets_bad(&offsets[0], n, nbytes)
    return not bad


def duplicates(const uint8_t[::1] blob, const int64_t[::1] offsets):
    """(count, first): first[i] is the index of the first word equal to word i when i > that index, else -1."""
    cdef int64_t n = _check_words(blob, offsets), found
    cdef uint8_t nothing = 0
    out = np.empty(n, np.int64)
    if n == 0:
        return 0, out
    cdef int64_t[::1] dup = out
    cdef const uint8_t *p = &blob[0] if blob.shape[0] else &nothing
    with nogil:
        found = fe_words_duplicates(p, &offsets[0], n, HASH_SEED, &dup[0])
    if found < 0:
        raise MemoryError(f"no memory to compare {n:,} words")
    return found, out


def invalid_utf8(const uint8_t[::1] blob, const int64_t[::1] offsets, int64_t start=0) -> int:
    """Index of the first word at or after `start` that is not UTF-8, or -1."""
    cdef int64_t n = _check_words(blob, offsets), at
    cdef uint8_t nothing = 0
    cdef const uint8_t *p = &blob[0] if blob.shape[0] else &nothing
    if start < 0:
        raise ValueError("start must not be negative")
    with nogil:
        at = fe_words_invalid_utf8(p, &offsets[0], start, n)
    return at


def count_invalid_utf8(const uint8_t[::1] blob, const int64_t[::1] offsets):
    """(number of words that are not UTF-8, index of the first or -1)."""
    cdef int64_t n = _check_words(blob, offsets), at = -1, first = -1, count = 0
    cdef uint8_t nothing = 0
    cdef const uint8_t *p = &blob[0] if blob.shape[0] else &nothing
    with nogil:
        while True:
            at = fe_words_invalid_utf8(p, &offsets[0], at + 1, n)
            if at < 0:
                break
            if count == 0:
                first = at
            count += 1
    return count, first


def unfit(const uint8_t[::1] blob, const int64_t[::1] offsets, int64_t start=0) -> int:
    """Index of the first word at or after `start` that is empty or holds ASCII white space, or -1."""
    cdef int64_t n = _check_words(blob, offsets), at
    cdef uint8_t nothing = 0
    cdef const uint8_t *p = &blob[0] if blob.shape[0] else &nothing
    if start < 0:
        raise ValueError("start must not be negative")
    with nogil:
        at = fe_words_unfit(p, &offsets[0], start, n)
    return at


def first_nonfinite(const float[::1] values) -> int:
    """Index of the first NaN or Inf, or -1."""
    cdef int64_t n = values.shape[0], at
    if n == 0:
        return -1
    with nogil:
        at = fe_first_nonfinite(&values[0], n)
    return at


def print_rows(const float[:, ::1] vectors, const uint8_t[::1] blob, const int64_t[::1] offsets, int64_t lo, int64_t hi,
               bint binary) -> bytes:
    """Rows lo..hi of a file, whose vectors are `vectors` (hi - lo, dim) and words blob[offsets[i]:offsets[i + 1]]."""
    cdef int64_t dim = vectors.shape[1], n = offsets.shape[0] - 1
    cdef uint8_t nothing = 0
    cdef float none = 0
    cdef size_t size
    if not 0 <= lo <= hi <= n or vectors.shape[0] != hi - lo:
        raise ValueError("rows out of range")
    if lo == hi:
        return b""
    if offsets[lo] < 0 or fe_offsets_bad_slice(offsets, lo, hi) or offsets[hi] > blob.shape[0]:
        raise ValueError("word offsets must never fall and stay in the blob")
    cdef const uint8_t *p = &blob[0] if blob.shape[0] else &nothing
    cdef const float *v = &vectors[0, 0] if dim else &none
    size = fe_rows_bound(&offsets[0], lo, hi, dim, binary)
    out = PyBytes_FromStringAndSize(NULL, size)
    cdef char *o = PyBytes_AS_STRING(out)
    with nogil:
        size = fe_rows_print(v, dim, p, &offsets[0], lo, hi, binary, o)
    return out[:size]


cdef bint fe_offsets_bad_slice(const int64_t[::1] offsets, int64_t lo, int64_t hi) noexcept:
    cdef int64_t i
    for i in range(lo, hi):
        if offsets[i + 1] < offsets[i]:
            return True
    return False


def parse_float(const uint8_t[::1] text):
    """The number that `text` is, as np.float32, or None when it is not one from its first to its last byte."""
    cdef float x = 0
    cdef size_t n = text.shape[0]
    if n == 0:
        return None
    cdef const uint8_t *p = &text[0]
    cdef const uint8_t *q = fe_parse_float(p, p + n, &x)
    return np.float32(x) if q == p + n else None


def format_float(float x) -> str:
    """Shortest decimal that reads back as the same float32."""
    cdef char buf[32]
    cdef int n = fe_print_float(x, buf)
    return buf[:n].decode("ascii")


def parse_floats(const uint8_t[::1] text):
    """All numbers of `text`, separated by single spaces; for tests and benchmarks of the number reader."""
    cdef size_t n = text.shape[0]
    cdef float x = 0
    if n == 0:
        return np.empty(0, np.float32)
    cdef const uint8_t *p = &text[0]
    cdef const uint8_t *end = p + n
    cdef const uint8_t *q
    result = np.empty(bytes(text).count(b" ") + 1, np.float32)
    cdef float[::1] r = result
    cdef Py_ssize_t k = 0
    while p < end:
        q = fe_parse_float(p, end, &x)
        if q == NULL or (q < end and q[0] != c' '):
            raise ValueError(f"number {k} is not one")
        r[k] = x
        k += 1
        p = q + 1
    return result[:k]
