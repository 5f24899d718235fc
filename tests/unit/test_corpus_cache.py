"""The id cache file: the same corpus, whole or refused, within any memory limit."""

import errno
import gzip
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from fastemb.corpus import Corpus, CorpusChangedError, LineSentence, Vocabulary
from fastemb.corpus.store import HEADER

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def text(tmp_path):
    rng = np.random.default_rng(5)
    p = tmp_path / "c.txt"
    p.write_text("\n".join(" ".join(f"w{j}" for j in rng.zipf(1.5, 12) % 500) for _ in range(3000)))
    return p


def same(a, b):
    assert a.vocabulary == b.vocabulary and a.vocabulary.total == b.vocabulary.total
    np.testing.assert_array_equal(a.offsets, b.offsets)
    np.testing.assert_array_equal(a.ids, b.ids)
    assert a.num_tokens == b.num_tokens and a.num_sentences == b.num_sentences
    for lo, hi in ((0, 0), (0, min(10, a.num_tokens)), (3, a.num_tokens), (a.num_tokens,) * 2):
        out = np.full(a.num_tokens, -7, np.int32)
        got = b.read(lo, hi, out)
        np.testing.assert_array_equal(a.read(lo, hi), got)
        assert got.base is out or b.in_memory
        assert (out[hi - lo :] == -7).all()


