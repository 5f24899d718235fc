"""The run loop of every model: pieces of work, claimed in order by threads, until done or stopped.

a. Who does what. A *job* (one per model: :class:`fastemb.training.word2vec` has the first) knows its data; it gives
   one worker object per thread and says how many pieces an epoch has. Worker threads claim piece numbers from a
   shared counter and spend their time in C calls without the GIL. The thread that called :func:`fit` computes
   nothing: it waits in short timed waits, so signals reach it, and it reports progress.
b. Order. Pieces are claimed in ascending order, so one worker sees exactly the order of the corpus and is
deterministic.
c. Ends. The first error of any thread, Ctrl-C, a time limit: each sets the stop flag, every thread joins, and then
   the error is raised again with its own traceback. No thread outlives the call, none exists between calls, so fork
   is safe.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from fastemb.training.callbacks import StopTraining
from fastemb.training.progress import Progress

logger = logging.getLogger("fastemb")

UNSTABLE = 2.0  # times the loss of a model that knows nothing: a loss above this is worth a warning
WAIT_SECONDS = 0.1  # of the calling thread, between two looks at the clock and the workers


class Diverged(ArithmeticError):
    """NaN or infinity in the weights or the loss; :func:`fit` makes it a FloatingPointError that says where."""


class Worker(Protocol):
    """What runs in one thread."""

    def run(self, piece: int) -> None:
        """Do one piece of work, without the GIL for nearly all of the time."""

    def stop(self) -> None:
        """Make a running :meth:`run` return soon; called from another thread."""


@dataclass
class Tally:
    """Running totals over all workers of a run."""

    words: int = 0  # units of work: corpus words before subsampling, or cells of a matrix
    kept: int = 0  # after subsampling
    examples: int = 0
    loss: float = 0.0  # sum over the examples

    def __sub__(self, other: Tally) -> Tally:
        return Tally(
            self.words - other.words, self.kept - other.kept, self.examples - other.examples, self.loss - other.loss
        )


class Job(Protocol):
    """What :func:`fit` needs to know of a model and its data."""

    tokens: int  # units an epoch has: words of a corpus, cells of a matrix

    def begin_epoch(self, epoch: int, start: int) -> tuple[Sequence[Worker], int]:
        """Workers and number of pieces of `epoch`, from token `start` on."""

    def tally(self) -> Tally:
        """Totals since the job was made; callable while workers run."""

    def rate(self, epoch: int, position: int) -> float:
        """Learning rate at a token of the run."""

    def diverged(self) -> bool:
        """Whether a worker has seen NaN or infinity; callable while workers run, cheap."""

    def finite(self) -> bool:
        """Whether all weights are finite; called between epochs."""

    def pause(self) -> None:
        """Give the weights their public shape: hooks of the user follow, or the end."""

    def keep(self) -> None:
        """Remember the weights as the last good state."""

    def advice(self, alpha: float) -> str:
        """What to change when training is unstable at this learning rate."""

    def hopeless(self) -> float:
        """Loss per example of a model that knows nothing."""

    def restore(self) -> str:
        """Go back to the last good state after a divergence; says what was done, in a sentence."""


class _Crew:
    """The threads of one epoch and what they share."""

    def __init__(self, workers: Sequence[Worker], pieces: int) -> None:
        self.workers, self.pieces = workers, pieces
        self.lock = threading.Lock()
        self.idle = threading.Event()
        self.next = 0
        self.running = 0
        self.stopped = False
        self.error: BaseException | None = None
        self.threads: list[threading.Thread] = []

    def work(self, worker: Worker) -> None:
        try:
            while True:
                with self.lock:
                    piece = self.next
                    if self.stopped or piece >= self.pieces:
                        return
                    self.next = piece + 1
                worker.run(piece)
        except BaseException as error:  # handed to the caller's thread, whatever it is
            with self.lock:
                if self.error is None:
                    self.error = error
            self.stop()
        finally:
            with self.lock:
                self.running -= 1
                if self.running == 0:
                    self.idle.set()

    def start(self) -> None:
        for i, worker in enumerate(self.workers[: max(1, self.pieces)]):
            thread = threading.Thread(target=self.work, args=(worker,), name=f"fastemb-{i}", daemon=True)
            self.threads.append(
                thread
            )  # first, so that a signal in the midst of start() leaves no thread unknown to join()
            with self.lock:
                self.running += 1
            try:
                thread.start()
            except RuntimeError as error:  # the system gives no more threads: fewer do the same work
                self.threads.pop()
                with self.lock:
                    self.running -= 1
                    if self.running == 0:
                        self.idle.set()
                if not self.threads:
                    raise RuntimeError(f"no worker thread can be started: {error}") from error
                logger.warning(
                    "only %d of %d worker threads could be started: %s", len(self.threads), len(self.workers), error
                )
                return

    def stop(self) -> None:
        with self.lock:
            self.stopped = True
        for worker in self.workers:
            worker.stop()

    def join(self) -> None:
        """Wait for every thread, whatever signals arrive meanwhile.

        They have been told to stop and do within milliseconds.
        """
        interrupt: BaseException | None = None
        for thread in self.threads:
            while thread.is_alive():
                try:
                    thread.join(WAIT_SECONDS)
                except KeyboardInterrupt as error:
                    interrupt = error
                    self.stop()
        if interrupt is not None:
            raise interrupt


def run_pieces(workers: Sequence[Worker], pieces: int, tick: Callable[[], bool] | None = None) -> bool:
    """Do pieces ``0 .. pieces - 1``, claimed in order by one thread per worker.

    Parameters
    ----------
    workers : sequence of Worker
        At least one; no more threads are started than there are pieces.
    pieces : int
        How many there are.
    tick : callable, optional
        Called in this thread every 0.1 s while the workers run; a true result stops them.

    Returns
    -------
    bool
        Whether every piece was done; False if `tick` stopped the run.

    Raises
    ------
    BaseException
        The first error of a worker, of `tick`, or a signal's; all threads have ended by then.
    """
    if pieces <= 0:
        return True
    crew = _Crew(workers, pieces)
    complete = True
    try:
        crew.start()
        while not crew.idle.wait(WAIT_SECONDS):
            if tick is not None and tick():
                complete = False
                crew.stop()
                break
    except BaseException:
        crew.stop()
        raise
    finally:
        crew.join()
    if crew.error is not None:
        raise crew.error
    return complete


@dataclass
class Outcome:
    """How a run went."""

    total: Tally
    epochs: int  # epochs completed by now, counted from the beginning of the run
    position: int  # words done of the epoch that was left unfinished, 0 if none
    stopped: str = ""  # why it ended early: "max_seconds", "callback"; empty when it did not


class Interrupted(Exception):
    """An error that ended a run, with how far the run came; :attr:`error` is what the user gets."""

    def __init__(self, error: BaseException, outcome: Outcome) -> None:
        super().__init__(str(error))
        self.error, self.outcome = error, outcome


def fit(
    job: Job,
    *,
    epochs: int,
    history: list[dict[str, Any]],
    first_epoch: int = 0,
    position: int = 0,
    hooks: Callable[[str], None] | None = None,
    on_epoch: Callable[[Outcome], None] | None = None,
    progress: Any = None,
    max_seconds: float | None = None,
    unit: str = "words",
    rate: str = "alpha",
) -> Outcome:
    """Run the epochs `first_epoch` .. `epochs` of a job.

    Parameters
    ----------
    job : Job
        The model's side.
    epochs : int
        Epochs of the whole run.
    history : list of dict
        Gets one dict an epoch: ``epoch`` (counted over the life of the model), ``words``, ``examples``, ``loss``
        (mean per example), ``alpha`` (at the end), ``seconds``, ``words_per_s`` (see `unit` and `rate`); an epoch that
        did not end has ``partial=True``.
    first_epoch, position : int
        Where to begin: epochs done, and words done of the next one.
    hooks : callable, optional
        Called with ``"on_epoch_begin"`` and ``"on_epoch_end"``.
    on_epoch : callable, optional
        Called with the outcome so far at the end of every epoch, before its hook.
    progress : True, False, None or callable
        See :class:`fastemb.training.progress.Progress`.
    max_seconds : float, optional
        Stop after this time, in the midst of an epoch if need be.
    unit, rate : str
        What the model calls its units of work and its learning rate, in `history`, in progress and in messages.

    Returns
    -------
    Outcome

    Raises
    ------
    Interrupted
        Whatever ended the run before its time, with how far it came.
    """
    started = time.monotonic()
    reporter = Progress(
        progress, "train", epochs * job.tokens, epochs, first_epoch * job.tokens + position, unit=unit, rate=rate
    )
    lived = history[-1]["epoch"] if history else 0  # epochs of earlier calls keep their numbers
    if position and history and history[-1].get("partial"):
        lived -= 1  # the same epoch goes on
    outcome = Outcome(Tally(), first_epoch, position)
    start, epoch = position, first_epoch

    def report(last: bool = False) -> None:
        now = job.tally()
        done = first_epoch * job.tokens + position + now.words
        reporter.update(done, min(epoch + 1, epochs), job.rate(0, done), now.loss, now.examples, last=last)

    def tick() -> bool:
        if job.diverged():
            raise Diverged
        if reporter.is_due:
            report()
        return max_seconds is not None and time.monotonic() - started >= max_seconds

    def record(before: Tally, began: float, *, partial: bool) -> None:
        done = job.tally() - before
        seconds = time.monotonic() - began
        entry = {
            "epoch": lived + epoch - first_epoch + 1,
            unit: done.words,
            "examples": done.examples,
            "loss": done.loss / done.examples if done.examples else math.nan,
            rate: job.rate(epoch, min(job.tokens, start + done.words)),
            "seconds": seconds,
            f"{unit}_per_s": done.words / seconds if seconds > 0 else 0.0,
        }
        if (
            start and history and history[-1].get("partial")
        ):  # the rest of an epoch that an earlier call left unfinished
            entry = _joined(history.pop(), entry, unit)
        if partial:
            entry["partial"] = True
        history.append(entry)
        if entry["loss"] > UNSTABLE * job.hopeless():
            logger.warning(
                "the loss of epoch %d, %.3g, is far above that of vectors that know nothing, %.3g: "
                "training is unstable and the vectors are worth nothing; try %s",
                entry["epoch"], entry["loss"], job.hopeless(), job.advice(entry[rate]),
            )  # fmt: skip

    before, began, inside = job.tally(), started, False
    try:
        job.keep()
        while epoch < epochs:
            if hooks is not None:
                job.pause()
                hooks("on_epoch_begin")
            workers, pieces = job.begin_epoch(epoch, start)
            before, began, inside = job.tally(), time.monotonic(), True
            complete = run_pieces(workers, pieces, tick)
            if job.diverged() or not job.finite():
                raise Diverged
            done = job.tally() - before
            if complete and done.words != job.tokens - start:
                raise RuntimeError(
                    f"epoch {epoch + 1} trained {done.words} {unit} of {job.tokens - start}; please report this"
                )
            inside = False
            record(before, began, partial=not complete)
            if not complete:
                outcome.stopped, outcome.position = "max_seconds", start + done.words
                break
            epoch, start = epoch + 1, 0
            outcome.epochs, outcome.position = epoch, 0
            job.keep()
            outcome.total = job.tally()
            if on_epoch is not None:
                on_epoch(outcome)
            if hooks is not None:
                job.pause()
                try:
                    hooks("on_epoch_end")
                except StopTraining as stop:
                    logger.info(
                        "training stopped by a callback after epoch %d%s", epoch, f": {stop}" if str(stop) else ""
                    )
                    outcome.stopped = "callback"
                    break
            if max_seconds is not None and epoch < epochs and time.monotonic() - started >= max_seconds:
                outcome.stopped = "max_seconds"
                break
    except BaseException as error:
        outcome.total = job.tally()
        if isinstance(error, Diverged):
            error = _divergence(job, epoch, start + outcome.total.words - before.words, error, unit, rate)
        elif inside:
            outcome.position = start + outcome.total.words - before.words
            if outcome.total.words > before.words:
                record(before, began, partial=True)
        raise Interrupted(error, outcome) from error
    else:
        report(last=True)
    finally:
        reporter.close()
        job.pause()
    outcome.total = job.tally()
    return outcome


def _joined(first: dict[str, Any], second: dict[str, Any], unit: str) -> dict[str, Any]:
    """The history entry of an epoch that was trained in two parts."""
    words, examples = first[unit] + second[unit], first["examples"] + second["examples"]
    loss = sum(part["loss"] * part["examples"] for part in (first, second) if part["examples"])
    seconds = None if first["seconds"] is None else first["seconds"] + second["seconds"]  # a saved history has no times
    return {
        **second,
        unit: words,
        "examples": examples,
        "loss": loss / examples if examples else math.nan,
        "seconds": seconds,
        f"{unit}_per_s": words / seconds if seconds else second[f"{unit}_per_s"],
    }


def _divergence(
    job: Job, epoch: int, position: int, cause: BaseException, unit: str, rate: str
) -> FloatingPointError:
    alpha, kept = job.rate(epoch, position), job.restore()
    error = FloatingPointError(
        f"training diverged (NaN or infinity) in epoch {epoch + 1} after {epoch * job.tokens + position} {unit} "
        f"at {rate} {alpha:g}: try {job.advice(alpha)}; {kept}"
    )
    error.__cause__ = cause.__cause__
    return error
