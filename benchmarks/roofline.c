/* What one core can do at most: single-precision fused multiply-adds a second, by vector width.
 *
 *     cc -O2 roofline.c -o roofline && ./roofline        (roofline.py does it)
 *
 * Each loop keeps 12 independent accumulators in registers: a core with two FMA units of 4 cycles latency needs 8 to
 * keep both busy, and AVX2 has 16 registers. Nothing is read from memory. Time is the process's CPU clock, so that a
 * busy neighbour costs little; the best of several repetitions counts, since disturbance can only make one slower.
 * Prints one JSON object.
 */
#define _POSIX_C_SOURCE 199309L
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define ACCUMULATORS 12
#define LOOPS 1000000 /* about 3 to 6 ms */
#define REPEATS 40

static volatile float sink; /* results go here, so that no loop is dropped */

static double cpu_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* x[k] = x[k] * a + b, LOOPS times for each k. Without -ffast-math no compiler may fold or reorder the additions. */
#define FMA_LOOP(NAME, ATTRIBUTE, VECTOR, SET1, FMADD, STORE, LANES)                                   \
    ATTRIBUTE static void NAME(float start) {                                                          \
        VECTOR x0 = SET1(start), x1 = x0, x2 = x0, x3 = x0, x4 = x0, x5 = x0;                          \
        VECTOR x6 = SET1(-start), x7 = x6, x8 = x6, x9 = x6, x10 = x6, x11 = x6;                       \
        const VECTOR a = SET1(0.999f), b = SET1(0.001f);                                               \
        float out[LANES];                                                                              \
        /* equal start values: hide that, or the chains would be merged */                             \
        OPAQUE(x0); OPAQUE(x1); OPAQUE(x2); OPAQUE(x3); OPAQUE(x4); OPAQUE(x5);                        \
        OPAQUE(x6); OPAQUE(x7); OPAQUE(x8); OPAQUE(x9); OPAQUE(x10); OPAQUE(x11);                      \
        for (int n = 0; n < LOOPS; n++) {                                                              \
            x0 = FMADD(x0, a, b), x1 = FMADD(x1, a, b), x2 = FMADD(x2, a, b), x3 = FMADD(x3, a, b);    \
            x4 = FMADD(x4, a, b), x5 = FMADD(x5, a, b), x6 = FMADD(x6, a, b), x7 = FMADD(x7, a, b);    \
            x8 = FMADD(x8, a, b), x9 = FMADD(x9, a, b), x10 = FMADD(x10, a, b), x11 = FMADD(x11, a, b); \
        }                                                                                              \
        x0 = FMADD(x0, x1, FMADD(x2, x3, FMADD(x4, x5, FMADD(x6, x7, FMADD(x8, x9, FMADD(x10, x11, b)))))); \
        STORE(out, x0);                                                                                \
        sink = out[0];                                                                                 \
    }

static double gflops(void (*loop)(float), int lanes) {
    double best = 1e30;
    for (int r = 0; r < REPEATS; r++) {
        const double begin = cpu_seconds();
        loop(0.5f);
        const double spent = cpu_seconds() - begin;
        if (spent < best) best = spent;
    }
    return 2.0 * lanes * ACCUMULATORS * LOOPS / best * 1e-9;
}

#if defined(__x86_64__)
#include <immintrin.h>
#define OPAQUE(x) __asm__ volatile("" : "+v"(x))
FMA_LOOP(fma512, __attribute__((target("avx512f"), noinline)), __m512, _mm512_set1_ps, _mm512_fmadd_ps,
         _mm512_storeu_ps, 16)
#undef OPAQUE
#define OPAQUE(x) __asm__ volatile("" : "+x"(x))
FMA_LOOP(fma256, __attribute__((target("avx2,fma"), noinline)), __m256, _mm256_set1_ps, _mm256_fmadd_ps,
         _mm256_storeu_ps, 8)
#elif defined(__aarch64__)
#include <arm_neon.h>
#define OPAQUE(x) __asm__ volatile("" : "+w"(x))
#define NEON_FMADD(x, a, b) vfmaq_f32(b, x, a)
FMA_LOOP(fma128, __attribute__((noinline)), float32x4_t, vdupq_n_f32, NEON_FMADD, vst1q_f32, 4)
#endif

int main(void) {
    const char *comma = "";
    printf("{");
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) printf("\"avx512\": %.1f", gflops(fma512, 16)), comma = ", ";
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) printf("%s\"avx2\": %.1f", comma, gflops(fma256, 8));
#elif defined(__aarch64__)
    printf("\"neon\": %.1f", gflops(fma128, 4));
#endif
    (void)comma;
    printf("}\n");
    return 0;
}
