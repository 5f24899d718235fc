"""Progress of work that goes through phases (scan, count, svd): one line, log records, or a callable of the user."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fastemb.training.progress import CALL_SECONDS, LINE_SECONDS, LOG_SECONDS, _clock, _count

logger = logging.getLogger("fastemb")

Report = Callable[[dict[str, Any]], None]


class Phases:
    """Takes the reports of each phase, a dict with ``phase`` and what else is known (``fraction``, or ``bytes`` and
    ``total_bytes``; ``words_per_s``), and passes them on, not too often, with ``seconds`` and ``eta`` of the phase.

    Parameters
    ----------
    target : True, False, None or callable
        As in :class:`fastemb.training.progress.Progress`.
    """

    def __init__(self, target: Any) -> None:
        self.call = target if callable(target) else None
        terminal = target is True or (target is None and sys.stderr is not None and sys.stderr.isatty())
        self.line = terminal and self.call is None
        self.active = target is not False
        self.interval = CALL_SECONDS if self.call else LINE_SECONDS if self.line else LOG_SECONDS
        self.due = time.monotonic() + min(self.interval, LINE_SECONDS if not self.call and self.line else self.interval)
        self.phase, self.began, self.width = "", time.monotonic(), 0

    def __call__(self, report: dict[str, Any]) -> None:
        now = time.monotonic()
        if report["phase"] != self.phase:
            self.phase, self.began = report["phase"], now
        last = report.get("fraction") == 1.0 and self.call is not None
        if not self.active or (now < self.due and not last):
            return
        self.due = now + self.interval
        fraction = report.get("fraction")
        if fraction is None and report.get("total_bytes"):
            fraction = (report.get("bytes") or 0) / report["total_bytes"]
        seconds = now - self.began
        full = dict(report, fraction=fraction, seconds=seconds, eta=seconds * (1 / fraction - 1) if fraction else None)
        if self.call is not None:
            self.call(full)
            return
        share = "" if fraction is None else f" {100 * fraction:3.0f}%"
        rate = f", {_count(report['words_per_s'])} words/s" if report.get("words_per_s") else ""
        text = f"{self.phase}{share}{rate}, ETA {_clock(full['eta'])}"
        if not self.line:
            logger.info("%s", text)
            return
        sys.stderr.write("\r" + text.ljust(self.width))
        sys.stderr.flush()
        self.width = max(self.width, len(text))

    def close(self) -> None:
        """End the line."""
        if self.width:
            sys.stderr.write("\r" + " " * self.width + "\r")
            sys.stderr.flush()
            self.width = 0


@contextmanager
def phases(target: Any) -> Iterator[Phases]:
    """A :class:`Phases` whose line ends with the block."""
    found = Phases(target)
    try:
        yield found
    finally:
        found.close()
