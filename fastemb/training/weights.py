"""Weight matrices: first values, growth, warm starts, and the last good state."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Sequence
from typing import IO

import numpy as np

from fastemb.training.memory import human

logger = logging.getLogger("fastemb")

CHUNK = 1 << 16  # floats handled at a time: they stay in cache, and no step needs a second matrix
SMALL_SNAPSHOT = 4 << 20  # bytes: below this a snapshot simply stays in memory
FIRST_SNAPSHOT = (
    64 << 20
)  # bytes: up to this the state before the first epoch is kept without asking whether it is worth it
SNAPSHOT_SHARE = 0.02  # of the time of an epoch, at most, goes into snapshots


def _rows_per_chunk(dim: int) -> int:
    return max(1, CHUNK // max(1, dim))


def _skip(rng: np.random.Generator, draws: int) -> None:
    """Advance `rng` past `draws` float32 draws; each takes half of a 64-bit step."""
    rng.bit_generator.advance(draws // 2)  # type: ignore[attr-defined]
    if draws % 2:
        rng.random(1, dtype=np.float32)


def draw(vectors: np.ndarray, seed: int, first: int = 0) -> None:
    """Fill rows `first` .. of `vectors` with the first values of a model of that `seed`.

    The values are those of ``(default_rng(seed).random((n, d), float32) * 2 - 1) / d``, as in gensim 4: uniform in
    (-1/d, 1/d). Row i gets the same values whether the matrix was made at once or has grown.

    Parameters
    ----------
    vectors : float32 array (n, d)
        Filled in place.
    seed : int
    first : int, optional
        Rows before this one are left alone.
    """
    n, dim = vectors.shape
    rng = np.random.default_rng(seed)
    _skip(rng, first * dim)
    step = _rows_per_chunk(dim)
    for i in range(first, n, step):
        rows = rng.random((min(step, n - i), dim), dtype=np.float32)
        rows *= 2.0
        rows -= 1.0
        rows /= dim
        vectors[i : i + step] = rows


def is_initial(vectors: np.ndarray, seed: int) -> bool:
    """Whether `vectors` still are what :func:`draw` made."""
    n, dim = vectors.shape
    rng = np.random.default_rng(seed)
    step = _rows_per_chunk(dim)
    for i in range(0, n, step):
        rows = rng.random((min(step, n - i), dim), dtype=np.float32)
        if not np.array_equal((rows * 2.0 - 1.0) / dim, vectors[i : i + step]):
            return False
    return True


def is_finite(table: np.ndarray) -> bool:
    """Whether all of `table` is finite; one read of it and next to no memory."""
    step = _rows_per_chunk(table.shape[1])
    for i in range(0, len(table), step):
        rows = table[i : i + step]
        with np.errstate(over="ignore", invalid="ignore"):
            total = rows.sum()  # NaN and infinity survive a sum
        if not np.isfinite(total) and not np.isfinite(rows).all():
            return False
    return True


def bad_rows(table: np.ndarray) -> np.ndarray:
    """Indices of the rows of `table` that hold NaN or infinity."""
    step = _rows_per_chunk(table.shape[1])
    found = [i + np.flatnonzero(~np.isfinite(table[i : i + step]).all(axis=1)) for i in range(0, len(table), step)]
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def copy_rows(target: np.ndarray, rows: np.ndarray, source: np.ndarray, source_rows: np.ndarray) -> None:
    """``target[rows] = source[source_rows]`` without a temporary of that size."""
    step = _rows_per_chunk(target.shape[1])
    for i in range(0, len(rows), step):
        target[rows[i : i + step]] = source[source_rows[i : i + step]]


def _on_disk(directory: str) -> bool:
    """Whether `directory` is on something else than memory (a tmpfs would break the promise on peak memory)."""
    try:
        device = os.stat(directory).st_dev
        number = f"{os.major(device)}:{os.minor(device)}"
        with open("/proc/self/mountinfo") as f:
            for line in f:
                left, _, right = line.partition(" - ")
                if left.split()[2] == number:
                    return right.split()[0] not in ("tmpfs", "ramfs", "devtmpfs")
    except (OSError, IndexError, AttributeError):
        pass
    return True


class Snapshot:
    """The last good state of some matrices: in memory while they are small, else in an unlinked temporary file.

    A copy in memory would double what a large model needs, so it goes to disk, and only as often as costs little
    time; what cannot be kept (no disk, no room) is not, and :attr:`why_not` says so.
    """

    def __init__(self) -> None:
        self.copies: list[np.ndarray] | None = None
        self.file: IO[bytes] | None = None
        self.label: str | None = None  # which state is kept
        self.why_not = "no epoch had ended"

    def take(self, tables: Sequence[np.ndarray], label: str) -> bool:
        """Keep the present values of `tables`; False if that was not possible (an earlier state then stays)."""
        need = sum(table.nbytes for table in tables)
        if need <= SMALL_SNAPSHOT:
            if self.copies is None:
                self.copies = [table.copy() for table in tables]
            else:
                for copy, table in zip(self.copies, tables, strict=True):
                    copy[...] = table
            self.label = label
            return True
        try:
            if self.file is None:
                self.file = self._open(need)
                if self.file is None:
                    return False
            self.label = None  # half-written is nothing
            self.file.seek(0)
            for table in tables:
                self.file.write(table.data.cast("B"))
        except OSError as error:
            self.why_not = f"the temporary file could not be written: {error}"
            self.close()
            return False
        self.label = label
        return True

    def _open(self, need: int) -> IO[bytes] | None:
        for directory in dict.fromkeys((tempfile.gettempdir(), "/var/tmp")):
            try:
                stat = os.statvfs(directory)
                if _on_disk(directory) and stat.f_bavail * stat.f_frsize > 2 * need:
                    return tempfile.TemporaryFile(dir=directory, prefix="fastemb-", buffering=0)
            except (OSError, AttributeError):
                continue
        self.why_not = f"no temporary directory on a disk has {human(2 * need)} free"
        return None

    def restore(self, tables: Sequence[np.ndarray]) -> bool:
        """Put the kept values back into `tables`; False if there are none."""
        if self.label is None:
            return False
        if self.copies is not None:
            for copy, table in zip(self.copies, tables, strict=True):
                table[...] = copy
            return True
        assert self.file is not None
        self.file.seek(0)
        for table in tables:
            view = table.data.cast("B")
            done = 0
            while done < len(view):
                got = self.file.readinto(view[done:])  # type: ignore[attr-defined]
                if not got:
                    return False
                done += got
        return True

    def close(self) -> None:
        """Forget the state."""
        if self.file is not None:
            self.file.close()
        self.file = self.copies = self.label = None
