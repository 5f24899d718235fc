"""The file of a ``Phrases`` or ``FrozenPhrases``: a native file (formats/native.py), every byte under a checksum.

Phrases: the words by id (vocab_bytes, vocab_offsets, counts), the pairs sorted by key (pair_keys uint64, pair_counts
int64) and the trie of words with connector words behind them, breadth first (node_parents, node_words uint32); see
csrc/fe_phrases.h. FrozenPhrases: the phrases as vocab_bytes and vocab_offsets, and their scores (float64).
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from fastemb.formats import FormatError, native

from ._corpus import decode_words, encode_words
from ._phrases import CONNECTOR, NODE
from .phrases_counts import PhraseCounts

__all__ = ["pack_counts", "pack_phrases", "read", "unpack_counts", "unpack_phrases", "write"]

Packed = tuple[dict[str, np.ndarray], dict[str, Any]]
WORD = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)
CONFIG = ("min_count", "threshold", "max_vocab_size", "delimiter", "connector_words", "scoring")
TOLD = ("corpus_word_count", "min_reduce", "pruned_entries", "pruned_occurrences")
DAMAGE = (KeyError, TypeError, ValueError, IndexError, OverflowError)


def _canonical(parents: np.ndarray, words: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The nodes of a trie in an order that depends on what they are only: by depth, parent, word.

    Returns (new number by node, parents, words), the parents renumbered.
    """
    n = len(words)
    number = np.zeros(n, np.int64)
    at_node = parents >= NODE
    level = np.flatnonzero(~at_node)
    lefts, done, out_parents, out_words = parents.astype(np.uint64), 0, [], []
    children: dict[int, list[int]] = {}
    for i in np.flatnonzero(at_node).tolist():
        children.setdefault(int(parents[i]) - NODE, []).append(i)
    while len(level):
        order = level[np.lexsort((words[level], lefts[level]))]
        number[order] = np.arange(done, done + len(order))
        out_parents.append(lefts[order])
        out_words.append(words[order])
        done += len(order)
        below = [(child, number[i]) for i in order.tolist() for child in children.get(i, ())]
        level = np.array([child for child, _ in below], np.int64)
        lefts[level] = np.array([parent for _, parent in below], np.uint64) + np.uint64(NODE)
    both = [np.concatenate([*parts, np.zeros(0, np.uint64)]).astype(np.uint32) for parts in (out_parents, out_words)]
    return number, both[0], both[1]


def _meta(kind: str, config: dict[str, Any]) -> dict[str, Any]:
    return {"format": "fastemb", "version": 1, "kind": kind, "config": config}


def pack_counts(counts: PhraseCounts, config: dict[str, Any]) -> Packed:
    """Tensors and description of a Phrases."""
    blob, offsets = counts.words_blob()
    number, parents, words = _canonical(*counts.pairs.nodes())
    keys, times = counts.pairs.entries()
    lefts = keys >> HALF
    node = lefts >= NODE
    if node.any():
        lefts[node] = number[(lefts[node] - np.uint64(NODE)).astype(np.int64)].astype(np.uint64) + np.uint64(NODE)
        keys = lefts << HALF | keys & WORD
    order = np.argsort(keys)
    tensors = {
        "vocab_bytes": blob,
        "vocab_offsets": offsets,
        "counts": counts.counts,
        "pair_keys": keys[order],
        "pair_counts": times[order],
        "node_parents": parents,
        "node_words": words,
    }
    told = {name: getattr(counts, name) for name in TOLD}
    return tensors, _meta("Phrases", config) | {"counts": told}


def pack_phrases(phrases: dict[str, float], config: dict[str, Any]) -> Packed:
    """Tensors and description of a FrozenPhrases."""
    blob, offsets = encode_words(phrases)
    if offsets is None:
        raise TypeError("the phrases in phrasegrams must be strings")
    scored = np.array(list(phrases.values()), np.float64)
    tensors = {"vocab_bytes": blob, "vocab_offsets": offsets, "phrase:scores": scored}
    return tensors, _meta("FrozenPhrases", config)


def write(path: Any, tensors: dict[str, np.ndarray], meta: dict[str, Any]) -> None:
    """Write a file, atomically."""
    native.write(os.fspath(path), tensors, meta)


