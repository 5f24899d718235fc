/* AArch64, where NEON is always there. Empty elsewhere. */
#include "fe_common.h"
#if defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__))
#define FE_VW 4
#define FE_FN fe_spmm_neon
#include "fe_spmm.inc.h"
#endif
