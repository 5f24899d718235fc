/* Alias table (Walker 1977, Vose 1991): one draw is one 8-byte load. 8 bytes a word keep 100,000 words within an L2 cache,
 * where the classic 10^8-entry unigram table costs a miss a draw. */
#ifndef FE_ALIAS_H
#define FE_ALIAS_H

#include "fe_common.h"

typedef struct fe_alias {
    uint32_t threshold; /* column kept when the low 32 bits of the draw are below it; see `self` for 1.0 */
    int32_t other;      /* word returned otherwise; a column that always keeps itself has other == itself */
} fe_alias;

/* weights: n >= 1 finite non-negative doubles with a positive sum; table: n entries; scratch: n doubles and n int32. */
void fe_alias_build(const double *weights, int64_t n, fe_alias *table, double *scaled, int32_t *stack);

FE_INLINE int32_t fe_alias_draw(const fe_alias *table, uint32_t n, uint64_t bits) {
    uint32_t column = (uint32_t)(((bits >> 32) * n) >> 32);
    fe_alias entry = table[column];
    return (uint32_t)bits < entry.threshold ? (int32_t)column : entry.other;
}

#endif
