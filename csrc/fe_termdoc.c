#include "fe_termdoc.h"

#include <string.h>

void fe_termdoc_count(const int32_t *ids, int64_t base, const int64_t *offsets, const int32_t *columns, int64_t lo, int64_t hi,
                      int64_t *seen, int64_t *kept) {
    for (int64_t d = lo; d < hi; d++) {
        int64_t n = 0;
        for (int64_t k = offsets[d] - base; k < offsets[d + 1] - base; k++) {
            const int32_t word = ids[k];
            if (columns[word] < 0 || seen[word] == d) continue;
            seen[word] = d;
            n++;
        }
        kept[d] = n;
    }
}

/* Ciura's gaps, then a factor of 2.25: short lists nearly all, and no input that makes it slow. */
static void sort_ids(int32_t *v, int64_t n) {
    static const int64_t first[] = {701, 301, 132, 57, 23, 10, 4, 1};
    int64_t gap = 701;
    int small = 0;
    while (gap * 9 / 4 < n) gap = gap * 9 / 4;
    for (;;) {
        for (int64_t i = gap; i < n; i++) {
            const int32_t x = v[i];
            int64_t j = i;
            for (; j >= gap && v[j - gap] > x; j -= gap) v[j] = v[j - gap];
            v[j] = x;
        }
        if (gap == 1) return;
        if (gap > 701) {
            gap = gap * 4 / 9;
            if (gap < 701) gap = 701;
        } else {
            gap = first[++small];
        }
    }
}

/* While a document is counted, the places of its values hold integers: a float stops counting at 2^24. */
FE_INLINE uint32_t get_count(const float *p) {
    uint32_t n;
    memcpy(&n, p, sizeof n);
    return n;
}

FE_INLINE void put_count(float *p, uint32_t n) { memcpy(p, &n, sizeof n); }

void fe_termdoc_fill(const int32_t *ids, int64_t base, const int64_t *offsets, const int32_t *columns, int64_t lo, int64_t hi,
                     int64_t *seen, const int64_t *indptr, int32_t *indices, float *data) {
    for (int64_t d = lo; d < hi; d++) {
        const int64_t start = indptr[d];
        int64_t at = start;
        for (int64_t k = offsets[d] - base; k < offsets[d + 1] - base; k++) {
            const int32_t column = columns[ids[k]];
            if (column < 0 || seen[column] >= start) continue; /* places before `start` belong to earlier documents */
            seen[column] = start;
            indices[at++] = column;
        }
        sort_ids(indices + start, at - start);
        for (int64_t k = start; k < at; k++) {
            seen[indices[k]] = k;
            put_count(data + k, 0);
        }
        for (int64_t k = offsets[d] - base; k < offsets[d + 1] - base; k++) {
            const int32_t column = columns[ids[k]];
            if (column >= 0) put_count(data + seen[column], get_count(data + seen[column]) + 1);
        }
        for (int64_t k = start; k < at; k++) data[k] = (float)get_count(data + k);
    }
}
