/* Vectors of FE_VW floats for one instruction set. The arithmetic is written with the compiler's vector types (a * b + c
 * contracts to a fused multiply-add where there is one), so one body serves every instruction set; only the reduction of
 * several vectors to their sums is written per instruction set.
 *
 * Included by fe_kernel.inc.h after FE_VW is set and the target is switched. */
#ifndef FE_SIMD_H
#define FE_SIMD_H

#include <math.h>

#include "fe_common.h"

#if FE_VW > 1 && (defined(__x86_64__) || defined(__i386__))
#include <immintrin.h>
#elif FE_VW > 1 && defined(__aarch64__)
#include <arm_neon.h>
#endif

#if FE_VW > 1
typedef float vf __attribute__((vector_size(4 * FE_VW)));
typedef int32_t vi __attribute__((vector_size(4 * FE_VW)));
typedef float vf_memory __attribute__((vector_size(4 * FE_VW), aligned(4), may_alias));
#else
typedef float vf;
typedef int32_t vi;
typedef float vf_memory;
#endif

/* All accesses to the rows that hogwild workers share go through these two. The product build loads a vector once, computes
 * on registers and stores once; under ThreadSanitizer they are relaxed atomics (which do not vectorise: 4 to 7 times slower). */
#if defined(__SANITIZE_THREAD__)
#define FE_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FE_TSAN 1
#endif
#endif

FE_INLINE vf vf_load(const float *p) {
#ifdef FE_TSAN
    vf v;
    for (int i = 0; i < FE_VW; i++) __atomic_load((float *)p + i, (float *)&v + i, __ATOMIC_RELAXED);
    return v;
#else
    return *(const vf_memory *)p;
#endif
}

FE_INLINE void vf_store(float *p, vf v) {
#ifdef FE_TSAN
    for (int i = 0; i < FE_VW; i++) __atomic_store(p + i, (float *)&v + i, __ATOMIC_RELAXED);
#else
    *(vf_memory *)p = v;
#endif
}

FE_INLINE vi vf_bits(vf v) {
    vi out;
    __builtin_memcpy(&out, &v, sizeof out);
    return out;
}

FE_INLINE vf vf_from_bits(vi v) {
    vf out;
    __builtin_memcpy(&out, &v, sizeof out);
    return out;
}

FE_INLINE vf vf_zero(void) {
#if FE_VW > 1
    return (vf){0};
#else
    return 0.0f;
#endif
}

FE_INLINE float vf_sum(vf v) {
#if FE_VW > 1
    float total = 0.0f;
    for (int i = 0; i < FE_VW; i++) total += v[i];
    return total;
#else
    return v;
#endif
}

/* Clamps to [-limit, limit]; NaN stays NaN, so that divergence is seen and not hidden. */
FE_INLINE vf vf_clamp(vf x, float limit) {
#if FE_VW > 1
    vf low = vf_zero() - limit, high = vf_zero() + limit;
    vi below = (vi)(x < low), above = (vi)(x > high);
    vi bits = (vf_bits(low) & below) | (vf_bits(high) & above) | (vf_bits(x) & ~(below | above));
    return vf_from_bits(bits);
#else
    return x < -limit ? -limit : (x > limit ? limit : x);
#endif
}

/* exp for |x| <= 80: 2^n times a polynomial on [-ln2 / 2, ln2 / 2], relative error below 5e-7 (least squares on Chebyshev
 * nodes; a fused multiply-add makes one step of range reduction enough). */
FE_INLINE vf vf_exp(vf x) {
    const float magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer that stands in the low bits */
    vf t = x * 1.44269504f + magic;
    vf n = t - magic;
    vf r = x - n * 0.693147181f;
    vf p = r * 8.368792436e-3f + 4.187315433e-2f;
    p = p * r + 1.666652641e-1f;
    p = p * r + 4.999951271e-1f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
#if FE_VW > 1
    return vf_from_bits(vf_bits(p) + (vf_bits(t) << 23));
#else
    return vf_from_bits((vi)((uint32_t)vf_bits(p) + ((uint32_t)vf_bits(t) << 23)));
#endif
}

/* 1 / x to within 2 units in the last place: estimate and Newton steps where the CPU has an estimate, which is several times
 * cheaper than its division. */
FE_INLINE vf vf_reciprocal(vf x) {
#if FE_VW == 16
    vf r = (vf)_mm512_rcp14_ps((__m512)x);
    return r + r * (1.0f - x * r);
#elif FE_VW == 8
    vf r = (vf)_mm256_rcp_ps((__m256)x);
    return r + r * (1.0f - x * r);
#else
    return 1.0f / x;
#endif
}

