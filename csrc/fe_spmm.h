/* Sparse matrix times dense matrix, the heart of the truncated SVD.
 *
 * A. Dense. A matrix of n rows is cut into panels of FE_PANEL columns, each panel (n, FE_PANEL) closely packed, so a row of a
 *    panel is whole cache lines.
 * B. Sparse. A product gathers a row of the dense panel for every cell, and what it costs is where that row comes from: with
 *    50,000 rows a panel is larger than L2, and the gather runs at a third of the speed that it has within L2. So the cells
 *    are stored tile by tile, a tile being `width` neighbouring columns, row by row within the tile: while a tile streams by,
 *    its part of the panel stays in the cache. Column numbers within a tile take 16 bits. */
#ifndef FE_SPMM_H
#define FE_SPMM_H

#include "fe_common.h"

#ifndef FE_PANEL
#define FE_PANEL 64
#endif
enum { FE_TILE_MOST = 65536 }; /* columns a tile, at most */

typedef struct fe_tiled {
    int64_t rows, cols, width; /* width: columns a tile, 1 .. FE_TILE_MOST; the last tile may have fewer          */
    int64_t tiles;             /* ceil(cols / width)                                                               */
    const int64_t *starts;     /* (tiles * rows + 1): row i of tile t is cells starts[t * rows + i] up to the next */
    const uint16_t *columns;   /* (nnz) within the tile                                                            */
    const float *data;         /* (nnz)                                                                            */
} fe_tiled;

/* Rows lo .. hi of y = A x, for one panel: x is (cols, FE_PANEL), y (rows, FE_PANEL). A row is added up in the same order
 * whatever the range it is asked for in. */
typedef void fe_spmm_fn(const fe_tiled *a, const float *x, float *y, int64_t lo, int64_t hi);

fe_spmm_fn fe_spmm_scalar, fe_spmm_avx2, fe_spmm_avx512, fe_spmm_neon;

typedef struct fe_spmm_isa {
    const char *name;
    fe_spmm_fn *multiply;
} fe_spmm_isa;

enum { FE_SPMM_ISA_MOST = 4 };

/* Fills `out` with the usable instruction sets, slowest first, and returns their number (>= 1). */
int fe_spmm_usable(fe_spmm_isa out[FE_SPMM_ISA_MOST]);

/* 0 if indptr rises from 0 to nnz and every index of rows lo .. hi is within 0 .. cols; else 1 (indptr) or 2 (an index). */
int fe_csr_check(const int64_t *indptr, const int32_t *indices, int64_t nnz, int64_t cols, int64_t lo, int64_t hi);

/* CSR to tiles, rows lo .. hi, in two passes. The first writes how many cells row i has in tile t to counts[t * rows + i]; the
 * caller adds them up to `starts`; the second writes the cells. Threads take ranges of rows. */
void fe_tile_count(const int64_t *indptr, const int32_t *indices, int64_t rows, int64_t width, int64_t tiles, int64_t lo,
                   int64_t hi, int64_t *counts);
fe_status fe_tile_fill(const int64_t *indptr, const int32_t *indices, const float *data, const fe_tiled *shape, int64_t lo,
                       int64_t hi, uint16_t *columns, float *values);

/* The transpose of tiles, again in two passes; threads take tiles of `a`, which become rows of the transpose. `t_width` is the
 * transpose's tile width; counts are its (tiles * rows), zero at the start; `next` is scratch of a->width. Cells of a row come
 * out in the order of the columns. */
void fe_transpose_count(const fe_tiled *a, int64_t tile, int64_t t_width, int64_t *counts);
void fe_transpose_fill(const fe_tiled *a, int64_t tile, const fe_tiled *shape, int64_t *next, uint16_t *columns,
                       float *values);

#endif
