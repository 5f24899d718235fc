"""Where co-occurrence counts go that do not fit in memory: runs of counted pieces, and the cells of the result.

a. Both are temporary files without a name in ``tempfile.gettempdir()`` (TMPDIR chooses the disk): whatever ends the
   process, the system takes them back.
b. A run holds the rows of one piece of text (csrc/fe_cooccur.h tells the bytes). All runs lie in one file, one behind
   the other, and it is known where each block of rows begins in each run; so any number of runs is merged with one open
   file and one reading of it, block by block.
c. Blocks are cut so that the parts of all runs that belong to a block fit in memory together; a row too large for that
   is a block of its own, and the runs' parts of it are added one after the other.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastemb.formats.native import Streamed

from ._cooccur import Cells, RowCounter, StopFlag
from .memory import available, human
from .store import pread_into, pwrite_all
from .threads import in_order

__all__ = ["PIECE_CELLS", "CellFiles", "Counted", "Memory", "Runs", "Sink", "temporary_file"]

PIECE_CELLS = 1 << 17  # cells a piece of rows may have, as far as that can be known: 1.5 MB, in the second-level cache
CELL, ENCODED = 12, 14  # bytes of a cell, as columns and counts, and encoded at most
USUAL = 6  # bytes of an encoded cell, usually


@dataclass(frozen=True)
class Memory:
    """What a count may use."""

    workers: int
    rest: int  # bytes beside what every worker needs
    cells: int | None  # bytes of the result in memory; None: as many as it takes

    @property
    def block_cells(self) -> int:
        """Encoded cells that one worker may have in memory while runs are merged."""
        return max(PIECE_CELLS // 4, self.rest // 4 // self.workers // (USUAL + CELL))

    @classmethod
    def plan(cls, v: int, workers: int, max_memory: int | None) -> Memory:
        """``ValueError`` when `max_memory` bytes cannot do, ``MemoryError`` when what is available cannot."""
        limit = max_memory
        if limit is None:
            room = available()
            limit = 1 << 62 if room is None else room * 3 // 4
        each = v * CELL + v // 16 + (PIECE_CELLS + v) * (CELL + ENCODED) + 16 * v
        shared = 64 * v
        need = (each + shared) * 4 // 3 + (1 << 22)
        if limit < need:
            what = f"counting the co-occurrences of {v:,} words needs at least {human(need)} of memory"
            less = "take fewer words (min_count, max_final_vocab)"
            if max_memory is None:
                raise MemoryError(f"{what} and {human(limit)} can be had; {less}")
            raise ValueError(f"{what}, beside the ids, and max_memory leaves {human(limit)}; allow more, or {less}")
        workers = max(1, min(workers, (limit * 3 // 4 - shared) // each))
        rest = limit - shared - workers * each
        return cls(workers, rest, None if max_memory is None and limit >= 1 << 62 else rest // 2)


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """A full disk says which disk, and what to do."""
    try:
        yield
    except OSError as e:
        if e.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            folder = tempfile.gettempdir()
            raise OSError(
                e.errno,
                f"no room on the disk for {what} ({os.strerror(e.errno)}); free some, set TMPDIR to a larger disk, or "
                "raise max_memory",
                folder,
            ) from e
        raise


def temporary_file(what: str) -> Any:
    """A file without a name, unbuffered."""
    with _told(what):
        return tempfile.TemporaryFile(buffering=0, prefix="fastemb-")


class CellFiles:
    """Columns and counts in two temporary files."""

    WHAT = "the temporary file of co-occurrence counts"
    DTYPES = (np.dtype(np.int32), np.dtype(np.int64))

    def __init__(self) -> None:
        self.n = 0
        self._files = [temporary_file(self.WHAT)]
        try:
            self._files.append(temporary_file(self.WHAT))
        except BaseException:
            self.close()
            raise

    def append(self, columns: np.ndarray, counts: np.ndarray) -> None:
        with _told(self.WHAT):
            for file, array in zip(self._files, (columns, counts), strict=True):
                pwrite_all(file.fileno(), array, self.n * array.itemsize)
        self.n += len(columns)

    def read(self, which: int, lo: int, hi: int) -> np.ndarray:
        """Cells lo..hi: columns (0) or counts (1)."""
        out = np.empty(hi - lo, self.DTYPES[which])
        if pread_into(self._files[which].fileno(), out, lo * out.itemsize) != out.nbytes:
            raise OSError(f"{self.WHAT} was cut")
        return out

    def map(self, which: int) -> np.ndarray:
        """All columns or counts, mapped; needs address space for them."""
        if not self.n:
            return np.empty(0, self.DTYPES[which])
        try:
            return np.memmap(self._files[which], self.DTYPES[which], "r", 0, (self.n,))
        except (OSError, MemoryError) as e:
            size = self.n * self.DTYPES[which].itemsize
            raise MemoryError(
                f"{human(size)} of co-occurrence counts are in a temporary file, and there is no address space to map "
                f"them ({e}); read them in pieces (values, row) or save them"
            ) from None

    def streamed(self, which: int) -> Streamed:
        """All columns or counts, for a file to be written."""

        def pieces() -> Iterator[np.ndarray]:
            for lo in range(0, self.n, 1 << 20):
                yield self.read(which, lo, min(lo + (1 << 20), self.n))

        return Streamed(self.DTYPES[which], (self.n,), pieces)

    def close(self) -> None:
        for file in self._files:
            file.close()


@dataclass
class Counted:
    """A result as CSR: `cells` are (columns, counts), in memory or in files."""

    indptr: np.ndarray
    cells: tuple[np.ndarray, np.ndarray] | CellFiles


class Sink:
    """Takes the cells of the result in order; in memory up to `limit` bytes, in files beyond."""

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self._memory: Cells | None = Cells()
        self._files: CellFiles | None = None

    def __enter__(self) -> Sink:
        return self

    def __exit__(self, *error: Any) -> None:
        if self._files is not None:
            self._files.close()
        self._memory = None

    def expect(self, cells: int) -> None:
        """Takes address space for so many cells at once; memory is used as they come."""
        room = available()
        bounds = [cells * CELL, 1 << 40 if room is None else room // 4, 1 << 62 if self.limit is None else self.limit]
        if self._memory is not None and not self._memory.n:
            self._memory = Cells(min(bounds) // CELL)

    def append(self, columns: np.ndarray, counts: np.ndarray) -> None:
        if self._memory is not None:
            if self.limit is None or CELL * (self._memory.n + len(columns)) <= self.limit:
                self._memory.append(columns, counts)
                return
            files = CellFiles()
            self._files = files
            held, self._memory = self._memory.take(), None
            files.append(*held)
        assert self._files is not None
        self._files.append(columns, counts)

    def finish(self) -> tuple[np.ndarray, np.ndarray] | CellFiles:
        """The cells; the sink is then empty."""
        if self._memory is not None:
            return self._memory.take()
        files, self._files = self._files, None
        assert files is not None
        return files


class Runs:
    """Runs in one temporary file."""

    WHAT = "the sorted runs of co-occurrence counts"

    def __init__(self) -> None:
        self._file = temporary_file(self.WHAT)
        self.size = 0
        self.at: list[np.ndarray] = []  # of each run: where its blocks begin, and its end
        self._block_of: dict[int, int] = {}

    def __enter__(self) -> Runs:
        return self

    def __exit__(self, *error: Any) -> None:
        self._file.close()

    def begin(self, blocks: np.ndarray) -> None:
        """The next run begins."""
        self._block_of = {row: k for k, row in enumerate(blocks.tolist())}
        self.at.append(np.full(len(blocks), self.size, np.int64))

    def append(self, lo: int, hi: int, encoded: np.ndarray) -> None:
        """Rows lo..hi of the present run, which follow those appended before."""
        if (block := self._block_of.get(lo)) is not None:
            self.at[-1][block] = self.size
        with _told(self.WHAT):
            pwrite_all(self._file.fileno(), encoded, self.size)
        self.size += len(encoded)
        if (block := self._block_of.get(hi)) is not None:
            self.at[-1][block] = self.size

    def _read(self, run: int, block: int) -> np.ndarray:
        lo, hi = self.at[run][block : block + 2].tolist()
        out = np.empty(hi - lo, np.uint8)
        if pread_into(self._file.fileno(), out, lo) != hi - lo:
            raise OSError(f"the temporary file of {self.WHAT} was cut")
        return out

    def merge(
        self,
        blocks: np.ndarray,
        bound: np.ndarray,
        v: int,
        counters: list[RowCounter],
        take: Callable[[int, int, Any], None],
        meter: Any,
        stop: StopFlag,
    ) -> None:
        """Adds the runs up: take(first row, end row, (columns, counts, nnz)) in order of the rows.

        `bound` (V,) says how many cells a row can have.
        """
        most = np.add.reduceat(bound, blocks[:-1]) if v else bound
        began = meter.fraction

        def work(counter: RowCounter) -> Callable[[int], Any]:
            def one(k: int) -> Any:
                lo, hi = int(blocks[k]), int(blocks[k + 1])
                if hi - lo > 1:
                    parts = [self._read(run, k) for run in range(len(self.at))]
                    return counter.merge(parts, hi - lo, int(most[k]), stop)
                for run in range(len(self.at)):
                    if stop.is_set():
                        return None
                    counter.add_run(self._read(run, k))
                columns, counts = counter.harvest()
                return columns, counts, np.array([len(columns)], np.int64)

            return one

        def taken(k: int, found: Any) -> None:
            take(int(blocks[k]), int(blocks[k + 1]), found)
            meter.fraction = began + (1 - began) * (k + 1) / (len(blocks) - 1)

        meter.phase = "merge"
        in_order(len(blocks) - 1, [work(c) for c in counters], taken, stop=stop.set, tell=meter.tell)
