"""The one pass over a corpus: read, tokenise, count, give provisional ids, in parallel and in order.

Tasks (a range of a plain file, a block of decompressed text, a batch of sentences) carry a key (file, block). Workers encode them with a table of their
own in long calls without the GIL and hand the result to the `_Collector`, which appends results to the store in the order of their keys. Plain
files are read by the workers themselves at their own offsets; compressed files by reader threads, several at a time; standard input, pipes, file
objects and iterables in the calling thread, so that Ctrl-C and their own exceptions end the scan at once.

Whatever fails anywhere sets the stop flag, all threads are joined, and the first error is raised.
"""

from __future__ import annotations

import io
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._corpus import SLACK, Encoder, Table, TokenBlock, after_last_separator, as_keys, find_separator, split_ends
from .readers import BOM, SEPARATORS, damage_errors, open_stream
from .report import CorpusChangedError
from .sources import ArrayPlan, File, FilePlan, Plan, SentencePlan, StreamPlan
from .store import Block, Store, pread_into

__all__ = ["BLOCK", "Scan", "run"]

BLOCK = 1 << 20  # bytes of text a task; large enough for Python's share to vanish, small enough to stay in the second-level cache
TAIL = 4096  # bytes read beyond a range to see its last token end
PENDING_LIMIT = 256 << 20  # bytes of encoded blocks that may wait for their turn
Key = tuple[int, int]
Progress = Callable[[dict[str, Any]], Any]


class _Stopped(Exception):
    """Another thread has failed."""


@dataclass(slots=True)
class _Encoded:
    worker: int
    ids: np.ndarray
    ends: np.ndarray
    n_empty: int
    text_bytes: int


# -- tasks: each knows how to be encoded by a worker


@dataclass(slots=True)
class _Range:
    """Bytes lo..hi of a plain file. It owns the tokens that begin and the line ends that lie in there."""

    key: Key
    file: File
    lo: int
    hi: int

    def encode(self, worker: _Worker) -> _Encoded:
        import os

        file, lo, hi = self.file, self.lo, self.hi
        fd = os.open(file.path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))
        try:
            check_unchanged(file, os.fstat(fd))
            start = max(lo - 1, 0)  # one byte back tells whether lo is inside a token
            stop = hi - start  # of the range, seen from `start`
            begin, want = -1, min(hi + TAIL, file.size) - start
            while True:
                buffer = worker.text_buffer(want)
                if pread_into(fd, memoryview(buffer)[:want], start) < want:
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
        return worker.encode_text(buffer, begin, end, (self.key[0] << 42) + lo, hi - lo)


@dataclass(slots=True)
class _Text:
    """Text in memory, cut between tokens."""

    key: Key
    buffer: np.ndarray
    begin: int
    end: int
    position: int

    def encode(self, worker: _Worker) -> _Encoded:
        return worker.encode_text(self.buffer, self.begin, self.end, (self.key[0] << 42) + self.position, self.end - self.begin)


@dataclass(slots=True)
class _Tokens:
    """Sentences copied out of Python objects."""

    key: Key
    block: TokenBlock
    position: int

    def encode(self, worker: _Worker) -> _Encoded:
        ids, ends, empty = worker.encoder(self.block.kind == 2).tokens(self.block, self.position)
        return _Encoded(worker.index, ids, ends, empty, 0)


@dataclass(slots=True)
class _Ints:
    """A piece of an id array."""

    key: Key
    flat: np.ndarray
    ends: np.ndarray
    n_empty: int
    position: int

    def encode(self, worker: _Worker) -> _Encoded:
        return _Encoded(worker.index, worker.encoder(True).int_array(as_keys(self.flat), self.position), self.ends, self.n_empty, 0)


_Task = _Range | _Text | _Tokens | _Ints


def _is_separator(byte: int) -> bool:
    return byte in SEPARATORS


