#include "fe_tokens.h"

#include <string.h>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#define HAVE_X86 1
#elif defined(__aarch64__)
#include <arm_neon.h>
#define HAVE_NEON 1
#endif

/* Of a zero mask any value will do: the caller overwrites it. tzcnt gives 64, bsf leaves rubbish, neither traps. */
FE_INLINE int fe_ctz64(uint64_t x) {
#ifdef FE_DEBUG
    return x ? __builtin_ctzll(x) : 0;
#elif defined(HAVE_X86) && defined(__GNUC__)
    uint64_t r; /* the builtin's result for 0 is undefined to the optimiser; the instruction's is not */
    __asm__("rep bsf %1, %0" : "=r"(r) : "r"(x) : "cc");
    return (int)r;
#else
    return x ? __builtin_ctzll(x) : 0;
#endif
}

/* ---- one classifier per instruction set ---- */

/* Eight bytes at a time. For b = byte ^ c, the high bit of ((b & 0x7f..) + 0x7f..) | b is clear exactly when b == 0: no
   carry crosses bytes. */
FE_INLINE uint64_t swar_nonzero(uint64_t b) {
    const uint64_t low = 0x7f7f7f7f7f7f7f7fULL;
    return ((b & low) + low) | b;
}

FE_INLINE uint64_t swar_bits(uint64_t high) { /* the 8 high bits gathered into a byte, first byte in memory first */
    return ((high >> 7) * 0x0102040810204080ULL) >> 56;
}

FE_INLINE void classify_scalar(const uint8_t *p, uint64_t *sep, uint64_t *newline) {
    const uint64_t ones = 0x0101010101010101ULL, high = ones * 0x80, low = ones * 0x7f;
    uint64_t s = 0, l = 0;
    for (int i = 0; i < 8; i++) {
        uint64_t w = 0;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        for (int j = 7; j >= 0; j--)
            w = w << 8 | p[8 * i + j];
#else
        memcpy(&w, p + 8 * i, 8);
#endif
        uint64_t lf = ~swar_nonzero(w ^ ones * '\n') & high;
        uint64_t blank = ~swar_nonzero(w ^ ones * ' ') & high;
        /* 9 <= byte <= 13: adding 0x7f - 8 sets the high bit from 9 on, adding 0x7f - 13 from 14 on; bytes >= 0x80 are
           excluded by ~w */
        uint64_t from9 = (w & low) + ones * (0x7f - 8), from14 = (w & low) + ones * (0x7f - 13);
        uint64_t control = from9 & ~from14 & ~w & high;
        s |= swar_bits(blank | control) << (8 * i);
        l |= swar_bits(lf) << (8 * i);
    }
    *sep = s;
    *newline = l;
}

#define SCAN_NAME scan_scalar
#define SCAN_TARGET
#define SCAN_CLASSIFY classify_scalar
#include "fe_tokens_scan.inc.h"

#ifdef HAVE_X86

FE_INLINE void classify_sse2(const uint8_t *p, uint64_t *sep, uint64_t *newline) {
    uint64_t s = 0, l = 0;
    for (int i = 0; i < 4; i++) {
        __m128i v = _mm_loadu_si128((const __m128i *)(p + 16 * i));
        __m128i up = _mm_sub_epi8(v, _mm_set1_epi8(9));
        __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(up, _mm_set1_epi8(4)), up);
        __m128i any = _mm_or_si128(control, _mm_cmpeq_epi8(v, _mm_set1_epi8(' ')));
        s |= (uint64_t)(uint32_t)_mm_movemask_epi8(any) << (16 * i);
        l |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8('\n'))) << (16 * i);
    }
    *sep = s;
    *newline = l;
}

#define SCAN_NAME scan_sse2
#define SCAN_TARGET
#define SCAN_CLASSIFY classify_sse2
#include "fe_tokens_scan.inc.h"

#if defined(__GNUC__) || defined(__clang__)
#define AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt,lzcnt")))

AVX2 FE_INLINE void classify_avx2(const uint8_t *p, uint64_t *sep, uint64_t *newline) {
    /* A byte is a separator when it equals the table's entry for its low nibble; pshufb gives 0 for bytes >= 0x80,
       which equals none of them. */
    const __m256i table = _mm256_setr_epi8(' ', -1, -1, -1, -1, -1, -1, -1, -1, 9, 10, 11, 12, 13, -1, -1,
                                           ' ', -1, -1, -1, -1, -1, -1, -1, -1, 9, 10, 11, 12, 13, -1, -1);
    const __m256i lf = _mm256_set1_epi8('\n');
    __m256i a = _mm256_loadu_si256((const __m256i *)p), b = _mm256_loadu_si256((const __m256i *)(p + 32));
    uint32_t sa = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_shuffle_epi8(table, a), a));
    uint32_t sb = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_shuffle_epi8(table, b), b));
    uint32_t la = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, lf));
    uint32_t lb = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(b, lf));
    *sep = (uint64_t)sb << 32 | sa;
    *newline = (uint64_t)lb << 32 | la;
}

#define SCAN_NAME scan_avx2
#define SCAN_TARGET AVX2
#define SCAN_CLASSIFY classify_avx2
#include "fe_tokens_scan.inc.h"

#define HAVE_AVX 1
#endif
#endif /* HAVE_X86 */

#ifdef HAVE_NEON
FE_INLINE uint64_t neon_mask(uint8x16_t a, uint8x16_t b, uint8x16_t c, uint8x16_t d) { /* 4 comparisons -> 64 bits */
    const uint8_t weights[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    const uint8x16_t w = vld1q_u8(weights);
    uint8x16_t ab = vpaddq_u8(vandq_u8(a, w), vandq_u8(b, w)), cd = vpaddq_u8(vandq_u8(c, w), vandq_u8(d, w));
    uint8x16_t sum = vpaddq_u8(ab, cd);
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(sum, sum)), 0);
}

