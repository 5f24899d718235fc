#include "fe_cooccur.h"

#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#endif
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__)) && !defined(FE_DEBUG)
#define HAVE_AVX512
#include <immintrin.h>
#endif

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

enum { AHEAD = 24 }; /* places whose neighbours are fetched before they are needed; without that a place costs twice */

/* One neighbour; 16 on one side in a row, entered where their number says: no loop, one jump that is predicted well since
 * most windows are full. */
#define ADD_ONE(T, j_, d, MARK)                                                                                       \
    {                                                                                                                 \
        uint32_t j = (uint32_t)(j_);                                                                                  \
        sums[j] += (T)weight[d];                                                                                      \
        MARK                                                                                                          \
    }
#define ADD_SIDE(T, n, SIGN, MARK)                                                                                    \
    {                                                                                                                 \
        int64_t far = (n);                                                                                            \
        for (; FE_UNLIKELY(far > 16); far--) ADD_ONE(T, at[SIGN far], far, MARK)                                      \
        switch (far) {                                                                                                \
        case 16: ADD_ONE(T, at[SIGN 16], 16, MARK) /* fall through */                                                 \
        case 15: ADD_ONE(T, at[SIGN 15], 15, MARK) /* fall through */                                                 \
        case 14: ADD_ONE(T, at[SIGN 14], 14, MARK) /* fall through */                                                 \
        case 13: ADD_ONE(T, at[SIGN 13], 13, MARK) /* fall through */                                                 \
        case 12: ADD_ONE(T, at[SIGN 12], 12, MARK) /* fall through */                                                 \
        case 11: ADD_ONE(T, at[SIGN 11], 11, MARK) /* fall through */                                                 \
        case 10: ADD_ONE(T, at[SIGN 10], 10, MARK) /* fall through */                                                 \
        case 9: ADD_ONE(T, at[SIGN 9], 9, MARK) /* fall through */                                                    \
        case 8: ADD_ONE(T, at[SIGN 8], 8, MARK) /* fall through */                                                    \
        case 7: ADD_ONE(T, at[SIGN 7], 7, MARK) /* fall through */                                                    \
        case 6: ADD_ONE(T, at[SIGN 6], 6, MARK) /* fall through */                                                    \
        case 5: ADD_ONE(T, at[SIGN 5], 5, MARK) /* fall through */                                                    \
        case 4: ADD_ONE(T, at[SIGN 4], 4, MARK) /* fall through */                                                    \
        case 3: ADD_ONE(T, at[SIGN 3], 3, MARK) /* fall through */                                                    \
        case 2: ADD_ONE(T, at[SIGN 2], 2, MARK) /* fall through */                                                    \
        case 1: ADD_ONE(T, at[SIGN 1], 1, MARK) /* fall through */                                                    \
        default: break;                                                                                               \
        }                                                                                                             \
    }

/* Adds the neighbours of places first..last-1 to a row of sums of type T. */
#define ADD_PLACES(T, MARK)                                                                                           \
    for (int64_t k = first; k < last; k++) {                                                                          \
        if (FE_UNLIKELY((k & 4095) == 0) && *stop) return 0;                                                          \
        if (FE_LIKELY(k + AHEAD < end)) {                                                                             \
            const char *soon = (const char *)(ids + (uint32_t)index[k + AHEAD]);                                      \
            FE_PREFETCH(soon - 36);                                                                                   \
            FE_PREFETCH(soon + 40);                                                                                   \
        }                                                                                                             \
        fe_cooc_place_t place = index[k];                                                                             \
        const int32_t *at = ids + (uint32_t)place;                                                                    \
        ADD_SIDE(T, (int64_t)(place >> 32 & 0xFFFF), -, MARK)                                                         \
        ADD_SIDE(T, (int64_t)(place >> 48), +, MARK)                                                                  \
    }

/* The rows of frequent words touch nearly every group: all are marked beforehand, which saves a store a neighbour. */
#define ADD_ROW(T)                                                                                                    \
    const int32_t *restrict ids = job->ids;                                                                           \
    const fe_cooc_place_t *restrict index = job->index;                                                               \
    const int64_t *restrict weight = job->weight;                                                                     \
    const int64_t groups = (s->v + FE_COOC_GROUP - 1) / FE_COOC_GROUP, end = job->start[s->v];                        \
    uint8_t *restrict mark = s->mark;                                                                                 \
    if ((last - first) * job->window > 4 * groups) {                                                                  \
        memset(mark, 1, (size_t)groups);                                                                              \
        ADD_PLACES(T, )                                                                                               \
    } else                                                                                                            \
        ADD_PLACES(T, mark[j / FE_COOC_GROUP] = 1;)                                                                   \
    return 1