def changed(file: File) -> CorpusChangedError:
    return CorpusChangedError(f"corpus changed while it was read: {file.path!r} is no longer the file of {file.size:,} bytes it was; start again")


def check_unchanged(file: File, st: Any) -> None:
    if st.st_size != file.size or st.st_mtime_ns != file.mtime_ns:
        raise changed(file)


# -- the threads and what they share


class _Worker:
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

    def encode_text(self, buffer: np.ndarray, begin: int, end: int, position: int, text_bytes: int) -> _Encoded:
        ids, ends, empty = self.encoder(False).text(buffer, begin, end, position)
        return _Encoded(self.index, ids, ends, empty, text_bytes)


class _Collector:
    """Takes encoded blocks in any order and appends them in the order of the text; closes sentences at the ends of files."""

    def __init__(self, store: Store | None, max_sentence_length: int | None, total_bytes: int | None, progress: Progress | None) -> None:
        self.store = store
        self.max_length = max_sentence_length
        self.blocks: list[Block] = []
        self.lock = threading.Lock()
        self.pending: dict[Key, _Encoded] = {}
        self.pending_bytes = 0
        self.next: Key = (0, 0)
        self.file_blocks: dict[int, int] = {}
        self.open_tokens = 0  # of the sentence that goes on
        self.tokens = self.text_bytes = self.sentences = self.empty = self.split = 0
        self.disk_bytes = 0
        self.total_bytes = total_bytes
        self._progress = progress
        self._began = self._told = time.perf_counter()

    def commit(self, key: Key, e: _Encoded) -> None:
        with self.lock:
            if key != self.next:
                e.ids = e.ids.copy() if self.store is not None else _Length(len(e.ids))  # type: ignore[assignment]
                self.pending[key] = e
                self.pending_bytes += e.ids.nbytes
                return
            self._append(e)
            self.next = (key[0], key[1] + 1)
            self._advance()

    def file_done(self, file: int, blocks: int) -> None:
        """That file has so many blocks."""
        with self.lock:
            self.file_blocks[file] = blocks
            self._advance()

    def _advance(self) -> None:
        while True:
            if self.next in self.pending:
                e = self.pending.pop(self.next)
                self.pending_bytes -= e.ids.nbytes
                self._append(e)
                self.next = (self.next[0], self.next[1] + 1)
            elif self.file_blocks.get(self.next[0]) == self.next[1]:
                self._end_of_file()
                self.next = (self.next[0] + 1, 0)
            else:
                return

    def _append(self, e: _Encoded) -> None:
        n, ends = len(e.ids), e.ends
        self.text_bytes += e.text_bytes
        self.empty += e.n_empty
        if len(ends) and ends[0] == 0 and self.open_tokens == 0:  # a line end right after one in the block before
            self.empty += 1
            ends = ends[1:]
        self.sentences += len(ends)
        if self.max_length is not None:
            cut, self.open_tokens = split_ends(ends, n, self.max_length, self.open_tokens)
            self.split += len(cut) - len(ends)
            ends = cut
        else:
            self.open_tokens = n - int(ends[-1]) if len(ends) else self.open_tokens + n
        self.tokens += n
        if self.store is None:
            return
        left = 0
        if self.total_bytes and self.text_bytes:
            left = int(self.tokens * (self.total_bytes / self.text_bytes - 1) * 1.02)
        self.blocks.append(Block(e.worker, self.store.append(e.ids, left), n, ends))

    def _end_of_file(self) -> None:
        if self.open_tokens:
            self.sentences += 1
            self.open_tokens = 0
            if self.blocks:
                b = self.blocks[-1]
                b.ends = np.append(b.ends, np.uint32(b.n))

    def tell(self, force: bool = False) -> None:
        """The progress callback, at most ten times a second; main thread only."""
        if self._progress is None:
            return
        now = time.perf_counter()
        if not force and now - self._told < 0.1:
            return
        self._told = now
        done = self.disk_bytes or self.text_bytes
        self._progress(
            {
                "phase": "scan",
                "bytes": done,
                "total_bytes": self.total_bytes,
                "tokens": self.tokens,
                "words_per_s": self.tokens / max(now - self._began, 1e-9),
            }
        )


