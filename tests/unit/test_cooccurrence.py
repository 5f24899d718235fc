"""Cooccurrence: parameters, files, damage, full disks, interrupts, the command."""

import errno
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import fastemb
from fastemb import Cooccurrence, Corpus, Vocabulary
from fastemb.cli import main
from fastemb.corpus import counting, spill

TEXT = [["a", "b", "c", "a"], ["b", "a"], ["c"]]


def counted(**how):
    return Cooccurrence.count(TEXT, min_count=1, **how)


def same(c, d):
    return c.vocabulary == d.vocabulary and all(
        np.array_equal(getattr(c, name), getattr(d, name)) for name in ("indptr", "indices", "data", "scale")
    )


def test_rows_by_hand():
    c = counted(window=2)
    assert c.vocabulary.words == ["a", "b", "c"] and c.scale == 2 and c.shape == (3, 3)
    # a b c a: a-b 1, a-c 1/2, b-c 1, b-a 1/2, c-a 1; b a: 1
    assert c.row("a") == {"b": 2.5, "c": 1.5}
    assert c.row("b") == {"a": 2.5, "c": 1.0}
    assert c.row("c") == {"a": 1.5, "b": 1.0}
    assert c.total == 10.0 and c.nnz == 6
    assert counted(window=2, symmetric=False).row("a") == {"b": 1.5, "c": 1.0}
    assert counted(window=2, weighting="linear").row("c") == {"a": 1.5, "b": 1.0}
    assert counted(window=2, weighting="flat").row("c") == {"a": 2.0, "b": 1.0}


def test_a_word_beside_itself_counts_from_both_sides():
    assert Cooccurrence.count([["a", "a"]], window=3, min_count=1).row("a") == {"a": 2.0}
    assert Cooccurrence.count([["a", "a"]], window=3, min_count=1, symmetric=False).row("a") == {"a": 1.0}


def test_one_word_alone_has_no_cells(tmp_path):
    c = Cooccurrence.count([["a"]], min_count=1)
    assert c.nnz == 0 and c.total == 0 and c.row("a") == {} and len(c.values()) == 0
    c.save(tmp_path / "c")
    assert Cooccurrence.load(tmp_path / "c", mmap=True).nnz == 0


@pytest.mark.parametrize(
    ("how", "error", "says"),
    [
        ({"window": 0}, ValueError, "window=0 is out of range"),
        ({"window": 65536}, ValueError, "65535"),
        ({"window": 2.0}, TypeError, "window must be an integer"),
        ({"weighting": "harmonc"}, ValueError, "'harmonic', 'linear', 'flat'"),
        ({"sample": -1}, ValueError, "sample=-1"),
        ({"sample": float("nan")}, ValueError, "sample=nan"),
        ({"seed": -1}, ValueError, "seed=-1"),
        ({"symmetric": "no"}, TypeError, "symmetric"),
        ({"max_memory": -1}, ValueError, "max_memory"),
        ({"max_memory": "1G"}, TypeError, "max_memory"),
        ({"max_memory": 100}, ValueError, "needs at least"),
        ({"workers": 0}, ValueError, "workers"),
        ({"min_cont": 5}, TypeError, "min_cont"),
    ],
)
def test_wrong_parameters_are_named(how, error, says):
    with pytest.raises(error, match=says):
        counted(**how)


def test_corpus_options_need_a_source_that_is_no_corpus():
    with pytest.raises(TypeError, match="min_count: the source is a Corpus already"):
        Cooccurrence.count(Corpus(TEXT, min_count=1), min_count=2)


def test_not_made_by_hand():
    with pytest.raises(TypeError, match="count"):
        Cooccurrence()


