/* Plain C: the reference of the other three and the fallback of every machine. */
#define FE_VW 1
#define FE_FN fe_spmm_scalar
#include "fe_spmm.inc.h"