FE_INLINE uint8x16_t neon_sep(uint8x16_t v) {
    return vorrq_u8(vceqq_u8(v, vdupq_n_u8(' ')), vcleq_u8(vsubq_u8(v, vdupq_n_u8(9)), vdupq_n_u8(4)));
}

FE_INLINE void classify_neon(const uint8_t *p, uint64_t *sep, uint64_t *newline) {
    const uint8x16_t lf = vdupq_n_u8('\n');
    uint8x16_t a = vld1q_u8(p), b = vld1q_u8(p + 16), c = vld1q_u8(p + 32), d = vld1q_u8(p + 48);
    *sep = neon_mask(neon_sep(a), neon_sep(b), neon_sep(c), neon_sep(d));
    *newline = neon_mask(vceqq_u8(a, lf), vceqq_u8(b, lf), vceqq_u8(c, lf), vceqq_u8(d, lf));
}

#define SCAN_NAME scan_neon
#define SCAN_TARGET
#define SCAN_CLASSIFY classify_neon
#include "fe_tokens_scan.inc.h"
#endif

/* ---- choice at run time ---- */

enum { VERSIONS = 4 };
static const char *const NAMES[VERSIONS] = {"avx2", "sse2", "neon", "scalar"};

static fe_scan_fn version(int i) {
    switch (i) {
#ifdef HAVE_AVX
    case 0:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") ? scan_avx2 : NULL;
#endif
#ifdef HAVE_X86
    case 1:
        return scan_sse2;
#endif
#ifdef HAVE_NEON
    case 2:
        return scan_neon;
#endif
    case 3:
        return scan_scalar;
    default:
        return NULL;
    }
}

const char *const *fe_scan_names(void) {
    static _Thread_local const char *names[VERSIONS + 1];
    int n = 0;
    for (int i = 0; i < VERSIONS; i++)
        if (version(i))
            names[n++] = NAMES[i];
    names[n] = NULL;
    return names;
}

fe_scan_fn fe_scan_get(const char *name) {
    for (int i = 0; i < VERSIONS; i++)
        if (version(i) && (!name || strcmp(name, NAMES[i]) == 0))
            return version(i);
    return NULL;
}

/* ---- small helpers ---- */

int fe_utf8_valid(const uint8_t *p, size_t n) {
    size_t i = 0;
    while (i < n) {
        uint8_t c = p[i++];
        if (c < 0x80)
            continue;
        int more;
        uint32_t code, least;
        if (c >= 0xc2 && c <= 0xdf)
            more = 1, code = c & 0x1f, least = 0x80;
        else if ((c & 0xf0) == 0xe0)
            more = 2, code = c & 0x0f, least = 0x800;
        else if (c >= 0xf0 && c <= 0xf4)
            more = 3, code = c & 0x07, least = 0x10000;
        else
            return 0;
        if (n - i < (size_t)more)
            return 0;
        for (; more; more--, i++) {
            if ((p[i] & 0xc0) != 0x80)
                return 0;
            code = code << 6 | (p[i] & 0x3f);
        }
        if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
            return 0;
    }
    return 1;
}

FE_INLINE int is_separator(uint8_t c) {
    return c == ' ' || (uint8_t)(c - 9) <= 4;
}

int64_t fe_find_separator(const uint8_t *text, int64_t lo, int64_t hi) {
    while (lo < hi && !is_separator(text[lo]))
        lo++;
    return lo;
}

int64_t fe_after_last_separator(const uint8_t *text, int64_t lo, int64_t hi) {
    while (hi > lo && !is_separator(text[hi - 1]))
        hi--;
    return hi;
}

int64_t fe_utf8_encode(const void *points, int kind, int64_t n, uint8_t *out) {
    uint8_t *p = out;
    for (int64_t i = 0; i < n; i++) {
        uint32_t c = kind == 1   ? ((const uint8_t *)points)[i]
                     : kind == 2 ? ((const uint16_t *)points)[i]
                                 : ((const uint32_t *)points)[i];
        if (c < 0x80) {
            *p++ = (uint8_t)c;
        } else if (c < 0x800) {
            *p++ = (uint8_t)(0xc0 | c >> 6);
            *p++ = (uint8_t)(0x80 | (c & 0x3f));
        } else if (c >= 0xdc80 && c <= 0xdcff) {
            *p++ = (uint8_t)c;
        } else if (c < 0x10000) {
            *p++ = (uint8_t)(0xe0 | c >> 12);
            *p++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
            *p++ = (uint8_t)(0x80 | (c & 0x3f));
        } else {
            *p++ = (uint8_t)(0xf0 | c >> 18);
            *p++ = (uint8_t)(0x80 | (c >> 12 & 0x3f));
            *p++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
            *p++ = (uint8_t)(0x80 | (c & 0x3f));
        }
    }
    return p - out;
}

int64_t fe_split_ends(const uint32_t *ends, int64_t n, int64_t n_tokens, int64_t max_len, int64_t *open,
                      uint32_t *out) {
    int64_t start = -*open; /* where the open sentence began, seen from this block */
    int64_t k = 0;
    for (int64_t i = 0; i <= n; i++) {
        int64_t end = i < n ? (int64_t)ends[i] : n_tokens;
        while (end - start > max_len) {
            start += max_len;
            out[k++] = (uint32_t)start;
        }
        if (i < n) {
            out[k++] = ends[i];
            start = end;
        }
    }
    *open = n_tokens - start;
    return k;
}
