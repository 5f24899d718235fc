"""Where provisional ids go while a corpus is read, and how they become the final ones without a second copy.

Blocks are appended in the order of the text with ids of the table of the worker that encoded them. When the vocabulary
is known, each block is mapped in place through its worker's table and loses its out-of-vocabulary words; then the
blocks close up. In memory that is one growing array (grown by moving pages, not bytes); in a file it is one pass of
pread and pwrite over it.
"""

from __future__ import annotations

import os
import secrets
import tempfile
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._corpus import IdBuffer, remap
from .memory import available, human

__all__ = ["Block", "FileStore", "MemoryStore", "Store", "pread_into", "pwrite_all"]

HEADER = 4096  # bytes before the ids in a cache file


@dataclass(slots=True)
class Block:
    worker: int
    start: int  # of its tokens in the store
    n: int
    ends: np.ndarray  # uint32: tokens of the block before each sentence end


def pwrite_all(fd: int, data: Any, at: int) -> None:
    """Writes everything or raises."""
    view = memoryview(data).cast("B")
    while len(view):
        if hasattr(os, "pwrite"):
            n = os.pwrite(fd, view[: 1 << 30], at)
        else:
            os.lseek(fd, at, os.SEEK_SET)
            n = os.write(fd, view[: 1 << 30])
        view, at = view[n:], at + n


def pread_into(fd: int, out: Any, at: int) -> int:
    """Fills `out` from a file position; returns the bytes read, fewer only at the end of the file."""
    view = memoryview(out).cast("B")
    done = 0
    while done < len(view):
        piece = view[done : done + (1 << 30)]
        if hasattr(os, "preadv"):
            n = os.preadv(fd, [piece], at + done)
        elif hasattr(os, "pread"):
            data = os.pread(fd, len(piece), at + done)
            n = len(data)
            piece[:n] = data
        else:  # Windows: the file position is shared, so the callers hold a lock
            os.lseek(fd, at + done, os.SEEK_SET)
            data = os.read(fd, len(piece))
            n = len(data)
            piece[:n] = data
        if n == 0:
            break
        done += n
    return done


