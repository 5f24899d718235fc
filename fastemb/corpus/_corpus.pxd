"""What the binding uses of csrc/fe_tokens.h and csrc/fe_vocab.h."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

cdef extern from "fe_common.h":
    ctypedef enum fe_status:
        FE_OK, FE_NOMEM, FE_OVERFLOW

cdef extern from "fe_tokens.h" nogil:
    ctypedef struct fe_scanner:
        uint64_t before
        int64_t n_tokens
        uint32_t *ends
        int64_t n_ends
        int64_t n_empty
        int lines
    ctypedef int64_t (*fe_scan_fn)(fe_scanner *, const uint8_t *, int64_t, int64_t, uint32_t *)
    const char *const *fe_scan_names()
    fe_scan_fn fe_scan_get(const char *)
    int fe_utf8_valid(const uint8_t *, size_t)
    int64_t fe_find_separator(const uint8_t *, int64_t, int64_t)
    int64_t fe_after_last_separator(const uint8_t *, int64_t, int64_t)
    int64_t fe_utf8_encode(const void *, int, int64_t, uint8_t *)
    int64_t fe_split_ends(const uint32_t *, int64_t, int64_t, int64_t, int64_t *, uint32_t *)

cdef extern from "fe_vocab.h" nogil:
    ctypedef struct fe_table:
        int64_t n
        int shift
        int64_t *first
    void fe_table_seed(uint64_t, uint64_t)
    fe_status fe_table_init(fe_table *, int64_t, int)
    void fe_table_free(fe_table *)
    fe_status fe_table_text(fe_table *, fe_scan_fn, fe_scanner *, const uint8_t *, int64_t, int64_t, int64_t, int32_t *)
    fe_status fe_table_tokens(fe_table *, const uint8_t *, const uint32_t *, int64_t, int64_t, int32_t *)
    fe_status fe_table_ints(fe_table *, const int64_t *, int64_t, int64_t, int32_t *)
    int64_t fe_table_find(const fe_table *, const uint8_t *, uint32_t)
    void fe_table_find_many(const fe_table *, const uint8_t *, const uint32_t *, int64_t, int32_t *)
    void fe_table_find_ints(const fe_table *, const int64_t *, int64_t, int32_t *)
    fe_status fe_table_add(fe_table *, const uint8_t *, uint32_t, int64_t, int64_t, int32_t *)
    fe_status fe_table_merge(fe_table *, const fe_table *, int32_t *)
    void fe_table_columns(const fe_table *, int64_t *, uint32_t *, uint8_t *, uint64_t *)
    uint64_t fe_hash(const uint8_t *, uint32_t)
    fe_status fe_table_sort(const fe_table *, int32_t *, int64_t, int)
    fe_status fe_table_export(const fe_table *, const int32_t *, int64_t, const int64_t *, uint8_t *)
    int64_t fe_remap(int32_t *, int64_t, const int32_t *, uint32_t *, int64_t)
    int fe_ids_in_range(const int32_t *, int64_t, int32_t)
