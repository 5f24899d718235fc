/* Co-occurrence counts, a row at a time.
 *
 * A piece of text is first turned inside out: for each word the list of the places where it stands (fe_cooc_tally,
 * fe_cooc_place: a counting sort). Then the row of a word is counted whole (fe_cooc_rows): its places are visited in
 * order and the weights of the words around them are added into one dense array of V sums, which stays in the
 * second-level cache. A row is finished when it leaves that array: nothing is sorted, nothing is merged, and each cell is
 * written once, in order of its column. Rows are independent of each other, sums are of integers: the result does not
 * depend on who counts which rows.
 *
 * A text that does not fit in memory is counted in pieces. The rows of a piece are written as a run (fe_cooc_encode:
 * differences of columns and counts as variable-length integers, about 5 bytes a cell), and the rows of all runs are
 * added into the same dense array (fe_cooc_decode), row by row. */
#ifndef FE_COOCCUR_H
#define FE_COOCCUR_H

#include "fe_common.h"

enum {
    FE_COOC_MAX_WINDOW = 65535,
    FE_COOC_GROUP = 16 /* columns that share one mark */
};

/* A place where a word stands: its position in the piece, and how many words of its sentence lie to the left and to the
 * right of it, at most the window. */
typedef uint64_t fe_cooc_place_t;

FE_INLINE fe_cooc_place_t fe_cooc_pack(int64_t position, int64_t left, int64_t right) {
    return (uint64_t)position | (uint64_t)left << 32 | (uint64_t)right << 48;
}

/* counts[id] += 1 for ids[0..n); FE_BADINPUT when an id is not in 0..v-1 (counts are then of no use). */
fe_status fe_cooc_tally(const int32_t *ids, int64_t n, int64_t v, int64_t *counts);

/* The places of the words at positions lo..hi-1: place k of word i goes to index[cursor[i]++].
 * Sentence s covers positions offsets[s] - base .. offsets[s + 1] - base - 1; `s` is the one that holds position lo.
 * Neighbours are looked for in positions 0..n-1 only. right = 0: only left neighbours are wanted. */
void fe_cooc_place(const int32_t *ids, int64_t n, int64_t lo, int64_t hi, const int64_t *offsets, int64_t s,
                   int64_t base, int64_t window, int right, int64_t *cursor, fe_cooc_place_t *index);

/* Thins a text out as training does (fe_random.h): the tokens at corpus positions position..position+n-1 that stay are
 * written to out. kept[k] becomes the number of tokens that stay before the corpus position points[k]; points ascend, and
 * lie in position..position+n. Returns how many stay. */
int64_t fe_cooc_thin(const int32_t *ids, int64_t n, uint64_t position, uint64_t epoch_key, const uint32_t *keep,
                     const int64_t *points, int64_t n_points, int64_t *kept, int32_t *out);

/* The dense sums of one row at a time, all zero between calls. */
typedef struct fe_cooc_sums {
    int64_t v;
    uint32_t *narrow; /* v + FE_COOC_GROUP, for rows whose sums fit in 32 bits: half the cache */
    uint64_t *wide;   /* v + FE_COOC_GROUP, for the others */
    uint8_t *mark;    /* one for FE_COOC_GROUP columns, then 16 bytes: some sum among them is not zero */
    int avx512;       /* fe_cooc_has_avx512(), or 0 */
} fe_cooc_sums;

/* Whether this CPU and system run the AVX-512 version. */
int fe_cooc_has_avx512(void);

/* Bytes of fe_cooc_sums.mark. */
FE_INLINE int64_t fe_cooc_marks(int64_t v) { return (v + FE_COOC_GROUP - 1) / FE_COOC_GROUP + 16; }

typedef struct fe_cooc_job {
    const int32_t *ids;
    const fe_cooc_place_t *index;
    const int64_t *start;   /* v + 1: word i has places start[i]..start[i + 1]-1 */
    const int64_t *weight;  /* window + 1: of a neighbour at distance d; weight[0] is not used */
    int64_t most;           /* what one place can add to a cell: the sum of all weights, twice if symmetric */
    int64_t window;
} fe_cooc_job;

/* Rows lo..hi-1: columns and counts end to end, nnz[i - lo] of them for row i.
 * The caller has made room for the sum of min(v, places * neighbours) over the rows, and 16 cells more. Returns the
 * number of cells, or -1 when *stop was seen: the sums are then zero again and the output is of no use. */
int64_t fe_cooc_rows(const fe_cooc_job *job, fe_cooc_sums *sums, int64_t lo, int64_t hi, int32_t *columns,
                     int64_t *counts, int64_t *nnz, const volatile int *stop);

/* Runs: the rows of one piece of text as bytes. A row is its number of cells, then for each cell the distance of its column
 * from the one before (less one; the first counts from -1) and its count, all as variable-length integers, 7 bits a byte,
 * low ones first, the high bit set on all but the last. */

/* Bytes that `rows` rows with `cells` cells need at most. */
FE_INLINE int64_t fe_cooc_encoded_most(int64_t rows, int64_t cells) { return 5 * rows + 14 * cells; }

/* Rows with nnz[i] cells each to bytes; returns how many. */
int64_t fe_cooc_encode(const int32_t *columns, const int64_t *counts, const int64_t *nnz, int64_t rows, uint8_t *out);

/* Adds one encoded row to the sums and moves *at behind it. FE_BADINPUT: the bytes are no row of v columns; FE_OVERFLOW: a
 * sum reached 2^63. In both cases the sums are of no use until fe_cooc_clear. */
fe_status fe_cooc_add_run(fe_cooc_sums *sums, const uint8_t **at, const uint8_t *end);

/* Adds cells of a row to the sums, columns mapped (map[j] < 0: left out), or as they are if map is NULL. Errors as above. */
fe_status fe_cooc_add_cells(fe_cooc_sums *sums, const int32_t *columns, const int64_t *counts, int64_t n,
                            const int32_t *map);

/* Moves the sums out, in order of their columns: returns the number of cells; room for min(v, what was added) + 16. */
int64_t fe_cooc_harvest(fe_cooc_sums *sums, int32_t *columns, int64_t *counts);

/* Sums and marks to zero. */
void fe_cooc_clear(fe_cooc_sums *sums);

/* Rows 0..rows-1 of `runs` runs, at[r]..end[r] being the bytes of run r: added up and moved out. Errors as above, also when
 * a run has bytes left. *cells becomes the number of cells. */
fe_status fe_cooc_merge(fe_cooc_sums *sums, const uint8_t **at, const uint8_t *const *end, int64_t runs, int64_t rows,
                        int32_t *columns, int64_t *counts, int64_t *nnz, int64_t *cells, const volatile int *stop);

/* What is wrong with cells of CSR rows: 0 nothing, 1 a column outside 0..v-1, 2 columns that do not ascend, 3 a count below
 * one. indptr[0..rows] has been checked; the arrays begin with cell indptr[0]. */
int fe_cooc_check(int64_t v, const int64_t *indptr, int64_t rows, const int32_t *columns, const int64_t *counts);

/* Memory in large pages where the system has them, to be freed with free(); NULL when there is none. */
void *fe_cooc_alloc(int64_t bytes);

#endif
