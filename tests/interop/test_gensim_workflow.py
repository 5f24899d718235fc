"""Programs written for gensim 4.4 run with only their imports changed: the same code over both libraries."""

import importlib
import itertools
import logging
import types

import numpy as np
import pytest

ANIMALS = "cat dog horse cow sheep goat".split()
FOODS = "bread cheese apple soup rice cake".split()
CITIES = "paris london rome berlin madrid vienna".split()
VERBS = {
    "animals": "runs sleeps eats".split(),
    "foods": "tastes smells cooks".split(),
    "cities": "lies grows shines".split(),
}


def make_sentences(count=3000, seed=0):
    """Simple sentences about three kinds of things."""
    rng = np.random.default_rng(seed)
    sentences = []
    for _ in range(count):
        kind, things = [("animals", ANIMALS), ("foods", FOODS), ("cities", CITIES)][rng.integers(3)]
        a, b = rng.choice(things, 2, replace=False)
        sentences.append(
            ["the", str(a), "and", "the", str(b), str(rng.choice(VERBS[kind])), str(rng.choice(VERBS[kind]))]
        )
    return sentences


IMPORTS = {
    "gensim": {
        "gensim.models": ["Word2Vec", "KeyedVectors"],
        "gensim.models.word2vec": ["LineSentence", "PathLineSentences"],
        "gensim.models.callbacks": ["CallbackAny2Vec"],
    },
    "fastemb": {
        "fastemb": ["Word2Vec", "KeyedVectors", "LineSentence", "PathLineSentences"],
        "fastemb.callbacks": ["CallbackAny2Vec"],
    },
}


@pytest.fixture(params=IMPORTS)
def library(request):
    """What a program imports, from either library."""
    pytest.importorskip(request.param)
    found = types.SimpleNamespace()
    for module, names in IMPORTS[request.param].items():
        for name in names:
            setattr(found, name, getattr(importlib.import_module(module), name))
    return found


def test_train_query_save_and_go_on(library, tmp_path):
    """The first tutorial: train on lists, look around, save, load, train on more."""
    Word2Vec, KeyedVectors = library.Word2Vec, library.KeyedVectors
    sentences = make_sentences()
    model = Word2Vec(sentences=sentences, vector_size=32, window=5, min_count=1, workers=1, sg=1, epochs=15, seed=42)

    assert len(model.wv) == len(model.wv.index_to_key) == len({w for s in sentences for w in s})
    assert model.wv.index_to_key[0] == "the" and model.wv.key_to_index["the"] == 0
    assert model.wv["cat"].shape == (32,) and model.wv["cat"].dtype == np.float32
    assert model.wv[["cat", "dog"]].shape == (2, 32)
    similar = model.wv.most_similar("cat", topn=3)
    assert [type(x) for x in similar[0]] == [str, float] and {w for w, _ in similar} <= {*ANIMALS, *VERBS["animals"]}
    assert model.wv.similarity("paris", "rome") > model.wv.similarity("paris", "soup")
    assert model.wv.doesnt_match(["cat", "dog", "horse", "cheese"]) == "cheese"
    assert len(model.wv.most_similar(positive=["paris", "dog"], negative=["rome"], topn=4)) == 4
    assert model.wv.n_similarity(["cat", "dog"], ["horse", "cow"]) > model.wv.n_similarity(
        ["cat", "dog"], ["rice", "cake"]
    )
    assert model.wv.get_vecattr("the", "count") == sum(s.count("the") for s in sentences)
    with pytest.raises(KeyError):
        model.wv["unicorn"]
    with pytest.raises(AttributeError):
        model.most_similar("cat")
    predicted = model.predict_output_word(["the", "cat", "and"], topn=5)
    assert len(predicted) == 5 and all(0 < float(p) < 1 for _, p in predicted)

    path = str(tmp_path / "word2vec.model")
    model.save(path)
    model = Word2Vec.load(path)
    more = [["the", "unicorn", "and", "the", "cat", "runs"]] * 20
    model.build_vocab(more, update=True)
    assert "unicorn" in model.wv
    trained = model.train(more, total_examples=model.corpus_count, epochs=model.epochs)
    assert trained[1] == 15 * 20 * 6 and 0 < trained[0] <= trained[1]

    word_vectors = model.wv
    word_vectors.save(str(tmp_path / "vectors.kv"))
    reloaded = KeyedVectors.load(str(tmp_path / "vectors.kv"), mmap="r")
    assert np.array_equal(reloaded["cat"], model.wv["cat"])
    for binary in (False, True):
        word_vectors.save_word2vec_format(str(tmp_path / "vectors.w2v"), binary=binary)
        back = KeyedVectors.load_word2vec_format(str(tmp_path / "vectors.w2v"), binary=binary)
        assert set(back.index_to_key) == set(word_vectors.index_to_key)
        assert all(np.allclose(back[w], word_vectors[w], atol=1e-6) for w in back.index_to_key)


