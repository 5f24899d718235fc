"""A fixed list of pieces done by threads and taken in order: the loop of what counts over an encoded corpus."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

__all__ = ["in_order"]

WAIT_SECONDS = 0.05


def in_order(
    pieces: int,
    works: list[Callable[[int], Any]],
    take: Callable[[int, Any], None],
    *,
    stop: Callable[[], None] = lambda: None,
    tell: Callable[[], None] = lambda: None,
) -> None:
    """Calls ``take(k, work(k))`` for k in 0..pieces - 1, in order of k.

    Each of `works` runs in a thread of its own and may reuse its buffers: its result is taken before it is called
    again. `take` runs in those threads, one at a time. `tell` is called now and then in the calling thread.

    The first error of any thread, or Ctrl-C in the calling one, ends all threads (`stop` is called so that long calls
    return soon) and is raised here.
    """
    if pieces <= 0:
        return
    turn = threading.Condition()
    state = {"next": 0, "taken": 0, "stopped": False, "running": 0}
    errors: list[BaseException] = []

    def halt(error: BaseException | None) -> None:
        with turn:
            if error is not None and not errors:
                errors.append(error)
            state["stopped"] = True
            turn.notify_all()
        stop()

    def run(work: Callable[[int], Any]) -> None:
        try:
            while True:
                with turn:
                    k = state["next"]
                    if state["stopped"] or k >= pieces:
                        return
                    state["next"] = k + 1
                result = work(k)
                with turn:
                    while state["taken"] != k and not state["stopped"]:
                        turn.wait()
                    if state["stopped"]:
                        return
                take(k, result)  # nobody else can be here: only the thread whose turn it is
                with turn:
                    state["taken"] = k + 1
                    turn.notify_all()
        except BaseException as error:
            halt(error)
        finally:
            with turn:
                state["running"] -= 1
                turn.notify_all()

    threads = []
    try:
        for work in works[:pieces]:
            thread = threading.Thread(target=run, args=(work,), name="fastemb-count", daemon=True)
            with turn:
                state["running"] += 1
            threads.append(thread)
            thread.start()
        while True:
            with turn:
                if state["running"] == 0:
                    break
                turn.wait(WAIT_SECONDS)
            tell()
    except BaseException:
        halt(None)
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