def strays(folder):
    return [p.name for p in folder.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_file_equals_memory(text, tmp_path, workers):
    memory = Corpus(text, workers=workers)
    path = tmp_path / "ids"
    made = Corpus(text, cache=path, workers=workers, _block=1000)
    same(memory, made)
    again = Corpus(text, cache=path, progress=lambda d: pytest.fail("the cache was not used"))
    same(memory, again)
    same(memory, Corpus.open(path))
    assert again.report == made.report and not made.in_memory and not strays(tmp_path)
    auto = Corpus(text, cache="auto", max_memory=20_000, workers=workers, _block=1000)
    assert not auto.in_memory
    same(memory, auto)
    assert Corpus(text, cache="auto").in_memory
    assert np.asarray(memory.ids).flags.writeable is False
    ints = Corpus([[1, 2, -3], [2]], min_count=1, cache=tmp_path / "ints")
    same(ints, Corpus.open(tmp_path / "ints"))


def test_stale_caches_are_written_anew(text, tmp_path, caplog):
    path = tmp_path / "ids"
    caplog.set_level("INFO", "fastemb")

    def reads(**options):
        caplog.clear()
        corpus = Corpus(text, cache=path, **options)
        same(Corpus(text, **options), corpus)
        return "taken from the cache" not in caplog.text

    assert reads() and not reads() and not reads(workers=1)
    assert reads(min_count=2) and not reads(min_count=2)
    assert reads(keep=["w3"]) and reads(max_final_vocab=9) and reads(sorted_vocab=False)
    v = Vocabulary(["w1", "w2"], [1, 2])
    assert reads(vocabulary=v) and not reads(vocabulary=v) and reads(vocabulary=Vocabulary(["w2", "w1"], [1, 2]))
    assert reads(trim_rule=lambda *a: 0) and reads(trim_rule=lambda *a: 0)  # a function cannot be recognised
    st = text.stat()
    assert reads() and not reads()
    os.utime(text, ns=(st.st_atime_ns, st.st_mtime_ns + 1))
    assert reads()
    text.write_text("a a a a a a\n")
    assert reads()
    assert Corpus(LineSentence(text, 2), cache=path).num_sentences == 3
    for _ in range(2):
        assert Corpus([["x"] * 7], cache=path).num_tokens == 7  # an iterable cannot be recognised either


def test_damage_is_found(text, tmp_path, caplog):
    path = tmp_path / "ids"
    memory = Corpus(text)
    Corpus(text, cache=path)
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    sections = json.loads(whole[whole.rindex(b'{"format"') :])["sections"]
    gaps = {at - 1 for at, *_ in sections.values()} | {at + n for at, n, _ in sections.values()}  # padding counts too
    places = gaps | set(range(40)) | set(rng.integers(0, len(whole), 200).tolist()) | {len(whole) - 1}
    for at in sorted(places):
        broken = bytearray(whole)
        broken[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(broken)
        with pytest.raises(ValueError, match=r"damaged|not a fastemb id cache"):
            Corpus.open(path)
    for size in (8, 35, 36, 100, HEADER, HEADER + 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="damaged"):
            Corpus.open(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(ValueError, match="damaged"):
        Corpus.open(path)
    caplog.clear()
    same(memory, Corpus(text, cache=path))
    assert "written anew" in caplog.text


def test_other_files_are_never_overwritten(text, tmp_path):
    precious = tmp_path / "thesis"
    precious.write_text("years of work")
    with pytest.raises(ValueError, match=r"not a fastemb id cache.*another cache path"):
        Corpus(text, cache=precious)
    with pytest.raises(ValueError, match="not a fastemb id cache"):
        Corpus(text, cache=text)
    with pytest.raises(OSError):
        Corpus(text, cache=tmp_path)
    with pytest.raises(OSError):
        Corpus(text, cache=tmp_path / "no" / "such" / "folder")
    assert precious.read_text() == "years of work" and not strays(tmp_path)


def test_a_cache_that_changes_under_the_reader(text, tmp_path):
    path = tmp_path / "ids"
    for harm in (lambda: os.truncate(path, HEADER + 8), lambda: path.open("r+b").write(b"x" * (HEADER + 99))):
        path.unlink(missing_ok=True)
        corpus = Corpus(text, cache=path)
        corpus.read(0, 100)
        harm()
        with pytest.raises(CorpusChangedError, match="corpus changed"):
            corpus.read(0, 100)
        with pytest.raises(CorpusChangedError):
            _ = corpus.ids
    path.unlink()  # a removed file lives on while it is open
    corpus = Corpus(text, cache=path)
    path.unlink()
    corpus.read(0, 100)


def test_read_refuses_what_does_not_fit(text, tmp_path):
    for corpus in (Corpus(text), Corpus(text, cache=tmp_path / "ids")):
        for lo, hi in ((-1, 3), (4, 3), (0, corpus.num_tokens + 1)):
            with pytest.raises(IndexError):
                corpus.read(lo, hi)
    for out in (np.empty(9, np.int32), np.empty(10, np.int64), np.empty((5, 2), np.int32)):
        with pytest.raises(ValueError, match="out must be"):
            corpus.read(0, 10, out)
    assert corpus.read(0, 10, bytearray(40)).tolist() == corpus.ids[:10].tolist()


def test_failures_leave_no_file(text, tmp_path, monkeypatch):
    def broken():
        yield ["a"] * 10
        raise RuntimeError("my own")

    with pytest.raises(RuntimeError, match="my own"):
        Corpus(broken(), cache=tmp_path / "ids")
    with pytest.raises(ValueError, match="min_count"):
        Corpus(text, cache=tmp_path / "ids", min_count=10**9)
    real, calls = os.pwrite, []

    def full(fd, data, at):
        calls.append(len(data))
        if len(calls) == n:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(fd, data[: max(1, len(data) // 2)], at)  # short writes on the way

    monkeypatch.setattr(os, "pwrite", full)
    for n in range(1, 40, 3):  # noqa: B007 - read by full
        calls.clear()
        with pytest.raises(OSError, match="No space left"):
            Corpus(text, cache=tmp_path / "ids", _block=4000, workers=2)
        assert [p.name for p in tmp_path.iterdir()] == ["c.txt"]
    n = 0
    same(Corpus(text), Corpus(text, cache=tmp_path / "ids", _block=4000))


def test_nothing_is_left_open(text, tmp_path):
    fds = pathlib.Path("/proc/self/fd")
    if not fds.is_dir():
        pytest.skip("needs /proc")
    before = len(list(fds.iterdir()))
    packed = tmp_path / "a.gz"
    packed.write_bytes(gzip.compress(text.read_bytes()))
    for cache in (None, tmp_path / "ids", "auto"):
        for source in (text, packed, [["a"] * 9]):
            corpus = Corpus(source, cache=cache, max_memory=0)
            corpus.read(0, 5)
            del corpus
    assert len(list(fds.iterdir())) == before


LIMITED = """
import resource, sys
import numpy as np
from fastemb.corpus import Corpus
path, cache, limit, expect = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
def used():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used() + limit,) * 2)
if cache == "none":
    try:
        Corpus(path, workers=1)
    except MemoryError as e:
        print("MemoryError", e)
    sys.exit()
c = Corpus(path, cache=cache, workers=1)
assert c.num_tokens == expect and not c.in_memory, c
out, total = np.empty(1 << 18, np.int32), 0
for lo in range(0, c.num_tokens, len(out)):
    total += int(c.read(lo, min(lo + len(out), c.num_tokens), out).sum(dtype=np.int64))
print("total", total)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
def test_a_corpus_twice_the_address_space(tmp_path):
    """96 MB of ids under 48 MB of address space beyond what the interpreter has."""
    line = b" ".join(b"w%d" % i for i in range(1000)) + b"\n"
    text = tmp_path / "big"
    lines = 24_000
    with open(text, "wb") as f:
        for _ in range(lines // 1000):
            f.write(line * 1000)
    n = lines * 1000

    def run(cache):
        args = [sys.executable, "-c", LIMITED, str(text), str(cache), str(48 << 20), str(n)]
        env = dict(os.environ, OPENBLAS_NUM_THREADS="1", TMPDIR=str(tmp_path), MALLOC_ARENA_MAX="1")
        return subprocess.run(args, capture_output=True, text=True, cwd=ROOT, env=env)

    for cache in (tmp_path / "ids", "auto"):
        r = run(cache)
        assert r.returncode == 0, r.stderr
        assert r.stdout.split() == ["total", str(lines * 999 * 500)]
    r = run("none")
    assert "MemoryError" in r.stdout and 'cache="auto"' in r.stdout, r.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["big", "ids"]
