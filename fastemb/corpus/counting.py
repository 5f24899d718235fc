"""How co-occurrences are counted: the weights, the pieces, the threads. See csrc/fe_cooccur.h for the algorithm."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._cooccur import MAX_WINDOW, RowCounter, StopFlag, place, tally, thin
from .spill import PIECE_CELLS, Counted, Memory, Runs, Sink
from .threads import in_order

__all__ = ["WEIGHTINGS", "Settings", "count_rows"]

WEIGHTINGS = ("harmonic", "linear", "flat")
EXACT_WINDOW = 22  # lcm(1..22) = 232,792,560; the next lcm needs 33 bits and would leave too little room for counts
FIXED_POINT = 16 * 232_792_560  # scale of wider harmonic windows, just below 2**32
STEP = 1 << 22  # tokens a call of C may take that cannot be stopped
MOST_TOKENS = 2**32 - 2**20  # of one piece of text: positions have 32 bits

logger = logging.getLogger("fastemb")
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
        self.phase, self.fraction, self.cells = "count", 0.0, 0
        self.began = self.told = time.perf_counter()

    def tell(self, force: bool = False) -> None:
        if self.progress is None:
            return
        now = time.perf_counter()
        if force or now - self.told >= 0.1:
            self.told = now
            self.progress(
                {
                    "phase": self.phase,
                    "tokens": self.done,
                    "total_tokens": self.total,
                    "fraction": self.fraction,
                    "cells": self.cells,
                    "words_per_s": self.done / max(now - self.began, 1e-9),
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


def invert(
    chunk: Chunk, v: int, settings: Settings, workers: int, stop: StopFlag, tell: Callable[[], None]
) -> tuple[np.ndarray, np.ndarray]:
    """(places uint64, start int64 (V + 1,)): where each word stands among the centre words."""
    n = chunk.hi - chunk.lo
    shards = max(1, min(workers, n >> 16))
    cuts = [chunk.lo + n * k // shards for k in range(shards + 1)]
    counts = np.zeros((shards, v), np.int64)

    def steps(k: int) -> Iterator[tuple[int, int]]:  # calls short enough for Ctrl-C
        for lo in range(cuts[k], cuts[k + 1], STEP):
            if stop.is_set():
                return
            yield lo, min(lo + STEP, cuts[k + 1])

    def count(k: int) -> None:
        for lo, hi in steps(k):
            tally(chunk.ids[lo:hi], counts[k])

    def fill(k: int) -> None:
        for lo, hi in steps(k):
            place(chunk.ids, lo, hi, chunk.offsets, chunk.base, settings.window, settings.symmetric, cursors[k], index)

    in_order(shards, [count] * shards, lambda k, _: None, stop=stop.set, tell=tell)
    start = np.zeros(v + 1, np.int64)
    np.cumsum(counts.sum(axis=0), out=start[1:])
    cursors = np.cumsum(counts, axis=0)
    cursors -= counts
    cursors += start[:-1]
    index = np.empty(max(n, 1), np.uint64)
    in_order(shards, [fill] * shards, lambda k, _: None, stop=stop.set, tell=tell)
    return index, start


def cut(bound: np.ndarray, most: int) -> np.ndarray:
    """int64: where groups of rows begin, and V: the bounds of a group add up to at most `most`, or it is one row."""
    end, v = np.cumsum(bound), len(bound)
    cuts = [0]
    while cuts[-1] < v:
        done = int(end[cuts[-1] - 1]) if cuts[-1] else 0
        cuts.append(max(cuts[-1] + 1, int(np.searchsorted(end, done + most, side="right"))))
    return np.array(cuts, np.int64)


def most_cells(places: np.ndarray, neighbours: int, most: int) -> np.ndarray:
    """min(places * neighbours, most), element by element, without overflow."""
    return np.where(places > most // neighbours, most, places * neighbours)


def count_rows(
    corpus: Any, settings: Settings, workers: int, progress: Progress | None, max_memory: int | None
) -> Counted:
    """The counts of a corpus.

    The corpus is counted in one piece if memory allows, whose rows are the result. Otherwise each piece becomes a run
    in a temporary file, and the rows of all runs are added up, block of rows by block.
    """
    v, tokens = len(corpus.vocabulary), corpus.num_tokens
    weight, _ = settings.weights()
    sides = 2 if settings.symmetric else 1
    neighbours = settings.window * sides
    keep = None
    if 0 < settings.sample < 1:
        keep = keep_thresholds(corpus.vocabulary.counts, settings.sample)
    per_token = 8 + (0 if corpus.in_memory else 4) + (0 if keep is None else 4)
    memory = Memory.plan(v, workers, max_memory)
    # within a piece no cell can reach 2**62, whatever the text
    most_tokens = min(MOST_TOKENS, 2**62 // (sides * int(weight.sum())))
    size = min(memory.rest * 4 // 5 // per_token, most_tokens)
    if tokens <= most_tokens and tokens * per_token <= memory.rest // 2:  # beside the cells that are found
        size = tokens
    chunks = -(-tokens // max(size, 1))
    meter, stop = Meter(progress, tokens), StopFlag()
    counters = [RowCounter(v) for _ in range(memory.workers)]
    nnz = np.zeros(v, np.int64)

    def count_chunk(lo: int, hi: int, blocks: np.ndarray, emit: Callable[..., Any], take: Any) -> None:
        """Counts tokens lo..hi; take(first row, end row, what `emit` makes of their cells) in order of the rows."""
        chunk = load_chunk(corpus, settings, keep, lo, hi)
        index, start = invert(chunk, v, settings, memory.workers, stop, meter.tell)
        bound = most_cells(np.diff(start), neighbours, v)
        cuts = np.union1d(cut(bound, PIECE_CELLS), blocks)
        if chunks <= 1:
            sink.expect(int(bound.sum()))

        def work(counter: RowCounter) -> Callable[[int], Any]:
            def rows(k: int) -> Any:
                found = counter.rows(
                    chunk.ids, index, start, weight, settings.symmetric, int(cuts[k]), int(cuts[k + 1]), stop
                )
                return None if found is None else emit(counter, *found)

            return rows

        def taken(k: int, result: Any) -> None:
            take(int(cuts[k]), int(cuts[k + 1]), result)
            meter.done = lo + (hi - lo) * int(start[cuts[k + 1]]) // max(int(start[-1]), 1)
            meter.fraction = meter.done / max(tokens, 1) * (0.8 if chunks > 1 else 1.0)

        in_order(len(cuts) - 1, [work(c) for c in counters], taken, stop=stop.set, tell=meter.tell)

    with Sink(memory.cells) as sink:

        def final(lo: int, hi: int, found: Any) -> None:
            columns, counts, row_nnz = found
            sink.append(columns, counts)
            nnz[lo:hi] = row_nnz
            meter.cells += len(columns)

        if chunks <= 1:
            everything = np.array([0, v], np.int64)
            count_chunk(0, tokens, everything, lambda counter, *found: found, final)
        else:
            with Runs() as runs:
                frequency = np.zeros(v, np.int64)
                for lo in range(0, tokens, STEP):
                    tally(corpus.read(lo, min(lo + STEP, tokens)), frequency)
                bound = most_cells(frequency, neighbours, v * chunks)
                blocks = cut(bound, memory.block_cells)
                logger.info("co-occurrences: %d runs of %s tokens go to a temporary file", chunks, f"{size:,}")
                for c in range(chunks):
                    runs.begin(blocks)
                    count_chunk(
                        tokens * c // chunks,
                        tokens * (c + 1) // chunks,
                        blocks,
                        lambda counter, columns, counts, row_nnz: counter.encode(columns, counts, row_nnz),
                        runs.append,
                    )
                runs.merge(blocks, np.minimum(bound, v), v, counters, final, meter, stop)
        meter.fraction = 1.0
        meter.tell(force=True)
        indptr = np.zeros(v + 1, np.int64)
        np.cumsum(nnz, out=indptr[1:])
        return Counted(indptr, sink.finish())
