#include "fe_cooccur.h"

#include <string.h>

#include "fe_random.h"

fe_status fe_cooc_tally(const int32_t *ids, int64_t n, int64_t v, int64_t *counts) {
    for (int64_t i = 0; i < n; i++) {
        if (FE_UNLIKELY((uint32_t)ids[i] >= (uint64_t)v)) return FE_BADINPUT;
        counts[ids[i]]++;
    }
    return FE_OK;
}

void fe_cooc_place(const int32_t *ids, int64_t n, int64_t lo, int64_t hi, const int64_t *offsets, int64_t s,
                   int64_t base, int64_t window, int right, int64_t *cursor, fe_cooc_place_t *index) {
    for (int64_t p = lo; p < hi; s++) {
        int64_t begin = offsets[s] - base, end = offsets[s + 1] - base;
        if (begin < 0) begin = 0;
        if (end > n) end = n;
        int64_t to = end < hi ? end : hi;
        for (; p < to; p++) {
            int64_t l = p - begin, r = right ? end - 1 - p : 0;
            if (l > window) l = window;
            if (r > window) r = window;
            index[cursor[ids[p]]++] = fe_cooc_pack(p, l, r);
        }
    }
}

int64_t fe_cooc_thin(const int32_t *ids, int64_t n, uint64_t position, uint64_t epoch_key, const uint32_t *keep,
                     const int64_t *points, int64_t n_points, int64_t *kept, int32_t *out) {
    int64_t m = 0, k = 0;
    for (int64_t i = 0; i <= n; i++) {
        uint64_t at = position + (uint64_t)i;
        while (k < n_points && (uint64_t)points[k] == at) kept[k++] = m;
        if (i == n) break;
        out[m] = ids[i];
        m += fe_hash32((uint32_t)at, fe_sub_key(epoch_key, at)) <= keep[ids[i]];
    }
    return m;
}

/* A row whose sums fit in T; the body is compiled for both widths. */
#define ADD_PLACES(T, sums, weights)                                                                                  \
    do {                                                                                                              \
        for (int64_t k = first; k < last; k++) {                                                                      \
            if (FE_UNLIKELY((k & 4095) == 0) && *stop) return 0;                                                      \
            if (k + AHEAD < last) {                                                                                   \
                const char *soon = (const char *)(ids + (uint32_t)index[k + AHEAD]);                                  \
                FE_PREFETCH(soon - 36);                                                                               \
                FE_PREFETCH(soon + 40);                                                                               \
            }                                                                                                         \
            fe_cooc_place_t e = index[k];                                                                             \
            const int32_t *at = ids + (uint32_t)e;                                                                    \
            int64_t left = (int64_t)(e >> 32 & 0xFFFF), right = (int64_t)(e >> 48);                                   \
            for (int64_t d = 1; d <= left; d++) {                                                                     \
                int32_t j = at[-d];                                                                                   \
                (sums)[j] += (T)(weights)[d];                                                                         \
                mark[j / FE_COOC_GROUP] = 1;                                                                          \
            }                                                                                                         \
            for (int64_t d = 1; d <= right; d++) {                                                                    \
                int32_t j = at[d];                                                                                    \
                (sums)[j] += (T)(weights)[d];                                                                         \
                mark[j / FE_COOC_GROUP] = 1;                                                                          \
            }                                                                                                         \
        }                                                                                                             \
    } while (0)

enum { AHEAD = 12 };

static int add_narrow(const fe_cooc_job *job, uint32_t *restrict sums, uint8_t *restrict mark, int64_t first, int64_t last,
                      const volatile int *stop) {
    const int32_t *restrict ids = job->ids;
    const fe_cooc_place_t *restrict index = job->index;
    const int64_t *restrict weight = job->weight;
    ADD_PLACES(uint32_t, sums, weight);
    return 1;
}

static int add_wide(const fe_cooc_job *job, uint64_t *restrict sums, uint8_t *restrict mark, int64_t first, int64_t last,
                    const volatile int *stop) {
    const int32_t *restrict ids = job->ids;
    const fe_cooc_place_t *restrict index = job->index;
    const int64_t *restrict weight = job->weight;
    ADD_PLACES(uint64_t, sums, weight);
    return 1;
}

/* Moves the sums that are not zero out, in order of their columns. A group is read to its end whatever is in it: cells are
 * written always and counted when they are not zero, which costs no mispredicted branch. */
#define HARVEST(T, sums)                                                                                              \
    do {                                                                                                              \
        int64_t marks = (s->v + FE_COOC_GROUP - 1) / FE_COOC_GROUP;                                                   \
        for (int64_t g = 0; g < marks; g += 8) {                                                                      \
            uint64_t eight;                                                                                           \
            memcpy(&eight, s->mark + g, 8);                                                                           \
            if (!eight) continue;                                                                                     \
            memset(s->mark + g, 0, 8);                                                                                \
            for (int b = 0; b < 8; b++, eight >>= 8) {                                                                \
                if (!(eight & 0xFF)) continue;                                                                        \
                int64_t j0 = (g + b) * FE_COOC_GROUP;                                                                 \
                T *sum = (sums) + j0;                                                                                 \
                for (int j = 0; j < FE_COOC_GROUP; j++) {                                                             \
                    T value = sum[j];                                                                                 \
                    columns[n] = (int32_t)(j0 + j);                                                                   \
                    counts[n] = (int64_t)value;                                                                       \
                    n += value != 0;                                                                                  \
                    sum[j] = 0;                                                                                       \
                }                                                                                                     \
            }                                                                                                         \
        }                                                                                                             \
    } while (0)

static int64_t harvest_narrow(fe_cooc_sums *s, int32_t *columns, int64_t *counts) {
    int64_t n = 0;
    HARVEST(uint32_t, s->narrow);
    return n;
}

static int64_t harvest_wide(fe_cooc_sums *s, int32_t *columns, int64_t *counts) {
    int64_t n = 0;
    HARVEST(uint64_t, s->wide);
    return n;
}

int64_t fe_cooc_rows(const fe_cooc_job *job, fe_cooc_sums *sums, int64_t lo, int64_t hi, int32_t *columns,
                     int64_t *counts, int64_t *nnz, const volatile int *stop) {
    int64_t n = 0;
    for (int64_t i = lo; i < hi; i++) {
        int64_t first = job->start[i], last = job->start[i + 1], m = 0;
        if (last > first) {
            uint64_t bound; /* of any sum of the row */
            int narrow = !fe_mul_overflow((uint64_t)(last - first), (uint64_t)job->most, &bound) && bound < (1ull << 32);
            int done = narrow ? add_narrow(job, sums->narrow, sums->mark, first, last, stop)
                              : add_wide(job, sums->wide, sums->mark, first, last, stop);
            if (!done) {
                memset(sums->narrow, 0, (size_t)(sums->v + FE_COOC_GROUP) * sizeof *sums->narrow);
                memset(sums->wide, 0, (size_t)(sums->v + FE_COOC_GROUP) * sizeof *sums->wide);
                memset(sums->mark, 0, (size_t)fe_cooc_marks(sums->v));
                return -1;
            }
            m = narrow ? harvest_narrow(sums, columns + n, counts + n) : harvest_wide(sums, columns + n, counts + n);
        }
        nnz[i - lo] = m;
        n += m;
    }
    return n;
}
