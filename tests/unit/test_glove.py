"""``Glove``: what it takes, what it gives, going on, files, and what it refuses."""

import logging
import math
import os
import pickle
import signal
import threading
import time

import numpy as np
import pytest

import fastemb
from fastemb import Cooccurrence, Corpus, Glove, KeyedVectors
from fastemb.callbacks import CallbackAny2Vec
from fastemb.formats import FormatError
from fastemb.training import glove_job
from fastemb.training.callbacks import StopTraining

SMALL = dict(vector_size=8, min_count=1, x_max=10, epochs=3, progress=False)


def text(words=400, sentences=600, seed=0):
    rng = np.random.default_rng(seed)
    p = 1 / np.arange(1, words + 1)
    return [[f"w{i}" for i in rng.choice(words, 20, p=p / p.sum())] for _ in range(sentences)]


@pytest.fixture(scope="module")
def counts():
    return Cooccurrence.count(text(), window=5, min_count=1)


@pytest.fixture
def many_tiles(monkeypatch):
    """A grid of 8 by 8 tiles for a small matrix."""
    monkeypatch.setattr(glove_job, "TILE_CELLS", 64)
    monkeypatch.setattr(glove_job, "MOST_TILES", 8)


def same(a, b):
    return np.array_equal(a._words, b._words) and np.array_equal(a._contexts, b._contexts)


def test_sources_agree(counts, tmp_path):
    sentences = text()
    path = tmp_path / "text.txt"
    path.write_text("\n".join(map(" ".join, sentences)))
    options = SMALL | {"window": 5}
    expected = Glove(counts, **options)
    for source in (sentences, path, Corpus(sentences, min_count=1), (s for s in sentences)):
        model = Glove(source, **options)
        assert same(model, expected)
        assert model.wv.index_to_key == expected.wv.index_to_key
    assert Glove(window=5, **SMALL).train(counts).history[-1]["loss"] == expected.history[-1]["loss"]


def test_history_and_parts(counts):
    model = Glove(counts, **SMALL)
    assert [h["epoch"] for h in model.history] == [1, 2, 3]
    first, last = model.history[0], model.history[-1]
    assert set(first) == {"epoch", "cells", "examples", "loss", "eta", "seconds", "cells_per_s"}
    assert first["cells"] == counts.nnz and first["eta"] == 0.05
    assert last["loss"] < first["loss"]
    assert model.epochs_trained == 3
    v = len(counts.vocabulary)
    assert model.word_vectors.shape == model.context_vectors.shape == (v, 8)
    assert model.word_biases.shape == model.context_biases.shape == (v,)
    np.testing.assert_array_equal(model.wv.vectors, model.word_vectors + model.context_vectors)
    # the last row's estimate is what the loss is made of
    estimate = model.log_count("w0", "w1")
    i, j = model.wv.get_index("w0"), model.wv.get_index("w1")
    assert estimate == pytest.approx(
        float(model.word_vectors[i] @ model.context_vectors[j] + model.word_biases[i] + model.context_biases[j]),
        abs=1e-5,
    )


def test_it_learns_the_counts(counts):
    """Fitted long enough, w . c + b + b' comes near the logarithms of the counts."""
    model = Glove(counts, **SMALL | {"vector_size": 30, "epochs": 60, "x_max": 1})
    i = np.repeat(np.arange(len(counts.vocabulary)), np.diff(counts.indptr))
    x = np.log(counts.values())
    fit = np.einsum("nd,nd->n", model.word_vectors[i], model.context_vectors[counts.indices])
    fit += model.word_biases[i] + model.context_biases[counts.indices]
    assert np.corrcoef(fit, x)[0, 1] > 0.9