class _Length:
    """Stands for ids nobody wants."""

    nbytes = 0

    def __init__(self, n: int) -> None:
        self._n = n

    def __len__(self) -> int:
        return self._n


class _Crew:
    """The worker threads and their bounded queue; the first error of any thread."""

    def __init__(self, workers: list[_Worker], collector: _Collector) -> None:
        self.collector = collector
        self.workers = workers
        self._tasks: deque[_Task] = deque()
        self._capacity = 2 * len(workers) + 2
        self._changed = threading.Condition()
        self._closed = False
        self._stop = False
        self.error: BaseException | None = None
        self.threads: list[threading.Thread] = []

    def start(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=self._guard, args=(target, *args), name="fastemb-corpus", daemon=True)
        self.threads.append(thread)
        thread.start()

    def _guard(self, target: Callable[..., None], *args: Any) -> None:
        try:
            target(*args)
        except _Stopped:
            pass
        except BaseException as e:
            with self._changed:
                if self.error is None:
                    self.error = e
                self._stop = True
                self._changed.notify_all()

    def check(self) -> None:
        if self._stop:
            raise _Stopped

    def stop(self) -> None:
        with self._changed:
            self._stop = True
            self._tasks.clear()
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def put(self, task: _Task, main: bool = True) -> None:
        """Queues a task; waits while the queue is full or too many results wait for an earlier block than this."""
        while True:
            with self._changed:
                self.check()
                current = task.key[0] <= self.collector.next[0]
                ahead = task.key[1] - self.collector.next[1] > 16 * self._capacity if current else False
                if len(self._tasks) < self._capacity and not ahead and (current or self.collector.pending_bytes < PENDING_LIMIT):
                    self._tasks.append(task)
                    self._changed.notify_all()
                    return
                self._changed.wait(0.1)
            if main:
                self.collector.tell()

    def take(self) -> _Task | None:
        with self._changed:
            while not self._tasks:
                self.check()
                if self._closed:
                    return None
                self._changed.wait(0.5)
            self.check()
            task = self._tasks.popleft()
            self._changed.notify_all()
            return task

    def work(self, worker: _Worker) -> None:
        while (task := self.take()) is not None:
            self.collector.commit(task.key, task.encode(worker))
            with self._changed:
                self._changed.notify_all()

    def join(self, threads: list[threading.Thread], progress: bool = True) -> None:
        for thread in threads:
            while thread.is_alive():
                thread.join(0.05)
                if progress and not self._stop:
                    self.collector.tell()


# -- feeding


def _text_blocks(read_into: Callable[[Any], int], block: int, check: Callable[[], None]) -> Iterator[tuple[np.ndarray, int, int, int]]:
    """(buffer, begin, end, position) of a stream, cut after white space; a token longer than a block makes the block grow."""
    carry, position, first, size = b"", 0, True, block
    while True:
        buffer = np.zeros(len(carry) + size + SLACK, np.uint8)
        view = memoryview(buffer)
        filled, room = len(carry), len(carry) + size
        view[:filled] = carry
        at_end = False
        while filled < room:
            check()
            n = read_into(view[filled:room])
            if not n:
                at_end = True
                break
            filled += n
        begin = 3 if first and buffer[:3].tobytes() == BOM else 0
        end = filled if at_end else after_last_separator(buffer, begin, filled)
        if end > begin or at_end:
            yield buffer, begin, end, position
            position += end
            first, size = False, block
        else:
            end, size = 0, max(2 * filled, block)
        if at_end:
            return
        carry = view[end:filled].tobytes()