@pytest.mark.parametrize(
    ("indptr", "indices", "data", "says"),
    [
        ([0, 1], [0], [1], "indptr of 3"),
        ([0, 1, 1], [2], [1], "column"),
        ([0, 1, 1], [-1], [1], "column"),
        ([0, 2, 2], [1, 0], [1, 1], "ascend"),
        ([0, 2, 2], [1, 1], [1, 1], "ascend"),
        ([0, 1, 1], [0], [0], "below 1"),
        ([0, 1, 1], [0], [-1], "below 1"),
        ([0, 1, 1], [0], [0.5], "whole numbers"),
        ([0, 1, 1], [2**31], [1], "whole numbers|bounds"),
        ([0, 2, 1], [0, 1], [1, 1], "rise"),
        ([1, 1, 1], [0], [1], "rise"),
        ([0, 1, 1], [0], [1, 2], "rise"),
    ],
)
def test_from_csr_refuses(indptr, indices, data, says):
    with pytest.raises((ValueError, OverflowError), match=says):
        Cooccurrence.from_csr(["a", "b"], indptr, indices, data)


def test_scipy_round_trip():
    pytest.importorskip("scipy")
    c = counted(window=3)
    m = c.to_scipy()
    assert m.shape == (3, 3) and m[0, 1] == c.row("a")["b"]
    d = Cooccurrence.from_csr(c.vocabulary, m.indptr, m.indices, np.rint(m.data * c.scale), scale=c.scale)
    assert same(c, d)


def test_scipy_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    with pytest.raises(ImportError, match=r"fastemb\[sparse\]"):
        counted().to_scipy()


# -- overflow


def test_sums_beyond_63_bits_are_refused():
    a = Cooccurrence.from_csr(["a"], [0, 1], [0], [2**62])
    assert Cooccurrence.merge(a, Cooccurrence.from_csr(["a"], [0, 1], [0], [2**62 - 1])).data.tolist() == [2**63 - 1]
    with pytest.raises(OverflowError, match=r"2\*\*63"):
        Cooccurrence.merge(a, a)
    with pytest.raises(OverflowError, match=r"2\*\*63"):
        Cooccurrence.merge(a, a, a, a)
    b = Cooccurrence.from_csr(["a", "b"], [0, 1, 2], [0, 0], [2**62, 2**62])
    assert b.total == 2.0**63


def test_total_is_exact():
    c = Cooccurrence.from_csr(["a", "b"], [0, 2, 4], [0, 1, 0, 1], [2**62] * 4, scale=2**62)
    assert c.total == 4.0


# -- merging


def test_merge_refuses_what_was_counted_differently():
    with pytest.raises(ValueError, match="window is 2 and 3"):
        Cooccurrence.merge(counted(window=2, weighting="flat"), counted(window=3, weighting="flat"))
    with pytest.raises(ValueError, match="symmetric"):
        Cooccurrence.merge(counted(), counted(symmetric=False))
    with pytest.raises(ValueError, match="at least one"):
        Cooccurrence.merge()
    with pytest.raises(TypeError, match="integer"):
        Cooccurrence.merge(counted(), Cooccurrence.count([[1, 2]], min_count=1))
    with pytest.raises(TypeError, match="Corpus"):
        Cooccurrence.merge(counted(), Corpus(TEXT, min_count=1))


# -- files


def test_damage_is_refused_wherever_it_is(tmp_path):
    path = tmp_path / "c"
    counted(window=3).save(path)
    good = path.read_bytes()
    for at in range(len(good)):
        path.write_bytes(good[:at] + bytes([good[at] ^ 0x40]) + good[at + 1 :])
        for mmap in (False, True):
            with pytest.raises(ValueError):
                Cooccurrence.load(path, mmap=mmap)
    for size in range(0, len(good), 7):
        path.write_bytes(good[:size])
        with pytest.raises(ValueError, match=r"cut|damaged|bytes"):
            Cooccurrence.load(path)
    path.write_bytes(good + b"\0")
    with pytest.raises(ValueError):
        Cooccurrence.load(path)


