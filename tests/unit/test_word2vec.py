"""Word2Vec: what it learns, counts, accepts and gives back."""

import gzip
import io
import math
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from word2vec_text import separation, topics, write

import fastemb
from fastemb import Corpus, KeyedVectors, LineSentence, Word2Vec
from fastemb.training import weights

SMALL = dict(vector_size=24, min_count=1, sample=0, workers=1, epochs=2)


@pytest.fixture(scope="module")
def text():
    return topics()


@pytest.fixture(scope="module")
def words(text):
    return sum(map(len, text))


# ---- it learns


@pytest.mark.parametrize("sg", [0, 1])
@pytest.mark.parametrize(
    "objective", [dict(negative=5), dict(loss="hs"), dict(hs=1, negative=5)], ids=["ns", "hs", "both"]
)
def test_topics_come_apart(text, sg, objective):
    model = Word2Vec(text, **SMALL | dict(epochs=8, alpha=0.05, sg=sg), **objective)
    assert separation(model.wv) > 0.3
    losses = [h["loss"] for h in model.history]
    assert losses[-1] < losses[0] and all(map(math.isfinite, losses))


def test_both_objectives_are_trained_when_both_are_set(text):
    model = Word2Vec(text, hs=1, **SMALL)
    assert model.negative == 5 and model.syn1neg.any() and model.syn1.any()
    assert model.syn1.shape == (len(model.wv) - 1, 24) and model.syn1neg.shape == (len(model.wv), 24)
    assert not hasattr(Word2Vec(text, loss="hs", **SMALL), "syn1neg")


def test_cbow_by_default_and_aliases(text):
    assert Word2Vec().sg == 0
    assert np.array_equal(
        Word2Vec(text, algorithm="skipgram", **SMALL).wv.vectors, Word2Vec(text, sg=1, **SMALL).wv.vectors
    )


# ---- counting


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_every_word_is_trained_once_an_epoch(text, words, workers):
    model = Word2Vec(text * 10, **SMALL | dict(workers=workers, epochs=3, vector_size=4))
    assert [h["words"] for h in model.history] == [words * 10] * 3
    assert [h["epoch"] for h in model.history] == [1, 2, 3]
    kept, read = model.train(text * 10, epochs=2)
    assert kept == read == words * 20  # nothing is subsampled, nothing out of vocabulary
    assert [h["epoch"] for h in model.history] == [1, 2, 3, 4, 5]


def test_words_out_of_vocabulary_and_subsampled(text, words):
    model = Word2Vec(text, **SMALL | dict(min_count=40, sample=1e-2))
    known = int(model.counts.sum())
    assert known < words and model.corpus_total_words == words and model.corpus_count == len(text)
    assert [h["words"] for h in model.history] == [known] * 2
    kept, read = model.train(text, epochs=1)
    assert 0 < kept < known and read == words


def test_a_line_of_a_million_words(tmp_path):
    path = tmp_path / "line.txt"
    path.write_bytes(b" ".join([b"a", b"b", b"c", b"d"] * 250_000) + b"\n")
    for workers in (1, 3):
        model = Word2Vec(str(path), **SMALL | dict(vector_size=4, workers=workers, epochs=1))
        assert model.history[0]["words"] == 1_000_000 and model.corpus_count == 1


def test_a_word_of_100_kB(tmp_path):
    path = write(tmp_path / "long.txt", [["x" * 100_000, "a", "b"]] * 5)
    model = Word2Vec(path, **SMALL)
    assert "x" * 100_000 in model.wv and model.history[0]["words"] == 15


def test_the_loss_does_not_depend_on_workers(text):
    one = Word2Vec(text * 5, **SMALL | dict(epochs=3))
    four = Word2Vec(text * 5, **SMALL | dict(epochs=3, workers=4))
    for a, b in zip(one.history, four.history, strict=True):
        assert a["examples"] == b["examples"]  # windows depend on positions only
        assert b["loss"] == pytest.approx(a["loss"], rel=0.03)
    assert one.get_latest_training_loss() == pytest.approx(sum(h["loss"] * h["examples"] for h in one.history))