static int add_narrow(const fe_cooc_job *job, fe_cooc_sums *s, int64_t first, int64_t last, const volatile int *stop) {
    uint32_t *restrict sums = s->narrow;
    ADD_ROW(uint32_t);
}

static int add_wide(const fe_cooc_job *job, fe_cooc_sums *s, int64_t first, int64_t last, const volatile int *stop) {
    uint64_t *restrict sums = s->wide;
    ADD_ROW(uint64_t);
}

/* Moves the sums that are not zero out, in order of their columns, and zeroes them and the marks.
 *
 * A group of a rare word's row holds hardly more than one sum that is not zero, at an unpredictable place: what costs is
 * finding it. COLLECT gets the columns' group and its sums, appends its cells at columns[n], counts[n] and returns how
 * many; it may write up to 16 cells, whatever it returns. */
#define HARVEST(T, sums, COLLECT)                                                                                     \
    int64_t n = 0, marks = (s->v + FE_COOC_GROUP - 1) / FE_COOC_GROUP;                                                \
    for (int64_t g = 0; g < marks; g += 8) {                                                                          \
        uint64_t eight;                                                                                               \
        memcpy(&eight, s->mark + g, 8);                                                                               \
        if (FE_LIKELY(!eight)) continue;                                                                              \
        memset(s->mark + g, 0, 8);                                                                                    \
        /* eight bytes of 0 or 1 to eight bits */                                                                     \
        for (uint32_t bits = (uint32_t)(eight * 0x0102040810204080ull >> 56); bits; bits &= bits - 1) {               \
            int64_t j0 = (g + FIRST_BIT(bits)) * FE_COOC_GROUP;                                                       \
            n += COLLECT((sums) + j0, (int32_t)j0, columns + n, counts + n);                                          \
        }                                                                                                             \
    }                                                                                                                 \
    return n

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#error "the marks are read as little-endian words"
#endif
#if defined(__GNUC__) || defined(__clang__)
#define FIRST_BIT(x) __builtin_ctz(x)
#else
#include <intrin.h>
FE_INLINE int FIRST_BIT(uint32_t x) {
    unsigned long at;
    _BitScanForward(&at, x);
    return (int)at;
}
#endif

#define COLLECT_BITS(T)                                                                                               \
    int64_t m = 0;                                                                                                    \
    for (; bits; bits &= bits - 1) {                                                                                  \
        int j = FIRST_BIT(bits);                                                                                      \
        columns[m] = j0 + j;                                                                                          \
        counts[m++] = (int64_t)sums[j];                                                                               \
    }                                                                                                                 \
    memset(sums, 0, FE_COOC_GROUP * sizeof(T));                                                                       \
    return m

FE_INLINE int64_t collect_narrow(uint32_t *sums, int32_t j0, int32_t *columns, int64_t *counts) {
    uint32_t bits = 0;
#if defined(__SSE2__) || defined(_M_X64)
    __m128i zero = _mm_setzero_si128(), is_zero[4];
    for (int q = 0; q < 4; q++) is_zero[q] = _mm_cmpeq_epi32(_mm_loadu_si128((const __m128i *)sums + q), zero);
    bits = ~(uint32_t)_mm_movemask_epi8(_mm_packs_epi16(_mm_packs_epi32(is_zero[0], is_zero[1]),
                                                        _mm_packs_epi32(is_zero[2], is_zero[3]))) & 0xFFFF;
#else
    for (int j = 0; j < FE_COOC_GROUP; j++) bits |= (uint32_t)(sums[j] != 0) << j;
#endif
    COLLECT_BITS(uint32_t);
}

FE_INLINE int64_t collect_wide(uint64_t *sums, int32_t j0, int32_t *columns, int64_t *counts) {
    uint32_t bits = 0;
    for (int j = 0; j < FE_COOC_GROUP; j++) bits |= (uint32_t)(sums[j] != 0) << j;
    COLLECT_BITS(uint64_t);
}

static int64_t harvest_narrow(fe_cooc_sums *s, int32_t *columns, int64_t *counts) {
    HARVEST(uint32_t, s->narrow, collect_narrow);
}

static int64_t harvest_wide(fe_cooc_sums *s, int32_t *columns, int64_t *counts) {
    HARVEST(uint64_t, s->wide, collect_wide);
}

