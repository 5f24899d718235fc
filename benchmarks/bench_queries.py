"""Queries of 35,000 vectors of 100 dimensions: one at a time, and in blocks."""

from __future__ import annotations

import numpy as np
import pytest

from fastemb import KeyedVectors


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
