"""The training kernels on every instruction set, the tables they sample from, and the NumPy twin beside them."""

from __future__ import annotations

import numpy as np
import pytest

from fastemb.reference.minibatch import sgns_minibatch_epoch
from fastemb.training import _engine, rows

MODELS = {
    "skipgram-ns": dict(algorithm="skipgram", loss="ns"),
    "skipgram-hs": dict(algorithm="skipgram", loss="hs"),
    "cbow-ns": dict(algorithm="cbow", loss="ns"),
    "cbow-hs": dict(algorithm="cbow", loss="hs"),
}


def rate(benchmark, words: int) -> None:
    if benchmark.stats:  # absent under --benchmark-disable
        benchmark.extra_info["M words/s"] = round(words / benchmark.stats["median"] / 1e6, 3)


@pytest.mark.parametrize("isa", _engine.available_simd())
@pytest.mark.parametrize("dim", [100, 300])
@pytest.mark.parametrize("model", MODELS)
def test_training(benchmark, ids, model, dim, isa):
    types = len(ids.counts)
    start = (np.random.default_rng(4).random((types, dim), dtype=np.float32) - 0.5) / dim
    syn0 = rows.padded(start)
    syn1 = rows.padded(np.zeros((types - model.endswith("hs"), dim), np.float32))
    trainer = _engine.Trainer(
        syn0,
        syn1,
        dim=dim,
        window=5,
        negative=5,
        keep=_engine.subsample_threshold(ids.counts, 1e-3),
        noise=ids.counts**0.75,
        huffman=_engine.huffman(ids.counts) if model.endswith("hs") else None,
        longest_sentence=100,
        isa=isa,
        **MODELS[model],
    )
    state, words = _engine.WorkerState(), len(ids.words)

    def epoch():
        return trainer.run(ids.words, 0, ids.offsets, 0, 0, words, 0, 0.025, 0.025, state)

    assert benchmark.pedantic(epoch, rounds=3)
    rate(benchmark, words)


def test_numpy_twin(benchmark, ids):
    types, words = len(ids.counts), 20_000
    rng = np.random.default_rng(4)
    W_in = (rng.random((types, 100), dtype=np.float32) - np.float32(0.5)) / 100
    W_out = np.zeros_like(W_in)
    offsets = ids.offsets[: words // 100 + 1]
    benchmark.pedantic(
        sgns_minibatch_epoch, (W_in, W_out, ids.words[:words], offsets, ids.counts), dict(rng=rng), rounds=3
    )
    rate(benchmark, words)


def test_alias_table(benchmark, ids):
    benchmark(_engine.alias_table, ids.counts**0.75)


def test_huffman(benchmark, ids):
    benchmark(_engine.huffman, ids.counts)


def test_subsampling_thresholds(benchmark, ids):
    benchmark(_engine.subsample_threshold, ids.counts, 1e-3)


def test_padding_rows(benchmark):
    vectors = rows.allocate_rows(35_000, 100)
    vectors[...] = 1
    benchmark(lambda: rows.unpadded(rows.padded(vectors), 100))