#ifdef HAVE_AVX512
#define AVX512 __attribute__((target("avx512f,avx512vl,bmi")))

AVX512 static inline int64_t collect_narrow_avx512(uint32_t *sums, int32_t j0, int32_t *columns, int64_t *counts) {
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512i x = _mm512_loadu_si512(sums);
    __mmask16 bits = _mm512_test_epi32_mask(x, x);
    /* compressed in registers: compressing stores are slow on some CPUs */
    __m512i j = _mm512_maskz_compress_epi32(bits, _mm512_add_epi32(lane, _mm512_set1_epi32(j0)));
    x = _mm512_maskz_compress_epi32(bits, x);
    _mm512_storeu_si512(columns, j);
    _mm512_storeu_si512(counts, _mm512_cvtepu32_epi64(_mm512_castsi512_si256(x)));
    _mm512_storeu_si512(counts + 8, _mm512_cvtepu32_epi64(_mm512_extracti64x4_epi64(x, 1)));
    _mm512_storeu_si512(sums, _mm512_setzero_si512());
    return __builtin_popcount(bits);
}

AVX512 static inline int64_t collect_wide_avx512(uint64_t *sums, int32_t j0, int32_t *columns, int64_t *counts) {
    int64_t m = 0;
    for (int half = 0; half < 2; half++) {
        const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        __m512i x = _mm512_loadu_si512(sums + 8 * half);
        __mmask8 bits = _mm512_test_epi64_mask(x, x);
        __m256i j = _mm256_maskz_compress_epi32(bits, _mm256_add_epi32(lane, _mm256_set1_epi32(j0 + 8 * half)));
        _mm256_storeu_si256((__m256i *)(columns + m), j);
        _mm512_storeu_si512(counts + m, _mm512_maskz_compress_epi64(bits, x));
        _mm512_storeu_si512(sums + 8 * half, _mm512_setzero_si512());
        m += __builtin_popcount(bits);
    }
    return m;
}

AVX512 static int64_t harvest_narrow_avx512(fe_cooc_sums *s, int32_t *columns, int64_t *counts) {
    HARVEST(uint32_t, s->narrow, collect_narrow_avx512);
}

AVX512 static int64_t harvest_wide_avx512(fe_cooc_sums *s, int32_t *columns, int64_t *counts) {
    HARVEST(uint64_t, s->wide, collect_wide_avx512);
}
#endif

int fe_cooc_has_avx512(void) {
#ifdef HAVE_AVX512
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl");
#else
    return 0;
#endif
}

static int64_t harvest(fe_cooc_sums *s, int narrow, int32_t *columns, int64_t *counts) {
#ifdef HAVE_AVX512
    if (s->avx512) return (narrow ? harvest_narrow_avx512 : harvest_wide_avx512)(s, columns, counts);
#endif
    return (narrow ? harvest_narrow : harvest_wide)(s, columns, counts);
}

void fe_cooc_clear(fe_cooc_sums *s) {
    memset(s->narrow, 0, (size_t)(s->v + FE_COOC_GROUP) * sizeof *s->narrow);
    memset(s->wide, 0, (size_t)(s->v + FE_COOC_GROUP) * sizeof *s->wide);
    memset(s->mark, 0, (size_t)fe_cooc_marks(s->v));
}

int64_t fe_cooc_harvest(fe_cooc_sums *s, int32_t *columns, int64_t *counts) { return harvest(s, 0, columns, counts); }

int64_t fe_cooc_rows(const fe_cooc_job *job, fe_cooc_sums *sums, int64_t lo, int64_t hi, int32_t *columns,
                     int64_t *counts, int64_t *nnz, const volatile int *stop) {
    int64_t n = 0;
    for (int64_t i = lo; i < hi; i++) {
        int64_t first = job->start[i], last = job->start[i + 1], m = 0;
        if (last > first) {
            uint64_t bound; /* of any sum of the row */
            int narrow = !fe_mul_overflow((uint64_t)(last - first), (uint64_t)job->most, &bound) && bound < (1ull << 32);
            int done = (narrow ? add_narrow : add_wide)(job, sums, first, last, stop);
            if (!done) {
                fe_cooc_clear(sums);
                return -1;
            }
            m = harvest(sums, narrow, columns + n, counts + n);
        }
        nnz[i - lo] = m;
        n += m;
    }
    return n;
}

