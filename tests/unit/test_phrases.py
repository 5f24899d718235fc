"""Phrases: what is promised about its arguments, files, sources, models and the command line."""

import gzip
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastemb
from fastemb import ENGLISH_CONNECTOR_WORDS, Corpus, FrozenPhrases, LineSentence, Phraser, Phrases, Word2Vec
from fastemb.cli import main
from fastemb.corpus import phrases_counts
from fastemb.corpus._phrases import Matcher, Pairs, Shard
from fastemb.corpus.phrased_text import join_text
from fastemb.formats import FormatError
from fastemb.phrases import npmi_scorer, original_scorer, pmi_scorer

TEXT = "the bank of america is large\nbank of america\n\nnew york is new\nnew york bank of america\nyork is large\n"
SENTENCES = [line.split() for line in TEXT.splitlines()]


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture
def phrases():
    return Phrases(SENTENCES, min_count=1, threshold=0.5, connector_words=ENGLISH_CONNECTOR_WORDS)


# ---- the class


def test_names():
    from fastemb import phrases as module

    assert module.Phrases is Phrases and Phraser is FrozenPhrases and module.Phraser is FrozenPhrases
    assert frozenset({"a", "of", "without"}) < ENGLISH_CONNECTOR_WORDS and "is" not in ENGLISH_CONNECTOR_WORDS


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"min_count": 0}, "min_count"),
        ({"min_count": "5"}, "min_count"),
        ({"min_count": float("nan")}, "min_count"),
        ({"threshold": 0}, "threshold"),
        ({"threshold": 2, "scoring": "npmi"}, "between -1 and 1"),
        ({"scoring": "best"}, "'npmi'"),
        ({"scoring": 3}, "scoring"),
        ({"scoring": lambda a, b: 1}, "worda_count"),
        ({"delimiter": ""}, "delimiter"),
        ({"delimiter": b"_"}, "delimiter"),
        ({"max_vocab_size": 0}, "max_vocab_size"),
        ({"connector_words": "of"}, "connector_words"),
        ({"connector_words": [1]}, "strings"),
        ({"workers": 0}, "workers"),
    ],
)
def test_wrong_parameters_are_told_before_any_work(options, told):
    with pytest.raises(ValueError, match=told):
        Phrases(iter(lambda: pytest.fail("read"), None), **options)


def test_integers_and_strings_are_refused():
    with pytest.raises(TypeError, match="integers"):
        Phrases([[1, 2], [1, 2]])
    with pytest.raises(TypeError, match="integers"):
        Phrases(SENTENCES).corpus([[1, 2]])
    with pytest.raises(TypeError, match="a list of tokens"):
        Phrases(SENTENCES)["new york"]
    with pytest.raises(ValueError, match="token"):
        Phrases(["new york"] * 3)
    with pytest.raises(TypeError, match="not both"):
        Phrases(SENTENCES, corpus_file="x")
    with pytest.raises(FileNotFoundError):
        Phrases("no such file")


def test_empty_sources():
    for source in ([], [[]], iter(())):
        phrases = Phrases(source)
        assert (len(phrases.vocab), phrases.corpus_word_count, phrases.export_phrases()) == (0, 0, {})
        assert phrases[["a", "b"]] == ["a", "b"] and phrases.find_phrases(SENTENCES) == {}
    assert Phrases().freeze()[["a"]] == ["a"]
    assert Phrases(SENTENCES).find_phrases([]) == {}
    with pytest.raises(ValueError, match="empty"):
        Phrases(SENTENCES).corpus([[]])


def test_vocabulary(phrases):
    vocab = phrases.vocab
    assert vocab["bank_of_america"] == 3 and vocab.get("of") is None and "the" not in vocab and 3 not in vocab
    assert len(vocab) == len(list(vocab)) == len(dict(vocab.items())) == len(vocab.items())
    with pytest.raises(KeyError):
        vocab["america_bank"]
    assert phrases.corpus_word_count == sum(map(len, SENTENCES))
    assert "9 vocab" not in str(phrases) and str(len(vocab)) in str(phrases)


