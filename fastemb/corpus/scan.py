"""The one pass over a corpus: read, tokenise, count, give provisional ids, in parallel and in order.

Tasks (tasks.py) carry a key (file, block). Workers encode them with a table of their own, in long calls without the
GIL, and hand the result to the collector (crew.py), which appends results to the store in the order of their keys.
Plain files are read by the workers themselves at their own offsets; compressed files by reader threads, several at a
time; standard input, pipes, file objects and iterables in the calling thread, so that Ctrl-C and their own exceptions
end the scan at once.

Whatever fails anywhere sets the stop flag, all threads are joined, and the first error is raised.
"""

from __future__ import annotations

import io
import os
import sys
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._corpus import SLACK, Table, TokenBlock, after_last_separator, shown
from .crew import Collector, Crew, Progress, Stopped
from .readers import BOM, damage_errors, open_stream
from .report import CorpusChangedError
from .sources import ArrayPlan, File, FilePlan, MadePlan, Plan, SentencePlan, StreamPlan
from .store import Store
from .tasks import Ints, Range, Text, Tokens, Worker, check_unchanged

__all__ = ["BLOCK", "Scan", "run"]

# Bytes of text a task: large enough for Python's share to vanish, small enough to stay in the second-level cache.
BLOCK = 1 << 20


def _text_blocks(
    read_into: Callable[[Any], int], block: int, check: Callable[[], None]
) -> Iterator[tuple[np.ndarray, int, int, int]]:
    """(buffer, begin, end, position) of a stream, cut after white space; a longer token makes the block grow."""
    carry, position, first, size = b"", 0, True, block
    while True:
        buffer = np.zeros(len(carry) + size + SLACK, np.uint8)
        view = buffer.data
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


def _read_stream(crew: Crew, raw: Any, name: str, index: int, block: int, main: bool, counted_disk: bool) -> None:
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
            crew.put(Text((index, blocks), buffer, begin, end, position), main)
            blocks += 1
    except damage_errors() as e:
        raise ValueError(f"{name}: damaged or cut compressed file ({e})") from e
    except OSError as e:
        if e.errno is None and not isinstance(
            e, (CorpusChangedError, io.UnsupportedOperation)
        ):  # how bz2 reports damage
            raise ValueError(f"{name}: damaged or cut compressed file ({e})") from e
        raise
    collector.file_done(index, blocks)


def _read_compressed(crew: Crew, files: deque[tuple[int, File]], block: int) -> None:
    """A reader thread: takes the next compressed file as long as there is one."""
    while True:
        try:
            index, file = files.popleft()
        except IndexError:
            return
        with open(file.path, "rb", buffering=0) as raw:
            check_unchanged(file, os.fstat(raw.fileno()))
            _read_stream(crew, raw, repr(file.path), index, block, False, True)
            check_unchanged(file, os.fstat(raw.fileno()))


def _feed_files(crew: Crew, plan: FilePlan, block: int) -> None:
    collector = crew.collector
    compressed = deque((i, f) for i, f in enumerate(plan.files) if f.compression and not f.stream)
    readers = [
        crew.start(_read_compressed, crew, compressed, block) for _ in range(min(len(compressed), len(crew.workers)))
    ]
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
                crew.put(Range((index, b), file, lo, min(lo + block, file.size)))
    crew.join(readers)


def _feed_sentences(crew: Crew, plan: SentencePlan, block: int) -> None:
    blocks = position = sentences = kind = 0
    iterator = iter(_text_lines(plan.sentences, block) if plan.as_text else plan.sentences)
    if plan.as_text:
        for text in iterator:
            buffer = np.zeros(len(text) + SLACK, np.uint8)
            buffer[: len(text)] = np.frombuffer(text, np.uint8)
            crew.put(Text((0, blocks), buffer, 0, len(text), position))
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
                crew.put(Tokens((0, blocks), batch, position))
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
            raise TypeError(f'item {number} is {shown(text)}; with tokenizer="whitespace" the items are strings')
        lines.append(text.replace(b"\n", b" ") if b"\n" in text else text)
        size += len(text) + 1
        if size >= block:
            yield b"\n".join(lines) + b"\n"
            lines, size = [], 0
    if lines:
        yield b"\n".join(lines) + b"\n"


def _feed_arrays(crew: Crew, plan: ArrayPlan, block: int) -> None:
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
        crew.put(Ints((0, b), plan.flat[lo:hi], (ends[i:j] - lo).astype(np.uint32), 0, lo))


@dataclass
class Scan:
    """What one pass found."""

    table: Table  # all words
    counts: np.ndarray  # int64, by their ids in `table`
    invalid: np.ndarray  # bool: not valid UTF-8
    maps: list[np.ndarray]  # by worker: its ids -> ids of `table`
    collector: Collector


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
    """Reads the whole corpus. `store` gets the provisional ids, None only counts. The store is the caller's to
    close."""
    if isinstance(plan, MadePlan):
        return plan.run(workers=workers, store=store, track_first=track_first, progress=progress)
    total = None
    lines, max_length = True, None
    if isinstance(plan, FilePlan):
        if not any(f.stream for f in plan.files):
            total = sum(f.size for f in plan.files)
            tasks = sum(-(-f.size // block) if not f.compression else 1 << 30 for f in plan.files)
            workers = max(1, min(workers, tasks))
    if isinstance(plan, (FilePlan, StreamPlan)):
        lines, max_length = plan.newline_ends, plan.max_sentence_length
    collector = Collector(store, max_length, total, progress)
    crew = Crew([Worker(i, first=track_first, lines=lines, version=version) for i in range(workers)], collector)
    try:
        if isinstance(plan, FilePlan):
            _feed_files(crew, plan, block)
        elif isinstance(plan, StreamPlan):
            _read_stream(crew, plan.stream, plan.name, 0, block, True, False)
        elif isinstance(plan, SentencePlan):
            _feed_sentences(crew, plan, block)
        else:
            _feed_arrays(crew, plan, block)
        crew.close()
        crew.join(crew.threads)
    except Stopped:
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


def _merge(workers: list[Worker], collector: Collector) -> Scan:
    tables = [w.table for w in workers]
    found = [t for t in tables if t is not None]
    if not found:
        return Scan(
            Table(), np.empty(0, np.int64), np.empty(0, np.bool_), [np.empty(0, np.int32) for _ in workers], collector
        )
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
    counts, invalid = into.columns()
    whole = np.arange(len(into), dtype=np.int32)
    return Scan(
        into, counts, invalid, [whole if t is into else m for t, m in zip(tables, maps, strict=True)], collector
    )
