/* Huffman tree over word counts (Morin and Bengio 2005; Mikolov et al. 2013): frequent words get short paths. */
#ifndef FE_HUFFMAN_H
#define FE_HUFFMAN_H

#include "fe_common.h"

/* counts: n positive int64 in descending order. Fills parent (2n - 1) and side (2n - 1: 0 or 1, the code bit of the edge to
 * the parent), and depth (n: the code length of each word). Inner node n + k is row k of the output matrix, k < n - 1; the
 * root is the last. Two-queue construction, O(n); equal sums take the leaf first, so the tree is the same everywhere. */
void fe_huffman_build(const int64_t *counts, int64_t n, int64_t *sums, int32_t *parent, uint8_t *side, int32_t *depth);

/* Writes the path of each word from the root down: points (inner rows) and codes, offsets[i] .. offsets[i + 1]. */
void fe_huffman_paths(int64_t n, const int32_t *parent, const uint8_t *side, const int64_t *offsets, int32_t *points,
                      uint8_t *codes);

#endif
