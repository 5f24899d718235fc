#include "fe_spmm.h"

#include "fe_cpu.h"

#include <stdlib.h>

int fe_spmm_usable(fe_spmm_isa out[FE_SPMM_ISA_MOST]) {
    int n = 0;
    out[n++] = (fe_spmm_isa){"scalar", fe_spmm_scalar};
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
    if (fe_cpu_avx2()) out[n++] = (fe_spmm_isa){"avx2", fe_spmm_avx2};
    if (fe_cpu_avx512()) out[n++] = (fe_spmm_isa){"avx512", fe_spmm_avx512};
#elif defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__))
    out[n++] = (fe_spmm_isa){"neon", fe_spmm_neon};
#endif
    return n;
}

int fe_csr_check(const int64_t *indptr, const int32_t *indices, int64_t nnz, int64_t cols, int64_t lo, int64_t hi) {
    for (int64_t i = lo; i < hi; i++)
        if (indptr[i] < 0 || indptr[i] > indptr[i + 1] || indptr[i + 1] > nnz) return 1;
    int bad = 0;
    for (int64_t k = indptr[lo]; k < indptr[hi]; k++) bad |= (indices[k] < 0) | (indices[k] >= cols);
    return bad ? 2 : 0;
}

void fe_tile_count(const int64_t *indptr, const int32_t *indices, int64_t rows, int64_t width, int64_t tiles, int64_t lo,
                   int64_t hi, int64_t *counts) {
    for (int64_t t = 0; t < tiles; t++)
        for (int64_t i = lo; i < hi; i++) counts[t * rows + i] = 0;
    for (int64_t i = lo; i < hi; i++)
        for (int64_t k = indptr[i]; k < indptr[i + 1]; k++) counts[indices[k] / width * rows + i]++;
}

fe_status fe_tile_fill(const int64_t *indptr, const int32_t *indices, const float *data, const fe_tiled *shape, int64_t lo,
                       int64_t hi, uint16_t *columns, float *values) {
    int64_t *next = malloc((size_t)(shape->tiles > 0 ? shape->tiles : 1) * sizeof *next);
    if (next == NULL) return FE_NOMEM;
    for (int64_t i = lo; i < hi; i++) {
        for (int64_t t = 0; t < shape->tiles; t++) next[t] = shape->starts[t * shape->rows + i];
        for (int64_t k = indptr[i]; k < indptr[i + 1]; k++) {
            int64_t t = indices[k] / shape->width, at = next[t]++;
            columns[at] = (uint16_t)(indices[k] - t * shape->width);
            values[at] = data[k];
        }
    }
    free(next);
    return FE_OK;
}

void fe_transpose_count(const fe_tiled *a, int64_t tile, int64_t t_width, int64_t *counts) {
    const int64_t *starts = a->starts + tile * a->rows;
    for (int64_t i = 0; i < a->rows; i++) {
        int64_t *row = counts + i / t_width * a->cols + tile * a->width;
        for (int64_t k = starts[i]; k < starts[i + 1]; k++) row[a->columns[k]]++;
    }
}

void fe_transpose_fill(const fe_tiled *a, int64_t tile, const fe_tiled *shape, int64_t *next, uint16_t *columns,
                       float *values) {
    const int64_t *starts = a->starts + tile * a->rows, base = tile * a->width;
    const int64_t here = a->cols - base < a->width ? a->cols - base : a->width;
    for (int64_t u = 0; u < shape->tiles; u++) {
        const int64_t first = u * shape->width, end = first + shape->width < a->rows ? first + shape->width : a->rows;
        for (int64_t j = 0; j < here; j++) next[j] = shape->starts[u * shape->rows + base + j];
        for (int64_t i = first; i < end; i++)
            for (int64_t k = starts[i]; k < starts[i + 1]; k++) {
                int64_t at = next[a->columns[k]]++;
                columns[at] = (uint16_t)(i - first);
                values[at] = a->data[k];
            }
    }
}
