"""Co-occurrence counts against the twin that takes one pair after the other."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastemb.corpus import Cooccurrence, Corpus, Vocabulary, counting, spill
from fastemb.corpus._cooccur import versions
from fastemb.reference.cooccurrence import cooccurrences


def dense(c):
    x = np.zeros(c.shape, np.int64)
    rows = np.repeat(np.arange(c.shape[0]), np.diff(c.indptr))
    x[rows, c.indices] = c.data
    return x


def well_formed(c):
    assert c.indptr.dtype == np.int64 and c.indices.dtype == np.int32 and c.data.dtype == np.int64
    assert c.indptr[0] == 0 and c.indptr[-1] == len(c.indices) == len(c.data)
    for lo, hi in zip(c.indptr[:-1], c.indptr[1:], strict=True):
        assert np.all(np.diff(c.indices[lo:hi]) > 0)
    assert np.all(c.data > 0)


SENTENCES = st.integers(1, 60).flatmap(
    lambda v: st.lists(st.lists(st.integers(0, v - 1), min_size=1, max_size=40), min_size=1, max_size=8)
)
HOW = st.fixed_dictionaries(
    {
        "window": st.integers(1, 30) | st.sampled_from([100, 65535]),
        "symmetric": st.booleans(),
        "weighting": st.sampled_from(["harmonic", "linear", "flat"]),
        "sample": st.sampled_from([0, 1, 0.5, 0.01]),
        "seed": st.integers(0, 2**64 - 1),
    }
)


@settings(max_examples=300, deadline=None)
@given(SENTENCES, HOW, st.integers(1, 3))
def test_counts_are_the_twins(sentences, how, workers):
    v = max(max(s) for s in sentences) + 1
    frequency = np.bincount([i for s in sentences for i in s], minlength=v)
    corpus = Corpus(sentences, vocabulary=Vocabulary(range(v), frequency))
    c = Cooccurrence.count(corpus, workers=workers, **how)
    well_formed(c)
    want, scale = cooccurrences(sentences, v, **how)
    assert c.scale == scale
    np.testing.assert_array_equal(dense(c), want)


@pytest.mark.parametrize("symmetric", [True, False])
def test_many_words_many_pieces(symmetric):
    rng = np.random.default_rng(3)
    ids = (rng.zipf(1.3, 20_000) % 700).astype(np.int64)
    sentences = np.split(ids, np.sort(rng.choice(len(ids), 300, replace=False)))
    sentences = [s for s in sentences if len(s)]
    corpus = Corpus(sentences, vocabulary=Vocabulary(range(700), np.bincount(ids, minlength=700)))
    want, _ = cooccurrences([s.tolist() for s in sentences], 700, window=5, symmetric=symmetric)
    c = Cooccurrence.count(corpus, window=5, symmetric=symmetric, workers=2)
    np.testing.assert_array_equal(dense(c), want)


# -- in pieces, with runs in a temporary file


@pytest.fixture
def tiny(monkeypatch):
    """Counting in pieces of a few tokens, blocks of a few rows, a result in files."""

    def use(rest, cells, block):
        plan = spill.Memory(1, rest, cells)
        monkeypatch.setattr(
            spill.Memory, "plan", classmethod(lambda cls, v, workers, limit: replace(plan, workers=workers))
        )
        monkeypatch.setattr(spill.Memory, "block_cells", block)
        monkeypatch.setattr(counting, "PIECE_CELLS", block)
        monkeypatch.setattr(counting, "STEP", 7)

    return use


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SENTENCES, HOW, st.integers(1, 3), st.integers(20, 2000), st.sampled_from([0, 100, None]), st.integers(1, 50))
def test_pieces_change_nothing(tiny, sentences, how, workers, rest, cells, block):
    v = max(max(s) for s in sentences) + 1
    frequency = np.bincount([i for s in sentences for i in s], minlength=v)
    corpus = Corpus(sentences, vocabulary=Vocabulary(range(v), frequency))
    tiny(rest, cells, block)
    c = Cooccurrence.count(corpus, workers=workers, **how)
    assert c.in_memory or cells is not None
    want, scale = cooccurrences(sentences, v, **how)
    assert c.total == int(want.sum()) / scale
    some = c.values(c.nnz // 3, c.nnz // 2)
    well_formed(c)
    np.testing.assert_array_equal(dense(c), want)
    np.testing.assert_array_equal(c.values()[c.nnz // 3 : c.nnz // 2], some)


@settings(max_examples=100, deadline=None)
@given(SENTENCES, SENTENCES, HOW, st.booleans(), st.integers(1, 2))
def test_merging_parts_is_counting_the_whole(a, b, how, words, workers):
    how = how | {"sample": 0}
    name = (lambda s: [f"w{i}" for i in s]) if words else list
    a, b = [name(s) for s in a], [name(s) for s in b]
    parts = [Cooccurrence.count(x, min_count=1, **how) for x in (a, b)]
    whole = Cooccurrence.count(a + b, min_count=1, **how)
    merged = Cooccurrence.merge(*parts, workers=workers)
    assert merged.vocabulary == whole.vocabulary and merged.num_tokens == whole.num_tokens
    for name in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(merged, name), getattr(whole, name))
    few = Vocabulary(whole.vocabulary.words[::2])
    cut = Cooccurrence.merge(*parts, vocabulary=few)
    np.testing.assert_array_equal(dense(cut), dense(whole)[::2, ::2])


@settings(max_examples=50, deadline=None)
@given(SENTENCES, HOW)
def test_files_give_back_what_was_saved(tmp_path_factory, sentences, how):
    c = Cooccurrence.count(sentences, min_count=1, **how)
    path = tmp_path_factory.mktemp("counts") / "c"
    c.save(path)
    for mmap in (False, True):
        d = Cooccurrence.load(path, mmap=mmap)
        assert d.vocabulary == c.vocabulary
        for name in ("scale", "window", "symmetric", "weighting", "sample", "num_tokens", "total"):
            assert getattr(d, name) == getattr(c, name)
        for name in ("indptr", "indices", "data"):
            np.testing.assert_array_equal(getattr(d, name), getattr(c, name))


@pytest.mark.parametrize("version", versions())
def test_every_instruction_set(monkeypatch, version):
    monkeypatch.setenv("FASTEMB_SIMD", version.replace("baseline", "scalar"))
    rng = np.random.default_rng(1)
    sentences = [rng.integers(0, 200, 30).tolist() for _ in range(20)]
    corpus = Corpus(sentences, vocabulary=Vocabulary(range(200), np.full(200, 3)))
    for window in (4, 30):  # sums of 32 bits, and of 64
        want, _ = cooccurrences(sentences, 200, window=window)
        np.testing.assert_array_equal(dense(Cooccurrence.count(corpus, window=window)), want)