def test_a_loop_with_callbacks(library, tmp_path, caplog):
    """Build the vocabulary, then train with one's own callbacks, learning rates and losses."""
    Word2Vec, CallbackAny2Vec = library.Word2Vec, library.CallbackAny2Vec

    class EpochSaver(CallbackAny2Vec):
        def __init__(self, prefix):
            self.prefix, self.epoch, self.losses = prefix, 0, []

        def on_epoch_begin(self, model):
            logging.info("epoch %d starts", self.epoch)

        def on_epoch_end(self, model):
            model.save(f"{self.prefix}_epoch{self.epoch}.model")
            self.losses.append(model.get_latest_training_loss())
            self.epoch += 1

    class MonitorCallback(CallbackAny2Vec):
        def __init__(self, words):
            self.words, self.seen = words, []

        def on_epoch_end(self, model):
            self.seen.append([model.wv.most_similar(word, topn=1)[0][0] for word in self.words])

    class Sentences:
        """Streams from a file; restartable."""

        def __init__(self, path):
            self.path = path

        def __iter__(self):
            with open(self.path, encoding="utf-8") as file:
                for line in file:
                    yield line.lower().split()

    path = tmp_path / "corpus.txt"
    path.write_text("\n".join(" ".join(s) for s in make_sentences()) + "\n", encoding="utf-8")
    corpus = Sentences(path)

    model = Word2Vec(
        vector_size=24, alpha=0.03, min_alpha=0.0007, window=4, min_count=2, sample=6e-2, negative=10, workers=1
    )
    model.build_vocab(corpus, progress_per=1000)
    assert model.corpus_count == 3000 and model.corpus_total_words == 3000 * 7
    saver, monitor = EpochSaver(str(tmp_path / "w2v")), MonitorCallback(["cat", "rome"])
    model.train(
        corpus,
        total_examples=model.corpus_count,
        epochs=3,
        report_delay=1,
        compute_loss=True,
        callbacks=[saver, monitor],
    )
    assert saver.epoch == 3 and len(monitor.seen) == 3 and model.epochs == 3
    assert 0 < saver.losses[0] < saver.losses[1] < saver.losses[2]  # a running sum
    assert Word2Vec.load(f"{saver.prefix}_epoch1.model").wv.index_to_key == model.wv.index_to_key

    for _ in range(2):  # the learning rate in one's own hands
        model.train(corpus, total_words=model.corpus_total_words, epochs=1, start_alpha=0.01, end_alpha=0.005)
    assert model.alpha == 0.01 and model.min_alpha == 0.005
    report = model.estimate_memory()
    assert {"vocab", "vectors", "syn1neg", "total"} <= set(report)
    assert str(model).startswith(f"Word2Vec<vocab={len(model.wv)}, vector_size=24, alpha=")
    assert model.wv.vectors.shape == (len(model.wv), model.vector_size) == model.syn1neg.shape


def test_files_hierarchical_softmax_and_transfer(library, tmp_path):
    """LineSentence and corpus_file, hs, given frequencies, vectors taken from elsewhere."""
    Word2Vec, LineSentence = library.Word2Vec, library.LineSentence
    folder = tmp_path / "texts"
    folder.mkdir()
    sentences = make_sentences(2000)
    for i, part in enumerate((sentences[:1000], sentences[1000:])):
        (folder / f"{i}.txt").write_text("\n".join(" ".join(s) for s in part) + "\n", encoding="utf-8")
    first = str(folder / "0.txt")
    assert list(itertools.islice(LineSentence(first), 2)) == sentences[:2]

    model = Word2Vec(corpus_file=first, vector_size=16, min_count=1, workers=1, hs=1, negative=0, epochs=5, cbow_mean=0)
    assert not hasattr(model, "syn1neg")
    scores = model.score(sentences[:10], total_sentences=10)
    assert scores.shape == (10,) and (scores < 0).all()
    with pytest.raises(RuntimeError):
        model.predict_output_word(["cat"])

    model = Word2Vec(
        library.PathLineSentences(str(folder)), vector_size=16, min_count=1, workers=1, epochs=2, max_final_vocab=12
    )
    assert len(model.wv) <= 12 and model.corpus_count == 2000

    donor = Word2Vec(sentences, vector_size=16, min_count=1, workers=1, epochs=2, trim_rule=None, sorted_vocab=1)
    model = Word2Vec(vector_size=16, min_count=1, workers=1, seed=7)
    model.build_vocab_from_freq({"cat": 30, "dog": 20, "paris": 10}, corpus_count=100)
    model.wv.vectors[:] = [donor.wv[w] for w in model.wv.index_to_key]
    model.wv.vectors_lockf = np.zeros(len(model.wv), dtype=np.float32)
    model.train([["cat", "dog", "paris"]] * 100, total_examples=100, epochs=2)
    assert np.array_equal(model.wv["dog"], donor.wv["dog"])

    clone = Word2Vec(vector_size=16, min_count=1, workers=1, epochs=1)
    clone.reset_from(donor)
    clone.wv.vectors_lockf = np.ones(
        1, dtype=np.float32
    )  # gensim 4.4's workers die without it, and train() waits for ever
    clone.train(sentences, total_examples=clone.corpus_count, epochs=clone.epochs, compute_loss=True)
    assert clone.wv.index_to_key == donor.wv.index_to_key
    del model
    assert donor.wv.similar_by_word("cat", topn=2) and donor.wv.get_normed_vectors().shape == donor.wv.vectors.shape
