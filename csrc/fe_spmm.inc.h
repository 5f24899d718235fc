/* Sparse times dense for one instruction set (fe_spmm_*.c set FE_VW and FE_FN).
 *
 * A row's panel stays in registers while its cells of a tile pass by: a column, a value, FE_PANEL multiply-adds a cell, one store
 * a row and tile. FE_CHAINS cells at a time go into sums of their own, because one sum would wait for the latency of its
 * multiply-add. Rows of x are fetched FE_FETCH cells ahead, over the ends of rows, since a tile's cells lie in one piece. */
#include "fe_simd.h"
#include "fe_spmm.h"

#define FE_VECTORS (FE_PANEL / FE_VW)
#ifndef FE_CHAINS
#if FE_VW == 16
#define FE_CHAINS 2
#else
#define FE_CHAINS 1
#endif
#endif
#ifndef FE_FETCH
#define FE_FETCH 8
#endif

FE_INLINE void spmm_cell(const float *row, float value, vf *sum) {
    const vf v = vf_zero() + value;
#pragma GCC unroll 32
    for (int i = 0; i < FE_VECTORS; i++) sum[i] += v * vf_load(row + i * FE_VW);
}

FE_INLINE void spmm_row(const float *x, const uint16_t *columns, const float *data, int64_t k, int64_t end, int64_t last,
                        vf *total) {
    vf sum[FE_CHAINS][FE_VECTORS];
#pragma GCC unroll 4
    for (int c = 0; c < FE_CHAINS; c++)
#pragma GCC unroll 32
        for (int i = 0; i < FE_VECTORS; i++) sum[c][i] = vf_zero();
    for (; k + FE_CHAINS <= end; k += FE_CHAINS) {
        const uint16_t *ahead = columns + (k + FE_FETCH + FE_CHAINS <= last ? k + FE_FETCH : k);
#pragma GCC unroll 4
        for (int c = 0; c < FE_CHAINS; c++) {
#pragma GCC unroll 8
            for (int i = 0; i < FE_PANEL; i += 16) FE_PREFETCH(x + (int64_t)ahead[c] * FE_PANEL + i);
            spmm_cell(x + (int64_t)columns[k + c] * FE_PANEL, data[k + c], sum[c]);
        }
    }
    for (; k < end; k++) spmm_cell(x + (int64_t)columns[k] * FE_PANEL, data[k], sum[0]);
#pragma GCC unroll 32
    for (int i = 0; i < FE_VECTORS; i++) {
        total[i] = sum[0][i];
#pragma GCC unroll 4
        for (int c = 1; c < FE_CHAINS; c++) total[i] += sum[c][i];
    }
}

void FE_FN(const fe_tiled *a, const float *x, float *y, int64_t lo, int64_t hi) {
    vf total[FE_VECTORS];
    for (int64_t t = 0; t < a->tiles; t++) {
        const int64_t *starts = a->starts + t * a->rows;
        const float *part = x + t * a->width * FE_PANEL;
        const int64_t last = starts[hi];
        for (int64_t i = lo; i < hi; i++) {
            float *out = y + i * FE_PANEL;
            if (t > 0 && starts[i] == starts[i + 1]) continue;
            spmm_row(part, a->columns, a->data, starts[i], starts[i + 1], last, total);
            if (t == 0) {
#pragma GCC unroll 32
                for (int k = 0; k < FE_VECTORS; k++) vf_store(out + k * FE_VW, total[k]);
            } else {
#pragma GCC unroll 32
                for (int k = 0; k < FE_VECTORS; k++) vf_store(out + k * FE_VW, vf_load(out + k * FE_VW) + total[k]);
            }
        }
    }
}

#undef FE_VECTORS
#undef FE_CHAINS