def test_one_sentence_or_many(phrases):
    joined = [["the", "bank_of_america", "is_large"], ["bank_of_america"]]
    assert phrases[SENTENCES[0]] == joined[0]
    assert phrases[iter(SENTENCES[0])] == joined[0]
    assert list(phrases[SENTENCES[:2]]) == joined
    stream = phrases[SENTENCES]
    assert len(stream) == 6 and list(stream) == list(stream)
    assert list(phrases[iter(SENTENCES[:2])]) == joined
    assert list(phrases[np.array([SENTENCES[0], SENTENCES[1]], dtype=object)]) == joined
    assert phrases[[]] == [] and list(phrases[[[], []]]) == [[], []]


def test_empty_tokens_are_not_lost(phrases):
    assert phrases[["", "new", "york", ""]] == ["", "new_york", ""]


def test_a_custom_score_is_called_with_the_counts():
    seen = []

    def score(worda_count, wordb_count, bigram_count, len_vocab, min_count, corpus_word_count):
        seen.append((worda_count, wordb_count, bigram_count, len_vocab, min_count, corpus_word_count))
        return bigram_count

    phrases = Phrases(SENTENCES, min_count=2, threshold=2, scoring=score)
    assert phrases.export_phrases() == {"bank_of": 3.0, "of_america": 3.0}
    vocab = phrases.vocab
    assert (vocab["bank"], vocab["of"], 3, len(vocab), 2, phrases.corpus_word_count) in seen
    assert list(phrases[SENTENCES[:2]])[1] == ["bank_of", "america"]
    phrases.threshold = 1
    assert "new_york" in phrases.export_phrases() and phrases[["new", "york"]] == ["new_york"]


def test_an_error_of_the_score_function_comes_through():
    def score(worda_count, wordb_count, bigram_count, len_vocab, min_count, corpus_word_count):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        Phrases(SENTENCES, scoring=score).export_phrases()


def test_scorers_on_numbers_worked_out_by_hand():
    assert original_scorer(4, 5, 3, 100, 1, 0) == 2 / 20 * 100
    assert original_scorer(0, 5, 3, 100, 1, 0) == -np.inf
    assert npmi_scorer(2, 2, 2, 0, 1, 8) == pytest.approx(1)  # always together
    assert npmi_scorer(2, 2, 1, 0, 2, 8) == -np.inf
    assert pmi_scorer(2, 4, 2, 0, 1, 16) == pytest.approx(np.log(4))


def test_subclasses_decide_what_a_phrase_is():
    class Every(Phrases):
        def score_candidate(self, word_a, word_b, in_between):
            return "+".join([word_a, *in_between, word_b]), 1.0

    every = Every(SENTENCES, connector_words={"of"})
    assert every[["bank", "of", "america", "is"]] == ["bank+of+america", "is"]
    assert list(every[SENTENCES[1:2]]) == [["bank+of+america"]]
    assert every.find_phrases(SENTENCES[1:2]) == {"bank+of+america": 1.0}
    assert Corpus(every[SENTENCES[1:2]], min_count=1).vocabulary.words == ["bank+of+america"]


def test_frozen_phrases_may_be_edited(phrases):
    frozen = phrases.freeze()
    assert list(frozen[SENTENCES]) == list(phrases[SENTENCES])
    del frozen.phrasegrams["new_york"]
    assert frozen[["new", "york"]] == ["new", "york"]
    frozen.phrasegrams["york_of_new"] = 9.0
    assert list(frozen[[["york", "of", "new"]] * 99])[-1] == ["york_of_new"]
    frozen.phrasegrams = {"x_y": 99.0}
    assert list(frozen[[["x", "y"]]]) == [["x_y"]]
    frozen.threshold = 100
    assert list(frozen[[["x", "y"]]]) == [["x", "y"]]


# ---- pruning


def test_nothing_is_lost_unless_asked_for(caplog):
    phrases = Phrases(SENTENCES)
    assert phrases.max_vocab_size is None and phrases.pruned_entries == 0 and phrases.min_reduce == 1
    with caplog.at_level(logging.WARNING, "fastemb"):
        pruned = Phrases(SENTENCES, max_vocab_size=5)
    assert len(pruned.vocab) <= 5
    assert pruned.pruned_entries == len(phrases.vocab) - len(pruned.vocab)
    assert pruned.pruned_occurrences == sum(phrases.vocab.values()) - sum(pruned.vocab.values())
    assert "max_vocab_size=5" in caplog.text and f"{pruned.pruned_entries} words and pairs" in caplog.text


