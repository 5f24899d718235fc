#include "fe_glove.h"

#include <math.h>
#include <string.h>

int fe_glove_find(const char *name, fe_glove_isa *out) {
    static const fe_glove_isa all[] = {
        {"scalar", fe_glove_scalar, fe_glove_logs_scalar},
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
        {"avx2", fe_glove_avx2, fe_glove_logs_avx2},
        {"avx512", fe_glove_avx512, fe_glove_logs_avx512},
#elif defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__))
        {"neon", fe_glove_neon, fe_glove_logs_neon},
#endif
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strcmp(name, all[i].name) == 0) {
            *out = all[i];
            return 1;
        }
    return 0;
}

/* Where the cells of block row r, block column c lie among the bins of a row of tiles: tile by tile. */
static int64_t bin_of(int64_t r, int64_t c, int64_t per_tile) {
    return (c / per_tile * per_tile + r) * per_tile + c % per_tile;
}

fe_status fe_glove_sizes(const fe_glove_counts *counts, int64_t blocks, int64_t per_tile, int64_t row, int64_t *sizes,
                         int64_t *bad_row, int64_t *bad_cell) {
    memset(sizes, 0, (size_t)(per_tile * blocks) * sizeof *sizes);
    const int64_t v = counts->vocabulary;
    for (int64_t r = 0; r < per_tile; r++)
        for (int64_t w = row * per_tile + r; w < v; w += blocks)
            for (int64_t k = counts->indptr[w]; k < counts->indptr[w + 1]; k++) {
                const int64_t column = counts->indices[k];
                if (FE_UNLIKELY(column < 0 || column >= v || counts->data[k] < 0)) {
                    *bad_row = w;
                    *bad_cell = k;
                    return FE_BADINPUT;
                }
                if (counts->data[k] == 0) continue;
                sizes[bin_of(r, column % blocks, per_tile)]++;
            }
    return FE_OK;
}

void fe_glove_place(const fe_glove_counts *counts, int64_t blocks, int64_t per_tile, int64_t row, const fe_glove_isa *isa,
                    float exponent, float log_x_max, int64_t *next, fe_glove_cell *cells, double *loss) {
    float logs[FE_GLOVE_GROUP];
    const float inverse = (float)(1.0 / (double)counts->scale);
    double total = 0.0;
    for (int64_t r = 0; r < per_tile; r++)
        for (int64_t w = row * per_tile + r; w < counts->vocabulary; w += blocks)
            for (int64_t k0 = counts->indptr[w], end = counts->indptr[w + 1]; k0 < end; k0 += FE_GLOVE_GROUP) {
                const int64_t n = end - k0 < FE_GLOVE_GROUP ? end - k0 : FE_GLOVE_GROUP;
                isa->logs(counts->data + k0, n, inverse, logs);
                for (int64_t i = 0; i < n; i++) {
                    if (counts->data[k0 + i] == 0) continue;
                    const int64_t column = counts->indices[k0 + i];
                    fe_glove_cell *cell = cells + next[bin_of(r, column % blocks, per_tile)]++;
                    cell->place = (uint32_t)(w / blocks) << 16 | (uint32_t)(column / blocks);
                    cell->log = logs[i];
                    const float weight = logs[i] >= log_x_max ? 1.0f : expf(exponent * (logs[i] - log_x_max));
                    total += 0.5 * weight * logs[i] * logs[i];
                }
            }
    *loss += total;
}
