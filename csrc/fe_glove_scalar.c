/* Plain C: the reference of the other three and the fallback of every machine. */
#define FE_VW 1
#define FE_GLOVE_FN(name) name##_scalar
#include "fe_glove.inc.h"
