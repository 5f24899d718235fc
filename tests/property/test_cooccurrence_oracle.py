"""Co-occurrence counts against the twin that takes one pair after the other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastemb.corpus import Cooccurrence, Corpus, Vocabulary
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
