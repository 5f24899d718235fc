"""GloVe's side of the run loop: the cells in the order of training, the turns of the tiles, the last good state.

a. Cells. :class:`Cells` puts the counts into bins and tiles (csrc/fe_glove.h says how) once; the epochs read eight
   bytes a cell.
b. Turns. T x T tiles are trained in T rounds; in a round no two tiles share a row or a column of tiles, so no two share
   a row of the weights. A tile waits for those of its row and column in the round before, and for nothing else. So
   workers never touch the same weights, and the result is that of one worker, to the bit, for any number of them.
c. Places. Turns are claimed in order, and a claimed tile is always finished. So a run that stops, whyever, stands
   between two tiles, and goes on there as if it had not stopped.
"""

from __future__ import annotations

import math
import os
import tempfile
import threading
import time
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastemb.training import _engine, _glove, memory, rows, weights
from fastemb.training.glove_config import MAX_WORDS, GloveConfig
from fastemb.training.run import Diverged, Tally, run_pieces

BIN_BYTES = 1 << 20  # of the rows of a block: those of a bin's two blocks fit into a second cache of 2 MiB
BIN_CELLS = 1 << 11  # smaller bins would not reuse their rows
TILE_CELLS = 1 << 14  # smaller tiles would spend their time in Python
MOST_TILES = 64  # a side
FILE_SHARE = 0.4  # of the available memory: cells that take more go to a temporary file