/* 1 / sqrt(x) of positive normal numbers, from the CPU's estimate: relative error 2^-14 (AVX-512), 2^-21 and better elsewhere. */
FE_INLINE vf vf_rsqrt(vf x) {
#if FE_VW == 16
    return (vf)_mm512_rsqrt14_ps((__m512)x);
#elif FE_VW == 8
    vf r = (vf)_mm256_rsqrt_ps((__m256)x);
    return r * (1.5f - 0.5f * x * r * r);
#elif FE_VW == 4 && defined(__aarch64__)
    float32x4_t v = (float32x4_t)x, r = vrsqrteq_f32(v);
    for (int i = 0; i < 2; i++) r = vmulq_f32(r, vrsqrtsq_f32(vmulq_f32(v, r), r));
    return (vf)r;
#else
    return 1.0f / sqrtf(x);
#endif
}

/* The smaller of each number and `limit`; NaN stays NaN. */
FE_INLINE vf vf_least(vf x, float limit) {
#if FE_VW > 1
    vf top = vf_zero() + limit;
    vi above = (vi)(x > top);
    return vf_from_bits((vf_bits(top) & above) | (vf_bits(x) & ~above));
#else
    return x > limit ? limit : x;
#endif
}

/* Sum of the lanes, in a tree. */
FE_INLINE float vf_hsum(vf v) {
#if FE_VW == 16
    __m256 x = _mm256_add_ps(_mm512_castps512_ps256((__m512)v), _mm512_extractf32x8_ps((__m512)v, 1));
#elif FE_VW == 8
    __m256 x = (__m256)v;
#endif
#if FE_VW >= 8
    __m128 y = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    y = _mm_add_ps(y, _mm_movehl_ps(y, y));
    return _mm_cvtss_f32(_mm_add_ss(y, _mm_shuffle_ps(y, y, 1)));
#elif FE_VW == 4 && defined(__aarch64__)
    return vaddvq_f32((float32x4_t)v);
#else
    return vf_sum(v);
#endif
}

FE_INLINE vi vi_load(const int32_t *p) {
    vi v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}

/* Natural logarithm of normal positive numbers: exponent plus a polynomial on [sqrt(1/2), sqrt(2)], absolute error below 6e-7
 * (least squares on Chebyshev nodes). */
FE_INLINE vf vf_log(vf x) {
    vi bits = vf_bits(x);
    vi e = (bits - 0x3F3504F3) >> 23;
#if FE_VW > 1
    vf m = vf_from_bits(bits - (e << 23));
    vf ef = __builtin_convertvector(e, vf);
#else
    vf m = vf_from_bits((vi)((uint32_t)bits - ((uint32_t)e << 23)));
    vf ef = (float)e;
#endif
    m -= 1.0f;
    vf p = m * 1.219349810e-1f - 1.908028258e-1f;
    p = p * m + 2.054924407e-1f;
    p = p * m - 2.486120561e-1f;
    p = p * m + 3.330798150e-1f;
    p = p * m - 5.000236288e-1f;
    p = p * m + 1.000001679f;
    return p * m + ef * 0.693147181f;
}

/* Sums of the lanes of a tile's accumulators: v[4 n + m] for n < nt outputs and m < mt inputs, 4 or 2. Sum 4 n + m is lane
 * (4 n + m) % FE_VW of vector (4 n + m) / FE_VW of `out`. The lanes of inputs mt .. 3 hold anything finite sums can hold, those
 * of outputs past nt in the last vector are zero. */
