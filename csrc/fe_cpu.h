/* Which instruction sets this machine (CPU and operating system) can run: for families that dispatch by themselves. */
#ifndef FE_CPU_H
#define FE_CPU_H

#include "fe_common.h"

/* The builtins read CPUID and XGETBV: a CPU whose system does not save the registers counts as not having them. */
FE_INLINE int fe_cpu_avx2(void) {
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return 0;
#endif
}

FE_INLINE int fe_cpu_avx512(void) {
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
    return fe_cpu_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#else
    return 0;
#endif
}

#endif