def test_a_consistent_file_of_nonsense_is_refused(tmp_path):
    """Right checksums do not make columns that fit."""
    from fastemb.formats import native

    counted().save(tmp_path / "c")
    tensors, meta = native.read(tmp_path / "c")
    for name, value in (
        ("indices", tensors["indices"] + 7),
        ("indices", tensors["indices"].astype(np.int64)),
        ("data", -tensors["data"]),
        ("indptr", tensors["indptr"][:-1]),
        ("indptr", tensors["indptr"][::-1].copy()),
    ):
        native.write(tmp_path / "d", {**tensors, name: value}, meta)
        with pytest.raises(ValueError, match="damaged"):
            Cooccurrence.load(tmp_path / "d", mmap=True)
    for change in ({"scale": 0}, {"scale": "2"}, {"config": {}}, {"version": 9}, {"kind": "KeyedVectors"}):
        native.write(tmp_path / "d", tensors, {**meta, **change})
        with pytest.raises(ValueError):
            Cooccurrence.load(tmp_path / "d")
    del tensors["data"]
    native.write(tmp_path / "d", tensors, meta)
    with pytest.raises(ValueError, match="'data' is missing"):
        Cooccurrence.load(tmp_path / "d")


def test_fastemb_load_knows_counts(tmp_path):
    counted().save(tmp_path / "c")
    assert same(fastemb.load(tmp_path / "c"), counted())


def test_integer_keys(tmp_path):
    c = Cooccurrence.count([[7, -3, 7]], min_count=1, window=1)
    c.save(tmp_path / "c")
    d = Cooccurrence.load(tmp_path / "c")
    assert same(c, d) and d.row(7) == {-3: 2.0}


# -- in pieces: faults


@pytest.fixture
def many(monkeypatch):
    """A corpus that is counted in 20 pieces, its result in files."""
    rng = np.random.default_rng(0)
    ids = (rng.zipf(1.4, 40_000) % 500).reshape(-1, 20)
    monkeypatch.setattr(spill.Memory, "plan", lambda v, workers, limit: spill.Memory(2, 20_000, 1000))
    return Corpus(ids, min_count=1)


def no_strangers():
    """Descriptors of this process and files of the temporary folder."""
    fds = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    return fds, sorted(name for name in os.listdir(tempfile.gettempdir()) if name.startswith("fastemb-"))


def test_few_descriptors_and_nothing_left(many):
    before = no_strangers()
    c = Cooccurrence.count(many, workers=2)
    assert not c.in_memory
    assert no_strangers()[0] <= before[0] + 2  # however many runs there were
    del c
    assert no_strangers() == before


@pytest.mark.parametrize("share", [0, 0.2, 0.6, 0.99])
def test_full_disk(many, monkeypatch, share):
    """At the first write, in the midst of the runs, and when the result is written."""
    before, threads = no_strangers(), threading.active_count()
    real, calls = spill.pwrite_all, []
    monkeypatch.setattr(spill, "pwrite_all", lambda *args: (calls.append(1), real(*args)))
    Cooccurrence.count(many, workers=2)
    nth, calls = share * len(calls), []

    def full(fd, data, at):
        calls.append(1)
        if len(calls) > nth:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(fd, data, at)

    monkeypatch.setattr(spill, "pwrite_all", full)
    with pytest.raises(OSError, match=r"no room on the disk.*TMPDIR") as e:
        Cooccurrence.count(many, workers=2)
    assert e.value.errno == errno.ENOSPC
    assert threading.active_count() == threads
    del e
    assert no_strangers() == before
    monkeypatch.setattr(spill, "pwrite_all", real)
    assert Cooccurrence.count(many).nnz  # the corpus is as good as before


def test_a_cut_temporary_file_is_noticed(many, monkeypatch):
    real = spill.pread_into
    monkeypatch.setattr(spill, "pread_into", lambda fd, out, at: real(fd, out, at) - 1)
    with pytest.raises(OSError, match="was cut"):
        Cooccurrence.count(many)


def test_damaged_runs_are_noticed(many, monkeypatch):
    real = spill.pread_into

    def flip(fd, out, at):
        n = real(fd, out, at)
        if out.dtype == np.uint8:
            out[:] = 0xFF
        return n

    monkeypatch.setattr(spill, "pread_into", flip)
    with pytest.raises(OSError, match="damaged"):
        Cooccurrence.count(many)


