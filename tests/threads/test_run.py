"""The run loop without an engine: order, errors, signals, limits."""

import os
import signal
import threading
import time

import pytest

from fastemb.training.callbacks import StopTraining
from fastemb.training.run import Interrupted, Tally, fit, run_pieces


class Recorder:
    """A worker that notes what it was given."""

    def __init__(self, seconds=0.0, fail_at=None, log=None):
        self.seconds, self.fail_at, self.log = seconds, fail_at, [] if log is None else log
        self.stopped = threading.Event()

    def run(self, piece):
        if piece == self.fail_at:
            raise LookupError(f"piece {piece}")
        self.log.append(piece)
        self.stopped.wait(self.seconds)

    def stop(self):
        self.stopped.set()


def threads_of_ours():
    return [t for t in threading.enumerate() if t.name.startswith("fastemb-")]


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_every_piece_once_and_in_order(workers):
    crew = [Recorder() for _ in range(workers)]
    assert run_pieces(crew, 500)
    assert sorted(p for w in crew for p in w.log) == list(range(500))
    assert all(w.log == sorted(w.log) for w in crew)
    assert not threads_of_ours()


def test_no_pieces():
    assert run_pieces([Recorder()], 0)


@pytest.mark.parametrize("workers", [1, 3])
def test_the_first_error_stops_all(workers):
    crew = [Recorder(seconds=0.001, fail_at=5) for _ in range(workers)]
    with pytest.raises(LookupError, match="piece 5") as error:
        run_pieces(crew, 10**6)
    assert [entry.name for entry in error.traceback][-1] == "run"  # its own traceback
    assert not threads_of_ours()


def test_tick_can_stop():
    crew = [Recorder(seconds=60) for _ in range(2)]
    began = time.monotonic()
    assert run_pieces(crew, 100, tick=lambda: True) is False
    assert time.monotonic() - began < 5 and not threads_of_ours()


def test_an_error_in_tick_is_raised():
    def tick():
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        run_pieces([Recorder(seconds=60)], 2, tick=tick)
    assert not threads_of_ours()


def test_sigint_in_the_main_thread():
    crew = [Recorder(seconds=60) for _ in range(2)]
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_pieces(crew, 100)
    assert time.monotonic() - began < 1.3 and not threads_of_ours()
    timer.join()


def test_from_a_thread_that_is_not_the_main_one():
    crew, done = [Recorder() for _ in range(2)], []
    thread = threading.Thread(target=lambda: done.append(run_pieces(crew, 50)))
    thread.start()
    thread.join(30)
    assert done == [True]


def test_too_few_threads_do_the_same_work(monkeypatch):
    start, started = threading.Thread.start, []

    def limited(thread):
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    crew = [Recorder() for _ in range(5)]
    assert run_pieces(crew, 200)
    assert sorted(p for w in crew for p in w.log) == list(range(200))


class Toy:
    """A job of ten words an epoch."""

    tokens = 10

    def __init__(self, bad_epoch=None, seconds=0.0):
        self.total, self.bad_epoch, self.seconds, self.bad, self.kept, self.paused = (
            Tally(),
            bad_epoch,
            seconds,
            False,
            [],
            0,
        )
        self.epoch = 0

    def begin_epoch(self, epoch, start):
        self.epoch, self.start = epoch, start
        return [self], self.tokens - start

    def run(self, piece):
        time.sleep(self.seconds)
        self.total = Tally(self.total.words + 1, self.total.kept + 1, self.total.examples + 2, self.total.loss + 3.0)
        if self.epoch == self.bad_epoch and piece == 4:
            self.bad = True

    def stop(self):
        pass

    def tally(self):
        return self.total

    def rate(self, epoch, position):
        return 1.0 - (epoch * 10 + position) / 100

    def diverged(self):
        return self.bad

    def finite(self):
        return True

    def pause(self):
        self.paused += 1

    def keep(self):
        self.kept.append(self.total.words)

    def advice(self, alpha):
        return f"alpha <= {alpha / 4:g}"

    def hopeless(self):
        return 4.0

    def restore(self):
        return "restored"


