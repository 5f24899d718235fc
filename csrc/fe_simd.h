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

/* out[i] = sum of the lanes of v[i], i < count. Writes whole vectors: up to FE_VW - 1 floats past out + count. */
#if FE_VW == 16
FE_INLINE void vf_reduce(const vf *v, int count, float *out) {
#pragma GCC unroll 4
    for (int g = 0; g < count; g += 16) {
        __m512 a[8], b[4];
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) {
            int k = g + 2 * i;
            __m512 x = k < count ? (__m512)v[k] : _mm512_setzero_ps();
            __m512 y = k + 1 < count ? (__m512)v[k + 1] : _mm512_setzero_ps();
            a[i] = _mm512_add_ps(_mm512_unpacklo_ps(x, y), _mm512_unpackhi_ps(x, y));
        }
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            __m512d x = _mm512_castps_pd(a[2 * i]), y = _mm512_castps_pd(a[2 * i + 1]);
            b[i] = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(x, y)), _mm512_castpd_ps(_mm512_unpackhi_pd(x, y)));
        }
        __m512 c0 = _mm512_add_ps(_mm512_shuffle_f32x4(b[0], b[1], 0x88), _mm512_shuffle_f32x4(b[0], b[1], 0xDD));
        __m512 c1 = _mm512_add_ps(_mm512_shuffle_f32x4(b[2], b[3], 0x88), _mm512_shuffle_f32x4(b[2], b[3], 0xDD));
        _mm512_storeu_ps(out + g, _mm512_add_ps(_mm512_shuffle_f32x4(c0, c1, 0x88), _mm512_shuffle_f32x4(c0, c1, 0xDD)));
    }
}
#elif FE_VW == 8
FE_INLINE void vf_reduce(const vf *v, int count, float *out) {
#pragma GCC unroll 4
    for (int g = 0; g < count; g += 8) {
        __m256 a[4], b[2];
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            int k = g + 2 * i;
            __m256 x = k < count ? (__m256)v[k] : _mm256_setzero_ps();
            __m256 y = k + 1 < count ? (__m256)v[k + 1] : _mm256_setzero_ps();
            a[i] = _mm256_add_ps(_mm256_unpacklo_ps(x, y), _mm256_unpackhi_ps(x, y));
        }
#pragma GCC unroll 2
        for (int i = 0; i < 2; i++) {
            __m256d x = _mm256_castps_pd(a[2 * i]), y = _mm256_castps_pd(a[2 * i + 1]);
            b[i] = _mm256_add_ps(_mm256_castpd_ps(_mm256_unpacklo_pd(x, y)), _mm256_castpd_ps(_mm256_unpackhi_pd(x, y)));
        }
        _mm256_storeu_ps(out + g,
                         _mm256_add_ps(_mm256_permute2f128_ps(b[0], b[1], 0x20), _mm256_permute2f128_ps(b[0], b[1], 0x31)));
    }
}
#elif FE_VW == 4 && defined(__aarch64__)
FE_INLINE void vf_reduce(const vf *v, int count, float *out) {
    for (int g = 0; g < count; g += 4) {
        float32x4_t z = vdupq_n_f32(0.0f);
        float32x4_t a = (float32x4_t)v[g], b = g + 1 < count ? (float32x4_t)v[g + 1] : z;
        float32x4_t c = g + 2 < count ? (float32x4_t)v[g + 2] : z, d = g + 3 < count ? (float32x4_t)v[g + 3] : z;
        vst1q_f32(out + g, vpaddq_f32(vpaddq_f32(a, b), vpaddq_f32(c, d)));
    }
}
#else
FE_INLINE void vf_reduce(const vf *v, int count, float *out) {
    for (int i = 0; i < count; i++) out[i] = vf_sum(v[i]);
}
#endif

#endif
