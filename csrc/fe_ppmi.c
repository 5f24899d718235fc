#include "fe_ppmi.h"

#include <math.h>

fe_status fe_counts_sum(const fe_counts *a, int64_t lo, int64_t hi, int64_t *row_sums, int64_t *column_sums) {
    for (int64_t i = lo; i < hi; i++) {
        uint64_t sum = 0;
        for (int64_t k = a->indptr[i]; k < a->indptr[i + 1]; k++) {
            const int64_t n = a->data[k];
            const int32_t j = a->indices[k];
            if (FE_UNLIKELY(n < 0 || j < 0 || j >= a->cols)) return FE_BADINPUT;
            sum += (uint64_t)n; /* both terms are below 2^63 */
            if (FE_UNLIKELY(sum > INT64_MAX)) return FE_OVERFLOW;
            const uint64_t column = (uint64_t)column_sums[j] + (uint64_t)n;
            if (FE_UNLIKELY(column > INT64_MAX)) return FE_OVERFLOW;
            column_sums[j] = (int64_t)column;
        }
        row_sums[i] = (int64_t)sum;
    }
    return FE_OK;
}

/* Products on both sides, no division: where they are exact so is the comparison, and a PMI of 0 is no cell. */
FE_INLINE int ppmi_keeps(const fe_counts *a, const fe_pmi *m, double row, int64_t k) {
    return (double)a->data[k] * m->total > row * m->column[a->indices[k]];
}

void fe_ppmi_count(const fe_counts *a, const fe_pmi *m, int64_t lo, int64_t hi, int64_t *kept) {
    for (int64_t i = lo; i < hi; i++) {
        int64_t n = 0;
        for (int64_t k = a->indptr[i]; k < a->indptr[i + 1]; k++) n += ppmi_keeps(a, m, m->row[i], k);
        kept[i] = n;
    }
}

void fe_ppmi_fill(const fe_counts *a, const fe_pmi *m, int64_t lo, int64_t hi, const int64_t *indptr, int32_t *indices,
                  float *data) {
    for (int64_t i = lo; i < hi; i++) {
        int64_t at = indptr[i];
        for (int64_t k = a->indptr[i]; k < a->indptr[i + 1]; k++) {
            if (!ppmi_keeps(a, m, m->row[i], k)) continue;
            indices[at] = a->indices[k];
            data[at++] = (float)log((double)a->data[k] * m->total / (m->row[i] * m->column[a->indices[k]]));
        }
    }
}
