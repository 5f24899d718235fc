"""How co-occurrences are counted: the weights, the pieces, the threads. See csrc/fe_cooccur.h for the algorithm."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._cooccur import MAX_WINDOW, Cells, RowCounter, StopFlag, place, tally, thin
from .threads import in_order

__all__ = ["WEIGHTINGS", "Counted", "Settings", "count_rows"]

WEIGHTINGS = ("harmonic", "linear", "flat")
EXACT_WINDOW = 22  # lcm(1..22) = 232,792,560; the next lcm needs 33 bits and would leave too little room for counts
FIXED_POINT = 16 * 232_792_560  # scale of wider harmonic windows, just below 2**32
PIECE_CELLS = 1 << 17  # cells a piece of rows may have, as far as that can be known: 1.5 MB, in the second-level cache

Progress = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True)
class Settings:
    """What is counted; checked."""

    window: int = 10
    symmetric: bool = True
    weighting: str = "harmonic"
    sample: float = 0.0
    seed: int = 1

    def __post_init__(self) -> None:
        if isinstance(self.window, bool) or not hasattr(self.window, "__index__"):
            raise TypeError(f"window must be an integer, got {self.window!r} of type {type(self.window).__name__}")
        if not 1 <= self.window <= MAX_WINDOW:
            raise ValueError(f"window={self.window} is out of range: it must be from 1 to {MAX_WINDOW}")
        if self.weighting not in WEIGHTINGS:
            raise ValueError(
                f"weighting={self.weighting!r} is unknown: it must be one of {', '.join(map(repr, WEIGHTINGS))}"
            )
        sample = 0.0 if self.sample is None else self.sample
        if isinstance(sample, bool) or not isinstance(sample, (int, float)) or not 0 <= sample <= 1:
            raise ValueError(f"sample={self.sample!r} is out of range: it must be from 0 to 1, 0 keeps every word")
        if isinstance(self.seed, bool) or not hasattr(self.seed, "__index__") or not 0 <= self.seed < 2**64:
            raise ValueError(f"seed={self.seed!r} is out of range: it must be an integer from 0 to 2**64 - 1")
        if not isinstance(self.symmetric, (bool, np.bool_)) and self.symmetric not in (0, 1):
            raise TypeError(f"symmetric must be True or False, got {self.symmetric!r}")
        put = object.__setattr__
        put(self, "window", int(self.window))
        put(self, "sample", float(sample))
        put(self, "seed", int(self.seed))
        put(self, "symmetric", bool(self.symmetric))

    def weights(self) -> tuple[np.ndarray, int]:
        """int64 (window + 1,): what a neighbour at distance d adds to its cell, in units of 1 / scale; and scale."""
        w = self.window
        if self.weighting == "flat":
            values, scale = [1] * w, 1
        elif self.weighting == "linear":
            values, scale = list(range(w, 0, -1)), w
        elif w <= EXACT_WINDOW:
            scale = math.lcm(*range(1, w + 1))
            values = [scale // d for d in range(1, w + 1)]
        else:
            scale = FIXED_POINT
            values = [(2 * scale + d) // (2 * d) for d in range(1, w + 1)]  # to the nearest
        return np.array([0, *values], np.int64), scale


def keep_thresholds(counts: np.ndarray, sample: float) -> np.ndarray:
    """uint32 (V,): an occurrence stays if its 32 random bits are at most that; word2vec's formula, as in training."""
    share = sample * float(counts.sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = share / counts.astype(np.float64)
        probability = np.where(counts > 0, np.minimum(np.sqrt(ratio) + ratio, 1.0), 1.0)
    return np.maximum(np.ceil(probability * 2.0**32) - 1, 0).astype(np.uint32)


@dataclass
class Counted:
    indptr: np.ndarray
    indices: np.ndarray
    data: np.ndarray


@dataclass
class Chunk:
    """A part of the corpus: centre words lo..hi of ids, their neighbours around them."""

    ids: np.ndarray
    lo: int
    hi: int
    offsets: np.ndarray  # of sentences, in corpus positions
    base: int  # corpus position of ids[0]


class Meter:
    """Progress of a count, at most ten times a second."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0
        self.cells = 0
        self.began = self.told = time.perf_counter()

    def tell(self, force: bool = False) -> None:
        if self.progress is None:
            return
        now = time.perf_counter()
        if force or now - self.told >= 0.1:
            self.told = now
            rate = self.done / max(now - self.began, 1e-9)
            self.progress(
                {
                    "phase": "count",
                    "tokens": self.done,
                    "total_tokens": self.total,
                    "fraction": self.done / max(self.total, 1),
                    "cells": self.cells,
                    "words_per_s": rate,
                }
            )


def load_chunk(corpus: Any, settings: Settings, keep: np.ndarray | None, lo: int, hi: int) -> Chunk:
    """Tokens lo..hi of the corpus with the neighbours they can see, thinned out if `keep` is given."""
    offsets, w = corpus.offsets, settings.window
    first, last = (int(np.searchsorted(offsets, x, side="right")) - 1 for x in (lo, hi - 1))
    reach = w
    while True:
        a = max(int(offsets[first]), lo - reach)
        b = min(int(offsets[last + 1]), hi + (reach if settings.symmetric else 0))
        ids = corpus.read(a, b)
        if keep is None:
            return Chunk(ids, lo - a, hi - a, offsets[first : last + 2], a)
        points = np.union1d(np.clip(offsets[first : last + 2], a, b), np.array([lo, hi], np.int64))
        ids, kept = thin(ids, a, settings.seed, keep, points)
        left, right = (int(kept[np.searchsorted(points, x)]) for x in (lo, hi))
        inner = kept[np.searchsorted(points, np.clip(offsets[first : last + 2], a, b))]
        enough_left = a == offsets[first] or left >= w
        enough_right = not settings.symmetric or b == offsets[last + 1] or len(ids) - right >= w
        if enough_left and enough_right:
            inner = np.concatenate([[0], inner[1:-1], [len(ids)]]).astype(np.int64)
            return Chunk(ids, left, right, inner, 0)
        reach *= 4


def invert(chunk: Chunk, v: int, settings: Settings, workers: int) -> tuple[np.ndarray, np.ndarray]:
    """(places uint64, start int64 (V + 1,)): where each word stands among the centre words."""
    n = chunk.hi - chunk.lo
    shards = max(1, min(workers, n >> 16))
    cuts = [chunk.lo + n * k // shards for k in range(shards + 1)]
    counts = np.zeros((shards, v), np.int64)

    def count(k: int) -> None:
        tally(chunk.ids[cuts[k] : cuts[k + 1]], counts[k])

    def fill(k: int) -> None:
        place(
            chunk.ids, cuts[k], cuts[k + 1], chunk.offsets, chunk.base, settings.window, settings.symmetric,
            cursors[k], index,
        )  # fmt: skip

    in_order(shards, [count] * shards, lambda k, _: None)
    start = np.zeros(v + 1, np.int64)
    np.cumsum(counts.sum(axis=0), out=start[1:])
    cursors = np.cumsum(counts, axis=0)
    cursors -= counts
    cursors += start[:-1]
    index = np.empty(max(n, 1), np.uint64)
    in_order(shards, [fill] * shards, lambda k, _: None)
    return index, start


def row_pieces(start: np.ndarray, neighbours: int) -> np.ndarray:
    """Row numbers at which pieces begin, the last one V: each but for single rows has at most PIECE_CELLS cells."""
    v = len(start) - 1
    most = np.minimum(np.diff(start), v // max(neighbours, 1) + 1) * neighbours
    end = np.cumsum(np.minimum(most, v))
    cuts = [0]
    while cuts[-1] < v:
        done = int(end[cuts[-1] - 1]) if cuts[-1] else 0
        cuts.append(max(cuts[-1] + 1, int(np.searchsorted(end, done + PIECE_CELLS, side="right"))))
    return np.array(cuts, np.int64)


def count_rows(
    corpus: Any, settings: Settings, workers: int, progress: Progress | None, max_memory: int | None
) -> Counted:
    """The counts of a corpus as CSR arrays."""
    v = len(corpus.vocabulary)
    weight, _ = settings.weights()
    keep = None
    if 0 < settings.sample < 1:
        keep = keep_thresholds(corpus.vocabulary.counts, settings.sample)
    meter = Meter(progress, corpus.num_tokens)
    chunk = load_chunk(corpus, settings, keep, 0, corpus.num_tokens)
    index, start = invert(chunk, v, settings, workers)
    pieces = row_pieces(start, settings.window * (2 if settings.symmetric else 1))
    cells, nnz, stop = Cells(), np.zeros(v + 1, np.int64), StopFlag()

    def worker() -> Callable[[int], Any]:
        counter = RowCounter(v)
        return lambda k: counter.rows(
            chunk.ids, index, start, weight, settings.symmetric, int(pieces[k]), int(pieces[k + 1]), stop
        )

    def take(k: int, found: Any) -> None:
        columns, counts, row_nnz = found
        cells.append(columns, counts)
        nnz[pieces[k] + 1 : pieces[k + 1] + 1] = row_nnz
        meter.done, meter.cells = int(start[pieces[k + 1]]), cells.n

    in_order(len(pieces) - 1, [worker() for _ in range(workers)], take, stop=stop.set, tell=meter.tell)
    meter.tell(force=True)
    indices, data = cells.take()
    return Counted(np.cumsum(nnz), indices, data)