def grid(words: int, cells: int, dim: int) -> tuple[int, int]:
    """How words are cut into blocks.

    Parameters
    ----------
    words, cells, dim : int

    Returns
    -------
    (int, int)
        Tiles a side, and blocks (bins) a side of each tile. Not a function of the number of workers.

    Examples
    --------
    >>> grid(35_000, 16_500_000, 100)
    (31, 1)
    >>> grid(400_000, 200_000_000, 100)
    (64, 5)
    """
    tiles = max(1, min(MOST_TILES, words, math.isqrt(cells // TILE_CELLS)))
    blocks = max(1, words * _glove.stride_of(dim) * 8 // BIN_BYTES)
    blocks = max(tiles, min(blocks, math.isqrt(cells // BIN_CELLS)), -(-words // 65536))
    return tiles, -(-blocks // tiles)


class Cells:
    """The cells of a co-occurrence matrix in the order of training.

    Parameters
    ----------
    counts : Cooccurrence
    config : GloveConfig
    limit : int, optional
        Bytes of memory; cells that would take more are kept in a temporary file.

    Attributes
    ----------
    cells : array of fastemb.training._glove.CELL
    bins : int64 array
    tiles, per_tile, blocks : int
        A side.
    tile_sizes : int64 array (tiles ** 2,)
    hopeless : float
        Mean loss of a model of zeros.
    """

    def __init__(self, counts: Any, config: GloveConfig, limit: int | None = None) -> None:
        words, nnz = len(counts.vocabulary), counts.nnz
        if words > MAX_WORDS:
            raise ValueError(f"a vocabulary of {words:,} words is too large for GloVe: at most {MAX_WORDS:,}")
        self.tiles, self.per_tile = grid(words, nnz, config.vector_size)
        self.blocks = self.tiles * self.per_tile
        source = _glove.Counts(
            np.ascontiguousarray(counts.indptr, np.int64),
            np.ascontiguousarray(counts.indices, np.int32),
            np.ascontiguousarray(counts.data, np.int64),
            scale=counts.scale,
            blocks=self.blocks,
            per_tile=self.per_tile,
        )
        width = self.per_tile * self.blocks
        self.bins = np.zeros(self.blocks**2 + 1, np.int64)
        workers = min(config.threads, self.tiles)

        def count(row: int) -> None:
            self.bins[1 + row * width : 1 + (row + 1) * width] = source.sizes(row)

        run_pieces([_Calls(count) for _ in range(workers)], self.tiles)
        np.cumsum(self.bins, out=self.bins)
        total = int(self.bins[-1])
        if not total:
            raise ValueError("nothing to train on: no two words of the vocabulary occur together")
        self.cells = _allocate(total, limit)
        losses = np.zeros(self.tiles)

        def place(row: int) -> None:
            first = self.bins[row * width : (row + 1) * width].copy()
            losses[row] = source.place(row, first, self.cells, exponent=config.exponent, x_max=config.x_max)

        run_pieces([_Calls(place) for _ in range(workers)], self.tiles)
        self.hopeless = float(losses.sum()) / total
        self.tile_sizes = np.diff(self.bins[:: self.per_tile**2])

    def __len__(self) -> int:
        return int(self.bins[-1])


class _Calls:
    """A worker of the run loop that calls a function."""

    def __init__(self, function: Any) -> None:
        self.run = function

    def stop(self) -> None:
        pass  # a row of tiles takes a fraction of a second


def _allocate(cells: int, limit: int | None) -> np.ndarray:
    need = cells * _glove.CELL.itemsize
    if limit is not None and need > limit:
        try:
            with tempfile.TemporaryFile(prefix="fastemb-cells-") as file:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, need)  # a full disk is told now, not by a signal
                return np.memmap(file, _glove.CELL, "w+", shape=(cells,))
        except OSError as error:
            raise MemoryError(
                f"the cells need {memory.human(need)}, more than the {memory.human(limit)} there are for them, and "
                f"no temporary file in {tempfile.gettempdir()} can hold them: {error}"
            ) from error
    return np.empty(cells, _glove.CELL)


def identity(counts: Any) -> int:
    """A checksum of the shape and of evenly spaced blocks of counts: other counts give another one."""
    crc = zlib.crc32(np.array([counts.nnz, len(counts.vocabulary), counts.scale], np.int64).tobytes())
    for array in (counts.indptr, counts.indices, counts.data):
        for start in np.unique(np.linspace(0, max(0, len(array) - 4096), 64).astype(np.int64)).tolist():
            crc = zlib.crc32(np.ascontiguousarray(array[start : start + 4096]).tobytes(), crc)
    return crc


def turns(tiles: int, seed: int, epoch: int) -> np.ndarray:
    """The tiles of an epoch in order, int64 (tiles ** 2,): rounds of `tiles` that share no row and no column.

    Examples
    --------
    >>> order = turns(3, 1, 0)
    >>> sorted(order.tolist()) == list(range(9))
    True
    >>> [sorted(part % 3) for part in order.reshape(3, 3)] == [[0, 1, 2]] * 3
    True
    """
    row, column, shift = (_glove.order(tiles, seed, epoch, stream) for stream in (1, 2, 3))
    k = np.arange(tiles)
    return (row[None, :] * tiles + column[(k[None, :] + shift[:, None]) % tiles]).reshape(-1)


class GloveJob:
    """One call of ``Glove.train``.

    Parameters
    ----------
    model : Glove
        Its two tables are trained in place; `model._publish` makes ``wv`` of them.
    config : GloveConfig
    cells : Cells
    first_epoch : int
        Epochs the model had before this run; enters the random numbers.
    """

    def __init__(self, model: Any, config: GloveConfig, cells: Cells, first_epoch: int) -> None:
        self.model, self.config, self.cells, self.first_epoch = model, config, cells, first_epoch
        self.tokens = len(cells)
        self.tables = [model._words, model._contexts]
        self.trainer = _glove.Trainer(
            model._words,
            model._contexts,
            cells.cells,
            cells.bins,
            dim=config.vector_size,
            blocks=cells.blocks,
            per_tile=cells.per_tile,
            eta=config.eta,
            exponent=config.exponent,
            x_max=config.x_max,
            clip=config.grad_clip,
            seed=config.seed,
        )
        self.snapshot = weights.Snapshot()
        self.snapshot_cost = self.snapshot_time = 0.0
        self.redraw = False
        self.trained = False
        self.before = Tally()  # of the epochs that have ended
        self.epoch = self.skip = 0
        self.order: list[int] = []  # turn -> tile
        self.sizes: list[int] = []  # turn -> cells
        self.losses = np.zeros(0)  # turn -> loss
        self.finished = 0  # cells
        self.rows_done: list[int] = []  # row of tiles -> rounds
        self.columns_done: list[int] = []
        self.bad = self.failed = False
        self.ready = threading.Condition()
        self.workers = [_Worker(self) for _ in range(max(1, min(config.threads, cells.tiles)))]

    # ---- epochs

    def begin_epoch(self, epoch: int, start: int) -> tuple[Sequence[Any], int]:
        self.before = self.tally()
        tiles = self.cells.tiles
        order = turns(tiles, self.config.seed, self.first_epoch + epoch)
        ends = np.cumsum(self.cells.tile_sizes[order])
        skip = int(np.searchsorted(ends, start, side="right")) if start else 0
        if start and (skip == 0 or ends[skip - 1] != start):
            raise ValueError(f"an epoch of {len(self.cells)} cells cannot go on after cell {start}: no tile ends there")
        self.epoch, self.skip = epoch, skip
        self.order = order.tolist()
        self.sizes = self.cells.tile_sizes[order].tolist()
        self.losses = np.zeros(len(order))
        self.finished = 0
        self.bad = self.failed = False
        self.rows_done = np.bincount(order[:skip] // tiles, minlength=tiles).tolist()
        self.columns_done = np.bincount(order[:skip] % tiles, minlength=tiles).tolist()
        return self.workers, len(order) - skip

    def tally(self) -> Tally:
        done = self.before.words + self.finished
        return Tally(done, done, done, self.before.loss + float(self.losses.sum()))

    def rate(self, epoch: int, position: int) -> float:
        return self.config.eta

    def diverged(self) -> bool:
        return self.bad

    def finite(self) -> bool:
        return all(_engine.first_nonfinite_row(table) < 0 for table in self.tables)

    def pause(self) -> None:
        self.model._publish()

    # ---- the last good state

    def keep(self) -> None:
        """Remember the weights, where that costs little (see :class:`fastemb.training.weights.Snapshot`)."""
        now = time.monotonic()
        if self.snapshot_time == 0.0:
            label = "before this training"
            if self.model._untrained and sum(t.nbytes for t in self.tables) > weights.FIRST_SNAPSHOT:
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

    def restore(self) -> str:
        if self.snapshot.restore(self.tables):
            return f"the model's weights are again those {self.snapshot.label}"
        if self.redraw:
            self.model._draw()
            return "the model's weights are again those before this training"
        reset = 0
        dim, stride = self.config.vector_size, self.tables[0].shape[1] // 2
        for one, table in zip((dim + 1, dim), self.tables, strict=True):
            bad = weights.bad_rows(table)
            table[bad, :stride] = 0
            table[bad, one] = table[bad, stride:] = 1
            reset += len(bad)
        return f"no earlier weights were kept ({self.snapshot.why_not}): {reset} rows that were not finite are zero"

    def advice(self, alpha: float) -> str:
        return f"eta <= {min(alpha / 4, 0.05):.2g}, or a lower grad_clip (it is {self.config.grad_clip:g})"

    def hopeless(self) -> float:
        return self.cells.hopeless

    def close(self) -> None:
        """Give back what the run needed."""
        self.snapshot.close()


class _Worker:
    """One thread: waits until its tile may be trained, trains it, tells the others."""

    def __init__(self, job: GloveJob) -> None:
        self.job = job

    def run(self, piece: int) -> None:
        job = self.job
        turn = piece + job.skip
        tile, round_ = job.order[turn], turn // job.cells.tiles
        row, column = divmod(tile, job.cells.tiles)
        with job.ready:
            while not (job.rows_done[row] == round_ == job.columns_done[column]):
                if job.failed:
                    return
                job.ready.wait()
        loss = math.nan
        try:
            if job.sizes[turn]:
                loss = job.trainer.run(tile, job.first_epoch + job.epoch)
            else:
                loss = 0.0
        finally:
            with job.ready:
                job.failed = job.failed or not math.isfinite(loss)
                job.rows_done[row] += 1
                job.columns_done[column] += 1
                job.finished += job.sizes[turn]
                job.losses[turn] = loss
                job.ready.notify_all()
        if not math.isfinite(loss):
            job.bad = True
            raise Diverged

    def stop(self) -> None:
        """A tile that is being trained, or waits for one, is finished: that takes milliseconds."""


def allocate(words: int, dim: int) -> np.ndarray:
    """An uninitialised table of weights and their sums of squares, (words, 2 * stride), rows on cache lines."""
    return rows.allocate_aligned(words, 2 * _glove.stride_of(dim))
