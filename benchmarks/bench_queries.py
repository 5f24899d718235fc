"""Queries of 35,000 vectors of 100 dimensions: one at a time, and in blocks."""

from __future__ import annotations

import numpy as np
import pytest

from fastemb import KeyedVectors, load


@pytest.fixture(scope="session")
def vectors() -> KeyedVectors:
    kv = KeyedVectors(100)
    kv.add_vectors([f"w{i}" for i in range(35_000)], np.random.default_rng(5).normal(size=(35_000, 100)).astype("f4"))
    kv.fill_norms()
    return kv


def test_neighbours_of_one_word(benchmark, vectors):
    assert len(benchmark(vectors.most_similar, "w17", topn=10)) == 10


def test_neighbours_of_a_thousand_words(benchmark, vectors):
    words = [f"w{i}" for i in range(1000)]
    found = benchmark.pedantic(vectors.most_similar_batch, (words,), dict(topn=10), rounds=5, warmup_rounds=1)
    assert len(found) == 1000


def test_analogy(benchmark, vectors):
    assert benchmark(vectors.most_similar, positive=["w1", "w2"], negative=["w3"], topn=1)


def test_similarity(benchmark, vectors):
    benchmark(vectors.similarity, "w1", "w2")


def test_looking_up_a_word(benchmark, vectors):
    benchmark(vectors.__getitem__, "w1234")


def test_analogies_of_a_set(benchmark, vectors):
    """5,000 questions over 900 words, as a set of real questions repeats them, against the first 30,000 words."""
    rng = np.random.default_rng(6)
    questions = [tuple(f"w{i}" for i in four) for four in rng.integers(0, 900, (5000, 4))]
    scores = benchmark.pedantic(
        vectors.evaluate_word_analogies, (questions,), dict(restrict_vocab=30_000), rounds=3, warmup_rounds=1
    )
    assert scores.num_answered == 5000


def test_pairs_of_a_set(benchmark, vectors):
    rng = np.random.default_rng(7)
    pairs = [(f"w{a}", f"w{b}", float(score)) for a, b, score in rng.integers(0, 20_000, (3000, 3))]
    assert benchmark(vectors.evaluate_word_pairs, pairs).num_pairs == 3000


@pytest.mark.parametrize("pooling", ["mean", "sif"])
def test_encoding_texts(benchmark, vectors, pooling):
    """2,000 texts of 50 words."""
    rng = np.random.default_rng(8)
    texts = [" ".join(f"w{i}" for i in some) for some in rng.zipf(1.3, (2000, 50)) % 35_000]
    found = benchmark.pedantic(vectors.encode, (texts,), dict(pooling=pooling), rounds=5, warmup_rounds=1)
    assert found.shape == (2000, 100)


def test_an_unknown_word(benchmark, vectors):
    def ask():
        with pytest.raises(KeyError):
            vectors["w1234x5"]

    benchmark(ask)


@pytest.mark.parametrize("mmap", [False, True])
def test_loading(benchmark, vectors, tmp_path, mmap):
    vectors.save(tmp_path / "v.safetensors")
    assert len(benchmark(load, tmp_path / "v.safetensors", mmap=mmap)) == 35_000