@pytest.mark.parametrize("combine", ["sum", "word", "context", "concat"])
def test_combine(counts, combine, tmp_path):
    model = Glove(counts, combine=combine, **SMALL)
    w, c = model.word_vectors, model.context_vectors
    expected = {"sum": w + c, "word": w, "context": c, "concat": np.hstack([w, c])}[combine]
    np.testing.assert_array_equal(model.wv.vectors, expected)
    assert model.wv.vector_size == expected.shape[1]
    model.save(tmp_path / "m")
    np.testing.assert_array_equal(Glove.load(tmp_path / "m").wv.vectors, expected)


def test_any_number_of_workers_is_the_same(counts, many_tiles):
    expected = Glove(counts, workers=1, **SMALL)
    for workers in (2, 3, 8, 20):
        model = Glove(counts, workers=workers, **SMALL)
        assert same(model, expected)
        assert [h["loss"] for h in model.history] == [h["loss"] for h in expected.history]


def test_seeds_differ(counts):
    assert not same(Glove(counts, **SMALL), Glove(counts, seed=2, **SMALL))


def test_more_epochs_are_the_same_as_all_at_once(counts, many_tiles, tmp_path):
    expected = Glove(counts, **SMALL | {"epochs": 5})
    model = Glove(counts, **SMALL | {"epochs": 2})
    model.save(tmp_path / "m.safetensors")
    model = fastemb.load(tmp_path / "m.safetensors")
    assert isinstance(model, Glove) and model.history[0]["seconds"] is None
    model.train(counts, epochs=3)
    assert same(model, expected) and model.epochs_trained == 5
    assert [h["epoch"] for h in model.history] == [1, 2, 3, 4, 5]


def test_the_same_model_is_the_same_file(counts, tmp_path):
    for name in "ab":
        Glove(counts, **SMALL).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert Glove.load(tmp_path / "a").wv.get_vecattr("w0", "count") > 0


def test_files_of_others_are_refused(counts, tmp_path):
    model = Glove(counts, **SMALL)
    model.wv.save(tmp_path / "kv")
    with pytest.raises(FormatError, match="not a whole Glove"):
        Glove.load(tmp_path / "kv")
    model.save(tmp_path / "m")
    data = bytearray((tmp_path / "m").read_bytes())
    data[-5] ^= 1
    (tmp_path / "bad").write_bytes(data)
    with pytest.raises(FormatError, match="damaged"):
        Glove.load(tmp_path / "bad")
    with pytest.raises(RuntimeError, match="empty model"):
        Glove(**SMALL).save(tmp_path / "e")
    assert isinstance(KeyedVectors.load(str(tmp_path / "kv")), KeyedVectors)


@pytest.mark.parametrize("workers", [1, 2])
def test_max_seconds_and_resuming_in_an_epoch(counts, many_tiles, tmp_path, workers, monkeypatch):
    expected = Glove(counts, **SMALL)
    model = Glove(workers=workers, **SMALL)
    run = glove_job._Worker.run

    def slow(worker, piece):
        time.sleep(0.01 * workers)  # an epoch of 64 tiles is 0.64 s
        run(worker, piece)

    monkeypatch.setattr(glove_job._Worker, "run", slow)
    model.train(counts, max_seconds=1.0)
    assert model.history[-1]["partial"] and 0 < model.history[-1]["cells"] < counts.nnz
    monkeypatch.undo()
    monkeypatch.setattr(glove_job, "TILE_CELLS", 64)
    monkeypatch.setattr(glove_job, "MOST_TILES", 8)
    model.save(tmp_path / "m")
    model = Glove.load(tmp_path / "m")
    with pytest.raises(ValueError, match="not the counts of the interrupted run"):
        model.train(Cooccurrence.count(text(), window=4, min_count=1), resume=True)
    model.train(counts, resume=True)
    assert same(model, expected)
    assert [h["cells"] for h in model.history] == [counts.nnz] * 3
    assert "partial" not in model.history[-1]
    for a, b in zip(model.history, expected.history, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-12)
    with pytest.raises(RuntimeError, match="was interrupted"):
        model.train(counts, resume=True)


