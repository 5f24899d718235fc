"""Failures, interruption and concurrency: the first error is raised, nothing hangs, no thread is left."""

import gzip
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fastemb.corpus import Corpus, CorpusChangedError, scan
from fastemb.corpus import tasks as tasks_module


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 5
    while set(threading.enumerate()) - before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not set(threading.enumerate()) - before


@pytest.fixture
def text(tmp_path):
    p = tmp_path / "c.txt"
    p.write_bytes(b"the quick brown fox jumps over the lazy dog\n" * 50_000)
    return p


class Mine(Exception):
    pass


@pytest.mark.parametrize("n", [0, 1, 5, 9000, 60_000])
@pytest.mark.parametrize("workers", [1, 2, 7])
def test_an_iterator_that_raises(n, workers):
    error = Mine("at item", n)

    def items():
        for i in range(100_000):
            if i == n:
                raise error
            yield ["a", "b", "c", str(i)]

    with pytest.raises(Mine) as info:
        Corpus(items(), workers=workers, _block=1 << 16)
    assert info.value is error
    with pytest.raises(Mine) as info:
        Corpus((" ".join(s) for s in items()), tokenizer="whitespace", workers=workers, _block=1 << 16)
    assert info.value is error


def test_errors_inside_tokens_progress_and_tokenizer(text):
    class Bad(list):
        def __iter__(self):
            raise Mine

    with pytest.raises(Mine):
        Corpus([["a"], (t for t in Bad())], min_count=1)

    def progress(_):
        raise Mine

    for source in (text, [["a"] * 9] * 10):
        with pytest.raises(Mine):
            Corpus(source, progress=progress)
    with pytest.raises(ZeroDivisionError):
        Corpus(["a b"], tokenizer=lambda s: 1 / 0)


def test_a_worker_that_fails(text, monkeypatch):
    real, calls = tasks_module.Range.encode, []

    fail_at = 0

    def encode(self, worker):
        calls.append(1)
        if len(calls) == fail_at:
            raise Mine(fail_at)
        return real(self, worker)

    monkeypatch.setattr(tasks_module.Range, "encode", encode)
    for fail_at in (1, 2, 20, 100):  # noqa: B007 - read by encode
        for workers in (1, 2, 7):
            calls.clear()
            with pytest.raises(Mine):
                Corpus(text, workers=workers, _block=20_000)


def test_a_reader_thread_that_fails(text, tmp_path):
    packed = gzip.compress(text.read_bytes(), 1)
    files = []
    for i in range(6):
        files.append(tmp_path / f"{i}.gz")
        files[-1].write_bytes(packed if i != 3 else packed[: len(packed) // 2])
    for workers in (1, 2, 7):
        with pytest.raises(ValueError, match=r"3\.gz"):
            Corpus(files, workers=workers, _block=30_000)


def test_a_file_that_changes(text, monkeypatch):
    size = text.stat().st_size
    whole = text.read_bytes()
    real, seen = tasks_module.Range.encode, []

    def encode(self, worker):
        seen.append(self)
        if len(seen) == 10:
            harm()
        return real(self, worker)

    monkeypatch.setattr(tasks_module.Range, "encode", encode)

    def rewrite():
        text.write_bytes(b"x" * size)
        os.utime(text, ns=(1, 1))

    for harm in (  # noqa: B007 - called by encode
        lambda: os.truncate(text, 0),
        lambda: os.truncate(text, size // 2),
        lambda: text.open("ab").write(b"more"),
        rewrite,
    ):
        text.write_bytes(whole)
        seen.clear()
        with pytest.raises(CorpusChangedError, match="corpus changed"):
            Corpus(text, workers=2, _block=20_000)

    def remove():
        text.unlink()

    harm = remove
    text.write_bytes(whole)
    seen.clear()
    with pytest.raises(OSError):
        Corpus(text, workers=2, _block=20_000)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX signals")
@pytest.mark.parametrize("kind", ["file", "generator", "gzip", "pipe"])
def test_ctrl_c_ends_it_within_a_second(kind, text, tmp_path):
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals arrive in the main thread")

    def slow():
        while True:
            time.sleep(0.001)
            yield ["a"] * 10

    source = slow()
    if kind == "file":
        source = [text] * 500
    elif kind == "gzip":
        (tmp_path / "a.gz").write_bytes(gzip.compress(text.read_bytes(), 1))
        source = [tmp_path / "a.gz"] * 500
    elif kind == "pipe":
        r, w = os.pipe()  # nobody writes
        source = os.fdopen(r, "rb")
    old = signal.signal(signal.SIGINT, signal.default_int_handler)
    fired = []
    timer = threading.Timer(0.3, lambda: (fired.append(time.monotonic()), os.kill(os.getpid(), signal.SIGINT)))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            Corpus(source, workers=2)
        assert time.monotonic() - fired[0] < 1
    finally:
        timer.join()
        signal.signal(signal.SIGINT, old)
        if kind == "pipe":
            os.close(w)
            source.close()


def test_many_corpora_and_readers_at_once(text, tmp_path):
    expected = Corpus(text, min_count=1)
    cached = Corpus(text, min_count=1, cache=tmp_path / "ids")

    def one(i):
        c = Corpus(text, min_count=1, workers=1 + i % 3, _block=5000 + i)
        assert c.vocabulary == expected.vocabulary and np.array_equal(c.ids, expected.ids)
        out = np.empty(1000, np.int32)
        for lo in range(i * 17, c.num_tokens - 1000, 7919):
            assert np.array_equal(cached.read(lo, lo + 1000, out), expected.ids[lo : lo + 1000])
        assert cached.vocabulary.ids(["the", "dog", "x"]).tolist()[2] == -1
        return scan(text, min_count=1).report.tokens_read

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(one, range(12))) == {450_000}


def test_workers_give_the_same_bytes(text, tmp_path):
    rng = np.random.default_rng(3)
    p = tmp_path / "r"
    p.write_bytes(
        b"\n".join(b" ".join(b"%d" % i for i in rng.zipf(1.3, rng.integers(0, 40)) % 5000) for _ in range(3000))
    )
    results = {
        (c.ids.tobytes(), c.offsets.tobytes(), c.vocabulary.blob.tobytes(), c.vocabulary.counts.tobytes())
        for workers in (1, 2, 7)
        for block in (777, 5000, 1 << 20)
        for c in [Corpus(p, min_count=2, workers=workers, _block=block)]
    }
    assert len(results) == 1


def test_the_source_is_not_kept_alive():
    made = [["a"] * 9]
    before = sys.getrefcount(made)
    Corpus(made)
    assert sys.getrefcount(made) == before