def test_the_first_loss_is_that_of_knowing_nothing():
    even = np.random.default_rng(0).integers(1000, size=(300, 20))
    model = Word2Vec(even, **SMALL | dict(alpha=1e-6, min_alpha=1e-6, negative=3))
    assert model.history[0]["loss"] == pytest.approx((1 + 3) * math.log(2), rel=0.01)


# ---- sources


def test_every_source_trains_the_same(text, tmp_path):
    path = write(tmp_path / "text.txt", text)
    packed = tmp_path / "text.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    wanted = Word2Vec(text, **SMALL).wv.vectors

    class Restartable:
        def __iter__(self):
            return iter(text)

    for source in (path, str(path), [str(path)], str(packed), LineSentence(str(path)), (s for s in text), Restartable(),
                   io.BytesIO(path.read_bytes()), Corpus(text, min_count=1)):  # fmt: skip
        assert np.array_equal(Word2Vec(source, **SMALL).wv.vectors, wanted)
    assert np.array_equal(Word2Vec(corpus_file=str(path), **SMALL).wv.vectors, wanted)
    assert np.array_equal(Word2Vec(path, cache=tmp_path / "ids", **SMALL).wv.vectors, wanted)
    assert np.array_equal(Word2Vec([" ".join(s) for s in text], tokenizer=str.split, **SMALL).wv.vectors, wanted)


def test_a_generator_trains_every_epoch(text, words):
    model = Word2Vec((s for s in text), **SMALL)
    assert [h["words"] for h in model.history] == [words] * 2
    model = Word2Vec(**SMALL)
    source = (s for s in text)
    model.build_vocab(source)
    model.train(source, total_examples=model.corpus_count, epochs=2)
    model.train(source, total_examples=model.corpus_count, epochs=1)
    assert [h["words"] for h in model.history] == [words] * 3


def test_integer_keys():
    walks = [[10, 20, 30], [20, 30, 40]] * 50
    model = Word2Vec(walks, ns_exponent=-0.5, **SMALL)
    assert set(model.wv.index_to_key) == {10, 20, 30, 40} and model.wv[10].shape == (24,)
    with pytest.raises(KeyError):
        model.wv[0]


def test_train_without_a_source_takes_what_build_vocab_read(text, words):
    model = Word2Vec(**SMALL)
    with pytest.raises(TypeError, match="needs a corpus"):
        model.train()
    model.build_vocab(text)
    model.train()
    assert model.history[0]["words"] == words


def test_an_unchanged_file_is_read_once_and_a_changed_one_again(tmp_path, text, monkeypatch):
    path = write(tmp_path / "text.txt", text)
    model = Word2Vec(**SMALL)
    model.build_vocab(path)
    read = []

    class Counted(Corpus):
        def __init__(self, *args, **kwargs):
            read.append(1)
            super().__init__(*args, **kwargs)

    monkeypatch.setattr("fastemb.training.word2vec_state.Corpus", Counted)
    model.train(path, epochs=1)
    model.train(str(path), epochs=1)
    assert not read
    write(path, text[:100])
    model.train(path, epochs=1)
    assert read and model.history[-1]["words"] == sum(map(len, text[:100]))


def test_a_list_that_changed_is_read_again(text):
    text = [list(s) for s in text[:200]]
    model = Word2Vec(**SMALL)
    model.build_vocab(text)
    text.append(["t0w0"] * 7)
    model.train(text, epochs=1)
    assert model.history[-1]["words"] == sum(map(len, text))


# ---- determinism

REPEAT = """
    import hashlib, sys
    sys.path.insert(0, {tests!r})
    from word2vec_text import topics
    from fastemb import Word2Vec
    m = Word2Vec(topics(500), vector_size=20, min_count=2, epochs=2, workers=1, seed=7, sg=1)
    m.save({path!r})
    print(hashlib.sha256(m.wv.vectors.tobytes() + m.syn1neg.tobytes()).hexdigest(), m.wv.index_to_key)
"""


