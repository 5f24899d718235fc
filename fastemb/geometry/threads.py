"""Independent pieces of work, done by threads in any order."""

from __future__ import annotations

import threading
from collections.abc import Callable

WAIT_SECONDS = 0.05


def each(pieces: int, work: Callable[[int], None], workers: int, tell: Callable[[], None] | None = None) -> None:
    """Call ``work(k)`` once for every k in 0..pieces - 1, in so many threads.

    The pieces must not touch each other's results, so what comes out does not depend on the number of threads. The
    first error of any thread, or Ctrl-C in the calling one, ends all threads and is raised here; a piece that has begun
    is finished first, so pieces should be short (tenths of a second) and spend their time without the GIL.

    Parameters
    ----------
    pieces : int
    work : callable
    workers : int
        With one, everything happens in the calling thread.
    tell : callable, optional
        Called in the calling thread now and then: progress.
    """
    if workers <= 1 or pieces <= 1:
        for k in range(pieces):
            work(k)
            if tell is not None:
                tell()
        return
    lock = threading.Lock()
    left = iter(range(pieces))
    errors: list[BaseException] = []
    stopped = False

    def run() -> None:
        nonlocal stopped
        try:
            while True:
                with lock:
                    k = None if stopped else next(left, None)
                if k is None:
                    return
                work(k)
        except BaseException as error:
            with lock:
                stopped = True
                errors.append(error)

    threads: list[threading.Thread] = []
    try:
        for _ in range(min(workers, pieces)):
            thread = threading.Thread(target=run, name="fastemb-pieces", daemon=True)
            threads.append(thread)
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(WAIT_SECONDS)
                if tell is not None:
                    tell()
    except BaseException:
        with lock:
            stopped = True
        raise
    finally:
        for thread in threads:
            if thread.ident is not None:
                thread.join()
    if errors:
        try:
            raise errors[0]
        finally:
            errors.clear()  # no cycle through this frame's traceback
