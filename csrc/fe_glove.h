/* The GloVe trainer (Pennington, Socher, Manning 2014): weighted least squares on the logarithms of co-occurrence counts,
 * AdaGrad. For a cell (i, j) of count x, with f(x) = min(1, (x / x_max)^exponent):
 *
 *   diff = w_i . c_j + b_i + b'_j - log x        loss = f(x) diff^2 / 2
 *
 * Shapes: V words, D = vector_size, S = stride in floats (D + 2 rounded up to 16).
 *   words (V, 2 S)      a row is  w_i (D)  b_i  1     zeros to S | the sums of squares of the same S numbers
 *   contexts (V, 2 S)   a row is  c_j (D)  1    b'_j  zeros to S | the sums of squares
 * With the two ones in place, the product of the two rows is the whole w . c + b + b', and a bias is trained like any other
 * number, except that its learning rate is 1 where the vectors' is eta (as in Stanford's program), and that of a one is 0.
 *
 * The cells lie in bins: word w is number w / blocks of block w % blocks, and bin (r, c) holds the cells of the words of block
 * r in contexts of block c. Taking every blocks-th word makes bins of like size, frequent and rare words in each. The rows of a
 * bin fit into the second cache. per_tile x per_tile bins, next to each other in memory, are a tile, the work of one call.
 * Tiles of different block rows and columns share no row of the tables: they can be trained at the same time. */
#ifndef FE_GLOVE_H
#define FE_GLOVE_H

#include "fe_common.h"

enum {
    FE_GLOVE_ALIGN = 16,     /* floats: rows start on cache lines                             */
    FE_GLOVE_GROUP_BITS = 7, /* cells that stay together in their order                       */
    FE_GLOVE_GROUP = 1 << FE_GLOVE_GROUP_BITS,
    FE_GLOVE_BATCH = 8       /* cells of one word whose products are taken before their steps */
};

typedef struct fe_glove_cell {
    uint32_t place; /* number of the word in its block << 16 | number of the context in its block */
    float log;      /* log of the count */
} fe_glove_cell;

typedef struct fe_glove_job {
    float *words, *contexts;
    int64_t stride;
    int64_t vocabulary;
    int32_t dim;
    int64_t blocks, per_tile;
    const fe_glove_cell *cells; /* by tile, in a tile by bin                                                       */
    const int64_t *bins;        /* (blocks^2 + 1) first cell of each bin, in the order of the cells: tile by tile  */
    float eta, exponent, log_x_max;
    float clip; /* largest size of f(x) diff in a gradient */
    uint64_t seed;
} fe_glove_job;

/* Adds to `loss` the sum of the losses of tile number `tile` (block row of tiles * tiles a side + block column), each cell's as it was
 * before its own step. FE_NONFINITE when that sum is NaN or Inf. */
typedef fe_status fe_glove_fn(const fe_glove_job *job, int64_t tile, int64_t epoch, double *loss);

/* logs[i] = log(counts[i] / scale) where the count is above zero; `inverse` is 1 / scale. */
typedef void fe_glove_logs_fn(const int64_t *counts, int64_t n, float inverse, float *logs);

fe_glove_fn fe_glove_scalar, fe_glove_avx2, fe_glove_avx512, fe_glove_neon;
fe_glove_logs_fn fe_glove_logs_scalar, fe_glove_logs_avx2, fe_glove_logs_avx512, fe_glove_logs_neon;

/* What this build has for an instruction set of fe_dispatch.h; 0 for a name that it does not have. Does not ask the CPU. */
typedef struct fe_glove_isa {
    const char *name;
    fe_glove_fn *train;
    fe_glove_logs_fn *logs;
} fe_glove_isa;
int fe_glove_find(const char *name, fe_glove_isa *out);

/* A matrix of counts in compressed rows: row i has its columns, in any order, at indptr[i] .. indptr[i + 1]. */
typedef struct fe_glove_counts {
    const int64_t *indptr;
    const int32_t *indices;
    const int64_t *data;
    int64_t vocabulary, scale;
} fe_glove_counts;

/* Cells of each bin of tile row `row` (a count of zero makes no cell): sizes (per_tile * blocks), in the order of the cells.
 * FE_BADINPUT: cell *bad_cell, of row *bad_row, has a column outside of the matrix or a negative count. */
fe_status fe_glove_sizes(const fe_glove_counts *counts, int64_t blocks, int64_t per_tile, int64_t row, int64_t *sizes,
                         int64_t *bad_row, int64_t *bad_cell);

/* Places the cells of tile row `row`; next (per_tile * blocks) holds the first free cell of each bin and is moved on. Adds to
 * `loss` the sum of f(x) log(x)^2 / 2: the loss of rows and biases of zero. */
void fe_glove_place(const fe_glove_counts *counts, int64_t blocks, int64_t per_tile, int64_t row, const fe_glove_isa *isa,
                    float exponent, float log_x_max, int64_t *next, fe_glove_cell *cells, double *loss);

#endif
