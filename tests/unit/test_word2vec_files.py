"""A whole model goes into one file and comes back able to train on; an interrupted run is finished."""

import copy
import json
import math
import pickle

import numpy as np
import pytest
from word2vec_text import topics

import fastemb
from fastemb import Corpus, Word2Vec
from fastemb.callbacks import StopTraining
from fastemb.formats import FormatError

SMALL = dict(vector_size=20, min_count=1, sample=0.01, workers=1, epochs=4, sg=1, alpha=0.05)


@pytest.fixture(scope="module")
def text():
    return topics(1500)


class At:
    """A callback that does something after an epoch."""

    def __init__(self, epoch, action):
        self.epoch, self.action = epoch, action

    def on_epoch_end(self, model):
        if model.history[-1]["epoch"] == self.epoch:
            self.action(model)


def same(a, b):
    assert np.array_equal(a.wv.vectors, b.wv.vectors)
    for name in ("syn1neg", "syn1"):
        assert hasattr(a, name) == hasattr(b, name)
        if hasattr(a, name):
            assert np.array_equal(getattr(a, name), getattr(b, name))


@pytest.mark.parametrize("objective", [dict(), dict(loss="hs"), dict(hs=1)], ids=["ns", "hs", "both"])
@pytest.mark.parametrize("mmap", [None, "r"])
def test_save_and_load(text, tmp_path, objective, mmap):
    model = Word2Vec(text, comment="of mine", window=3, ns_exponent=0.5, **SMALL, **objective)
    path = tmp_path / "model"
    model.save(path)
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    loaded = Word2Vec.load(str(path), mmap=mmap)
    same(loaded, model)
    assert loaded._config() == model._config() and loaded.comment == "of mine" and str(loaded) == str(model)
    assert loaded.wv.index_to_key == model.wv.index_to_key and np.array_equal(loaded.counts, model.counts)
    for name in ("corpus_count", "corpus_total_words", "train_count", "min_alpha_yet_reached", "effective_min_count"):
        assert getattr(loaded, name) == getattr(model, name)
    assert [h["loss"] for h in loaded.history] == [h["loss"] for h in model.history]
    assert loaded.history[0]["seconds"] is None  # not written, so that the same model gives the same bytes
    assert isinstance(fastemb.load(path), Word2Vec)
    loaded.train(text, epochs=1)
    model.train(text, epochs=1)
    same(loaded, model)  # the same random numbers go on
    assert loaded.history[-1]["epoch"] == 5


def test_the_same_model_gives_the_same_bytes(text, tmp_path):
    for name in "ab":
        Word2Vec(text, **SMALL).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_else_is_kept(tmp_path):
    model = Word2Vec(**SMALL | dict(workers=None))
    model.build_vocab([[1, 2, 3]] * 5)
    model.wv.vectors_lockf = np.array([0, 1, 0.5], np.float32)
    model.save(tmp_path / "m")
    loaded = Word2Vec.load(tmp_path / "m")
    assert loaded.wv.index_to_key == [1, 2, 3] and loaded.wv.vectors_lockf.tolist() == [0, 1, 0.5]
    assert loaded.workers == model.workers and loaded._requested_workers() is None
    header = (tmp_path / "m").read_bytes()
    header = json.loads(header[8 : 8 + int.from_bytes(header[:8], "little")])
    assert json.loads(header["__metadata__"]["fastemb"])["kind"] == "Word2Vec"


def test_an_empty_model_is_not_saved(tmp_path):
    with pytest.raises(RuntimeError, match="build the vocabulary"):
        Word2Vec().save(tmp_path / "m")


def test_nan_is_not_saved(text, tmp_path):
    model = Word2Vec(text, **SMALL)
    model.save(tmp_path / "m")
    good = (tmp_path / "m").read_bytes()
    model.wv.vectors[3, 2] = np.nan
    with pytest.raises(ValueError, match=r"vectors.*NaN.*row 3"):
        model.save(tmp_path / "m")
    assert (tmp_path / "m").read_bytes() == good


def test_other_files_are_told(text, tmp_path):
    Word2Vec(text, **SMALL).wv.save(tmp_path / "kv")
    with pytest.raises(FormatError, match=r"KeyedVectors.*fastemb\.load"):
        Word2Vec.load(tmp_path / "kv")
    (tmp_path / "text").write_text("2 1\na 1\nb 2\n")
    with pytest.raises(FormatError):
        Word2Vec.load(tmp_path / "text")
    with pytest.raises(FileNotFoundError):
        Word2Vec.load(tmp_path / "nothing")
    with pytest.raises(TypeError, match="mmap"):
        Word2Vec.load(tmp_path / "kv", mmapp=True)


def test_tampered_metadata_is_refused(text, tmp_path):
    from fastemb.formats import native

    model = Word2Vec(text, **SMALL)
    model.save(tmp_path / "m")
    tensors, meta = native.read(tmp_path / "m")
    for change in (
        lambda m, t: m["config"].update(window=0),
        lambda m, t: m["config"].update(vector_size=21),
        lambda m, t: m["config"].update(hs=1),
        lambda m, t: m["config"].update(future=1),
        lambda m, t: m.pop("training"),
        lambda m, t: t.update(syn1neg=t["syn1neg"][1:]),
    ):
        bad, tensors_bad = copy.deepcopy(meta), dict(tensors)
        change(bad, tensors_bad)
        native.write(tmp_path / "bad", tensors_bad, bad)
        with pytest.raises(FormatError, match="bad"):
            Word2Vec.load(tmp_path / "bad")