def _read_stream(crew: _Crew, raw: Any, name: str, index: int, block: int, main: bool, counted_disk: bool) -> None:
    """Feeds a (perhaps compressed) stream as file `index`."""
    collector, blocks = crew.collector, 0
    stream, counter = open_stream(raw)
    seen = 0

    def read_into(view: Any) -> int:
        nonlocal seen
        n = stream.readinto(view)
        if counted_disk:
            with collector.lock:
                collector.disk_bytes += counter.consumed - seen
            seen = counter.consumed
        if main:
            collector.tell()
        return n or 0

    try:
        for buffer, begin, end, position in _text_blocks(read_into, block, crew.check):
            crew.put(_Text((index, blocks), buffer, begin, end, position), main)
            blocks += 1
    except damage_errors() as e:
        raise ValueError(f"{name}: damaged or cut compressed file ({e})") from e
    except OSError as e:
        if e.errno is None and not isinstance(e, (CorpusChangedError, io.UnsupportedOperation)):  # how bz2 reports damage
            raise ValueError(f"{name}: damaged or cut compressed file ({e})") from e
        raise
    collector.file_done(index, blocks)


def _read_compressed(crew: _Crew, files: deque[tuple[int, File]], block: int) -> None:
    """A reader thread: takes the next compressed file as long as there is one."""
    import os

    while True:
        try:
            index, file = files.popleft()
        except IndexError:
            return
        with open(file.path, "rb", buffering=0) as raw:
            check_unchanged(file, os.fstat(raw.fileno()))
            _read_stream(crew, raw, repr(file.path), index, block, False, True)
            check_unchanged(file, os.fstat(raw.fileno()))


