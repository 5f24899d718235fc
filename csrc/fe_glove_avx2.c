/* x86-64 with AVX2 and FMA (2013 on). Empty elsewhere. */
#include "fe_common.h"
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#define FE_VW 8
#define FE_GLOVE_FN(name) name##_avx2
#include "fe_glove.inc.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