def test_history():
    history, job = [], Toy()
    outcome = fit(job, epochs=3, history=history)
    assert outcome.epochs == 3 and outcome.total.words == 30 and not outcome.stopped
    assert [h["epoch"] for h in history] == [1, 2, 3]
    assert all(h["words"] == 10 and h["examples"] == 20 and h["loss"] == 1.5 for h in history)
    assert [h["alpha"] for h in history] == [0.9, 0.8, 0.7]
    assert all(h["seconds"] > 0 and h["words_per_s"] > 0 and "partial" not in h for h in history)
    fit(job, epochs=1, history=history)
    assert history[-1]["epoch"] == 4
    assert job.paused


def test_hooks_and_stop():
    seen = []

    def hooks(name):
        seen.append(name)
        if len(seen) == 4:
            raise StopTraining

    outcome = fit(Toy(), epochs=5, history=[], hooks=hooks)
    assert seen == ["on_epoch_begin", "on_epoch_end"] * 2
    assert outcome.stopped == "callback" and outcome.epochs == 2 and outcome.position == 0


def test_max_seconds_and_going_on():
    history, job = [], Toy(seconds=0.05)
    outcome = fit(job, epochs=100, history=history, max_seconds=0.7)
    assert outcome.stopped == "max_seconds" and 0 < outcome.total.words < 60
    if outcome.position:
        assert history[-1]["partial"] and history[-1]["words"] == outcome.position
    fit(job, epochs=outcome.epochs + 1, first_epoch=outcome.epochs, position=outcome.position, history=history)
    assert [h["epoch"] for h in history] == list(range(1, len(history) + 1))
    assert all(h["words"] == 10 and h["examples"] == 20 and h["loss"] == 1.5 and "partial" not in h for h in history)


def test_divergence_says_where_and_what_to_do():
    history = []
    with pytest.raises(Interrupted) as error:
        fit(Toy(bad_epoch=1), epochs=3, history=history)
    assert isinstance(error.value.error, FloatingPointError)
    text = str(error.value.error)
    assert "epoch 2" in text and "words at alpha 0." in text and "try alpha <=" in text and "restored" in text
    assert len(history) == 1


def test_an_interrupt_leaves_a_partial_epoch():
    history = []

    def progress(report):
        raise KeyboardInterrupt

    with pytest.raises(Interrupted) as error:
        fit(Toy(seconds=0.2), epochs=2, history=history, progress=progress)
    assert isinstance(error.value.error, KeyboardInterrupt)
    assert history[0]["partial"] and 0 < history[0]["words"] < 10
    assert error.value.outcome.position == history[0]["words"]


def test_progress_callable_gets_reports():
    reports = []
    fit(Toy(seconds=0.1), epochs=1, history=[], progress=reports.append)
    assert reports[-1]["fraction"] == 1.0 and reports[-1]["done"] == reports[-1]["total"] == 10
    assert {"phase", "epoch", "epochs", "words_per_s", "alpha", "loss", "seconds", "eta"} <= set(reports[0])


def test_a_terminal_line_ends_without_threads(capsys):
    before = threading.active_count()
    fit(Toy(seconds=0.05), epochs=1, history=[], progress=True)
    err = capsys.readouterr().err
    assert "100%" in err and "words/s" in err and "alpha" in err
    assert threading.active_count() == before


def test_elsewhere_a_log_record(caplog, monkeypatch):
    monkeypatch.setattr("fastemb.training.progress.LOG_SECONDS", 0.2)
    with caplog.at_level("INFO", logger="fastemb"):
        fit(Toy(seconds=0.1), epochs=1, history=[])
    assert any("words/s" in r.getMessage() and r.getMessage().startswith("train ") for r in caplog.records)
