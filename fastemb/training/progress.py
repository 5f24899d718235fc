"""Progress for people: one line on a terminal, log records elsewhere, or a callable of the user."""

from __future__ import annotations

import logging
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

logger = logging.getLogger("fastemb")
logger.addHandler(logging.NullHandler())

LINE_SECONDS = 0.2  # between two redraws of the terminal line
CALL_SECONDS = 0.5  # between two calls of a user's callable
LOG_SECONDS = 10.0  # between two log records


def _count(x: float) -> str:
    for unit in ("", "k", "M"):
        if x < 999.5:
            return f"{x:.3g}{unit}"
        x /= 1000
    return f"{x:.3g}G"


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours}:{m:02d}:{s:02d}" if hours else f"{m:02d}:{s:02d}"


def rate_key(rate: str) -> str:
    """The key of the learning rate in a report; one that is called eta gives way to the time to go."""
    return "learning_rate" if rate == "eta" else rate


class Meter:
    """Turns running totals into what is shown: rate, mean loss since the last report, time to go."""

    def __init__(
        self, phase: str, total: int, epochs: int, done: int = 0, *, unit: str = "words", rate: str = "alpha"
    ) -> None:
        self.phase, self.total, self.epochs, self.names = phase, total, epochs, {"unit": unit, "rate": rate}
        self.started = self.last = time.monotonic()
        self.done, self.loss, self.examples, self.rate = done, 0.0, 0, 0.0

    def measure(self, done: int, epoch: int, alpha: float, loss: float, examples: int) -> dict[str, Any]:
        """The report for running totals `done`, `loss` and `examples`.

        Units (words) per second is an average of recent seconds.
        """
        now = time.monotonic()
        dt, new = now - self.last, examples - self.examples
        if dt > 0:
            rate, keep = (done - self.done) / dt, 0.5 ** (dt / 2.0)
            self.rate = keep * self.rate + (1 - keep) * rate if self.rate else rate
        mean = (loss - self.loss) / new if new > 0 else None
        self.last, self.done, self.loss, self.examples = now, done, loss, examples
        return self.names | {
            "phase": self.phase, "epoch": epoch, "epochs": self.epochs, "done": done, "total": self.total,
            "fraction": done / self.total if self.total else 1.0,
            f"{self.names['unit']}_per_s": self.rate, rate_key(self.names["rate"]): alpha,
            "loss": mean, "seconds": now - self.started, "eta": (self.total - done) / self.rate if self.rate else None,
        }  # fmt: skip


def describe(report: dict[str, Any]) -> str:
    """The figures of a report of :class:`Meter`, short enough for a terminal of 80 columns with a bar."""
    loss = "" if report["loss"] is None else f", loss {report['loss']:.4f}"
    unit, rate = report["unit"], report["rate"]
    speed = f"{_count(report[f'{unit}_per_s'])} {unit}/s"
    return f"{speed}, {rate} {report[rate_key(rate)]:.4f}{loss}, ETA {_clock(report['eta'])}"


BAR = "{desc} {percentage:3.0f}%|{bar:10}| "


class _Line:
    """The terminal line, drawn by tqdm without its monitor thread: no thread may outlive a training call."""

    def __init__(self, phase: str, total: int) -> None:
        from tqdm import tqdm

        line = type("Line", (tqdm,), {"monitor_interval": 0})
        size = shutil.get_terminal_size()  # 80 x 24 where a terminal does not tell; tqdm then writes nothing at all
        self.bar = line(
            total=total, desc=phase, file=sys.stderr, bar_format=BAR, ncols=size.columns - 1, nrows=size.lines
        )

    def __call__(self, report: dict[str, Any]) -> None:
        self.bar.n = report["done"]
        self.bar.bar_format = BAR + describe(report)  # a postfix would begin with a comma
        self.bar.refresh()

    def close(self) -> None:
        self.bar.close()


def _log(report: dict[str, Any]) -> None:
    where = (report["phase"], 100 * report["fraction"], report["epoch"], report["epochs"])
    logger.info("%s %.1f %%: epoch %d of %d, %s", *where, describe(report))


class Progress:
    """Reports of one phase to wherever the user wants them.

    Parameters
    ----------
    target : True, False, None or callable
        True: a line on stderr. None: a line if stderr is a terminal, else a log record every 10 s on
        ``logging.getLogger("fastemb")``. False: nothing. A callable gets a dict with ``phase, epoch, epochs, done,
        total, fraction, words_per_s, alpha, loss, seconds, eta`` about twice a second and once at the end, in the
        thread that called ``train``.
    phase : str
        What is going on: ``"train"``.
    total, epochs : int
        Words of the whole run, and its epochs.
    done : int
        Words of the run that earlier calls did.
    unit, rate : str
        What is counted, if not words, and the name of the learning rate: a report then has ``cells_per_s``, and instead
        of ``alpha`` its rate by that name (``learning_rate`` where that is eta).
    """

    def __init__(
        self,
        target: Any,
        phase: str,
        total: int,
        epochs: int,
        done: int = 0,
        *,
        unit: str = "words",
        rate: str = "alpha",
    ) -> None:
        self.meter = Meter(phase, total, epochs, done, unit=unit, rate=rate)
        self.emit: Callable[[dict[str, Any]], None] | None
        if callable(target):
            self.emit, self.interval = target, CALL_SECONDS
        elif target or (target is None and sys.stderr is not None and sys.stderr.isatty()):
            self.emit, self.interval = _Line(phase, total), LINE_SECONDS
        elif target is None:
            self.emit, self.interval = _log, LOG_SECONDS
        else:
            self.emit, self.interval = None, float("inf")
        self.due = time.monotonic() + min(self.interval, LOG_SECONDS)
        self.quiet = (
            self.emit is _log
        )  # the log gets no report for a run shorter than its interval: history tells the same

    @property
    def is_due(self) -> bool:
        return time.monotonic() >= self.due

    def update(self, done: int, epoch: int, alpha: float, loss: float, examples: int, *, last: bool = False) -> None:
        """Report the running totals; the caller asks :attr:`is_due` first, or passes ``last=True`` at the end."""
        if self.emit is None or (last and self.quiet):
            return
        self.emit(self.meter.measure(done, epoch, alpha, loss, examples))
        self.due = time.monotonic() + self.interval

    def close(self) -> None:
        """End the line."""
        if isinstance(self.emit, _Line):
            self.emit.close()


@contextmanager
def scan_progress(target: Any) -> Iterator[Callable[[dict[str, Any]], None] | None]:
    """What :class:`fastemb.Corpus` takes as `progress`, for what :class:`Progress` takes; ends its line at the end."""
    if callable(target) or target is False:
        yield target or None
        return
    line = bool(target) or (sys.stderr is not None and sys.stderr.isatty())
    interval = LINE_SECONDS if line else LOG_SECONDS
    due, width = time.monotonic() + interval, 0

    def report(found: dict[str, Any]) -> None:
        nonlocal due, width
        if time.monotonic() < due:
            return
        due = time.monotonic() + interval
        total, done = found.get("total_bytes"), found.get("bytes") or 0
        share = f"{100 * done / total:3.0f}%, " if total else ""
        text = f"{share}{_count(found['tokens'])} words, {_count(found['words_per_s'])} words/s"
        if not line:
            logger.info("scan: %s", text)
            return
        text = f"scan  {text}"
        sys.stderr.write("\r" + text.ljust(width))
        sys.stderr.flush()
        width = max(width, len(text))

    try:
        yield report
    finally:
        if width:  # the line of the training follows
            sys.stderr.write("\r" + " " * width + "\r")
            sys.stderr.flush()