def test_ctrl_c_leaves_a_usable_model(counts, many_tiles, monkeypatch, tmp_path):
    run = glove_job._Worker.run

    def slow(worker, piece):
        time.sleep(0.02)
        run(worker, piece)

    monkeypatch.setattr(glove_job._Worker, "run", slow)
    threading.Timer(0.6, os.kill, (os.getpid(), signal.SIGINT)).start()
    path = tmp_path / "m"
    with pytest.raises(KeyboardInterrupt) as error:
        Glove(counts, checkpoint=path, **SMALL | {"epochs": 50})
    model = error.value.model
    assert np.isfinite(model.wv.vectors).all() and model.wv.most_similar("w1")
    assert not [t for t in threading.enumerate() if t.name.startswith("fastemb-")]
    assert same(Glove.load(path), model)


def test_divergence_says_where_and_goes_back(counts):
    model = Glove(**SMALL | {"grad_clip": 1e30})
    model.train(counts, epochs=1)
    before = model._words.copy()
    model._words[:, :8] *= 1e25
    where = r"epoch 1 after \d+ cells at eta 0.05: try eta <= .*; the model's weights"
    with pytest.raises(FloatingPointError, match=where):
        model.train(counts, epochs=1)
    model._words[...] = before
    model.train(counts, epochs=1)
    assert math.isfinite(model.history[-1]["loss"])


def test_nan_in_a_row_is_not_silent(counts):
    model = Glove(counts, **SMALL)
    model._contexts[3, 2] = np.nan
    with pytest.raises(FloatingPointError):
        model.train(counts, epochs=1)


def test_too_large_a_rate_is_warned_of(counts, caplog):
    with caplog.at_level(logging.WARNING, logger="fastemb"):
        try:
            Glove(counts, **SMALL | {"eta": 1e5})
        except FloatingPointError:
            return
    assert "training is unstable" in caplog.text


def test_init(counts, tmp_path):
    trained = Glove(counts, **SMALL)
    again = Glove(init=trained, **SMALL)
    again.train(counts, epochs=1)
    assert again.init_report == {"rows": 400, "words": 400, "whole_model": 1} or again.init_report["rows"] > 100
    assert again.history[0]["loss"] < trained.history[0]["loss"]
    trained.wv.save(tmp_path / "kv")
    model = Glove(init=tmp_path / "kv", **SMALL)
    seen = []
    model.train(counts, epochs=1, callbacks=[Hook(begin=lambda m: seen.append(m.wv.vectors.copy()))])
    np.testing.assert_allclose(seen[0], trained.wv.vectors, rtol=1e-6)
    with pytest.raises(ValueError, match="vector_size=9"):
        Glove(counts, init=trained, **SMALL | {"vector_size": 9})


class Hook(CallbackAny2Vec):
    def __init__(self, begin=None, end=None):
        self.begin, self.end = begin, end

    def on_epoch_begin(self, model):
        if self.begin:
            self.begin(model)

    def on_epoch_end(self, model):
        if self.end:
            self.end(model)


def test_callbacks_see_the_vectors_and_stop(counts, tmp_path):
    seen = []

    def end(model):
        seen.append(model.wv.vectors.copy())
        model.save(tmp_path / "m")
        with pytest.raises(RuntimeError, match="in use"):
            model.train(counts)
        if len(seen) == 2:
            raise StopTraining

    model = Glove(counts, callbacks=[Hook(end=end)], **SMALL)
    assert len(model.history) == 2 and not np.array_equal(*seen)
    model.train(counts, resume=True)
    assert same(model, Glove(counts, **SMALL))


def test_progress(counts):
    reports = []
    Glove(counts, **SMALL | {"progress": reports.append})
    last = reports[-1]
    assert last["fraction"] == 1.0 and last["done"] == 3 * counts.nnz
    assert {"cells_per_s", "learning_rate", "loss", "eta", "epoch"} <= set(last)


