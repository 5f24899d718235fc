"""Huffman tree over the vocabulary, for hierarchical softmax: frequent words get short paths."""

from __future__ import annotations

import heapq

import numpy as np

__all__ = ["huffman_cost", "huffman_paths"]


def huffman_paths(counts: np.ndarray) -> list[tuple[list[int], list[int]]]:
    """Path of each word from the root.

    Parameters
    ----------
    counts : (V,) int array
        V >= 1.

    Returns
    -------
    list of (nodes, codes)
        For each word the inner nodes it passes, root first, as rows 0..V-2 of the output matrix in the order in which
        the tree was built (the root is V-2), and at each the branch taken: 0 = the lighter child, 1 = the heavier.
        A vocabulary of one word has no inner node and an empty path.

    Notes
    -----
    Equal counts are merged in order of creation, words of a higher id first (they are the rarer ones in a sorted
    vocabulary), and words before inner nodes.

    Examples
    --------
    >>> [codes for nodes, codes in huffman_paths([4, 2, 1, 1])]
    [[0], [1, 0], [1, 1, 1], [1, 1, 0]]
    """
    V = len(counts)
    # heap entries (count, tie-breaker, name); names below V are words, V + k is inner node k
    heap = [(int(c), V - 1 - i, i) for i, c in enumerate(counts)]
    heapq.heapify(heap)
    parent: dict[int, tuple[int, int]] = {}
    for k in range(V - 1):
        light, heavy = heapq.heappop(heap), heapq.heappop(heap)
        parent[light[2]] = (k, 0)
        parent[heavy[2]] = (k, 1)
        heapq.heappush(heap, (light[0] + heavy[0], V + k, V + k))
    paths = []
    for word in range(V):
        nodes, codes, name = [], [], word
        while name in parent:
            k, bit = parent[name]
            nodes.append(k)
            codes.append(bit)
            name = V + k
        paths.append((nodes[::-1], codes[::-1]))
    return paths


def huffman_cost(counts: np.ndarray) -> int:
    """Sum of counts times path lengths of any optimal tree: the sum of the inner nodes' weights."""
    heap = [int(c) for c in counts]
    heapq.heapify(heap)
    cost = 0
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        cost += merged
        heapq.heappush(heap, merged)
    return cost
