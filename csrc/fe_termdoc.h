/* Documents as rows of a sparse matrix: how often each word occurs in each document. */
#ifndef FE_TERMDOC_H
#define FE_TERMDOC_H

#include "fe_common.h"

/* Documents lo .. hi of ids, document d being ids[offsets[d] - base] up to offsets[d + 1] - base. `columns` gives the column of
 * each word, -1 for words that have none. `seen` (words) is scratch, -1 everywhere before the first call.
 * Pass one: kept[d] = different columns of document d. */
void fe_termdoc_count(const int32_t *ids, int64_t base, const int64_t *offsets, const int32_t *columns, int64_t lo, int64_t hi,
                      int64_t *seen, int64_t *kept);

/* Pass two: the columns of each document, ascending, and how often each occurs. Document d begins at indptr[d]. `seen` as it was
 * before pass one. */
void fe_termdoc_fill(const int32_t *ids, int64_t base, const int64_t *offsets, const int32_t *columns, int64_t lo, int64_t hi,
                     int64_t *seen, const int64_t *indptr, int32_t *indices, float *data);

#endif
