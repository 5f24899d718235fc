/* Which instruction sets this build holds and this machine (CPU and operating system) can run. */
#ifndef FE_DISPATCH_H
#define FE_DISPATCH_H

#include "fe_train.h"

typedef struct fe_isa {
    const char *name;
    int lanes; /* floats a vector */
    fe_train_fn *train;
} fe_isa;

enum { FE_ISA_MOST = 4 };

/* Fills `out` with the usable instruction sets, slowest first, and returns their number (>= 1: scalar is always there). */
int fe_isas_usable(fe_isa out[FE_ISA_MOST]);

#endif
