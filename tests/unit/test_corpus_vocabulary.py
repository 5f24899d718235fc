"""Vocabulary and the helpers of the corpus room that need no text."""

import copy
import doctest
import pickle

import numpy as np
import pytest

import fastemb.corpus.encoded
import fastemb.corpus.vocabulary
from fastemb.corpus import Corpus, Vocabulary, scan
from fastemb.corpus._corpus import Encoder, IdBuffer, Table, remap, scan_versions, split_ends
from fastemb.corpus.memory import available, human, resolve_workers
from fastemb.corpus.readers import compression_of


@pytest.mark.parametrize("module", [fastemb.corpus.vocabulary, fastemb.corpus.encoded])
def test_examples(module):
    result = doctest.testmod(module)
    assert result.attempted and not result.failed


def test_basics():
    v = Vocabulary(["the", "Ünï", b"raw\xff", ""], [9, 3, 2, 1])
    assert len(v) == 4 and v.total == 15 and not v.is_int
    assert v.words == ["the", "Ünï", "raw\udcff", ""] == [v.word(i) for i in range(4)] == list(v)
    assert [v.id(w) for w in v.words] == [0, 1, 2, 3] and v.id(b"raw\xff") == 2 and v.id("raw\udcff") == 2
    assert "the" in v and "The" not in v and 0 not in v and None not in v and 2.5 not in v
    assert (
        v.ids(["the", "x", ""]).tolist() == [0, -1, 3] and v.ids([]).tolist() == [] and v.ids(["x"]).dtype == np.int32
    )
    assert v.ids([1, 2]).tolist() == [-1, -1]
    assert v.blob.dtype == np.uint8 and v.offsets.tolist() == [0, 3, 8, 12, 12] and v.counts.dtype == np.int64
    assert not v.counts.flags.writeable and "4 words" in repr(v)
    with pytest.raises(KeyError):
        v.id("x")
    with pytest.raises(IndexError):
        v.word(4)
    with pytest.raises(IndexError):
        v.word(-1)
    with pytest.raises(TypeError, match="takes a list"):
        v.ids("the")
    with pytest.raises(AttributeError, match=r"\.words"):
        _ = v.int_keys


def test_integer_keys():
    v = Vocabulary([7, -1, 2**62], [3, 2, 1])
    assert v.is_int and v.words == [7, -1, 2**62] and v.int_keys.tolist() == v.words
    assert v.id(np.int32(7)) == 0 and v.id(2**62) == 2 and 0 not in v and 2**70 not in v and "7" not in v
    assert v.ids(np.array([2**62, 5])).tolist() == [2, -1] and v.ids(["7"]).tolist() == [-1]
    assert Vocabulary.from_parts(None, None, v.counts, int_keys=v.int_keys) == v
    assert Vocabulary.merge(v, Vocabulary([5, 7], [9, 9])).words == [7, 5, -1, 2**62]


def test_what_is_refused():
    with pytest.raises(ValueError, match="'a' is given twice"):
        Vocabulary(["a", "b", "a"])
    with pytest.raises(ValueError, match="2 words but counts"):
        Vocabulary(["a", "b"], [1])
    with pytest.raises(ValueError, match="negative"):
        Vocabulary(["a"], [-1])
    with pytest.raises(ValueError, match="whole"):
        Vocabulary(["a"], [1.5])
    with pytest.raises(TypeError, match="integers or all strings"):
        Vocabulary(["a", 1])
    with pytest.raises(TypeError):
        Vocabulary([2.5])
    with pytest.raises(ValueError, match="offsets"):
        Vocabulary.from_parts(np.zeros(3, np.uint8), [0, 2], [1])
    with pytest.raises(ValueError, match="offsets"):
        Vocabulary.from_parts(np.zeros(3, np.uint8), [0, 4, 2, 3], [1, 1, 1])
    with pytest.raises(TypeError, match="integer keys"):
        Vocabulary.merge(Vocabulary(["a"]), Vocabulary([1]))