def test_pruning_while_counting_does_not_depend_on_workers(monkeypatch):
    monkeypatch.setattr(phrases_counts, "SHARD", 7)
    rng = np.random.default_rng(0)
    sentences = [[f"w{i}" for i in rng.integers(0, 30, 20)] for _ in range(40)]
    one, two = (Phrases(sentences, max_vocab_size=60, workers=n) for n in (1, 2))
    assert list(one.vocab.items()) == list(two.vocab.items()) and one.pruned_occurrences == two.pruned_occurrences > 0
    whole = Phrases(sentences)
    assert all(count <= whole.vocab[word] for word, count in one.vocab.items())


# ---- sources and models


def test_sources(text, tmp_path):
    reference = dict(Phrases(SENTENCES).vocab.items())
    packed = tmp_path / "text.gz"
    packed.write_bytes(gzip.compress(TEXT.encode()))
    corpus = Corpus(str(text), min_count=1)
    for source in (str(text), text, packed, LineSentence(text), [str(text)], corpus, iter(SENTENCES), open(text, "rb")):
        assert dict(Phrases(source).vocab.items()) == reference, source
    assert dict(Phrases(corpus_file=str(text)).vocab.items()) == reference
    assert dict(Phrases(TEXT.splitlines(), tokenizer="whitespace").vocab.items()) == reference


def test_a_corpus_that_has_dropped_words_is_told_of(caplog):
    corpus = Corpus(SENTENCES, min_count=3)
    with caplog.at_level(logging.WARNING, "fastemb"):
        phrases = Phrases(corpus)
    assert "min_count=1" in caplog.text
    assert phrases.corpus_word_count == corpus.num_tokens


def test_a_corpus_with_a_vocabulary_of_elsewhere_is_counted_as_it_is():
    vocabulary = Corpus(SENTENCES * 3, min_count=1).vocabulary
    phrases = Phrases(Corpus(SENTENCES, vocabulary=vocabulary))
    assert dict(phrases.vocab.items()) == dict(Phrases(SENTENCES).vocab.items())


def test_text_in_two_parts_counts_as_in_one():
    phrases = Phrases(SENTENCES[:2], connector_words=["of"])
    phrases.add_vocab(SENTENCES[2:])
    whole = Phrases(SENTENCES, connector_words=["of"])
    assert dict(phrases.vocab.items()) == dict(whole.vocab.items())
    assert phrases.corpus_word_count == whole.corpus_word_count
    assert phrases.export_phrases() == whole.export_phrases()


def test_corpus_of_joined_text(phrases, text):
    expected = [s for s in phrases[SENTENCES] if s]
    for source in (SENTENCES, text, LineSentence(text), Corpus(text, min_count=1)):
        corpus = phrases.corpus(source, min_count=1)
        assert list(corpus) == expected
        assert corpus.report.tokens_read == corpus.num_tokens == sum(map(len, expected))
        assert corpus.report.sentences == 5
    counted = Corpus(expected, min_count=2)
    assert phrases.corpus(text, min_count=2).vocabulary == counted.vocabulary
    assert phrases.corpus(text, min_count=2).ids.tolist() == counted.ids.tolist()
    unsorted = Corpus(phrases[LineSentence(text)], min_count=1, sorted_vocab=False, workers=2)
    assert unsorted.vocabulary.words == Corpus(expected, min_count=1, sorted_vocab=False).vocabulary.words


def test_corpus_of_joined_text_in_a_file(phrases, text, tmp_path):
    corpus = phrases.corpus(text, min_count=1, cache=tmp_path / "ids")
    assert not corpus.in_memory
    assert list(Corpus.open(tmp_path / "ids")) == list(phrases.corpus(text, min_count=1))


def test_word2vec_on_phrases(phrases, text):
    options = dict(min_count=1, vector_size=8, epochs=2, workers=1, seed=3)
    lists = Word2Vec(list(phrases[SENTENCES]), **options)
    for source in (phrases[LineSentence(text)], phrases.corpus(text, min_count=1), phrases.freeze()[SENTENCES]):
        model = Word2Vec(source, **options)
        assert model.wv.index_to_key == lists.wv.index_to_key
        assert np.array_equal(model.wv.vectors, lists.wv.vectors)


def test_joined_spellings_that_exist_as_words():
    sentences = [["a", "b"], ["a", "b"], ["a_b"], ["c", "a"]]
    phrases = Phrases(sentences, min_count=1, threshold=0.1)
    assert phrases.vocab["a_b"] == 3
    corpus = phrases.corpus(sentences, min_count=1)
    assert corpus.vocabulary.words[0] == "a_b" and corpus.vocabulary.counts[0] == 3