FE_INLINE uint8_t *put(uint8_t *out, uint64_t x) {
    while (x >= 0x80) {
        *out++ = (uint8_t)(x | 0x80);
        x >>= 7;
    }
    *out++ = (uint8_t)x;
    return out;
}

/* NULL when the bytes end too early or the number has more than 64 bits. */
FE_INLINE const uint8_t *get(const uint8_t *at, const uint8_t *end, uint64_t *x) {
    uint64_t value = 0;
    for (int shift = 0; at < end && shift < 64; shift += 7) {
        uint8_t byte = *at++;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *x = value;
            return at;
        }
    }
    return NULL;
}

int64_t fe_cooc_encode(const int32_t *columns, const int64_t *counts, const int64_t *nnz, int64_t rows, uint8_t *out) {
    uint8_t *at = out;
    for (int64_t i = 0; i < rows; i++) {
        at = put(at, (uint64_t)nnz[i]);
        int64_t before = -1;
        for (int64_t k = 0; k < nnz[i]; k++) {
            at = put(at, (uint64_t)(*columns - before - 1));
            at = put(at, (uint64_t)*counts);
            before = *columns++;
            counts++;
        }
    }
    return at - out;
}

fe_status fe_cooc_add_run(fe_cooc_sums *s, const uint8_t **from, const uint8_t *end) {
    const uint8_t *at = *from;
    uint64_t n, step, count, high = 0, v = (uint64_t)s->v, j = (uint64_t)-1;
    uint64_t *restrict sums = s->wide;
    uint8_t *restrict mark = s->mark;
    if (!(at = get(at, end, &n)) || n > v) return FE_BADINPUT;
    for (; n; n--) {
        if (!(at = get(at, end, &step)) || !(at = get(at, end, &count)) || step >= v) return FE_BADINPUT;
        j += step + 1;
        if (j >= v || count >> 63) return FE_BADINPUT;
        sums[j] += count; /* both below 2^63: the sum does not wrap around */
        high |= sums[j];
        mark[j / FE_COOC_GROUP] = 1;
    }
    *from = at;
    return high >> 63 ? FE_OVERFLOW : FE_OK;
}

fe_status fe_cooc_add_cells(fe_cooc_sums *s, const int32_t *columns, const int64_t *counts, int64_t n,
                            const int32_t *map) {
    uint64_t high = 0;
    for (int64_t k = 0; k < n; k++) {
        int64_t j = map ? map[columns[k]] : columns[k];
        if (j < 0) continue;
        s->wide[j] += (uint64_t)counts[k];
        high |= s->wide[j];
        s->mark[j / FE_COOC_GROUP] = 1;
    }
    return high >> 63 ? FE_OVERFLOW : FE_OK;
}

fe_status fe_cooc_merge(fe_cooc_sums *s, const uint8_t **at, const uint8_t *const *end, int64_t runs, int64_t rows,
                        int32_t *columns, int64_t *counts, int64_t *nnz, int64_t *cells, const volatile int *stop) {
    int64_t n = 0;
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t r = 0; r < runs; r++) {
            fe_status status = fe_cooc_add_run(s, &at[r], end[r]);
            if (status != FE_OK) return status;
        }
        nnz[i] = harvest(s, 0, columns + n, counts + n);
        n += nnz[i];
        if (*stop) return FE_STOPPED;
    }
    for (int64_t r = 0; r < runs; r++)
        if (at[r] != end[r]) return FE_BADINPUT;
    *cells = n;
    return FE_OK;
}

int fe_cooc_check(int64_t v, const int64_t *indptr, int64_t rows, const int32_t *columns, const int64_t *counts) {
    int64_t base = indptr[0];
    for (int64_t i = 0; i < rows; i++) {
        int64_t before = -1;
        for (int64_t k = indptr[i] - base; k < indptr[i + 1] - base; k++) {
            if (columns[k] < 0 || columns[k] >= v) return 1;
            if (columns[k] <= before) return 2;
            if (counts[k] < 1) return 3;
            before = columns[k];
        }
    }
    return 0;
}

void *fe_cooc_alloc(int64_t bytes) {
#ifdef __linux__
    void *p = NULL;
    const size_t page = (size_t)1 << 21;
    if (bytes < (int64_t)(4 * page)) return malloc((size_t)bytes);
    if (posix_memalign(&p, page, ((size_t)bytes + page - 1) & ~(page - 1))) return NULL;
    (void)madvise(p, (size_t)bytes, MADV_HUGEPAGE);
    return p;
#else
    return malloc((size_t)bytes);
#endif
}