class _Offsets:
    """Sentence offsets from the sentence ends of blocks in turn, empty sentences left out."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self._out = np.empty(sum(len(b.ends) for b in blocks) + 1, np.int64)
        self._out[0] = 0
        self._n = 1

    def add(self, ends: np.ndarray, base: int) -> None:
        if not len(ends):
            return
        e = ends.astype(np.int64)
        e += base
        new = np.empty(len(e), np.bool_)
        new[0] = e[0] > self._out[self._n - 1]
        np.greater(e[1:], e[:-1], out=new[1:])
        e = e[new]
        self._out[self._n : self._n + len(e)] = e
        self._n += len(e)

    def done(self) -> np.ndarray:
        self._out.resize(self._n, refcheck=False)
        return self._out


class MemoryStore:
    """Ids in one growing array."""

    def __init__(self) -> None:
        self.buffer: IdBuffer | None = IdBuffer()
        self.size = 0

    def append(self, ids: np.ndarray, expected_more: int = 0) -> int:
        """Adds ids; `expected_more` is a guess of what is still to come. Returns where they begin."""
        assert self.buffer is not None
        start, need = self.size, self.size + len(ids)
        if need > self.buffer.capacity:
            # address space, not memory, until written to; at most a fifth (and 16 M ids) too much
            spare = min(max(expected_more, 0), need // 5 + (1 << 22)) if expected_more else need // 5
            room = available()
            if room is not None and (need - self.buffer.capacity) * 4 > room:
                raise MemoryError(
                    f"the ids of this corpus need more than {human(need * 4)} and {human(room)} are available; "
                    'try cache="auto" or cache="some/file" (ids in a file) or a sample of the text'
                )
            if room is not None:
                spare = min(spare, max(0, room // 8 - (need - self.buffer.capacity)))
            self.buffer.resize_capacity(need + spare)
        self.buffer.append(ids)
        self.size = need
        return start

    def finish(self, blocks: list[Block], maps: Sequence[np.ndarray], workers: int) -> tuple[np.ndarray, np.ndarray]:
        """Final (ids, offsets)."""
        buffer = self.buffer
        assert buffer is not None

        def one(b: Block) -> int:
            return buffer.remap(b.start, b.n, maps[b.worker], b.ends)

        if workers > 1 and len(blocks) > 1:
            with ThreadPoolExecutor(workers) as pool:
                kept = list(pool.map(one, blocks))
        else:
            kept = [one(b) for b in blocks]
        offsets, at = _Offsets(blocks), 0
        for b, n in zip(blocks, kept, strict=True):
            buffer.move(at, b.start, n)
            offsets.add(b.ends, at)
            b.ends = b.ends[:0]
            at += n
        buffer.truncate(at)
        self.buffer = None
        ids = np.frombuffer(memoryview(buffer), np.int32) if at else np.empty(0, np.int32)
        ids.setflags(write=False)
        return ids, offsets.done()

    def close(self) -> None:
        self.buffer = None


class FileStore:
    """Ids in a file: a temporary one without a name (path None), or one that takes its name when it is complete."""

    def __init__(self, path: str | None) -> None:
        self.path = path
        self.temporary: str | None = None
        self.size = 0
        if path is None:
            self._file: Any = tempfile.TemporaryFile(buffering=0, prefix="fastemb-")
            self.fd = self._file.fileno()
        else:
            folder, name = os.path.split(os.path.abspath(path))
            self._file = None
            try:  # a file without a name: whatever kills the process, nothing is left behind
                self.fd = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
            except (AttributeError, OSError):  # not Linux, or not this file system
                self.fd, self.temporary = tempfile.mkstemp(prefix=f".{name}.", suffix=".tmp", dir=folder)

    def append(self, ids: np.ndarray, expected_more: int = 0) -> int:
        start = self.size
        pwrite_all(self.fd, ids, HEADER + 4 * start)
        self.size += len(ids)
        return start

    def finish(self, blocks: list[Block], maps: Sequence[np.ndarray], workers: int) -> tuple[int, np.ndarray, int]:
        """(number of ids, offsets, crc32 of the ids); the file then ends with them."""
        offsets, at, crc = _Offsets(blocks), 0, 0
        scratch = np.empty(max((b.n for b in blocks), default=0), np.int32)
        for b in blocks:
            ids = scratch[: b.n]
            if pread_into(self.fd, ids, HEADER + 4 * b.start) != 4 * b.n:
                raise OSError("the id cache file was cut while it was written")
            n = remap(ids, maps[b.worker], b.ends)
            crc = zlib.crc32(ids[:n].data, crc)
            pwrite_all(self.fd, ids[:n], HEADER + 4 * at)
            offsets.add(b.ends, at)
            b.ends = b.ends[:0]
            at += n
        os.ftruncate(self.fd, HEADER + 4 * at)
        return at, offsets.done(), crc

    def publish(self) -> None:
        """Flushes the file to the disk and gives it its name."""
        assert self.path is not None
        os.fsync(self.fd)
        folder, name = os.path.split(os.path.abspath(self.path))
        try:
            mode = os.stat(self.path).st_mode & 0o777
        except OSError:
            mask = os.umask(0)
            os.umask(mask)
            mode = 0o666 & ~mask
        if hasattr(os, "fchmod"):
            os.fchmod(self.fd, mode)
        if self.temporary is None:
            self.temporary = self._link(folder, name)
        os.replace(self.temporary, self.path)
        self.temporary = None
        if os.name == "posix":
            fd = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def _link(self, folder: str, name: str) -> str:
        """Gives the nameless file a temporary name."""
        temporary = f".{name}.{os.getpid()}.{secrets.token_hex(4)}.tmp"
        directory = os.open(folder, os.O_RDONLY)
        try:  # with a directory descriptor os.link follows the symbolic link of /proc, without it does not
            os.link(f"/proc/self/fd/{self.fd}", temporary, dst_dir_fd=directory, follow_symlinks=True)
        finally:
            os.close(directory)
        return os.path.join(folder, temporary)

    def detach(self) -> tuple[int, Any]:
        """Hands over the descriptor and, of a temporary file, the object that owns it."""
        fd, self.fd = self.fd, -1
        owner, self._file = self._file, None
        return fd, owner

    def close(self) -> None:
        """Closes and removes what was not published."""
        if self._file is not None:
            self._file.close()
            self._file, self.fd = None, -1
        elif self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
        if self.temporary is not None:
            try:
                os.unlink(self.temporary)
            except FileNotFoundError:
                pass
            self.temporary = None


class Store:
    """A memory store that moves into a temporary file when it outgrows `limit` bytes, or a file store from the
    start."""

    def __init__(self, path: str | None = None, limit: Callable[[], int] | int | None = None) -> None:
        self.backend: MemoryStore | FileStore = MemoryStore() if path is None else FileStore(path)
        self._limit = limit

    def append(self, ids: np.ndarray, expected_more: int = 0) -> int:
        backend = self.backend
        if isinstance(backend, MemoryStore) and self._limit is not None:
            if callable(self._limit):
                self._limit = self._limit()
            if 4 * (backend.size + len(ids)) > self._limit:
                self.backend = spilled = FileStore(None)
                if backend.size:
                    spilled.append(np.frombuffer(memoryview(backend.buffer), np.int32))  # type: ignore[arg-type]
                backend.close()
                return spilled.append(ids)
        return backend.append(ids, expected_more)

    def close(self) -> None:
        self.backend.close()