def test_the_sentence_goes_on_across_shards_and_pieces(monkeypatch):
    from fastemb.corpus import phrased

    sentence = ["a", "of", "of", "of", "b", "c", "a", "of", "of", "of", "b"] * 20
    expected = Phrases([sentence], connector_words=["of"])
    joined = Phrases([sentence], min_count=1, threshold=0.01, connector_words=["of"])
    text = joined[sentence]
    monkeypatch.setattr(phrases_counts, "SHARD", 3)
    monkeypatch.setattr(phrases_counts, "BACK", 1)
    monkeypatch.setattr(phrased, "PIECE", 3)
    corpus = Corpus([sentence], min_count=1, cache="auto", max_memory=0)
    assert not corpus.in_memory
    assert dict(Phrases(corpus, connector_words=["of"]).vocab.items()) == dict(expected.vocab.items())
    assert list(joined.corpus(corpus, min_count=1)) == [text]


def test_an_error_of_the_source_comes_through():
    def source():
        yield ["a", "b"]
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        Phrases(source())
    with pytest.raises(OSError, match="gone"):
        Phrases(SENTENCES).corpus(source())


# ---- files


def test_saved_files(phrases, tmp_path):
    path = tmp_path / "phrases"
    phrases.save(path)
    first = path.read_bytes()
    loaded = Phrases.load(path)
    assert type(loaded) is Phrases and loaded.connector_words == phrases.connector_words
    loaded.save(path)
    assert path.read_bytes() == first
    assert type(fastemb.load(path)) is Phrases
    phrases.freeze().save(path)
    assert type(Phrases.load(path)) is FrozenPhrases and type(fastemb.load(path)) is FrozenPhrases
    loaded.threshold = -3.0
    loaded.save(path)
    assert Phrases.load(path).threshold == -3.0