def test_one_worker_gives_the_same_bytes_whatever_the_hash_seed(tmp_path, request):
    outputs, files = set(), set()
    for seed in ("0", "4242"):
        path = tmp_path / f"{seed}.safetensors"
        code = textwrap.dedent(REPEAT).format(tests=str(request.path.parent), path=str(path))
        run = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            cwd=request.config.rootpath,
        )
        outputs.add(run.stdout)
        files.add(path.read_bytes())
    assert len(outputs) == len(files) == 1


def test_seeds_differ(text):
    assert not np.array_equal(Word2Vec(text, **SMALL).wv.vectors, Word2Vec(text, seed=2, **SMALL).wv.vectors)


def test_first_weights_are_gensims():
    model = Word2Vec(vector_size=7, min_count=1, seed=3)
    model.build_vocab([["a", "b", "c"]])
    wanted = (np.random.default_rng(3).random((3, 7), np.float32) * 2 - 1) / 7
    assert np.array_equal(model.wv.vectors, wanted)
    assert not model.syn1neg.any()


@pytest.mark.parametrize("dim", [5, 16, 100])
@pytest.mark.parametrize("first", [0, 1, 7])
def test_grown_rows_are_those_of_a_larger_table(dim, first, monkeypatch):
    whole, grown = np.zeros((11, dim), np.float32), np.zeros((11, dim), np.float32)
    weights.draw(whole, 5)
    monkeypatch.setattr(weights, "CHUNK", 3 * dim)
    weights.draw(grown, 5, first)
    assert np.array_equal(whole[first:], grown[first:]) and not grown[:first].any()
    assert weights.is_initial(whole, 5) and not weights.is_initial(whole, 6)


# ---- vocabulary


def test_update_keeps_rows_and_adds_words(text):
    model = Word2Vec(text, **SMALL | dict(sorted_vocab=1))
    words, before, counts = list(model.wv.index_to_key), model.wv.vectors.copy(), model.counts.copy()
    syn1neg = model.syn1neg.copy()
    more = [["new1", "new2", words[3], "new1"]] * 10
    model.build_vocab(iter(more), update=True)
    assert model.wv.index_to_key[: len(words)] == words and set(model.wv.index_to_key[len(words) :]) == {"new1", "new2"}
    assert np.array_equal(model.wv.vectors[: len(words)], before)
    assert np.array_equal(model.syn1neg[: len(words)], syn1neg) and not model.syn1neg[len(words) :].any()
    assert model.counts[3] == counts[3] + 10 and model.wv.get_vecattr("new1", "count") == 20
    assert model.corpus_count == 10 and model.corpus_total_words == 40
    model.train(epochs=3)
    assert model.history[-1]["words"] == 40
    again = model.wv.vectors
    assert not np.array_equal(again[3], before[3]) and np.array_equal(again[5], before[5])
    model.build_vocab([["alone"] * 3], update=True)  # no known word in it
    model.train([["alone"] * 3], epochs=1)


def test_update_counts_a_known_word_that_is_rare_in_the_new_text():
    model = Word2Vec([["a", "b"]] * 10, **SMALL | dict(min_count=5))
    model.build_vocab([["a", "c", "c", "c", "c", "c", "d"]], update=True)
    assert model.wv.index_to_key == ["a", "b", "c"] and model.wv.get_vecattr("a", "count") == 11
    model.train(epochs=1)
    assert model.history[-1]["words"] == 6


def test_update_needs_a_vocabulary():
    with pytest.raises(RuntimeError, match="without update first"):
        Word2Vec().build_vocab([["a"]], update=True)


def test_build_vocab_from_freq(text):
    model = Word2Vec(**SMALL | dict(min_count=2))
    model.build_vocab_from_freq({"b": 5, "a": 7, "rare": 1}, corpus_count=3)
    assert model.wv.index_to_key == ["a", "b"] and model.corpus_count == 3
    assert model.train([["a", "b", "rare"]] * 4, total_examples=4, epochs=1) == (8, 12)
    model.build_vocab_from_freq({"c": 9, "a": 1}, update=True)
    assert model.wv.index_to_key == ["a", "b", "c"]
    with pytest.raises(ValueError, match=r"none of 1 words reaches min_count=2.*'x' with 1"):
        model.build_vocab_from_freq({"x": 1})