def test_errors_of_threads_and_callbacks_come_through(many, monkeypatch):
    before, threads = no_strangers(), threading.active_count()

    def progress(found):
        raise LookupError("mine")

    monkeypatch.setattr(counting.Meter, "tell", lambda self, force=False: self.progress({}))
    with pytest.raises(LookupError, match="mine"):
        Cooccurrence.count(many, progress=progress)
    assert threading.active_count() == threads and no_strangers() == before


def test_an_iterator_that_raises():
    def sentences():
        yield ["a", "b"]
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError, match="the source broke"):
        Cooccurrence.count(sentences(), min_count=1)


INTERRUPTED = """
import os, sys, tempfile, threading, time
import numpy as np
from fastemb import Cooccurrence, Corpus
ids = (np.random.default_rng(0).zipf(1.2, 3_000_000) % 30_000).reshape(-1, 30)
corpus = Corpus(ids, min_count=1)
print("ready", flush=True)
while True:
    began = time.time()
    try:
        Cooccurrence.count(corpus, max_memory=40_000_000, window=20)
    except KeyboardInterrupt:
        left = [f for f in os.listdir("/proc/self/fd") if "fastemb" in os.path.realpath("/proc/self/fd/" + f)]
        print("interrupted", threading.active_count(), left, len(corpus.ids), flush=True)
        sys.exit(0)
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="Linux")
@pytest.mark.parametrize("after", [0.1, 0.6])
def test_ctrl_c(after):
    child = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, text=True, cwd=Path(fastemb.__file__).parents[1]
    )
    assert child.stdout.readline() == "ready\n"
    time.sleep(after)
    began = time.monotonic()
    child.send_signal(signal.SIGINT)
    out, _ = child.communicate(timeout=60)
    assert out == "interrupted 1 [] 3000000\n" and child.returncode == 0
    assert time.monotonic() - began < 10  # a loaded machine; alone it is below a second


# -- the command


def test_command(tmp_path, capsys):
    text = tmp_path / "t.txt"
    text.write_text("a b c a\nb a\nc\n")
    assert main(["cooc", str(text), "-o", str(tmp_path / "c"), "--min-count", "1", "--window", "2", "--json"]) == 0
    assert '"cells": 6' in capsys.readouterr().out
    assert same(Cooccurrence.load(tmp_path / "c"), counted(window=2))
    words = tmp_path / "w.tsv"
    assert main(["vocab", str(text), "-o", str(words), "--min-count", "1"]) == 0
    assert (
        main(
            [
                "cooc",
                str(text),
                "-o",
                str(tmp_path / "d"),
                "--vocabulary",
                str(words),
                "--window",
                "2",
                "--max-memory",
                "1G",
            ]
        )
        == 0
    )
    assert same(Cooccurrence.load(tmp_path / "d"), counted(window=2))
    assert main(["cooc", "--merge", str(tmp_path / "c"), str(tmp_path / "d"), "-o", str(tmp_path / "e"), "-q"]) == 0
    assert Cooccurrence.load(tmp_path / "e").total == 20.0


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        (["--window", "0"], "window=0"),
        (["--merge", "--window", "3"], "leave --window away"),
        (["--vocabulary", "{text}"], "line 1"),
        (["--max-memory", "1K"], "needs at least"),
    ],
)
def test_command_refuses(tmp_path, capsys, extra, says):
    text = tmp_path / "t.txt"
    text.write_text("a b c a\n")
    extra = [x.format(text=text) for x in extra]
    out = tmp_path / "c"
    assert main(["cooc", str(text), "-o", str(out), "--min-count", "1", *extra]) == 1
    assert says in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["t.txt"]


def test_vocabulary_given():
    c = Cooccurrence.count(TEXT, vocabulary=Vocabulary(["c", "a"]), window=1)
    assert c.row("c") == {"a": 2.0}  # "b" between them is left out before windows are formed
