"""The errors that people should see when they train: one test for each row of the table of promises."""

import logging
import os
import resource
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from word2vec_text import topics, write

from fastemb import Word2Vec
from fastemb.training import memory, weights

SMALL = dict(vector_size=16, min_count=1, workers=1, epochs=2)


@pytest.fixture(scope="module")
def text():
    return topics(1000)


def run(code, *arguments, cwd, limit=None, **options):
    """Run a program in a process of its own, perhaps with a limit to its address space."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=100,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        preexec_fn=None if limit is None else lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        **options,
    )


# ---- unknown word


def test_an_unknown_word_names_close_ones_and_its_count(text):
    model = Word2Vec([*text, ["rarity"] * 2], **SMALL | dict(min_count=3))
    with pytest.raises(KeyError, match="t0w1"):
        model.wv["t0w1x"]
    with pytest.raises(KeyError, match=r"2.*min_count.*3"):
        model.wv["rarity"]


# ---- nothing reaches min_count, or empty corpus


def test_nothing_reaches_min_count(text):
    with pytest.raises(ValueError, match=r"min_count=1000000.*12,000 tokens.*'t\dw0'.*lower min_count"):
        Word2Vec(text, min_count=10**6)


@pytest.mark.parametrize("empty", [[], iter([]), [[]], [[], []]])
def test_an_empty_corpus(empty):
    with pytest.raises(ValueError, match="empty"):
        Word2Vec(empty, min_count=1)


def test_an_empty_file(tmp_path):
    path = tmp_path / "empty.txt"
    path.write_bytes(b"\n \n")
    with pytest.raises(ValueError, match=r"empty\.txt"):
        Word2Vec(path)


def test_training_text_without_a_known_word(text):
    model = Word2Vec(text, **SMALL)
    before = model.wv.vectors.copy()
    with pytest.raises(ValueError, match="vocabulary"):
        model.train([["quite", "other", "words"]], epochs=1)
    assert np.array_equal(model.wv.vectors, before)


# ---- a bare string that is no path, strings without a tokeniser


def test_a_string_that_is_no_path():
    with pytest.raises(ValueError, match=r"(?s)no such file|names no file|\[\["):
        Word2Vec("the quick brown fox")


def test_strings_without_a_tokeniser():
    with pytest.raises(ValueError, match="tokenizer"):
        Word2Vec(["the quick brown fox", "jumps over"], min_count=1)


# ---- wrong parameters, before any work


WRONG = {
    "workers": 0,
    "window": 0,
    "alpha": float("nan"),
    "epochs": 0,
    "vector_size": -1,
    "negative": -1,
    "min_count": -1,
}
WRONG |= {"sample": 2.0, "max_seconds": 0, "batch_words": 0, "max_memory": 0}


@pytest.mark.parametrize(("name", "value"), WRONG.items())
def test_wrong_parameters_are_refused_before_any_work(name, value):
    def never():
        raise AssertionError("the corpus was read")
        yield

    with pytest.raises(ValueError, match=f"^{name}="):
        Word2Vec(never(), **{name: value})


def test_nothing_to_train():
    with pytest.raises(ValueError, match=r"negative=0.*hs=0"):
        Word2Vec([["a"]], negative=0)


FOREIGN = "size vector_size iter epochs dim vector_size ws window minCount min_count thread workers lr alpha".split()


@pytest.mark.parametrize(("old", "new"), list(zip(FOREIGN[::2], FOREIGN[1::2], strict=True)))
def test_a_foreign_keyword_names_the_right_one(old, new):
    with pytest.raises(TypeError, match=f"'{old}' is called '{new}' here"):
        Word2Vec([["a"]], **{old: 5})


def test_foreign_keywords_of_methods(text):
    model = Word2Vec(text, **SMALL)
    with pytest.raises(TypeError, match=r"train\(\).*'epoch' is called 'epochs'"):
        model.train(text, epoch=3)
    with pytest.raises(TypeError, match=r"build_vocab\(\).*'mincount'"):
        model.build_vocab(text, mincount=3)


def test_moved_attributes(text):
    model = Word2Vec(text, **SMALL)
    hints = "most_similar model.wv.most_similar iter epochs index2word index_to_key vocab key_to_index".split()
    for name, hint in zip(hints[::2], hints[1::2], strict=True):
        with pytest.raises(AttributeError, match=hint):
            getattr(model, name)
    assert not hasattr(model, "quite_unknown")
    with pytest.raises(TypeError, match=r"model\.wv\['t0w0'\]"):
        model["t0w0"]
    with pytest.raises(TypeError, match=r"in model\.wv"):
        "t0w0" in model  # noqa: B015


def test_sources_that_exclude_each_other(text, tmp_path):
    with pytest.raises(TypeError, match="not both"):
        Word2Vec(text, corpus_file=str(tmp_path))
    with pytest.raises(TypeError, match="corpus_file must be a path"):
        Word2Vec(corpus_file=text)
    with pytest.raises(TypeError, match="needs a corpus"):
        Word2Vec().build_vocab()
    with pytest.raises(RuntimeError, match="first build vocabulary"):
        Word2Vec().train(text)


# ---- divergence


@pytest.mark.parametrize("workers", [1, 3])
def test_divergence_says_where_and_keeps_the_last_good_weights(text, workers):
    model = Word2Vec(text, **SMALL | dict(workers=workers))
    good, out = model.wv.vectors.copy(), model.syn1neg.copy()
    model.wv.most_similar("t0w0")
    with pytest.raises(
        FloatingPointError, match=r"epoch 1 after \d+ words at alpha .*try alpha <=.*before this training"
    ):
        model.train(text, start_alpha=1e38, epochs=3)
    assert np.array_equal(model.wv.vectors, good) and np.array_equal(model.syn1neg, out)
    assert len(model.history) == 2
    model.train(text, start_alpha=0.01, epochs=1)
    assert np.isfinite(model.wv.vectors).all()


@pytest.mark.parametrize("objective", [dict(), dict(loss="hs"), dict(hs=1)], ids=["ns", "hs", "both"])
def test_finite_nonsense_is_warned_of(text, caplog, monkeypatch, objective):
    with caplog.at_level(logging.WARNING, logger="fastemb"):
        Word2Vec(text, **SMALL, **objective)
        assert not caplog.records
        monkeypatch.setattr("fastemb.training.run.UNSTABLE", 0.5)  # as if the loss were four times as high
        Word2Vec(text, cbow_mean=0, **SMALL, **objective)
    assert "unstable" in caplog.text and "cbow_mean=1" in caplog.text


def diverge_in_epoch_two(monkeypatch, words):
    """Make the third look at the weights find something, as if they had diverged by then."""
    from fastemb.training.word2vec_job import Word2VecJob

    looks = []

    def finite(job):
        looks.append(job.model.wv.vectors.copy())
        if len(looks) == 2:
            job.tables[0][3] = np.nan
            job.tables[1][4] = np.inf
            return False
        return True

    monkeypatch.setattr(Word2VecJob, "finite", finite)
    return looks


@pytest.mark.parametrize("small", [1 << 30, 0], ids=["in memory", "in a file"])
def test_the_last_good_weights_are_those_after_the_last_epoch(text, monkeypatch, small):
    monkeypatch.setattr(weights, "SMALL_SNAPSHOT", small)
    monkeypatch.setattr(weights, "SNAPSHOT_SHARE", 1.0)
    monkeypatch.setattr(weights, "_on_disk", lambda directory: True)
    looks = diverge_in_epoch_two(monkeypatch, text)
    model = Word2Vec(**SMALL | dict(epochs=5))
    model.build_vocab(text)
    with pytest.raises(FloatingPointError, match=r"epoch 2 .*after epoch 1"):
        model.train(text)
    assert np.array_equal(model.wv.vectors, looks[0]) and len(model.history) == 1


def test_without_room_for_a_copy_the_rows_that_are_lost_are_counted(text, monkeypatch):
    monkeypatch.setattr(weights, "SMALL_SNAPSHOT", 0)
    monkeypatch.setattr(weights, "_on_disk", lambda directory: False)
    diverge_in_epoch_two(monkeypatch, text)
    model = Word2Vec(**SMALL | dict(epochs=5))
    model.build_vocab(text)
    with pytest.raises(FloatingPointError, match=r"no earlier weights were kept .*: 2 rows"):
        model.train(text)
    assert np.isfinite(model.wv.vectors).all() and not model.wv.vectors[3].any() and model.wv.vectors[2].any()


def test_untrained_large_weights_are_drawn_again(text, monkeypatch):
    monkeypatch.setattr(weights, "FIRST_SNAPSHOT", 0)
    model = Word2Vec(**SMALL)
    model.build_vocab(text)
    first = model.wv.vectors.copy()
    with pytest.raises(FloatingPointError, match="before this training"):
        model.train(text, start_alpha=1e38)
    assert np.array_equal(model.wv.vectors, first) and not model.syn1neg.any()


# ---- not enough memory


def test_memory_is_refused_before_it_is_allocated(text):
    began = time.monotonic()
    with pytest.raises(MemoryError, match=r"needs .* TiB .*available; try .*min_count"):
        Word2Vec(text, **SMALL | dict(vector_size=2**31 - 1))
    assert time.monotonic() - began < 5


def test_max_memory(text):
    pattern = r"needs 480\.1 KiB .*, 97\.7 KiB available; try vector_size=48 or .*max_final_vocab=48"
    with pytest.raises(MemoryError, match=pattern):
        Word2Vec(text, **SMALL | dict(vector_size=256, max_memory=100_000))
    Word2Vec(text, **SMALL | dict(max_memory=10_000_000))


def test_the_advice_is_sound(text):
    with pytest.raises(MemoryError) as error:
        Word2Vec(text, **SMALL | dict(vector_size=300, max_memory=100_000))
    size = int(str(error.value).partition("vector_size=")[2].split()[0])
    Word2Vec(text, **SMALL | dict(vector_size=size, max_memory=100_000))


def test_a_limit_of_the_address_space(text, tmp_path, request):
    path = write(tmp_path / "text.txt", text)
    code = """
        import sys
        from fastemb import Word2Vec
        Word2Vec(sys.argv[1], min_count=1, vector_size=1_000_000, epochs=1, workers=1, progress=False)
    """
    done = run(code, path, cwd=request.config.rootpath, limit=1 << 30)
    assert done.returncode == 1 and "MemoryError: training needs 1.8 GiB" in done.stderr, done.stderr


def test_a_corpus_twice_the_address_space_trains_through_the_file(tmp_path, request):
    """Ids of 3 x the room that is left: with cache="auto" they go to a temporary file by themselves."""
    rng = np.random.default_rng(0)
    path = tmp_path / "big.txt"
    line = (" ".join(f"w{i}" for i in rng.integers(1000, size=10_000)) + "\n").encode()
    with open(path, "wb") as file:
        for _ in range(4000):
            file.write(line)  # 40 M words: 160 MB of ids
    code = """
        import resource, sys
        from fastemb import Word2Vec
        import numpy as np
        Word2Vec([["a", "b"]] * 99, min_count=1, workers=1, progress=False)  # everything is imported
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 80_000_000,) * 2)
        m = Word2Vec(sys.argv[1], vector_size=4, epochs=1, workers=1, progress=False, sample=1e-6, negative=1, window=1)
        assert np.isfinite(m.wv.vectors).all()
        print(m.history[0]["words"])
    """
    done = run(code, path, cwd=request.config.rootpath)
    assert done.returncode == 0 and done.stdout.strip() == "40000000", done.stderr


def test_available_memory_knows_its_limits(monkeypatch):
    room = memory.available()
    assert room is None or room > 0
    monkeypatch.setattr(memory, "_rlimit", lambda: 12345)
    assert memory.available() == 12345
    with pytest.raises(
        MemoryError, match=r"needs 2\.0 GiB \(weights 2\.0 GiB\), 12\.1 KiB available; try this or that"
    ):
        memory.require({"weights": 2 << 30, "ids": 0}, ["this", "that"])
    memory.require({"weights": 12345})
    assert memory.human(5) == "5 B" and memory.human(10 * (1 << 30)) == "10.0 GiB"


# ---- an iterator that raises, a file that changes


@pytest.mark.parametrize("at", [0, 1, 500])
def test_an_error_of_the_iterator_is_the_users(text, at):
    def broken():
        for i, sentence in enumerate(text):
            if i == at:
                raise LookupError("mine")
            yield sentence

    with pytest.raises(LookupError, match="mine"):
        Word2Vec(broken(), **SMALL)


def test_a_cache_that_changes_while_it_is_trained_from(text, tmp_path):
    from fastemb.corpus import Corpus

    corpus = Corpus(text, min_count=1, cache=tmp_path / "ids")
    model = Word2Vec(**SMALL)
    model.build_vocab(corpus)
    os.truncate(tmp_path / "ids", 4000)
    with pytest.raises(OSError, match="corpus changed"):
        model.train(corpus, epochs=1)
    assert np.isfinite(model.wv.vectors).all()


# ---- nothing is silent


def test_what_has_no_effect_is_said(caplog):
    with caplog.at_level(logging.WARNING, logger="fastemb"):
        Word2Vec(trim_rule=lambda *a: 0)
    assert "trim_rule" in caplog.text
