"""Word2vec's side of the run loop: the trainers, what a worker does with a piece, and the last good state.

With ``hs=1`` and ``negative > 0`` both objectives are trained, as gensim does. The engine takes one objective a call,
so there are two trainers over the same input rows, and a worker lets them take turns every few thousand words.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastemb.training import _engine, rows, weights
from fastemb.training.config import Word2VecConfig
from fastemb.training.run import Diverged, Tally
from fastemb.training.schedule import LinearSchedule, Plan

TURN = 4096  # tokens that one objective trains before the other one does, when there are two

OUTPUTS = {"ns": "syn1neg", "hs": "syn1"}  # objective -> the model's attribute that holds its output rows


def output_rows(objective: str, words: int) -> int:
    """Rows of the output matrix: the words, or the inner nodes of the Huffman tree (one at least)."""
    return words if objective == "ns" else max(1, words - 1)


def noise_distribution(counts: np.ndarray, exponent: float) -> np.ndarray:
    """Unnormalised noise distribution ``counts ** exponent``; a word that was never counted counts once."""
    counts = np.maximum(counts, 1).astype(np.float64)
    return (counts / counts.max()) ** exponent


class Word2VecJob:
    """One call of ``Word2Vec.train``.

    Parameters
    ----------
    model : Word2Vec
        Its ``wv.vectors``, ``syn1neg`` and ``syn1`` are trained in place. While workers run they are views of padded
        rows.
    config : Word2VecConfig
    corpus : Corpus
        Encoded with the model's vocabulary.
    counts : int64 array (V,)
    lockf : float32 array (V,) or None
        Factors of the input rows' updates.
    schedule : LinearSchedule
    first_epoch : int
        Epochs the model had before this run; enters the random numbers.
    """

    def __init__(
        self,
        model: Any,
        config: Word2VecConfig,
        corpus: Any,
        counts: np.ndarray,
        lockf: np.ndarray | None,
        schedule: LinearSchedule,
        first_epoch: int,
    ) -> None:
        self.model, self.config, self.corpus, self.counts, self.lockf = model, config, corpus, counts, lockf
        self.schedule, self.first_epoch = schedule, first_epoch
        self.tokens: int = corpus.num_tokens
        self.offsets = np.ascontiguousarray(corpus.offsets, dtype=np.int64)
        self.rate = schedule.at
        self.keep_thresholds = None
        if 0 < config.sample < 1:
            self.keep_thresholds = _engine.subsample_threshold(counts, config.sample)
        self.noise = noise_distribution(counts, config.ns_exponent) if config.negative else None
        self.huffman = _engine.huffman(np.maximum(counts, 1)) if config.hs else None
        self.tables: list[np.ndarray] = []  # syn0 and the outputs, padded; empty while the model has its public shape
        self.trainers: list[Any] = []
        self.trained_tables: list[int] = []
        self.snapshot = weights.Snapshot()
        self.snapshot_cost = 0.0
        self.snapshot_time = 0.0
        self.redraw = False
        self.epoch = 0
        self.plan = Plan(self.offsets, workers=config.threads, window=config.window)
        count = max(1, min(config.threads, len(self.plan)))
        self.workers = [_Worker(self, len(config.objectives)) for _ in range(count)]

    # ---- the two shapes of the weights

    def _pad(self) -> None:
        if self.tables:
            return
        model, dim = self.model, self.config.vector_size
        vectors = model.wv.vectors
        if vectors.dtype != np.float32:
            vectors = vectors.astype(np.float32)
        self.tables = [rows.padded(vectors)]
        model.wv.vectors = self.tables[0][:, :dim]
        for objective in self.config.objectives:
            table = rows.padded(getattr(model, OUTPUTS[objective]))
            self.tables.append(table)
            setattr(model, OUTPUTS[objective], table[:, :dim])

    def pause(self) -> None:
        if not self.tables:
            return
        model, dim = self.model, self.config.vector_size
        tables, self.tables = self.tables, []
        model.wv.vectors = rows.unpadded(tables[0], dim)
        for objective, table in zip(self.config.objectives, tables[1:], strict=True):
            setattr(model, OUTPUTS[objective], rows.unpadded(table, dim))

    # ---- epochs

    def begin_epoch(self, epoch: int, start: int) -> tuple[Sequence[Any], int]:
        config = self.config
        self._pad()
        addresses = [table.ctypes.data for table in self.tables]
        if addresses != self.trained_tables:  # the first epoch, or a hook put other arrays in the model
            longest = int(np.diff(self.offsets).max()) if len(self.offsets) > 1 else 1
            self.trainers = [
                _engine.Trainer(
                    self.tables[0],
                    table,
                    dim=config.vector_size,
                    algorithm=config.algorithm,
                    loss=objective,
                    window=config.window,
                    shrink_windows=config.shrink_windows,
                    negative=config.negative,
                    cbow_mean=bool(config.cbow_mean),
                    seed=config.seed,
                    keep=self.keep_thresholds,
                    noise=self.noise if objective == "ns" else None,
                    huffman=self.huffman if objective == "hs" else None,
                    lockf=self.lockf,
                    longest_sentence=longest,
                )
                for objective, table in zip(config.objectives, self.tables[1:], strict=True)
            ]
            self.trained_tables = addresses
        self.epoch = epoch
        if start or self.plan.bounds[0] != 0:
            self.plan = Plan(self.offsets, workers=config.threads, window=config.window, start=start)
        return self.workers, len(self.plan)

    def tally(self) -> Tally:
        states = [worker.states for worker in self.workers]
        return Tally(
            sum(s[0].words for s in states),
            sum(s[0].kept for s in states),
            sum(s[0].examples for s in states),
            sum(x.loss for s in states for x in s),
        )

    def diverged(self) -> bool:
        return any(state.nonfinite for worker in self.workers for state in worker.states)

    def finite(self) -> bool:
        return all(_engine.first_nonfinite_row(table) < 0 for table in self.tables)

    # ---- the last good state

    def keep(self) -> None:
        """Remember the weights, where that costs little (see :class:`fastemb.training.weights.Snapshot`)."""
        self._pad()
        now = time.monotonic()
        if self.snapshot_time == 0.0:
            size, label = sum(table.nbytes for table in self.tables), "before this training"
            if size > weights.FIRST_SNAPSHOT and self._untrained():
                self.redraw, self.snapshot_time = True, now  # the seed is all there is to remember
                return
        else:
            label = f"after epoch {self.epoch + 1}"
            if self.snapshot_cost > weights.SNAPSHOT_SHARE * (now - self.snapshot_time):
                return
        if self.snapshot.take(self.tables, label):
            self.redraw = False
        self.snapshot_time = time.monotonic()
        self.snapshot_cost = self.snapshot_time - now

    def _untrained(self) -> bool:
        outputs = self.tables[1:]
        dim = self.config.vector_size
        return not any(table.any() for table in outputs) and weights.is_initial(
            self.tables[0][:, :dim], self.config.seed
        )

    def advice(self, alpha: float) -> str:
        advice = f"alpha <= {min(alpha / 4, 0.05):.2g}"
        if self.config.sg or self.config.cbow_mean:
            return advice
        return advice + ", or cbow_mean=1, or a smaller window"

    def hopeless(self) -> float:
        coins = 1.0 + self.config.negative if self.config.negative else 0.0  # yes-or-no questions of an example
        if self.huffman is not None:
            coins += float(np.average(self.huffman.depth, weights=np.maximum(self.counts, 1)))
        return coins * math.log(2)

    def restore(self) -> str:
        dim = self.config.vector_size
        if self.snapshot.restore(self.tables):
            return f"the model's weights are again those {self.snapshot.label}"
        if self.redraw:
            weights.draw(self.tables[0][:, :dim], self.config.seed)
            for table in self.tables[1:]:
                table[...] = 0
            return "the model's weights are again those before this training"
        reset = 0
        for table in self.tables:
            bad = weights.bad_rows(table)
            table[bad] = 0
            reset += len(bad)
        return f"no earlier weights were kept ({self.snapshot.why_not}): {reset} rows that were not finite are zero"

    def close(self) -> None:
        """Give back what the run needed."""
        self.pause()
        self.snapshot.close()
        self.trainers.clear()


class _Worker:
    """One thread's state; reads its piece of the corpus and trains it."""

    def __init__(self, job: Word2VecJob, objectives: int) -> None:
        self.job = job
        self.states = [_engine.WorkerState() for _ in range(objectives)]
        self.buffer = np.empty(0, np.int32)

    def run(self, index: int) -> None:
        job = self.job
        piece = job.plan.piece(index)
        if job.corpus.in_memory:
            ids = job.corpus.read(piece.low, piece.high)
        else:
            if len(self.buffer) < piece.high - piece.low:
                self.buffer = np.empty(job.plan.capacity, np.int32)
            ids = job.corpus.read(piece.low, piece.high, out=self.buffer)
        step = piece.end - piece.begin if len(job.trainers) == 1 else TURN
        sentence = piece.sentence
        for begin in range(piece.begin, piece.end, step):
            end = min(begin + step, piece.end)
            if begin != piece.begin:
                sentence = int(np.searchsorted(job.offsets, begin, side="right")) - 1
            first, last = job.rate(job.epoch, begin), job.rate(job.epoch, end)
            for trainer, state in zip(job.trainers, self.states, strict=True):
                done = trainer.run(
                    ids, piece.low, job.offsets, sentence, begin, end, job.first_epoch + job.epoch, first, last, state
                )
                if state.nonfinite:
                    raise Diverged
                if not done:
                    return

    def stop(self) -> None:
        for state in self.states:
            state.stop()