def test_the_same_counts_give_the_same_bytes(tmp_path):
    rng = np.random.default_rng(1)
    words = [*"abcdefgh", "of", "the"]
    sentences = [[words[i] for i in rng.integers(0, 10, 15)] for _ in range(50)]
    files = []
    for workers in (1, 2):
        phrases = Phrases(sentences, connector_words=["of", "the"], workers=workers)
        phrases.add_vocab([["x", "of", "y"], ["y", "the", "x"]])
        phrases.save(tmp_path / "f")
        files.append((tmp_path / "f").read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize("frozen", [False, True])
def test_damaged_files_are_refused(phrases, tmp_path, frozen):
    path = tmp_path / "phrases"
    (phrases.freeze() if frozen else phrases).save(path)
    good = path.read_bytes()
    for size in range(0, len(good), max(1, len(good) // 60)):
        path.write_bytes(good[:size])
        with pytest.raises(FormatError):
            Phrases.load(path)
    for at in range(0, len(good), max(1, len(good) // 120)):
        bad = bytearray(good)
        bad[at] ^= 0x11
        path.write_bytes(bad)
        with pytest.raises(FormatError):
            Phrases.load(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pair_keys", np.array([2**63 - 1], np.uint64)),
        ("pair_counts", np.array([-1], np.int64)),
        ("node_parents", np.array([2**31 + 5], np.uint32)),
        ("node_words", np.array([0], np.uint32)),
        ("counts", np.zeros(0, np.int64)),
    ],
)
def test_files_that_do_not_make_sense_are_refused(phrases, tmp_path, name, value):
    from fastemb.formats import native

    phrases.save(tmp_path / "p")
    tensors, meta = native.read(tmp_path / "p")
    tensors[name] = np.concatenate([value, tensors[name][len(value) :]]) if len(value) else value
    with pytest.raises(FormatError):
        native.write(tmp_path / "q", tensors, meta)
        Phrases.load(tmp_path / "q")


def test_other_files_are_told_apart(tmp_path):
    kv = fastemb.KeyedVectors(2)
    kv.add_vectors(["a"], [[1, 2]])
    kv.save(tmp_path / "kv")
    with pytest.raises(FormatError, match="KeyedVectors"):
        Phrases.load(tmp_path / "kv")
    (tmp_path / "p").write_bytes(b"\x80\x04\x95abc")
    with pytest.raises(FormatError, match="pickle"):
        Phrases.load(tmp_path / "p")


def score_of_mine(worda_count, wordb_count, bigram_count, len_vocab, min_count, corpus_word_count):
    return bigram_count


def test_a_custom_score_is_not_in_the_file(tmp_path):
    phrases = Phrases(SENTENCES, threshold=2, scoring=score_of_mine)
    phrases.save(tmp_path / "p")
    with pytest.raises(ValueError, match="scoring=function"):
        Phrases.load(tmp_path / "p")
    assert Phrases.load(tmp_path / "p", scoring=score_of_mine).export_phrases() == phrases.export_phrases()
    phrases.freeze().save(tmp_path / "f")
    frozen = FrozenPhrases.load(tmp_path / "f")  # which needs no score function to join
    assert frozen[["bank", "of"]] == ["bank_of"]
    with pytest.raises(RuntimeError, match="scoring"):
        frozen.scoring(1, 1, 1, 1, 1, 1)


# ---- the bindings


def test_bindings_check_what_they_get():
    ids, offsets = np.array([0, 1, 2], np.int32), np.array([0, 3], np.int64)
    shard, pairs = Shard(), Pairs()
    for wrong in ((1, 0, 3), (0, 0, 4), (0, 2, 2), (-1, 0, 1)):
        with pytest.raises(IndexError):
            shard.emit(ids, *wrong, offsets, 0)
    with pytest.raises(IndexError):
        shard.emit(ids, 0, 0, 3, offsets, 1)
    assert not shard.emit(ids[2:], 2, 2, 3, offsets, 0)  # its first word was not given
    assert shard.emit(ids, 0, 0, 3, offsets, 0) and len(shard) == 2
    pairs.adopt(shard)
    pairs.count(0, 256, [shard])
    assert sorted(pairs.entries()[0].tolist()) == [1, 1 << 32 | 2] and pairs.entries(2)[0].tolist() == []
    with pytest.raises(IndexError):
        pairs.count(0, 257, [])
    with pytest.raises(IndexError):
        pairs.spell(np.array([7], np.uint64), np.zeros(1, np.uint8), np.array([0, 1], np.int64), b"_")
    with pytest.raises(ValueError, match="node"):
        pairs.add(np.array([1 << 63], np.uint64), np.array([1], np.int64))
    assert pairs.find(np.array([1 << 63, 1, 9], np.uint64)).tolist() == [0, 1, 0]
    matcher = Matcher(np.array([0, 0, 1], np.uint8))
    none = np.zeros(0, np.int32)
    with pytest.raises(IndexError):
        matcher.add(*(np.array([x], np.int32) for x in (5,)), none, np.zeros(2, np.int64), *[np.zeros(1, np.int32)] * 2)
    with pytest.raises(ValueError, match="connector"):
        matcher.add(np.array([2], np.int32), none, np.zeros(2, np.int64), *[np.zeros(1, np.int32)] * 2)
    with pytest.raises(ValueError, match="ends"):
        matcher.join(np.zeros(2, np.int32), np.array([3], np.int64))


def test_pairs_of_many_words_grow_and_prune():
    rng = np.random.default_rng(5)
    ids = rng.integers(0, 500, 200_000).astype(np.int32)
    offsets = np.array([0, 100_000, 200_000], np.int64)
    pairs, shard = Pairs(), Shard()
    for lo in range(0, 200_000, 50_000):
        shard.emit(ids, 0, lo, lo + 50_000, offsets, lo // 100_000)
        pairs.adopt(shard)
        pairs.count(0, 256, [shard])
    keys = ids[:-1].astype(np.uint64) << np.uint64(32) | ids[1:].astype(np.uint64)
    expected, counts = np.unique(np.delete(keys, 99_999), return_counts=True)
    found, times = pairs.entries()
    order = np.argsort(found)
    assert np.array_equal(found[order], expected) and np.array_equal(times[order], counts)
    dropped, lost = pairs.prune(1)
    assert (dropped, lost) == (np.count_nonzero(counts == 1),) * 2
    assert len(pairs) == len(expected) - dropped
    assert np.array_equal(pairs.find(expected), np.where(counts > 1, counts, 0))


# ---- text and the command line


def test_text_in_text_out(phrases, text, tmp_path):
    import io

    out = io.BytesIO()
    text.write_bytes(b"\xef\xbb\xbf" + TEXT.encode() + b"  new\tyork  \xff\r\nnew york")
    told = join_text([phrases], [str(text)], out)
    lines = [" ".join(s) for s in phrases[SENTENCES]]
    assert out.getvalue() == ("\n".join(lines) + "\n").encode() + b"new_york \xff\nnew_york\n"
    assert told["tokens"] == sum(map(len, SENTENCES)) + 5
    with pytest.raises(ValueError, match="white space"):
        join_text([Phrases(SENTENCES, delimiter=" ")], str(text), out)


@pytest.mark.parametrize("block", [1, 7, 64])
@pytest.mark.parametrize("delimiter", ["_", "<->"])
def test_text_by_blocks_is_what_the_sentences_give(monkeypatch, tmp_path, block, delimiter):
    import io

    from fastemb.corpus import phrased_text

    monkeypatch.setattr(phrased_text, "BLOCK", block)
    rng = np.random.default_rng(2)
    words = ["a", "b", "of", "the", "a-word-of-more-than-sixteen-bytes", "ü"]
    sentences = [[words[i] for i in rng.integers(0, 6, n)] for n in rng.integers(0, 9, 60)]
    path = tmp_path / "t.gz"
    path.write_bytes(gzip.compress("\n".join(" ".join(s) for s in sentences).encode()))
    phrases = Phrases(sentences, min_count=1, threshold=0.2, delimiter=delimiter, connector_words=["of", "the"])
    second = Phrases(phrases[sentences], min_count=1, threshold=0.2, delimiter=delimiter)
    out = io.BytesIO()
    join_text([phrases, second], path, out, workers=2)
    expected = "\n".join(" ".join(s) for s in second[phrases[sentences]])
    assert out.getvalue().decode().removesuffix("\n") == expected.removesuffix("\n")


def test_command_line(text, tmp_path, capsys):
    bigrams, trigrams, out = (str(tmp_path / name) for name in ("bigrams", "trigrams", "out.txt"))
    learn = ["phrases", "learn", str(text), "--min-count", "1", "--threshold", "0.5", "-q"]
    assert main([*learn, "-o", bigrams, "--connector-words", "english"]) == 0
    assert main([*learn, "-o", trigrams, "-m", bigrams, "--freeze"]) == 0
    assert type(Phrases.load(trigrams)) is FrozenPhrases
    assert main(["phrases", "apply", str(text), "-m", bigrams, "-o", out, "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["phrases"] == 7
    assert Path(out).read_text().splitlines()[:3] == ["the bank_of_america is_large", "bank_of_america", ""]
    assert main(["phrases", "apply", str(text), "-m", bigrams, "-m", trigrams, "-q", "-o", out]) == 0
    assert main(["phrases", "export", bigrams]) == 0
    lines = capsys.readouterr().out.splitlines()
    expected = Phrases.load(bigrams).export_phrases()
    assert {k: float(v) for k, v in (line.split("\t") for line in lines)} == expected
    assert main(["phrases", "export", bigrams, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == expected


def test_command_line_errors(text, tmp_path, capsys):
    empty = tmp_path / "empty"
    empty.write_text("\n")
    model = str(tmp_path / "m")
    assert main(["phrases", "learn", str(text), "-o", str(text)]) == 1
    assert "itself" in capsys.readouterr().err
    assert main(["phrases", "learn", str(empty), "-o", model]) == 1
    assert "empty" in capsys.readouterr().err and not os.path.exists(model)
    assert main(["phrases", "learn", str(text), "-o", model, "--connector-words", "klingon"]) == 1
    assert "english" in capsys.readouterr().err
    assert main(["phrases", "apply", str(text), "-m", str(text)]) == 1
    assert "error" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        main(["phrases", "learn", str(text), "-o", model, "--min-cuont", "3"])
    assert stopped.value.code == 2 and "--min-count" in capsys.readouterr().err


def test_command_line_pipe(text, tmp_path):
    model = tmp_path / "m"
    assert main(["phrases", "learn", str(text), "-o", str(model), "--min-count", "1", "--threshold", "1", "-q"]) == 0
    done = subprocess.run(
        [sys.executable, "-m", "fastemb", "phrases", "apply", "-", "-m", str(model), "-q"],
        input=TEXT.encode(),
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode().splitlines() == [" ".join(s) for s in Phrases.load(model)[SENTENCES]]
