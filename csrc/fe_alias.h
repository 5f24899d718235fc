/* Alias table (Walker 1977, Vose 1991): one draw is one 8-byte load. 8 bytes a word keep 100,000 words within an L2 cache,
 * where the classic 10^8-entry unigram table costs a miss a draw. */
#ifndef FE_ALIAS_H
#define FE_ALIAS_H

#include "fe_common.h"

typedef struct fe_alias {
    uint32_t threshold; /* column kept when the coin is below it; see `self` for 1.0 */
    int32_t other;      /* word returned otherwise; a column that always keeps itself has other == itself */
} fe_alias;

/* weights: n >= 1 finite non-negative doubles with a positive sum; table: n entries; scratch: n doubles and n int32. */
void fe_alias_build(const double *weights, int64_t n, fe_alias *table, double *scaled, int32_t *stack);

/* The word of a uniform column and 32 uniform bits. Without a branch: it would be mispredicted half of the time. */
FE_INLINE int32_t fe_alias_pick(const fe_alias *table, uint32_t column, uint32_t coin) {
    const fe_alias entry = table[column];
    const uint32_t itself = 0u - (uint32_t)(coin < entry.threshold);
    return (int32_t)((column & itself) | ((uint32_t)entry.other & ~itself));
}

#endif
