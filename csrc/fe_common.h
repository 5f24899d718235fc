/* Shared by every family: status codes, checked arithmetic, inlining. No Python.h anywhere in csrc. */
#ifndef FE_COMMON_H
#define FE_COMMON_H

#include <stddef.h>
#include <stdint.h>

/* What every fallible fe_* function returns; the .pyx maps it to an exception. */
typedef enum fe_status {
    FE_OK = 0,
    FE_NOMEM = 1,     /* an allocation failed; nothing was changed                 */
    FE_OVERFLOW = 2,  /* a product or sum would not fit in 64 bits                 */
    FE_STOPPED = 3,   /* the stop flag was seen                                    */
    FE_NONFINITE = 4, /* NaN or Inf in the weights or the loss                     */
    FE_BADINPUT = 5   /* the bytes are not what they claim to be                   */
} fe_status;

#if defined(__GNUC__) || defined(__clang__)
#define FE_INLINE static inline __attribute__((always_inline))
#define FE_NOINLINE __attribute__((noinline))
#define FE_LIKELY(x) __builtin_expect(!!(x), 1)
#define FE_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define FE_PREFETCH(p) __builtin_prefetch((p), 0, 3)
#define FE_ALIGN64 __attribute__((aligned(64)))
#else
#define FE_INLINE static __forceinline
#define FE_NOINLINE
#define FE_LIKELY(x) (x)
#define FE_UNLIKELY(x) (x)
#define FE_PREFETCH(p) ((void)(p))
#define FE_ALIGN64 __declspec(align(64))
#endif

/* a * b into *out; nonzero when it does not fit. Sizes from files and users go through these before any allocation. */
FE_INLINE int fe_mul_overflow(uint64_t a, uint64_t b, uint64_t *out) {
    *out = a * b;
    return b != 0 && *out / b != a;
}

FE_INLINE int fe_add_overflow(uint64_t a, uint64_t b, uint64_t *out) {
    *out = a + b;
    return *out < a;
}

#endif