def test_vocabulary_options(text):
    model = Word2Vec(text, **SMALL | dict(max_final_vocab=17))
    assert len(model.wv) == 17
    model = Word2Vec([["z", "a", "z", "q"]] * 3, sorted_vocab=0, **SMALL)
    assert model.wv.index_to_key == ["z", "a", "q"]
    model = Word2Vec([["z", "a", "z", "q"]] * 3, trim_rule=lambda word, count, least: 1 if word == "z" else 0, **SMALL)
    assert model.wv.index_to_key == ["a", "q"]
    model = Word2Vec([["z"] * 9 + ["a", "q"]], keep=["q"], **SMALL | dict(min_count=5))
    assert model.wv.index_to_key == ["z", "q"]


def test_reset_from(text):
    model = Word2Vec(text, **SMALL)
    other = Word2Vec(vector_size=8, sg=1)
    other.reset_from(model)
    assert other.wv.index_to_key == model.wv.index_to_key and other.wv.vectors.shape == (len(model.wv), 8)
    other.train(text, total_examples=other.corpus_count, epochs=1)


# ---- warm start


def test_init_and_freeze(text):
    base = Word2Vec(text, **SMALL | dict(epochs=5))
    more = [*text[:300], *[["new", "t0w0", "t0w1"]] * 20]
    model = Word2Vec(**SMALL, init=base, freeze="init")
    model.build_vocab(more)
    shared = [w for w in model.wv.index_to_key if w in base.wv]
    assert model.init_report == {"rows": len(shared), "words": len(model.wv), "output_rows": len(shared)}
    assert all(np.array_equal(model.wv[w], base.wv[w]) for w in shared)
    new = model.wv["new"].copy()
    model.train(more, epochs=3)
    assert all(np.array_equal(model.wv[w], base.wv[w]) for w in shared)
    assert not np.array_equal(model.wv["new"], new)


@pytest.mark.parametrize("freeze", [["t0w0", "t1w3", "nowhere"], "mask"])
def test_freeze_words_or_a_mask(text, freeze, tmp_path):
    base = Word2Vec(text, **SMALL)
    base.wv.save(tmp_path / "kv.safetensors")
    if freeze == "mask":
        freeze = np.isin(base.wv.index_to_key, ["t0w0", "t1w3"])
    model = Word2Vec(text, init=tmp_path / "kv.safetensors", freeze=freeze, **SMALL)
    same = [w for w in model.wv.index_to_key if np.array_equal(model.wv[w], base.wv[w])]
    assert sorted(same) == ["t0w0", "t1w3"] and model.init_report["output_rows"] == 0


def test_init_and_freeze_are_checked(text):
    with pytest.raises(ValueError, match=r"size 8.*vector_size=24"):
        Word2Vec(text, init=KeyedVectors(8, 1), **SMALL)
    with pytest.raises(ValueError, match="none of 1 words"):
        Word2Vec(text, freeze=["nowhere"], **SMALL)
    with pytest.raises(ValueError, match="needs init"):
        Word2Vec(text, freeze="init", **SMALL)


def test_vectors_lockf_as_in_gensim(text):
    model = Word2Vec(**SMALL)
    model.build_vocab(text)
    before = model.wv.vectors.copy()
    model.wv.vectors_lockf = np.ones(len(model.wv), np.float32)
    model.wv.vectors_lockf[:10] = 0
    model.train(text, epochs=1)
    changed = (model.wv.vectors != before).any(axis=1)
    assert not changed[:10].any() and changed[10:].all()
    model.wv.vectors_lockf = np.zeros(1, np.float32)  # one for all
    before = model.wv.vectors.copy()
    model.train(text, epochs=1)
    assert np.array_equal(model.wv.vectors, before)


# ---- what a model tells


