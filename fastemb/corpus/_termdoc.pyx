"""Binding of the document counter: checks shapes and ranges, releases the GIL, calls C."""

import numpy as np

from libc.stdint cimport int32_t, int64_t


cdef extern from "fe_termdoc.h":
    void fe_termdoc_count(const int32_t *, int64_t, const int64_t *, const int32_t *, int64_t, int64_t, int64_t *,
                          int64_t *) nogil
    void fe_termdoc_fill(const int32_t *, int64_t, const int64_t *, const int32_t *, int64_t, int64_t, int64_t *,
                         const int64_t *, int32_t *, float *) nogil


cdef int64_t check(const int32_t[::1] ids, const int64_t[::1] offsets, const int32_t[::1] columns, int64_t lo,
                   int64_t hi) except -1:
    """How many words and columns there are, whichever are more; an error where an index would go astray."""
    cdef int64_t d, k, words = columns.shape[0], most = columns.shape[0]
    cdef int32_t bad = 0
    if not 0 <= lo < hi < offsets.shape[0]:
        raise IndexError(f"documents {lo}..{hi} of {offsets.shape[0] - 1}")
    if offsets[hi] - offsets[lo] != ids.shape[0]:
        raise ValueError(f"documents {lo}..{hi} have {offsets[hi] - offsets[lo]} words, not {ids.shape[0]}")
    for d in range(lo, hi):
        if offsets[d] > offsets[d + 1]:
            raise ValueError("document offsets must not fall")
    for k in range(ids.shape[0]):
        bad |= ids[k] < 0 or ids[k] >= words
    if bad:
        raise ValueError(f"a word id is outside 0..{words - 1}")
    for k in range(words):
        most = max(most, <int64_t>columns[k] + 1)
    return most


def count(const int32_t[::1] ids, const int64_t[::1] offsets, const int32_t[::1] columns, int64_t lo, int64_t hi,
          int64_t[::1] kept):
    """kept[d] = different columns of document d, for documents lo .. hi, whose word ids are `ids`.

    columns : int32 (words,): the column of each word, -1 for none.
    """
    cdef int64_t most = check(ids, offsets, columns, lo, hi)
    if kept.shape[0] != offsets.shape[0] - 1:
        raise ValueError("kept needs one number a document")
    if ids.shape[0] == 0:
        kept[lo:hi] = 0
        return
    cdef int64_t[::1] seen = np.full(most, -1, np.int64)
    with nogil:
        fe_termdoc_count(&ids[0], offsets[lo], &offsets[0], &columns[0], lo, hi, &seen[0], &kept[0])


def fill(const int32_t[::1] ids, const int64_t[::1] offsets, const int32_t[::1] columns, int64_t lo, int64_t hi,
         const int64_t[::1] indptr, int32_t[::1] indices, float[::1] data):
    """Write the columns of documents lo .. hi and how often each occurs; `indptr` adds up what `count` found."""
    cdef int64_t most = check(ids, offsets, columns, lo, hi)
    if indptr.shape[0] != offsets.shape[0] or indices.shape[0] != data.shape[0] or indptr[hi] > data.shape[0]:
        raise ValueError("indptr, indices and data do not fit the documents")
    if ids.shape[0] == 0 or data.shape[0] == 0:
        return
    cdef int64_t[::1] seen = np.full(most, -1, np.int64)
    with nogil:
        fe_termdoc_fill(&ids[0], offsets[lo], &offsets[0], &columns[0], lo, hi, &seen[0], &indptr[0], &indices[0],
                        &data[0])
