#include "fe_dispatch.h"

int fe_isas_usable(fe_isa out[FE_ISA_MOST]) {
    int n = 0;
    out[n++] = (fe_isa){"scalar", 1, fe_train_scalar};
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
    /* these builtins read CPUID and XGETBV: a CPU whose system does not save the registers counts as not having them */
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        out[n++] = (fe_isa){"avx2", 8, fe_train_avx2};
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
            __builtin_cpu_supports("avx512vl"))
            out[n++] = (fe_isa){"avx512", 16, fe_train_avx512};
    }
#elif defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__))
    out[n++] = (fe_isa){"neon", 4, fe_train_neon};
#endif
    return n;
}
