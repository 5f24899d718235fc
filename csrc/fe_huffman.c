#include "fe_huffman.h"

void fe_huffman_build(const int64_t *counts, int64_t n, int64_t *sums, int32_t *parent, uint8_t *side, int32_t *depth) {
    int64_t leaf = n - 1; /* counts descend, so the rarest leaf is the last */
    int64_t inner = 0;    /* next inner node not yet merged; inner sums ascend by construction */
    for (int64_t k = 0; k < n - 1; k++) {
        int64_t pick[2];
        for (int s = 0; s < 2; s++) {
            if (leaf >= 0 && (inner >= k || counts[leaf] <= sums[inner]))
                pick[s] = leaf--;
            else
                pick[s] = n + inner++;
        }
        sums[k] = 0;
        for (int s = 0; s < 2; s++) {
            sums[k] += pick[s] < n ? counts[pick[s]] : sums[pick[s] - n];
            parent[pick[s]] = (int32_t)k;
            side[pick[s]] = (uint8_t)s;
        }
    }
    for (int64_t i = 0; i < n; i++) {
        int32_t length = 0;
        for (int64_t node = i; node != 2 * n - 2; node = n + parent[node]) length++;
        depth[i] = length;
    }
}

void fe_huffman_paths(int64_t n, const int32_t *parent, const uint8_t *side, const int64_t *offsets, int32_t *points,
                      uint8_t *codes) {
    for (int64_t i = 0; i < n; i++) {
        int64_t at = offsets[i + 1];
        for (int64_t node = i; node != 2 * n - 2; node = n + parent[node]) {
            at--;
            points[at] = parent[node];
            codes[at] = side[node];
        }
    }
}