def test_cells_in_a_file(counts):
    expected = Glove(counts, **SMALL)
    model = Glove(**SMALL)
    cells = glove_job.Cells(counts, model._config(), limit=0)
    assert isinstance(cells.cells, np.memmap)
    in_memory = glove_job.Cells(counts, model._config())
    assert np.array_equal(cells.cells, in_memory.cells)
    assert expected.history


def test_pickle_and_integers():
    model = Glove([np.array([5, 7, 5, 9])] * 20, **SMALL)
    assert model.wv[7].shape == (8,)
    assert same(pickle.loads(pickle.dumps(model)), model)


def test_turns_share_nothing():
    for tiles in (1, 2, 5, 31):
        order = glove_job.turns(tiles, 7, 3).reshape(tiles, tiles)
        assert sorted(order.ravel().tolist()) == list(range(tiles**2))
        for part in order:
            assert len(set((part // tiles).tolist())) == len(set((part % tiles).tolist())) == tiles


@pytest.mark.parametrize(
    "wrong, message",
    [
        (dict(vector_size=0), "vector_size=0 is out of range"),
        (dict(x_max=-1), "x_max=-1"),
        (dict(x_max=math.nan), "x_max=nan"),
        (dict(eta=0), "eta=0"),
        (dict(exponent=-1), "exponent=-1"),
        (dict(epochs=0), "epochs=0"),
        (dict(combine="add"), "combine='add' is unknown"),
        (dict(weighting="1/d"), "weighting='1/d' is unknown"),
        (dict(window=0), "window=0"),
        (dict(grad_clip=0), "grad_clip=0"),
    ],
)
def test_wrong_values(wrong, message):
    with pytest.raises(ValueError, match=message):
        Glove([["a", "b"]], **wrong)


@pytest.mark.parametrize(
    "wrong, message",
    [
        (dict(alpha=0.05), "learning rate is called 'eta'.*exponent"),
        (dict(learning_rate=0.05), "called 'eta'"),
        (dict(no_components=3), "called 'vector_size'"),
        (dict(iter=3), "called 'epochs'"),
        (dict(xmax=3), "called 'x_max'"),
        (dict(vector_sise=3), "did you mean 'vector_size'"),
        (dict(epochs="3"), "epochs must be an integer"),
    ],
)
def test_wrong_keywords(wrong, message):
    with pytest.raises(TypeError, match=message):
        Glove([["a", "b"]], **wrong)


def test_nothing_to_train_on():
    with pytest.raises(ValueError, match="no two of the 2 words of the vocabulary occur together"):
        Glove([["a"], ["b"]], **SMALL)
    with pytest.raises(ValueError, match="occur together"):
        Glove(Cooccurrence.from_csr(["a", "b"], [0, 0, 0], [], []), **SMALL)
    with pytest.raises(TypeError, match=r"counts .* or text"):
        Glove(**SMALL).train(None)


def test_counts_of_another_vocabulary(counts):
    model = Glove(counts, **SMALL)
    with pytest.raises(ValueError, match="another vocabulary"):
        model.train(Cooccurrence.count([["a", "b"]], min_count=1))
    model.train([["w1", "w2", "zzz"]] * 3, epochs=1)  # text is counted with the model's words
    assert len(model.wv) == len(counts.vocabulary)


def test_weights_that_do_not_fit(counts):
    with pytest.raises(MemoryError, match="vector_size"):
        Glove(counts, max_memory=2_000_000, **SMALL | {"vector_size": 1000})


def test_what_is_asked_in_the_wrong_place(counts):
    model = Glove(counts, **SMALL)
    with pytest.raises(TypeError, match=r"model\.wv"):
        model["w1"]
    with pytest.raises(TypeError, match=r"model\.wv"):
        "w1" in model  # noqa: B015
    with pytest.raises(AttributeError, match=r"model\.wv.most_similar"):
        model.most_similar("w1")
    assert repr(model) == "Glove<vocab=400, vector_size=8, eta=0.05>" or "Glove<vocab=" in repr(model)
