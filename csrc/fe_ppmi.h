/* Positive pointwise mutual information of a CSR matrix of counts, in two passes over ranges of rows. */
#ifndef FE_PPMI_H
#define FE_PPMI_H

#include "fe_common.h"

typedef struct fe_counts {
    int64_t rows, cols;
    const int64_t *indptr;  /* (rows + 1)                        */
    const int32_t *indices; /* (nnz)                             */
    const int64_t *data;    /* (nnz) counts, of any common scale */
} fe_counts;

/* PMI(i, j) - log k = log( n_ij S / (k r_i c_j) ), with r_i the row sums, c_j the smoothed weights of the columns (their sums to
 * the power of cds) and S the sum of the weights. A common factor of all counts cancels. */
typedef struct fe_pmi {
    const double *row;    /* (rows) k r_i */
    const double *column; /* (cols) c_j   */
    double total;         /* S            */
} fe_pmi;

/* row_sums[i] for rows lo .. hi, and the same cells added to column_sums (cols). FE_BADINPUT: a negative count or a column out of
 * range; FE_OVERFLOW: a sum beyond 63 bits. */
fe_status fe_counts_sum(const fe_counts *a, int64_t lo, int64_t hi, int64_t *row_sums, int64_t *column_sums);

/* kept[i] = cells of row i with PMI - log k > 0. Exact wherever n S and k r c are below 2^53. */
void fe_ppmi_count(const fe_counts *a, const fe_pmi *m, int64_t lo, int64_t hi, int64_t *kept);

/* Writes those cells; row i begins at indptr[i] of the result. The logarithm is double precision's, rounded once. */
void fe_ppmi_fill(const fe_counts *a, const fe_pmi *m, int64_t lo, int64_t hi, const int64_t *indptr, int32_t *indices,
                  float *data);

#endif