def test_predict_output_word(text):
    model = Word2Vec(text, **SMALL | dict(epochs=8, alpha=0.05))
    found = model.predict_output_word(["t3w0", "t3w1", "nowhere"], topn=5)
    assert len(found) == 5 and all(word.startswith("t3") for word, _ in found[:3])
    assert [p for _, p in found] == sorted((p for _, p in found), reverse=True)
    assert sum(p for _, p in model.predict_output_word(["t3w0"], topn=10**6)) == pytest.approx(1, rel=1e-5)
    assert model.predict_output_word(["nowhere"]) is None
    with pytest.raises(RuntimeError, match="negative > 0"):
        Word2Vec(text, loss="hs", **SMALL).predict_output_word(["t3w0"])


@pytest.mark.parametrize("sg", [0, 1])
def test_score_is_a_log_likelihood(text, sg):
    model = Word2Vec(text, loss="hs", **SMALL | dict(epochs=5, alpha=0.05, sg=sg))
    rng = np.random.default_rng(0)
    mixed = [[str(w) for w in rng.permutation(np.array(text).ravel())[:12]] for _ in range(20)]
    good, bad = model.score(text[:20]), model.score(mixed)
    assert good.dtype == np.float32 and good.shape == (20,) and (good < 0).all() and good.mean() > bad.mean()
    assert len(model.score(text, total_sentences=3)) == 3
    with pytest.raises(RuntimeError, match="hs=1"):
        Word2Vec(text, **SMALL).score(text)


def test_memory_is_estimated(text):
    model = Word2Vec(text, hs=1, **SMALL | dict(vector_size=20))
    report = model.estimate_memory()
    assert set(report) == {"vocab", "vectors", "syn1", "syn1neg", "total"}
    assert report["total"] == sum(v for k, v in report.items() if k != "total")
    assert report["vectors"] >= len(model.wv) * 32 * 4  # rows are padded
    assert model.estimate_memory(vocab_size=10**6)["vectors"] >= 10**6 * 32 * 4


def test_small_things(text):
    model = Word2Vec(text, comment="mine", **SMALL)
    assert str(model) == f"Word2Vec<vocab={len(model.wv)}, vector_size=24, alpha=0.025>"
    assert model.layer1_size == 24 and model.comment == "mine" and model.train_count == 1 and model.total_train_time > 0
    assert model.cum_table[-1] == 2**31 - 1 and len(model.cum_table) == len(model.wv)
    model.init_sims(replace=True)
    assert np.allclose(np.linalg.norm(model.wv.vectors, axis=1), 1, atol=1e-5)
    assert model.wv.vectors.flags.c_contiguous and model.wv.vectors.dtype == np.float32


def test_parameters_may_change_between_calls(text):
    model = Word2Vec(**SMALL)
    model.build_vocab(text)
    model.workers, model.alpha, model.epochs, model.sample = 2, 0.01, 1, 1e-3
    model.train(text)
    assert len(model.history) == 1
    model.train(text, start_alpha=0.005, end_alpha=0.001, epochs=2)
    assert model.alpha == 0.005 and model.min_alpha == 0.001 and model.min_alpha_yet_reached == pytest.approx(0.001)
    model.window = 0
    with pytest.raises(ValueError, match="window=0"):
        model.train(text)
    model.window, model.hs = 5, 1  # the tree's rows come with the first training that needs them
    model.train(text)
    assert model.syn1.any()


def test_queries_see_fresh_vectors(text):
    model = Word2Vec(text, **SMALL)
    model.wv.most_similar("t0w0")
    norms = model.wv.norms.copy()
    model.train(text, epochs=1)
    model.wv.most_similar("t0w0")
    assert not np.array_equal(norms, model.wv.norms)
    assert np.allclose(model.wv.norms, np.linalg.norm(model.wv.vectors, axis=1), rtol=1e-4)


def test_a_vector_added_by_hand_can_be_trained(text):
    model = Word2Vec(text, **SMALL)
    model.wv.add_vector("mine", np.ones(24, np.float32))
    model.train([["mine", "t0w0", "t0w1"]] * 10, epochs=1)
    assert model.history[-1]["words"] == 30 and not np.array_equal(model.wv["mine"], np.ones(24))


def test_exports():
    from fastemb.callbacks import CallbackAny2Vec

    assert CallbackAny2Vec is fastemb.training.CallbackAny2Vec
    assert fastemb.Word2Vec is Word2Vec
    assert fastemb.show_config("dicts")["simd"]