def _feed_files(crew: _Crew, plan: FilePlan, block: int) -> None:
    import sys

    collector = crew.collector
    compressed = deque((i, f) for i, f in enumerate(plan.files) if f.compression and not f.stream)
    readers = min(len(compressed), max(1, len(crew.workers)))
    before = len(crew.threads)
    for _ in range(readers):
        crew.start(_read_compressed, crew, compressed, block)
    for index, file in enumerate(plan.files):
        if file.stream:
            if file.path == "-":
                _read_stream(crew, sys.stdin.buffer, "standard input", index, block, True, False)
            else:
                with open(file.path, "rb", buffering=0) as raw:
                    _read_stream(crew, raw, repr(file.path), index, block, True, False)
        elif not file.compression:
            collector.file_done(index, -(-file.size // block))
            for b, lo in enumerate(range(0, file.size, block)):
                crew.put(_Range((index, b), file, lo, min(lo + block, file.size)))
    crew.join(crew.threads[before:])


def _feed_sentences(crew: _Crew, plan: SentencePlan, block: int) -> None:
    blocks = position = sentences = kind = 0
    iterator = iter(_text_lines(plan.sentences, block) if plan.as_text else plan.sentences)
    if plan.as_text:
        for text in iterator:
            buffer = np.zeros(len(text) + SLACK, np.uint8)
            buffer[: len(text)] = np.frombuffer(text, np.uint8)
            crew.put(_Text((0, blocks), buffer, 0, len(text), position))
            position += len(text)
            blocks += 1
            crew.collector.tell()
    else:
        more = True
        while more:
            batch = TokenBlock(kind)
            # small first batches: progress and errors of slow iterators show early
            more = batch.fill(iterator, sentences, min(block, 1 << (14 + min(blocks, 12))))
            sentences += batch.sentences
            kind = batch.kind
            if batch.sentences:
                crew.put(_Tokens((0, blocks), batch, position))
                blocks += 1
                position += batch.n
            crew.collector.tell()
    crew.collector.file_done(0, blocks)


def _text_lines(texts: Any, block: int) -> Iterator[bytes]:
    """Strings as blocks of text, a line each."""
    lines: list[bytes] = []
    size = 0
    for number, text in enumerate(texts):
        if isinstance(text, str):
            text = text.encode("utf-8", "surrogateescape")
        elif not isinstance(text, bytes):
            raise TypeError(f'item {number} is {text!r:.80}, a {type(text).__name__}; with tokenizer="whitespace" the items are strings')
        lines.append(text.replace(b"\n", b" ") if b"\n" in text else text)
        size += len(text) + 1
        if size >= block:
            yield b"\n".join(lines) + b"\n"
            lines, size = [], 0
    if lines:
        yield b"\n".join(lines) + b"\n"


def _feed_arrays(crew: _Crew, plan: ArrayPlan, block: int) -> None:
    step = max(1, block // 4)
    n, ends = len(plan.flat), plan.ends
    blocks = -(-n // step)
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]])[: len(ends)]
    crew.collector.empty += int(np.count_nonzero(starts == ends))
    ends = ends[ends > starts]
    crew.collector.file_done(0, blocks)
    for b, lo in enumerate(range(0, n, step)):
        hi = min(lo + step, n)
        i, j = np.searchsorted(ends, (lo, hi), side="right")
        crew.put(_Ints((0, b), plan.flat[lo:hi], (ends[i:j] - lo).astype(np.uint32), 0, lo))


@dataclass
class Scan:
    """What one pass found."""

    table: Table  # all words with their counts
    maps: list[np.ndarray]  # by worker: its ids -> ids of `table`
    collector: _Collector


def run(
    plan: Plan,
    *,
    workers: int,
    store: Store | None,
    track_first: bool = False,
    progress: Progress | None = None,
    block: int = BLOCK,
    version: str | None = None,
) -> Scan:
    """Reads the whole corpus. `store` gets the provisional ids, None only counts. The store is the caller's to close."""
    total = None
    lines, max_length = True, None
    if isinstance(plan, FilePlan):
        if not any(f.stream for f in plan.files):
            total = sum(f.size for f in plan.files)
            tasks = sum(-(-f.size // block) if not f.compression else 1 << 30 for f in plan.files)
            workers = max(1, min(workers, tasks))
    if isinstance(plan, (FilePlan, StreamPlan)):
        lines, max_length = plan.newline_ends, plan.max_sentence_length
    collector = _Collector(store, max_length, total, progress)
    crew = _Crew([_Worker(i, first=track_first, lines=lines, version=version) for i in range(workers)], collector)
    try:
        for worker in crew.workers:
            crew.start(crew.work, worker)
        crew_threads = list(crew.threads)
        if isinstance(plan, FilePlan):
            _feed_files(crew, plan, block)
        elif isinstance(plan, StreamPlan):
            _read_stream(crew, plan.stream, plan.name, 0, block, True, False)
        elif isinstance(plan, SentencePlan):
            _feed_sentences(crew, plan, block)
        else:
            _feed_arrays(crew, plan, block)
        crew.close()
        crew.join(crew_threads)
    except _Stopped:
        pass
    except BaseException:
        crew.stop()
        crew.join(crew.threads, progress=False)
        raise
    if crew.error is not None:
        crew.stop()
        crew.join(crew.threads, progress=False)
        error, crew.error = crew.error, None
        try:
            raise error
        finally:
            del error  # no cycle through this frame's traceback
    collector.tell(force=True)
    return _merge(crew.workers, collector)


def _merge(workers: list[_Worker], collector: _Collector) -> Scan:
    tables = [w.table for w in workers]
    found = [t for t in tables if t is not None]
    if not found:
        return Scan(Table(), [np.empty(0, np.int32) for _ in workers], collector)
    if len({t.ints for t in found if len(t)}) > 1:
        raise TypeError("integer and string tokens in one corpus: the keys are all integers or all strings")
    into = max(found, key=len)
    maps = []
    for t in tables:
        if t is None:
            maps.append(np.empty(0, np.int32))
        elif t is into:
            maps.append(np.empty(0, np.int32))  # filled below, when its final size is known
        else:
            maps.append(into.merge(t))
    for w in workers:
        w.release()
    return Scan(into, [np.arange(len(into), dtype=np.int32) if t is into else m for t, m in zip(tables, maps, strict=True)], collector)
