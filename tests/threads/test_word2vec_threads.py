"""Word2Vec and threads: signals, one user at a time, forks, callbacks, observers."""

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

from fastemb import Word2Vec
from fastemb.callbacks import CallbackAny2Vec

SMALL = dict(vector_size=20, min_count=1, sample=0, epochs=2)


@pytest.fixture(scope="module")
def ids():
    """Sentences of integer keys, enough for many pieces."""
    return np.random.default_rng(0).zipf(1.3, size=(20_000, 20)).clip(max=3000)


def threads_of_ours():
    return [t for t in threading.enumerate() if t.name.startswith("fastemb-")]


class Started:
    """Progress callable that tells when training runs."""

    def __init__(self):
        self.event = threading.Event()

    def __call__(self, report):
        if report["phase"] == "train":
            self.event.set()


# ---- signals

INTERRUPTED = """
    import os, signal, sys, threading, time
    import numpy as np
    from fastemb import Word2Vec

    class Ready:
        def on_epoch_begin(self, model):
            print("ready", flush=True)

    text = np.random.default_rng(0).integers(500, size=(50_000, 20))
    began = None
    try:
        Word2Vec(
            text, vector_size=50, min_count=1, epochs=100_000, workers=2, sg=1, progress={progress}, callbacks=[Ready()]
        )
    except KeyboardInterrupt as error:
        model = error.model
        assert not [t for t in threading.enumerate() if t is not threading.main_thread()], threading.enumerate()
        assert np.isfinite(model.wv.vectors).all() and model.wv.vectors.flags.c_contiguous
        last = model.history[-1]
        assert last.get("partial") and 0 < last["words"] < 1_000_000, last
        model.wv.most_similar(3)
        model.save(sys.argv[1])
        model = Word2Vec.load(sys.argv[1])
        model.train(text, resume=True, max_seconds=0.3)
        assert [h["epoch"] for h in model.history] == list(range(1, len(model.history) + 1))
        print("usable", flush=True)
        raise
"""


@pytest.mark.parametrize("progress", ["False", "None", "True"])
def test_ctrl_c_leaves_a_usable_model(tmp_path, request, progress):
    code = textwrap.dedent(INTERRUPTED).format(progress=progress)
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "m")],
        cwd=request.config.rootpath,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        assert child.stdout.readline() == "ready\n", child.stderr.read()
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        began = time.monotonic()
        out = ""
        while "usable" not in out:
            line = child.stdout.readline()
            assert line, child.stderr.read()
            out += line
        assert time.monotonic() - began < 10  # on a busy machine, with a save, a load and a training in it
        _, err = child.communicate(timeout=30)
    finally:
        child.kill()
    assert child.returncode != 0 and "KeyboardInterrupt" in err


def test_ctrl_c_stops_within_a_second(ids):
    model = Word2Vec(workers=2, **SMALL | dict(epochs=10**6))
    model.build_vocab(ids)
    sent = []

    def interrupt(report):
        if report["phase"] == "train" and not sent:
            sent.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt) as error:
        model.train(progress=interrupt)
    assert time.monotonic() - sent[0] < 1 and not threads_of_ours()
    assert error.value.model is model and np.isfinite(model.wv.vectors).all()


# ---- one user at a time


def test_a_model_in_use_says_so(ids, tmp_path):
    model = Word2Vec(workers=1, **SMALL | dict(epochs=10**6))
    model.build_vocab(ids)
    started, errors = Started(), []

    def work():
        try:
            model.train(progress=started, max_seconds=60)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert started.event.wait(30)
    for use in (lambda: model.train(ids), lambda: model.save(tmp_path / "m"), lambda: model.build_vocab(ids)):
        with pytest.raises(RuntimeError, match="in use"):
            use()
    before = model.wv[1].copy()  # an observer sees rows, not padding
    assert before.shape == (20,) and np.isfinite(before).all()
    assert model.wv.most_similar(1, topn=3)
    assert thread.is_alive()
    lose_corpus(model)
    thread.join(30)
    assert not thread.is_alive() and errors and not threads_of_ours()
    model.save(tmp_path / "m")


def lose_corpus(model):
    """Make the corpus of a model unreadable: the training ends as if a disk had gone."""

    def broken(low, high, out=None):
        raise OSError("gone")

    model._encoded.corpus.read = broken