# ---- going on


def test_a_run_saved_midway_is_finished_bit_for_bit(text, tmp_path):
    whole = Word2Vec(text, **SMALL)
    saved = Word2Vec(text, callbacks=[At(2, lambda m: m.save(tmp_path / "m"))], **SMALL)
    same(saved, whole)  # the callback changes nothing
    model = Word2Vec.load(tmp_path / "m")
    assert len(model.history) == 2
    model.train(text, resume=True)
    same(model, whole)
    assert [(h["epoch"], h["words"], h["loss"]) for h in model.history] == [
        (h["epoch"], h["words"], h["loss"]) for h in whole.history
    ]
    with pytest.raises(RuntimeError, match="no training of this model was interrupted"):
        model.train(text, resume=True)


def test_a_callback_ends_the_run_and_resume_goes_on(text):
    def stop(model):
        raise StopTraining("enough")

    whole = Word2Vec(text, **SMALL)
    model = Word2Vec(text, callbacks=[At(3, stop)], **SMALL)
    assert len(model.history) == 3
    with pytest.raises(ValueError, match=r"resume=True.*words"):
        model.train(text[:100], resume=True)
    model.train(text, resume=True)
    same(model, whole)


def test_max_seconds_and_resume_account_for_every_word(text):
    words = sum(map(len, text)) * 10
    model = Word2Vec(**SMALL | dict(epochs=12, sample=0))
    model.build_vocab(text * 10)
    model.train(max_seconds=0.1)
    assert 0 < len(model.history) <= 12
    if model.history[-1].get("partial"):
        assert model.history[-1]["words"] < words
    for _ in range(300):
        if len(model.history) == 12 and "partial" not in model.history[-1]:
            break
        model.train(resume=True, max_seconds=0.3)
    assert [h["epoch"] for h in model.history] == list(range(1, 13))
    assert [h["words"] for h in model.history] == [words] * 12
    assert all(math.isfinite(h["loss"]) for h in model.history)


def test_copies(text):
    model = Word2Vec(text, **SMALL)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        same(twin, model)
        twin.train(text, epochs=1)
        assert not np.array_equal(twin.wv.vectors, model.wv.vectors)


# ---- checkpoints


def test_a_checkpoint_is_there_after_every_epoch_and_at_the_end(text, tmp_path, monkeypatch):
    monkeypatch.setattr("fastemb.training.checkpoint.SHARE", 1e9)
    path = tmp_path / "checkpoint"
    seen = []

    class Look:
        def on_epoch_end(self, model):
            seen.append(len(Word2Vec.load(path).history) if path.exists() else 0)

    model = Word2Vec(text, checkpoint=path, callbacks=[Look()], **SMALL)
    assert seen == [1, 2, 3, 3]  # the last epoch is written at the end
    done = Word2Vec.load(path)
    same(done, model)
    assert done._run is None and len(done.history) == 4


def test_an_interrupted_run_goes_on_from_its_checkpoint_bit_for_bit(text, tmp_path):
    whole = Word2Vec(text, **SMALL)

    def interrupt(model):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as error:
        Word2Vec(text, checkpoint=tmp_path / "c", callbacks=[At(2, interrupt)], **SMALL)
    if hasattr(error.value, "add_note"):  # Python 3.11
        assert any("is saved to" in note for note in error.value.__notes__)
    model = Word2Vec.load(tmp_path / "c")
    with pytest.raises(ValueError, match="not that of the interrupted run"):
        model.train(text[::-1], resume=True)
    model.train(text, resume=True)
    same(model, whole)


@pytest.mark.parametrize("position", [1, 1000, 8191, 8192, 17_999])
def test_a_run_stopped_anywhere_is_finished_bit_for_bit(text, monkeypatch, position):
    """Stop in the midst of an epoch, between two sentences, as the engine does: it is given fewer tokens."""
    from fastemb.training import run

    ends = Corpus(text, min_count=SMALL.get("min_count", 5)).offsets
    position = int(ends[np.searchsorted(ends, min(position, ends[-2]))])
    whole = Word2Vec(text, **SMALL)
    model = Word2Vec(**SMALL)
    model.build_vocab(text)
    real = run.run_pieces

    def cut(workers, pieces, tick=None):
        job = workers[0].job
        if job.epoch == 1:
            job.plan.bounds = np.unique([*job.plan.bounds[job.plan.bounds < position], position])
            real(workers, len(job.plan), tick)
            return False
        return real(workers, pieces, tick)

    monkeypatch.setattr(run, "run_pieces", cut)
    model.train()
    assert model.history[-1]["words"] == position and model.history[-1]["partial"]
    monkeypatch.undo()
    model.train(resume=True)
    assert [h["words"] for h in model.history] == [h["words"] for h in whole.history]
    assert [h["examples"] for h in model.history] == [h["examples"] for h in whole.history]
    for a, b in zip(model.history, whole.history, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-4)
    assert np.allclose(model.wv.vectors, whole.wv.vectors, atol=1e-5)


def test_where_a_checkpoint_cannot_be_written_is_told_before_anything_is_read(text, tmp_path):
    def never():
        raise AssertionError("the corpus was read")
        yield

    with pytest.raises(FileNotFoundError, match="directory"):
        Word2Vec(never(), checkpoint=tmp_path / "no" / "such")
    with pytest.raises(IsADirectoryError):
        Word2Vec(never(), checkpoint=tmp_path)
    with pytest.raises(TypeError, match="checkpoint must be a path"):
        Word2Vec(checkpoint=5)
