"""The threads of a scan and what they share: the queue, the collector of results, the first error."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from ._corpus import split_ends
from .store import Block, Store
from .tasks import Encoded, Key, Task, Worker

__all__ = ["Collector", "Crew", "Progress", "Stopped"]

PENDING_LIMIT = 256 << 20  # bytes of encoded blocks of later files that may wait for their turn
Progress = Callable[[dict[str, Any]], Any]


class Stopped(Exception):
    """Another thread has failed."""


class Collector:
    """Takes encoded blocks in any order and appends them in the order of the text; closes sentences at the ends of
    files."""

    def __init__(
        self, store: Store | None, max_sentence_length: int | None, total_bytes: int | None, progress: Progress | None
    ) -> None:
        self.store = store
        self.max_length = max_sentence_length
        self.blocks: list[Block] = []
        self.lock = threading.Lock()
        self.pending: dict[Key, Encoded] = {}
        self.pending_bytes = 0
        self.next: Key = (0, 0)
        self.file_blocks: dict[int, int] = {}
        self.open_tokens = 0  # of the sentence that goes on
        self.tokens = self.text_bytes = self.sentences = self.empty = self.split = 0
        self.disk_bytes = 0
        self.total_bytes = total_bytes
        self._progress = progress
        self._began = self._told = time.perf_counter()

    def commit(self, key: Key, e: Encoded) -> None:
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

    def _append(self, e: Encoded) -> None:
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


class Crew:
    """The worker threads and their bounded queue; the first error of any thread.

    A worker's thread starts when a task finds no idle one, so a small corpus costs one thread.
    """

    def __init__(self, workers: list[Worker], collector: Collector) -> None:
        self.collector = collector
        self.workers = workers
        self._tasks: deque[Task] = deque()
        self._capacity = 2 * len(workers) + 2
        self._changed = threading.Condition(threading.RLock())
        self._idle = self._hired = 0
        self._closed = False
        self._stop = False
        self.error: BaseException | None = None
        self.threads: list[threading.Thread] = []

    def start(self, target: Callable[..., None], *args: Any) -> threading.Thread:
        thread = threading.Thread(target=self._guard, args=(target, *args), name="fastemb-corpus", daemon=True)
        with self._changed:
            self.threads.append(thread)
            thread.start()
        return thread

    def _guard(self, target: Callable[..., None], *args: Any) -> None:
        try:
            target(*args)
        except Stopped:
            pass
        except BaseException as e:
            with self._changed:
                if self.error is None:
                    self.error = e
                self._stop = True
                self._changed.notify_all()

    def check(self) -> None:
        if self._stop:
            raise Stopped

    def stop(self) -> None:
        with self._changed:
            self._stop = True
            self._tasks.clear()
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def put(self, task: Task, main: bool = True) -> None:
        """Queues a task; waits while the queue is full or too many results wait for an earlier block than this."""
        while True:
            with self._changed:
                self.check()
                current = task.key[0] <= self.collector.next[0]
                ahead = task.key[1] - self.collector.next[1] > 16 * self._capacity if current else False
                if (
                    len(self._tasks) < self._capacity
                    and not ahead
                    and (current or self.collector.pending_bytes < PENDING_LIMIT)
                ):
                    self._tasks.append(task)
                    self._changed.notify_all()
                    if self._idle < len(self._tasks) and self._hired < len(self.workers):
                        self.start(self._work, self.workers[self._hired])
                        self._hired += 1
                    return
                self._changed.wait(0.1)
            if main:
                self.collector.tell()

    def take(self) -> Task | None:
        with self._changed:
            while not self._tasks:
                self.check()
                if self._closed:
                    return None
                self._idle += 1
                self._changed.wait(0.5)
                self._idle -= 1
            self.check()
            task = self._tasks.popleft()
            self._changed.notify_all()
            return task

    def _work(self, worker: Worker) -> None:
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