#if FE_VW == 16
FE_INLINE vf vf_pairs(vf x, vf y) { /* adjacent lanes: x01, y01, ... */
    __m512 a = (__m512)x, b = (__m512)y;
    return (vf)_mm512_unpacklo_ps(a, b) + (vf)_mm512_unpackhi_ps(a, b);
}
FE_INLINE vf vf_quads(vf x, vf y) {
    __m512d a = _mm512_castps_pd((__m512)x), b = _mm512_castps_pd((__m512)y);
    return (vf)_mm512_castpd_ps(_mm512_unpacklo_pd(a, b)) + (vf)_mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
}
FE_INLINE vf vf_lanes(vf x, vf y) { /* 128-bit lanes: x01, x23, y01, y23 */
    __m512 a = (__m512)x, b = (__m512)y;
    return (vf)_mm512_shuffle_f32x4(a, b, 0x88) + (vf)_mm512_shuffle_f32x4(a, b, 0xDD);
}
FE_INLINE void vf_reduce(const vf *v, const int mt, const int nt, vf *out) {
#pragma GCC unroll 2
    for (int from = 0; from < nt; from += 4) {
        vf a[4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            const int n = from + i;
            if (n >= nt) {
                a[i] = vf_zero();
                continue;
            }
            vf x = vf_pairs(v[4 * n], v[4 * n + 1]);
            a[i] = mt == 4 ? vf_quads(x, vf_pairs(v[4 * n + 2], v[4 * n + 3]))
                           : x + (vf)_mm512_permute_ps((__m512)x, 0x4E);
        }
        out[from / 4] = vf_lanes(vf_lanes(a[0], a[1]), from + 2 < nt ? vf_lanes(a[2], a[3]) : vf_zero());
    }
}
#elif FE_VW == 8
FE_INLINE vf vf_pairs(vf x, vf y) {
    __m256 a = (__m256)x, b = (__m256)y;
    return (vf)_mm256_unpacklo_ps(a, b) + (vf)_mm256_unpackhi_ps(a, b);
}
FE_INLINE void vf_reduce(const vf *v, const int mt, const int nt, vf *out) {
#pragma GCC unroll 2
    for (int from = 0; from < nt; from += 2) {
        __m256 a[2];
#pragma GCC unroll 2
        for (int i = 0; i < 2; i++) {
            const int n = from + i;
            if (n >= nt) {
                a[i] = _mm256_setzero_ps();
                continue;
            }
            __m256d x = _mm256_castps_pd((__m256)vf_pairs(v[4 * n], v[4 * n + 1])), y = x;
            if (mt == 4) y = _mm256_castps_pd((__m256)vf_pairs(v[4 * n + 2], v[4 * n + 3]));
            a[i] = _mm256_add_ps(_mm256_castpd_ps(_mm256_unpacklo_pd(x, y)), _mm256_castpd_ps(_mm256_unpackhi_pd(x, y)));
        }
        out[from / 2] = (vf)_mm256_permute2f128_ps(a[0], a[1], 0x20) + (vf)_mm256_permute2f128_ps(a[0], a[1], 0x31);
    }
}
#elif FE_VW == 4 && defined(__aarch64__)
FE_INLINE void vf_reduce(const vf *v, const int mt, const int nt, vf *out) {
    for (int n = 0; n < nt; n++) {
        float32x4_t x = vpaddq_f32((float32x4_t)v[4 * n], (float32x4_t)v[4 * n + 1]), y = x;
        if (mt == 4) y = vpaddq_f32((float32x4_t)v[4 * n + 2], (float32x4_t)v[4 * n + 3]);
        out[n] = (vf)vpaddq_f32(x, y);
    }
}
#else
FE_INLINE void vf_reduce(const vf *v, const int mt, const int nt, vf *out) {
    for (int n = 0; n < nt; n++)
        for (int m = 0; m < 4; m++) out[4 * n + m] = v[4 * n + (m < mt ? m : 0)];
}
#endif

/* out[i] = sum of the lanes of v[i], i < count. Writes whole vectors: up to FE_VW - 1 floats past out + count. */
FE_INLINE void vf_sums(const vf *v, int count, float *out) {
#if FE_VW == 1
    for (int i = 0; i < count; i++) out[i] = v[i];
#else
    for (int from = 0; from < count; from += FE_VW) {
        vf some[FE_VW], sums;
#pragma GCC unroll 16
        for (int i = 0; i < FE_VW; i++) some[i] = from + i < count ? v[from + i] : vf_zero();
        vf_reduce(some, 4, FE_VW / 4, &sums);
        vf_store(out + from, sums);
    }
#endif
}

/* Vectors over a tile of cells, FE_COLUMNS outputs x 4 inputs (the scalar build: one cell): a value for each input, or for each
 * output. */
#if FE_VW >= 4
enum { FE_COLUMNS = FE_VW / 4, FE_SPAN = 4 };
#else
enum { FE_COLUMNS = 1, FE_SPAN = 1 };
#endif

FE_INLINE vi vi_by_input(const int32_t *p) {
#if FE_VW == 16
    return (vi)_mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)p));
#elif FE_VW == 8
    return (vi)_mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)p));
#else
    return vi_load(p);
#endif
}

FE_INLINE vi vi_by_output(const int32_t *p) {
#if FE_VW == 16
    const __m512i index = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
    return (vi)_mm512_permutexvar_epi32(index, _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(const void *)p)));
#elif FE_VW == 8
    const __m256i index = _mm256_set_epi32(1, 1, 1, 1, 0, 0, 0, 0);
    return (vi)_mm256_permutevar8x32_epi32(_mm256_castsi128_si256(_mm_loadl_epi64((const __m128i *)(const void *)p)), index);
#else
    int32_t value;
    __builtin_memcpy(&value, p, sizeof value);
#if FE_VW == 1
    return value;
#else
    return (vi){0} + value;
#endif
#endif
}

FE_INLINE vf vf_by_input(const float *p) { return vf_from_bits(vi_by_input((const int32_t *)(const void *)p)); }
FE_INLINE vf vf_by_output(const float *p) { return vf_from_bits(vi_by_output((const int32_t *)(const void *)p)); }

#endif
