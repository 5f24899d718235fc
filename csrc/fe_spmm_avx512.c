/* x86-64 with AVX-512 F, BW, DQ, VL (2017 on). Empty elsewhere. */
#include "fe_common.h"
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")
#endif
#define FE_VW 16
#define FE_FN fe_spmm_avx512
#include "fe_spmm.inc.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
