"""Tasks and the workers that encode them.

A task is a range of a plain file, a block of text, a batch of sentences or a piece of an id array.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._corpus import SLACK, Encoder, Table, TokenBlock, as_keys, find_separator
from .readers import BOM, SEPARATORS
from .report import CorpusChangedError
from .sources import File
from .store import pread_into

__all__ = ["Encoded", "Ints", "Key", "Range", "Task", "Text", "Tokens", "Worker", "check_unchanged"]

TAIL = 4096  # bytes read beyond a range to see its last token end
Key = tuple[int, int]  # (file, block): the order of the text


class Worker:
    def __init__(self, index: int, *, first: bool, lines: bool, version: str | None) -> None:
        self.index = index
        self._make = lambda ints: Encoder(ints=ints, first=first, lines=lines, version=version)
        self._encoder: Encoder | None = None
        self._buffer = np.zeros(0, np.uint8)

    @property
    def table(self) -> Table | None:
        return None if self._encoder is None else self._encoder.table

    def release(self) -> None:
        """Drops the table and the buffers."""
        self._encoder = None
        self._buffer = np.zeros(0, np.uint8)

    def encoder(self, ints: bool) -> Encoder:
        if self._encoder is None:
            self._encoder = self._make(ints)
        return self._encoder

    def text_buffer(self, size: int) -> np.ndarray:
        if len(self._buffer) < size + SLACK:
            self._buffer = np.zeros(size + size // 8 + SLACK, np.uint8)
        return self._buffer

    def encode_text(self, buffer: np.ndarray, begin: int, end: int, position: int, text_bytes: int) -> Encoded:
        ids, ends, empty = self.encoder(False).text(buffer, begin, end, position)
        return Encoded(self.index, ids, ends, empty, text_bytes)


@dataclass(slots=True)
class Encoded:
    worker: int
    ids: np.ndarray
    ends: np.ndarray
    n_empty: int
    text_bytes: int


@dataclass(slots=True)
class Range:
    """Bytes lo..hi of a plain file. It owns the tokens that begin and the line ends that lie in there."""

    key: Key
    file: File
    lo: int
    hi: int

    def encode(self, worker: Worker) -> Encoded:
        file, lo, hi = self.file, self.lo, self.hi
        fd = os.open(file.path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))
        try:
            check_unchanged(file, os.fstat(fd))
            start = max(lo - 1, 0)  # one byte back tells whether lo is inside a token
            stop = hi - start  # of the range, seen from `start`
            begin, want = -1, min(hi + TAIL, file.size) - start
            while True:
                buffer = worker.text_buffer(want)
                if pread_into(fd, buffer.data[:want], start) < want:
                    raise changed(file)
                if lo > 0 and (begin := find_separator(buffer, 0, stop)) == stop:
                    end = begin  # all of it lies inside one token, which began earlier
                    break
                end = stop if _is_separator(buffer[stop - 1]) else find_separator(buffer, stop, want)
                if end < want or start + want == file.size:
                    break
                want = min(2 * want, file.size - start)  # the last token goes on and on
        finally:
            os.close(fd)
        if lo == 0:
            begin = min(3, end) if buffer[:3].tobytes() == BOM else 0
        elif begin == 0:
            begin = 1  # the byte at lo - 1 is a separator; if it is a line end, it was counted by the range before
        return worker.encode_text(buffer, begin, end, (self.key[0] << 42) + lo, hi - lo)


@dataclass(slots=True)
class Text:
    """Text in memory, cut between tokens."""

    key: Key
    buffer: np.ndarray
    begin: int
    end: int
    position: int

    def encode(self, worker: Worker) -> Encoded:
        return worker.encode_text(
            self.buffer, self.begin, self.end, (self.key[0] << 42) + self.position, self.end - self.begin
        )


@dataclass(slots=True)
class Tokens:
    """Sentences copied out of Python objects."""

    key: Key
    block: TokenBlock
    position: int

    def encode(self, worker: Worker) -> Encoded:
        ids, ends, empty = worker.encoder(self.block.kind == 2).tokens(self.block, self.position)
        return Encoded(worker.index, ids, ends, empty, 0)


@dataclass(slots=True)
class Ints:
    """A piece of an id array."""

    key: Key
    flat: np.ndarray
    ends: np.ndarray
    n_empty: int
    position: int

    def encode(self, worker: Worker) -> Encoded:
        return Encoded(
            worker.index, worker.encoder(True).int_array(as_keys(self.flat), self.position), self.ends, self.n_empty, 0
        )


Task = Range | Text | Tokens | Ints


def _is_separator(byte: int) -> bool:
    return byte in SEPARATORS


def changed(file: File) -> CorpusChangedError:
    return CorpusChangedError(
        f"corpus changed while it was read: {file.path!r} is no longer the file of {file.size:,} bytes it was"
    )


def check_unchanged(file: File, st: Any) -> None:
    if st.st_size != file.size or st.st_mtime_ns != file.mtime_ns:
        raise changed(file)
