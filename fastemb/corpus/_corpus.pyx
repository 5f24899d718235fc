"""Bindings of csrc/fe_tokens and csrc/fe_vocab: checks, buffers, and the one loop that needs Python objects.

Every long call drops the GIL. Nothing here is locked: a Table or Encoder belongs to one thread at a time, a finished
Table may be read by many.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc, PyMem_RawRealloc
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

import os

import numpy as np

cdef extern from "Python.h":
    bint PyUnicode_Check(object)
    bint PyBytes_Check(object)
    bint PyLong_Check(object)
    bint PyIndex_Check(object)
    bint PyUnicode_IS_COMPACT_ASCII(object)
    int PyUnicode_KIND(object)
    void *PyUnicode_DATA(object)
    Py_ssize_t PyUnicode_GET_LENGTH(object)
    object PyUnicode_DecodeUTF8(const char *, Py_ssize_t, const char *)
    object PyNumber_Index(object)
    long long PyLong_AsLongLongAndOverflow(object, int *) except? -1

SLACK = 64  # FE_TEXT_SLACK: bytes every text buffer has behind its last byte
MAX_BLOCK = 2**31 - 4096

cdef int raise_status(fe_status status) except -1:
    if status == FE_NOMEM:
        raise MemoryError("the vocabulary table does not fit in memory; try a smaller corpus or fewer workers")
    if status == FE_OVERFLOW:
        raise OverflowError("more than 2**31 - 1 different words; ids are 32 bits wide")
    return 0

cdef _seed():
    cdef uint64_t[2] seeds
    raw = os.urandom(16)
    memcpy(seeds, PyBytes_AS_STRING(raw), 16)
    fe_table_seed(seeds[0], seeds[1])

_seed()


def scan_versions() -> list:
    """Names of the tokenisers this machine can run, best first."""
    cdef const char *const *names = fe_scan_names()
    found = []
    while names[len(found)] != NULL:
        found.append((<bytes>names[len(found)]).decode())
    return found


cdef class Table:
    """Words and their counts, ids in order of insertion."""
    cdef fe_table t
    cdef readonly bint ints

    def __cinit__(self, bint ints=False, bint first=False, int64_t expected=0):
        self.ints = ints
        raise_status(fe_table_init(&self.t, expected, first))

    def __dealloc__(self):
        fe_table_free(&self.t)

    def __len__(self):
        return self.t.n

    def merge(self, Table other not None):
        """Adds the words of `other`; returns int32 (len(other),): their ids here."""
        cdef int32_t[::1] ids = np.empty(max(other.t.n, 1), np.int32)
        cdef fe_status status
        with nogil:
            status = fe_table_merge(&self.t, &other.t, &ids[0])
        raise_status(status)
        return np.asarray(ids)[:other.t.n]

    def columns(self):
        """By id: counts int64, invalid (as UTF-8) bool."""
        cdef int64_t n = max(self.t.n, 1)
        cdef int64_t[::1] counts = np.zeros(n, np.int64)
        cdef uint8_t[::1] invalid = np.zeros(n, np.uint8)
        with nogil:
            fe_table_columns(&self.t, &counts[0], NULL, &invalid[0], NULL)
        n = self.t.n
        return np.asarray(counts)[:n], np.asarray(invalid)[:n].view(np.bool_)

    def lengths(self):
        """By id: uint32 bytes of each word."""
        cdef uint32_t[::1] out = np.zeros(max(self.t.n, 1), np.uint32)
        with nogil:
            fe_table_columns(&self.t, NULL, &out[0], NULL, NULL)
        return np.asarray(out)[:self.t.n]

    def hashes(self):
        """By id: uint64 hashes, comparable with `hash_word` within this process only."""
        cdef uint64_t[::1] out = np.zeros(max(self.t.n, 1), np.uint64)
        with nogil:
            fe_table_columns(&self.t, NULL, NULL, NULL, &out[0])
        return np.asarray(out)[:self.t.n]

    def first_positions(self):
        """By id: int64 position of the first occurrence (needs first=True)."""
        if self.t.first == NULL:
            raise ValueError("this table does not keep positions")
        out = np.empty(self.t.n, np.int64)
        cdef int64_t[::1] view = out
        if self.t.n:
            memcpy(&view[0], self.t.first, self.t.n * 8)
        return out

    def sort(self, ids):
        """Sorts the int32 array `ids` in place: count descending, ties by bytes (integer keys: by value)."""
        cdef int32_t[::1] view = ids
        cdef fe_status status = FE_OK
        cdef int64_t n = view.shape[0]
        if n:
            if ids.min() < 0 or ids.max() >= self.t.n:
                raise IndexError("id outside the table")
            with nogil:
                status = fe_table_sort(&self.t, &view[0], n, self.ints)
        raise_status(status)

    def export(self, ids):
        """Words of the int32 ids: (blob uint8, offsets int64 (n + 1,))."""
        cdef int32_t[::1] view = np.ascontiguousarray(ids, np.int32)
        cdef int64_t n = view.shape[0]
        offsets = np.zeros(n + 1, np.int64)
        if n:
            if np.min(ids) < 0 or np.max(ids) >= self.t.n:
                raise IndexError("id outside the table")
            np.cumsum(self.lengths()[ids], out=offsets[1:])
        blob = np.empty(offsets[n], np.uint8)
        cdef uint8_t[::1] bytes_ = blob if len(blob) else np.empty(1, np.uint8)
        cdef int64_t[::1] offs = offsets
        cdef fe_status status = FE_OK
        if n:
            with nogil:
                status = fe_table_export(&self.t, &view[0], n, &offs[0], &bytes_[0])
        raise_status(status)
        return blob, offsets

    def add(self, const uint8_t[::1] word, int64_t count=1):
        """Counts `word` (bytes) `count` times; returns its id."""
        cdef int32_t id = 0
        if word.shape[0] >= 2**31:
            raise ValueError("a word of 2 GiB or more")
        cdef uint8_t none = 0
        cdef const uint8_t *p = &word[0] if word.shape[0] else &none
        raise_status(fe_table_add(&self.t, p, <uint32_t>word.shape[0], count, 0, &id))
        return id

    def add_blob(self, const uint8_t[::1] blob, const int64_t[::1] offsets, const int64_t[::1] counts=None):
        """Counts the words of a blob in turn (each once, or `counts` times); returns their int32 ids."""
        cdef int64_t n = offsets.shape[0] - 1, i
        cdef int32_t[::1] ids = np.empty(max(n, 1), np.int32)
        cdef fe_status status = FE_OK
        cdef uint8_t none = 0
        cdef const uint8_t *base = &blob[0] if blob.shape[0] else &none
        check_offsets(offsets, blob.shape[0])
        if counts is not None and counts.shape[0] != n:
            raise ValueError("counts and words differ in number")
        with nogil:
            for i in range(n):
                status = fe_table_add(&self.t, base + offsets[i], <uint32_t>(offsets[i + 1] - offsets[i]),
                                      counts[i] if counts is not None else 1, i, &ids[i])
                if status != FE_OK:
                    break
        raise_status(status)
        return np.asarray(ids)[:n]

    def find(self, const uint8_t[::1] word):
        """Id of `word` (bytes) or -1."""
        cdef uint8_t none = 0
        if word.shape[0] >= 2**31:
            return -1
        return fe_table_find(&self.t, &word[0] if word.shape[0] else &none, <uint32_t>word.shape[0])

    def find_tokens(self, TokenBlock block not None):
        """int32 ids of the tokens of a block, -1 for those not here."""
        out = np.full(block.n, -1, np.int32)
        cdef int32_t[::1] ids = out
        if block.n and (block.kind == 2) == self.ints:
            with nogil:
                if block.kind == 2:
                    fe_table_find_ints(&self.t, <const int64_t *>block.data, block.n, &ids[0])
                else:
                    fe_table_find_many(&self.t, block.data, block.lengths, block.n, &ids[0])
        return out


cdef int check_offsets(const int64_t[::1] offsets, int64_t size) except -1:
    cdef int64_t i, n = offsets.shape[0]
    if n < 1 or offsets[0] != 0 or offsets[n - 1] != size:
        raise ValueError("offsets do not span the bytes")
    for i in range(n - 1):
        if offsets[i + 1] < offsets[i] or offsets[i + 1] - offsets[i] >= 2**31:
            raise ValueError("offsets do not ascend")
    return 0


cdef class Encoder:
    """One worker's table with its scratch buffers: a block in, provisional ids and sentence ends out.

    The ids handed out are a view of the scratch buffer: copy them before the next block.
    """
    cdef readonly Table table
    cdef readonly bint lines
    cdef fe_scan_fn scan
    cdef object _ids, _ends

    def __init__(self, *, bint ints=False, bint first=False, bint lines=True, version=None):
        name = None if version is None else version.encode()
        self.table = Table(ints, first)
        self.lines = lines
        cdef const char *c_name = NULL
        if name is not None:
            c_name = name
        self.scan = fe_scan_get(c_name)
        if self.scan == NULL:
            raise ValueError(f"no tokeniser {version!r} on this machine; there are {', '.join(scan_versions())}")
        self._ids = np.empty(0, np.int32)
        self._ends = np.empty(0, np.uint32)

    cdef room(self, int64_t tokens):
        # Untouched pages of the upper bound cost address space, not memory.
        if len(self._ids) < tokens:
            self._ids = np.empty(tokens, np.int32)
        if len(self._ends) < tokens + 1:
            self._ends = np.empty(tokens + 1, np.uint32)

    def text(self, const uint8_t[::1] text, int64_t begin, int64_t end, int64_t position=0):
        """Encodes text[begin:end]; the buffer must go on for SLACK bytes. Returns (ids view, ends, empty lines)."""
        if not 0 <= begin <= end <= text.shape[0] - 64:
            raise ValueError("the text must lie inside its buffer, SLACK bytes before its end")
        if end - begin >= MAX_BLOCK:
            raise ValueError("a single token of 2 GiB or more: is this a text file?")
        self.room((end - begin) // 2 + 1)
        cdef int32_t[::1] ids = self._ids
        cdef uint32_t[::1] ends = self._ends
        cdef fe_scanner s
        memset(&s, 0, sizeof(s))
        s.before = 1
        s.lines = self.lines
        s.ends = &ends[0]
        cdef fe_status status
        with nogil:
            status = fe_table_text(&self.table.t, self.scan, &s, &text[0] + begin, 0, end - begin, position, &ids[0])
        raise_status(status)
        return self._ids[:s.n_tokens], self._ends[:s.n_ends].copy(), s.n_empty

    def tokens(self, TokenBlock block not None, int64_t position=0):
        """Encodes a block of token lists. Returns (ids view, ends, empty sentences)."""
        self.room(block.n + 1)
        cdef int32_t[::1] ids = self._ids
        cdef fe_status status
        if (block.kind == 2) != self.table.ints and block.n:
            raise TypeError("integer and string tokens in one corpus")
        with nogil:
            if block.kind == 2:
                status = fe_table_ints(&self.table.t, <const int64_t *>block.data, block.n, position, &ids[0])
            else:
                status = fe_table_tokens(&self.table.t, block.data, block.lengths, block.n, position, &ids[0])
        raise_status(status)
        return self._ids[:block.n], block.sentence_ends(), block.n_empty

    def int_array(self, keys, int64_t position=0):
        """Encodes an int64 array; returns the view of its ids."""
        cdef const int64_t[::1] view = keys
        self.room(view.shape[0] + 1)
        cdef int32_t[::1] ids = self._ids
        cdef fe_status status = FE_OK
        if view.shape[0]:
            with nogil:
                status = fe_table_ints(&self.table.t, &view[0], view.shape[0], position, &ids[0])
        raise_status(status)
        return self._ids[:view.shape[0]]


cdef class TokenBlock:
    """A batch of sentences copied out of Python objects: token bytes (or int64 keys) end to end, lengths, ends."""
    cdef uint8_t *data
    cdef uint32_t *lengths
    cdef uint32_t *ends
    cdef int64_t used, size, lengths_size, n_ends, ends_size
    cdef readonly int64_t n          # tokens
    cdef readonly int64_t n_empty    # sentences without a token
    cdef readonly int64_t sentences  # sentences read, empty ones included
    cdef readonly int kind           # 0 nothing yet, 1 words, 2 ints

    def __cinit__(self, int kind=0):
        self.kind = kind
        self.size = 1 << 16
        self.data = <uint8_t *>PyMem_RawMalloc(self.size + 64)
        if self.data == NULL:
            raise MemoryError

    def __dealloc__(self):
        PyMem_RawFree(self.data)
        PyMem_RawFree(self.lengths)
        PyMem_RawFree(self.ends)

    @property
    def nbytes(self):
        return self.used

    def sentence_ends(self):
        """uint32: tokens before the end of each sentence that holds any."""
        out = np.empty(self.n_ends, np.uint32)
        cdef uint32_t[::1] view = out
        if self.n_ends:
            memcpy(&view[0], self.ends, self.n_ends * 4)
        return out

    cdef int grow(self, int64_t more) except -1:
        cdef int64_t size = (self.used + more) * 3 // 2
        cdef uint8_t *data = <uint8_t *>PyMem_RawRealloc(self.data, size + 64)
        if data == NULL:
            raise MemoryError(f"{size} bytes for a batch of sentences")
        self.data = data
        self.size = size
        return 0

    cdef int grow_lengths(self) except -1:
        cdef int64_t size = self.lengths_size * 2 + 1024
        cdef uint32_t *lengths = <uint32_t *>PyMem_RawRealloc(self.lengths, size * 4)
        if lengths == NULL:
            raise MemoryError
        self.lengths = lengths
        self.lengths_size = size
        return 0

    cdef int put(self, const void *p, int64_t n) except -1:
        if self.used + n > self.size:
            self.grow(n)
        if self.n >= self.lengths_size:
            self.grow_lengths()
        memcpy(self.data + self.used, p, n)
        self.used += n
        self.lengths[self.n] = <uint32_t>n
        self.n += 1
        return 0

    cdef int put_str(self, object token) except -1:
        cdef int64_t n = PyUnicode_GET_LENGTH(token)
        if PyUnicode_IS_COMPACT_ASCII(token):
            if n >= 2**31:
                raise ValueError("a word of 2 GiB or more")
            return self.put(PyUnicode_DATA(token), n)
        if n >= 2**29:
            raise ValueError("a word of 2 GiB or more")
        # Not PyUnicode_AsUTF8: it would leave a second copy of the bytes in each of the caller's strings.
        if self.used + 4 * n > self.size:
            self.grow(4 * n)
        if self.n >= self.lengths_size:
            self.grow_lengths()
        cdef int64_t written = fe_utf8_encode(PyUnicode_DATA(token), PyUnicode_KIND(token), n, self.data + self.used)
        self.used += written
        self.lengths[self.n] = <uint32_t>written
        self.n += 1
        return 0

    cdef int put_int(self, int64_t value) except -1:
        if self.used + 8 > self.size:
            self.grow(8)
        memcpy(self.data + self.used, &value, 8)
        self.used += 8
        self.n += 1
        return 0

    cdef int put_token(self, object token, int64_t sentence, int64_t index) except -1:
        cdef int overflow = 0
        cdef long long value
        if PyUnicode_Check(token):
            if self.kind == 2:
                raise mixed(sentence, index, token, "integers")
            self.kind = 1
            return self.put_str(token)
        if PyBytes_Check(token):
            if self.kind == 2:
                raise mixed(sentence, index, token, "integers")
            if PyBytes_GET_SIZE(token) >= 2**31:
                raise ValueError("a word of 2 GiB or more")
            self.kind = 1
            return self.put(PyBytes_AS_STRING(token), PyBytes_GET_SIZE(token))
        if PyLong_Check(token) or PyIndex_Check(token):
            if self.kind == 1:
                raise mixed(sentence, index, token, "strings")
            value = PyLong_AsLongLongAndOverflow(token if PyLong_Check(token) else PyNumber_Index(token), &overflow)
            if overflow:
                raise ValueError(f"sentence {sentence}, token {index}: {token!r} does not fit in 64 bits with a sign")
            self.kind = 2
            return self.put_int(value)
        raise TypeError(f"sentence {sentence}, token {index} is {shown(token)}; tokens are str, bytes or int")

    cdef int close_sentence(self, int64_t start) except -1:
        cdef int64_t size
        cdef uint32_t *ends
        self.sentences += 1
        if self.n == start:
            self.n_empty += 1
            return 0
        if self.n_ends >= self.ends_size:
            size = self.ends_size * 2 + 256
            ends = <uint32_t *>PyMem_RawRealloc(self.ends, size * 4)
            if ends == NULL:
                raise MemoryError
            self.ends = ends
            self.ends_size = size
        self.ends[self.n_ends] = <uint32_t>self.n
        self.n_ends += 1
        return 0

    cdef int put_sentence(self, object sentence, int64_t number) except -1:
        cdef int64_t index = 0, n, start = self.n
        cdef const int64_t[::1] keys
        if isinstance(sentence, list):
            for token in <list>sentence:
                self.put_token(token, number, index)
                index += 1
        elif isinstance(sentence, tuple):
            for token in <tuple>sentence:
                self.put_token(token, number, index)
                index += 1
        elif isinstance(sentence, np.ndarray):
            if sentence.ndim != 1:
                raise TypeError(f"sentence {number} is an array of {sentence.ndim} dimensions, expected one")
            if sentence.dtype.kind in "iu":
                keys = as_keys(sentence, number)
                n = keys.shape[0]
                if n == 0:
                    return self.close_sentence(start)
                if self.kind == 1:
                    raise mixed(number, 0, sentence[0], "strings")
                self.kind = 2
                if self.used + 8 * n > self.size:
                    self.grow(8 * n)
                memcpy(self.data + self.used, &keys[0], 8 * n)
                self.used += 8 * n
                self.n += n
            else:
                return self.put_sentence(sentence.tolist(), number)
        elif isinstance(sentence, (str, bytes)):
            raise ValueError(
                f"sentence {number} is {shown(sentence)}, where a list of tokens is expected; pass lists of tokens, or "
                'tokenizer="whitespace" (or a callable) to have strings split, or a path to have a file read')
        else:
            try:
                iterator = iter(sentence)
            except TypeError:
                raise TypeError(f"sentence {number} is {shown(sentence)}; a sentence is a list of tokens") from None
            for token in iterator:
                self.put_token(token, number, index)
                index += 1
        return self.close_sentence(start)

    def fill(self, iterator, int64_t first_sentence=0, int64_t target=1 << 20):
        """Takes sentences from `iterator` until `target` bytes are held. Returns False when the iterator has ended."""
        for sentence in iterator:
            self.put_sentence(sentence, first_sentence + self.sentences)
            if self.used + 4 * self.n >= target:
                return True
        return False

    def add_tokens(self, tokens):
        """Adds one sentence (for look-ups)."""
        self.put_sentence(tokens, self.sentences)


cdef object mixed(int64_t sentence, int64_t index, object token, str before):
    return TypeError(f"sentence {sentence}, token {index} is {shown(token)}, after {before}: the keys of one corpus "
                     "are all integers or all strings")


def shown(value):
    """A value in an error message: cut, with its type."""
    text = repr(value[:60] if isinstance(value, (str, bytes)) else value)
    return f"{text[:80]}{'...' if len(text) > 80 else ''}, of type {type(value).__name__}"


def as_keys(array, number=None):
    """An integer array as contiguous int64; ValueError when a value does not fit."""
    if array.dtype.kind == "u" and array.dtype.itemsize == 8 and array.size and int(array.max()) >= 2**63:
        where = "" if number is None else f"sentence {number}: "
        raise ValueError(f"{where}{int(array.max())} does not fit in a signed 64-bit integer")
    return np.ascontiguousarray(array, np.int64)


cdef class IdBuffer:
    """A growing int32 array; `numpy.frombuffer` sees it without a copy, and it must not grow while it is seen."""
    cdef int32_t *data
    cdef readonly int64_t size
    cdef readonly int64_t capacity
    cdef int exports
    cdef Py_ssize_t shape[1]
    cdef Py_ssize_t strides[1]

    def __dealloc__(self):
        free(self.data)

    def __len__(self):
        return self.size

    def resize_capacity(self, int64_t capacity):
        """Reserves room; glibc moves large blocks by their page tables (mremap). BufferError while exported."""
        if self.exports:
            raise BufferError("the id buffer is in use")
        capacity = max(capacity, self.size, 1)
        if capacity > (<int64_t>1 << 60):
            raise MemoryError
        cdef int32_t *data = <int32_t *>realloc(self.data, capacity * 4)
        if data == NULL:
            raise MemoryError(f"{capacity * 4} bytes for word ids")
        self.data = data
        self.capacity = capacity

    def append(self, const int32_t[::1] ids):
        """Adds ids at the end; the room must have been made."""
        cdef int64_t n = ids.shape[0]
        if self.size + n > self.capacity:
            raise BufferError("no room")
        if n:
            with nogil:
                memcpy(self.data + self.size, &ids[0], n * 4)
        self.size += n

    def move(self, int64_t to, int64_t start, int64_t n):
        """Moves ids[start:start + n] down to `to` (to <= start)."""
        if not 0 <= to <= start or n < 0 or start + n > self.size:
            raise IndexError("move outside the buffer")
        cdef int64_t i
        with nogil:
            if to != start:
                move_down(self.data + to, self.data + start, n)

    def truncate(self, int64_t size):
        if not 0 <= size <= self.size:
            raise IndexError("size")
        self.size = size
        self.resize_capacity(size)

    def remap(self, int64_t start, int64_t n, const int32_t[::1] table, uint32_t[::1] ends):
        """Maps ids[start:start + n] through `table` and closes the gaps; returns how many are left."""
        if not 0 <= start <= start + n <= self.size:
            raise IndexError("remap outside the buffer")
        return remap_pointer(self.data + start, n, table, ends)

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        self.shape[0] = self.size
        self.strides[0] = 4
        buffer.buf = <char *>self.data
        buffer.format = "i"
        buffer.internal = NULL
        buffer.itemsize = 4
        buffer.len = self.size * 4
        buffer.ndim = 1
        buffer.obj = self
        buffer.readonly = 0
        buffer.shape = self.shape
        buffer.strides = self.strides
        buffer.suboffsets = NULL
        self.exports += 1

    def __releasebuffer__(self, Py_buffer *buffer):
        self.exports -= 1


cdef extern from "string.h" nogil:
    void *memmove(void *, const void *, size_t)

cdef void move_down(int32_t *to, const int32_t *start, int64_t n) noexcept nogil:
    memmove(to, start, <size_t>n * 4)


cdef int64_t remap_pointer(int32_t *ids, int64_t n, const int32_t[::1] table, uint32_t[::1] ends) except -1:
    cdef int64_t kept, n_ends = ends.shape[0]
    cdef uint32_t none = 0
    cdef uint32_t *e = &ends[0] if n_ends else &none
    if n and not table.shape[0]:
        raise IndexError("empty map")
    with nogil:
        kept = fe_remap(ids, n, &table[0], e, n_ends) if n else 0
        if n == 0 and n_ends:
            memset(e, 0, n_ends * 4)
    return kept


def remap(int32_t[::1] ids, const int32_t[::1] table, uint32_t[::1] ends):
    """As IdBuffer.remap, of any int32 array in place. `ids` must lie inside `table`."""
    cdef int32_t none = 0
    return remap_pointer(&ids[0] if ids.shape[0] else &none, ids.shape[0], table, ends)


def ids_in_range(const int32_t[::1] ids, int64_t limit):
    """True when 0 <= id < limit for all of them."""
    cdef int ok = 1
    if ids.shape[0]:
        with nogil:
            ok = fe_ids_in_range(&ids[0], ids.shape[0], <int32_t>limit)
    return bool(ok)


def find_separator(const uint8_t[::1] text, int64_t lo, int64_t hi):
    """Position of the first white space in text[lo:hi], or hi."""
    if not 0 <= lo <= hi <= text.shape[0]:
        raise IndexError("range outside the text")
    if lo == hi:
        return hi
    with nogil:
        lo = fe_find_separator(&text[0], lo, hi)
    return lo


def after_last_separator(const uint8_t[::1] text, int64_t lo, int64_t hi):
    """One past the last white space in text[lo:hi], or lo."""
    if not 0 <= lo <= hi <= text.shape[0]:
        raise IndexError("range outside the text")
    if lo == hi:
        return lo
    with nogil:
        hi = fe_after_last_separator(&text[0], lo, hi)
    return hi


def split_ends(ends, int64_t n_tokens, int64_t max_length, int64_t open_tokens):
    """Sentence ends with long sentences cut; returns (ends uint32, tokens of the sentence left open)."""
    cdef const uint32_t[::1] given = ends
    cdef int64_t n = given.shape[0], k, left = open_tokens
    out = np.empty(n + (n_tokens + open_tokens) // max_length + 2, np.uint32)
    cdef uint32_t[::1] view = out
    cdef uint32_t none = 0
    with nogil:
        k = fe_split_ends(&given[0] if n else &none, n, n_tokens, max_length, &left, &view[0])
    return out[:k].copy(), left


def decode_words(const uint8_t[::1] blob, const int64_t[::1] offsets):
    """List of str: UTF-8 with surrogateescape."""
    cdef int64_t n = offsets.shape[0] - 1, i
    check_offsets(offsets, blob.shape[0])
    cdef char none = 0
    cdef const char *base = <const char *>&blob[0] if blob.shape[0] else &none
    cdef list words = [None] * n
    for i in range(n):
        words[i] = PyUnicode_DecodeUTF8(base + offsets[i], offsets[i + 1] - offsets[i], "surrogateescape")
    return words


def encode_word(word):
    """Bytes of a str (surrogateescape; other lone surrogates in three bytes) or of bytes themselves."""
    cdef TokenBlock block = TokenBlock(1)
    if not isinstance(word, (str, bytes)):
        raise TypeError(f"a word is str or bytes, not {type(word).__name__}")
    block.put_token(word, 0, 0)
    return (<char *>block.data)[:block.used]


def encode_words(words):
    """(blob uint8, offsets int64) of an iterable of str or bytes; or (int64 array, None) of integers."""
    cdef TokenBlock block = TokenBlock()
    cdef int64_t i, total = 0, index = 0
    for token in words:
        block.put_token(token, 0, index)
        index += 1
    cdef int64_t[::1] out
    if block.kind == 2:
        keys = np.empty(block.n, np.int64)
        out = keys
        memcpy(&out[0], block.data, block.used)
        return keys, None
    offsets = np.zeros(block.n + 1, np.int64)
    out = offsets
    for i in range(block.n):
        total += block.lengths[i]
        out[i + 1] = total
    blob = np.empty(block.used, np.uint8)
    cdef uint8_t[::1] bytes_
    if block.used:
        bytes_ = blob
        memcpy(&bytes_[0], block.data, block.used)
    return blob, offsets


def hash_word(const uint8_t[::1] word):
    """The table's 64-bit hash of a word; differs from process to process."""
    cdef uint8_t none = 0
    return fe_hash(&word[0] if word.shape[0] else &none, <uint32_t>word.shape[0])


def utf8_valid(const uint8_t[::1] word):
    cdef uint8_t none = 0
    return bool(fe_utf8_valid(&word[0] if word.shape[0] else &none, word.shape[0]))
