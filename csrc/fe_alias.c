#include "fe_alias.h"

void fe_alias_build(const double *weights, int64_t n, fe_alias *table, double *scaled, int32_t *stack) {
    double total = 0.0;
    for (int64_t i = 0; i < n; i++) total += weights[i];
    /* one array, two stacks: columns below the mean grow from the left, the others from the right */
    int64_t small = 0, large = n;
    for (int64_t i = 0; i < n; i++) {
        scaled[i] = weights[i] / total * (double)n;
        if (scaled[i] < 1.0)
            stack[small++] = (int32_t)i;
        else
            stack[--large] = (int32_t)i;
    }
    while (small > 0 && large < n) {
        int32_t s = stack[--small], l = stack[large];
        double threshold = scaled[s] * 4294967296.0;
        table[s].threshold = threshold >= 4294967295.0 ? UINT32_MAX : (uint32_t)threshold;
        table[s].other = l;
        scaled[l] -= 1.0 - scaled[s];
        if (scaled[l] < 1.0) {
            large++;
            stack[small++] = l;
        }
    }
    /* what rounding leaves over is a full column */
    while (large < n) {
        int32_t l = stack[large++];
        table[l].threshold = UINT32_MAX;
        table[l].other = l;
    }
    while (small > 0) {
        int32_t s = stack[--small];
        table[s].threshold = UINT32_MAX;
        table[s].other = s;
    }
}