def read(path: Any) -> Packed:
    """What :func:`write` wrote; any damage is refused."""
    path = os.fspath(path)
    with open(path, "rb") as file:
        head = file.read(2)
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        raise FormatError(
            "a pickle, as gensim's save() writes: it is not read, since reading one runs the code in it. Count the "
            "phrases again, or write FrozenPhrases.phrasegrams to a text file with gensim",
            path=path,
            format="pickle",
        )
    return native.read(path)


def _config(meta: dict[str, Any], kind: str) -> dict[str, Any]:
    if meta.get("kind") != kind:
        raise ValueError(f"it holds a {meta.get('kind')!s}: open it with fastemb.load()")
    config = {name: meta["config"][name] for name in CONFIG if name in meta["config"]}
    words = config["connector_words"]
    if not isinstance(config["delimiter"], str) or not config["delimiter"] or not isinstance(words, list):
        raise ValueError("the delimiter must be a string and the connector words a list")
    if not all(isinstance(w, str) for w in words):
        raise ValueError("the connector words must be strings")
    if not all(isinstance(config[name], (int, float)) for name in ("min_count", "threshold")):
        raise ValueError("min_count and threshold must be numbers")
    return config


def unpack_phrases(
    tensors: dict[str, np.ndarray], meta: dict[str, Any], name: Any = None
) -> tuple[dict[str, Any], dict[str, float]]:
    """(configuration, phrases and their scores)."""
    try:
        config = _config(meta, "FrozenPhrases")
        phrases = decode_words(tensors["vocab_bytes"], tensors["vocab_offsets"])
        marks = tensors["phrase:scores"]
        if marks.shape != (len(phrases),) or marks.dtype != np.float64 or np.isnan(marks).any():
            raise ValueError("the scores do not fit the phrases")
    except DAMAGE as error:
        raise FormatError(f"no phrases that this version can read: {error!s}", path=name) from error
    return config, dict(zip(phrases, marks.tolist(), strict=True))


def unpack_counts(
    tensors: dict[str, np.ndarray], meta: dict[str, Any], name: Any = None
) -> tuple[dict[str, Any], PhraseCounts]:
    """(configuration, counts)."""
    try:
        config = _config(meta, "Phrases")
        counts = PhraseCounts(config["delimiter"], config["connector_words"])
        return config, _unpack_counts(counts, tensors, meta["counts"])
    except DAMAGE as error:
        raise FormatError(f"no phrases that this version can read: {error!s}", path=name) from error


def _unpack_counts(counts: PhraseCounts, tensors: dict[str, np.ndarray], told: dict[str, Any]) -> PhraseCounts:
    blob, offsets = tensors["vocab_bytes"], tensors["vocab_offsets"]
    keys, times = tensors["pair_keys"], tensors["pair_counts"]
    parents, words = tensors["node_parents"], tensors["node_words"]
    n = len(offsets) - 1
    for name, array, dtype in (
        ("pair_keys", keys, np.uint64),
        ("pair_counts", times, np.int64),
        ("node_parents", parents, np.uint32),
        ("node_words", words, np.uint32),
    ):
        if array.dtype != dtype or array.ndim != 1:
            raise ValueError(f"{name} must be {np.dtype(dtype).name} of one dimension")
    if len(keys) != len(times) or len(parents) != len(words) or len(tensors["counts"]) != n:
        raise ValueError("arrays of different lengths")
    if counts.add_words(blob, offsets) is not None or len(counts.table) != n:
        raise ValueError("a word occurs twice")
    counts.counts = tensors["counts"].copy()
    ordinary = np.flatnonzero(counts.flags & CONNECTOR == 0)
    plain = np.zeros(n, np.bool_)
    plain[ordinary] = True
    for i, (parent, word) in enumerate(zip(parents.tolist(), words.tolist(), strict=True)):
        known = plain[parent] if parent < n else NODE <= parent < NODE + i
        if not known or word >= n or plain[word] or counts.pairs.step(parent, word) != NODE + i:
            raise ValueError(f"node {i} of the trie is none")
    lefts, rights = keys >> HALF, keys & WORD
    word_left = lefts < NODE
    if len(keys) and (
        np.any(keys[1:] <= keys[:-1])
        or np.any(rights >= n)
        or not plain[rights].all()
        or np.any(lefts[word_left] >= n)
        or not plain[lefts[word_left]].all()
    ):
        raise ValueError("a pair of words that are not there")
    counts.pairs.add(keys, times)
    for name in TOLD:
        if not isinstance(told[name], int) or told[name] < 0:
            raise ValueError(f"{name} is {told[name]!r}")
        setattr(counts, name, told[name])
    counts.changed()
    return counts