def test_an_error_while_reading_reaches_the_caller(ids):
    model = Word2Vec(workers=3, **SMALL)
    model.build_vocab(ids)
    lose_corpus(model)
    with pytest.raises(OSError, match="gone") as error:
        model.train()
    assert error.traceback[-1].name == "broken" and not threads_of_ours()
    model.train(ids, epochs=1)  # as good as new


def test_two_models_at_once(ids):
    done = []

    def work(seed):
        done.append(Word2Vec(ids[:2000], workers=2, seed=seed, **SMALL))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(done) == 3 and all(m.history[-1]["words"] == 40_000 for m in done)


# ---- fork


def _child(ids, queue):
    model = Word2Vec(ids, workers=2, **SMALL)
    queue.put(model.history[-1]["words"])


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_train_fork_train(ids, method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    few = ids[:2000]
    Word2Vec(few, workers=2, **SMALL)
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    child = context.Process(target=_child, args=(few, queue))
    child.start()
    assert queue.get(timeout=60) == 40_000
    child.join(30)
    assert child.exitcode == 0


# ---- callbacks


class Recorder(CallbackAny2Vec):
    def __init__(self, path=None):
        self.calls, self.losses, self.path = [], [], path

    def on_train_begin(self, model):
        self.calls.append("train begin")

    def on_epoch_begin(self, model):
        self.calls.append("epoch begin")

    def on_epoch_end(self, model):
        self.calls.append("epoch end")
        self.losses.append(model.get_latest_training_loss())
        assert model.wv.vectors.flags.c_contiguous and not threads_of_ours()
        assert len(model.wv.most_similar(1, topn=2)) == 2
        if self.path:
            model.save(self.path)
        with pytest.raises(RuntimeError, match="in use"):
            model.train([[1, 2]], epochs=1)

    def on_train_end(self, model):
        self.calls.append("train end")


def test_gensims_hooks(ids, tmp_path):
    recorder = Recorder(tmp_path / "m")
    model = Word2Vec(ids[:2000], workers=2, callbacks=[recorder], **SMALL)
    assert recorder.calls == ["train begin", *["epoch begin", "epoch end"] * 2, "train end"]
    assert 0 < recorder.losses[0] < recorder.losses[1] == model.get_latest_training_loss()
    assert len(Word2Vec.load(tmp_path / "m").history) == 2


def test_callbacks_do_not_change_the_vectors(ids):
    few = ids[:2000]
    plain = Word2Vec(few, workers=1, **SMALL)
    watched = Word2Vec(few, workers=1, callbacks=[Recorder()], **SMALL)
    assert np.array_equal(plain.wv.vectors, watched.wv.vectors)


def test_an_error_of_a_callback_reaches_the_caller(ids):
    class Bad:
        def on_epoch_end(self, model):
            raise LookupError("mine")

    model = Word2Vec(workers=2, **SMALL)
    model.build_vocab(ids[:2000])
    with pytest.raises(LookupError, match="mine"):
        model.train(callbacks=[Bad()])
    assert len(model.history) == 1 and not threads_of_ours()
    model.train(resume=True)
    assert len(model.history) == 2


def test_a_callback_may_put_other_vectors_in_the_model(ids):
    class Normalise:
        def on_epoch_end(self, model):
            model.wv.vectors = model.wv.vectors / np.linalg.norm(model.wv.vectors, axis=1, keepdims=True)

    model = Word2Vec(ids[:2000], workers=1, callbacks=[Normalise()], **SMALL)
    assert np.allclose(np.linalg.norm(model.wv.vectors, axis=1), 1, atol=1e-5)
    assert model.wv.vectors.dtype == np.float32


def test_progress_reports(ids):
    reports = []
    Word2Vec(ids, workers=2, progress=reports.append, **SMALL | dict(vector_size=100))
    train = [r for r in reports if r["phase"] == "train"]
    assert train[-1]["fraction"] == 1.0 and train[-1]["epoch"] == 2 and train[-1]["total"] == ids.size * 2
    assert all(r["loss"] is None or r["loss"] > 0 for r in train) and all(0 < r["alpha"] <= 0.025 for r in train)
