/* AArch64, where NEON is always there. Empty elsewhere. */
#include "fe_common.h"
#if defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__))
#define FE_VW 4
#define FE_GLOVE_FN(name) name##_neon
#include "fe_glove.inc.h"
#endif