def test_growing():
    old = Vocabulary(["b", "a"], [5, 4])
    new = Corpus.count([["c", "c", "a", "d", "e", "c", "d"]])
    grown = old.updated(new, min_count=2)
    assert grown.words == ["b", "a", "c", "d"] and grown.counts.tolist() == [5, 5, 3, 2] and grown.total == 16
    assert old.updated(new, min_count=1, max_final_vocab=3).words == ["b", "a", "c"]
    assert old.updated(new, min_count=1, max_final_vocab=1).words == ["b", "a"]
    merged = Vocabulary.merge(old, new, new)
    assert merged.words == ["a", "c", "b", "d", "e"] and merged.counts.tolist() == [6, 6, 5, 4, 2]
    assert Vocabulary.merge() == Vocabulary([]) and Vocabulary.merge(old).words == old.words


def test_copies_between_processes():
    v = scan([["a"] * 3 + ["b"]], min_count=2).vocabulary
    assert v.raw_counts("b") == 1 and v.raw_counts("c") == 0 and v.raw_counts(3) == 0
    ints = scan([[5] * 3 + [6]], min_count=2).vocabulary
    assert [ints.raw_counts(w) for w in (5, 6, 7, 2**80, "5")] == [3, 1, 0, 0, 0]
    for other in (pickle.loads(pickle.dumps(v)), copy.deepcopy(v)):
        assert other == v and other.total == 4 and other.id("a") == 0
        assert other.raw_counts("b") is None  # hashes are good for one process only


def test_dropped_words_are_bounded():
    table = Table()
    for i in range(1000):
        table.add(b"w%d" % i, 1 + i % 7)
    counts = table.columns()[0]
    v = Vocabulary._from_table(table, np.array([3], np.int32), counts, 1)
    v._remember_dropped(table, counts, np.array([i for i in range(1000) if i != 3]), limit=200)
    assert (
        v.raw_counts("w6") == 7
        and v.raw_counts("w0") is None
        and v.raw_counts("never") is None
        and v.raw_counts("w3") == 4
    )


def test_a_large_vocabulary_round_trips():
    rng = np.random.default_rng(0)
    words = [f"{'é' * (i % 3)}{i}{'x' * int(rng.integers(0, 30))}" for i in range(100_000)]
    v = Vocabulary(words, np.arange(100_000)[::-1])
    assert v.words == words and np.array_equal(v.ids(words), np.arange(100_000))


def test_scalar_helpers(monkeypatch):
    assert split_ends(np.array([2, 9], np.uint32), 10, 4, 3)[0].tolist() == [1, 2, 6, 9]
    assert split_ends(np.array([], np.uint32), 10, 4, 0) == (pytest.approx([4, 8]), 2)
    ids = np.array([0, 1, 2, 0, 2, 1], np.int32)
    ends = np.array([0, 2, 4], np.uint32)
    assert remap(ids, np.array([5, -1, 0], np.int32), ends) == 4
    assert ids[:4].tolist() == [5, 0, 5, 0] and ends.tolist() == [0, 1, 3]
    assert [human(n) for n in (5, 2048, 5 << 30)] == ["5 bytes", "2.0 KiB", "5.0 GiB"]
    assert resolve_workers(3) == 3 and resolve_workers(None) == resolve_workers(-1) >= 1
    assert available() is None or available() > 0
    assert compression_of(b"") is None and compression_of(b"\x1f\x8b\x08\0") == "gz"


def test_buffers_are_guarded():
    buffer = IdBuffer()
    buffer.resize_capacity(4)
    buffer.append(np.arange(4, dtype=np.int32))
    with pytest.raises(BufferError):
        buffer.append(np.arange(1, dtype=np.int32))
    view = np.frombuffer(buffer, np.int32)
    with pytest.raises(BufferError, match="in use"):
        buffer.resize_capacity(8)
    assert view.tolist() == [0, 1, 2, 3]
    for bad in ((0, 1, 4), (2, 1, 1), (0, 0, -1)):
        with pytest.raises(IndexError):
            buffer.move(*bad)
    with pytest.raises(ValueError, match="SLACK"):
        Encoder().text(np.zeros(10, np.uint8), 0, 10)
    with pytest.raises(ValueError, match="no tokeniser"):
        Encoder(version="mmx")
    assert scan_versions()[-1] == "scalar"
    with pytest.raises(IndexError):
        Table().export(np.array([0], np.int32))
