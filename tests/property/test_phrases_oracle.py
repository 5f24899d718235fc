"""Phrases against the twin in Python's dictionaries, and against gensim: counts, scores, joined text, chained passes.

The words are few and some hide the delimiter, so that strings collide: "a_b" is a word, and the pair ("a", "b").
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastemb.corpus import Corpus, FrozenPhrases, Phrases, phrased, phrases_base, phrases_counts
from fastemb.corpus._corpus import encode_word
from fastemb.corpus.phrases_rules import readings
from fastemb.reference.phrases import NaivePhrases, default_score, npmi_score, pmi_score

SETTINGS = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
FORMULAS = {"default": default_score, "npmi": npmi_score, "pmi": pmi_score}
WORDS = ["a", "b", "c", "of", "the", "a_b", "b_c", "a_of", "_", "a_", "_b", "é", "of_the", "a_of_b"]


def custom(worda_count, wordb_count, bigram_count, len_vocab, min_count, corpus_word_count):
    return bigram_count * 2 - worda_count + len_vocab / corpus_word_count


def custom_formula(a, b, ab, size, least, total):
    return custom(a, b, ab, size, least, total)


FORMULAS_AND_CUSTOM = FORMULAS | {"custom": custom_formula}
sentences_of = st.lists(st.lists(st.sampled_from(WORDS), max_size=12), max_size=12)
plain_sentences = st.lists(st.lists(st.sampled_from(["a", "b", "c", "d", "of", "the"]), max_size=12), max_size=12)
problems = st.fixed_dictionaries(
    {
        "sentences": st.one_of(sentences_of, plain_sentences),
        "more": st.one_of(sentences_of, plain_sentences),
        "delimiter": st.sampled_from(["_", "_", "__", " ", "of", "é"]),
        "connectors": st.sampled_from([(), ("of", "the"), ("of", "of_the", "a_"), ("_",)]),
        "min_count": st.sampled_from([1, 2, 0.5, 3]),
        "threshold": st.sampled_from([0.2, 0.5, 1, 1e-9]),
        "scoring": st.sampled_from(["default", "npmi", "pmi", "custom"]),
    }
)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """Shards, rounds and pieces so small that every border is met."""
    monkeypatch.setattr(phrases_counts, "SHARD", 5)
    monkeypatch.setattr(phrases_counts, "ROUND", 3)
    monkeypatch.setattr(phrases_counts, "BACK", 1)
    monkeypatch.setattr(phrased, "PIECE", 4)
    monkeypatch.setattr(phrases_base, "_SINGLES", 1)


def made(p, sentences=None, **options):
    return Phrases(
        p["sentences"] if sentences is None else sentences,
        min_count=p["min_count"],
        threshold=p["threshold"],
        delimiter=p["delimiter"],
        connector_words=p["connectors"],
        scoring=custom if p["scoring"] == "custom" else p["scoring"],
        **options,
    )


def twin(p, sentences=None):
    naive = NaivePhrases(p["delimiter"], p["connectors"])
    naive.add(p["sentences"] if sentences is None else sentences)
    return naive


def by_corpus(phrases, sentences, **options):
    """The sentences joined in C; empty ones are left out."""
    try:
        return list(phrases.corpus(sentences, min_count=1, **options))
    except ValueError as error:
        assert "empty" in str(error)
        return []


def check(p, phrases, naive, texts):
    rule = (p["min_count"], p["threshold"], FORMULAS_AND_CUSTOM[p["scoring"]])
    assert dict(phrases.vocab.items()) == naive.vocab
    assert len(phrases.vocab) == len(naive.vocab) and phrases.corpus_word_count == naive.total
    assert all(phrases.vocab[word] == count for word, count in naive.vocab.items())
    exported = phrases.export_phrases()
    assert exported == naive.phrases(*rule)
    assert list(exported.values()) == sorted(exported.values(), reverse=True)
    frozen = phrases.freeze()
    for text in texts:
        expected = [naive.join(s, *rule) for s in text]
        assert [[t for t, _ in phrases.analyze_sentence(s)] for s in text] == expected
        assert [phrases[s] for s in text] == expected
        assert list(phrases[text]) == expected if text else True
        kept = [s for s in expected if s]
        assert by_corpus(phrases, text, workers=1) == kept
        assert by_corpus(phrases, text, workers=2, cache="auto", max_memory=0) == kept
        expected = [naive.join_frozen(s, exported, p["threshold"]) for s in text]
        assert list(frozen[text]) == expected if text else True
        assert by_corpus(frozen, text) == [s for s in expected if s]
        found = phrases.find_phrases(text)
        assert set(found) == {t for s in text for t, score in phrases.analyze_sentence(s) if score is not None}


@SETTINGS
@given(problems)
def test_one_pass(p):
    check(p, made(p), twin(p), [p["sentences"], p["more"]])


@SETTINGS
@given(problems)
def test_two_passes_and_more_text(p):
    first, naive = made(p), twin(p)
    rule = (p["min_count"], p["threshold"], FORMULAS_AND_CUSTOM[p["scoring"]])
    joined = [naive.join(s, *rule) for s in p["sentences"]]
    second, twice = made(p, first[p["sentences"]] if p["sentences"] else []), twin(p, joined)
    check(p, second, twice, [joined, p["sentences"]])
    second.add_vocab(p["more"])
    twice.add(p["more"])
    check(p, second, twice, [joined])


@SETTINGS
@given(problems, st.integers(1, 3))
def test_files_and_workers_do_not_matter(p, workers):
    phrases, other = made(p, workers=1), made(p, workers=workers)
    assert list(phrases.vocab.items()) == list(other.vocab.items())
    assert list(phrases.export_phrases().items()) == list(other.export_phrases().items())
    try:
        corpus = Corpus(p["sentences"], min_count=1, cache="auto", max_memory=0)
    except ValueError:
        return
    assert list(made(p, corpus).vocab.items()) == list(phrases.vocab.items())


@SETTINGS
@given(p=problems)
def test_saved_and_loaded(p, tmp_path):
    phrases = made(p)
    path = tmp_path / "phrases"
    phrases.save(path)
    loaded = Phrases.load(path, scoring=custom if p["scoring"] == "custom" else None)
    assert dict(loaded.vocab.items()) == dict(phrases.vocab.items())
    assert loaded.export_phrases() == phrases.export_phrases()
    phrases.add_vocab(p["more"])
    loaded.add_vocab(p["more"])
    assert dict(loaded.vocab.items()) == dict(phrases.vocab.items())
    frozen = phrases.freeze()
    frozen.save(path)
    again = FrozenPhrases.load(path)
    assert again.phrasegrams == frozen.phrasegrams and list(again.phrasegrams) == list(frozen.phrasegrams)
    assert again.connector_words == frozen.connector_words and again.threshold == frozen.threshold


@SETTINGS
@given(problems)
def test_against_gensim(p):
    gensim = pytest.importorskip("gensim.models.phrases")
    if p["scoring"] == "pmi" or not any(p["sentences"]):
        return
    theirs = gensim.Phrases(
        p["sentences"],
        min_count=p["min_count"],
        threshold=p["threshold"],
        delimiter=p["delimiter"],
        connector_words=p["connectors"],
        scoring=custom if p["scoring"] == "custom" else p["scoring"],
    )
    ours = made(p)
    assert dict(ours.vocab.items()) == theirs.vocab and ours.corpus_word_count == theirs.corpus_word_count
    try:
        exported = theirs.export_phrases()
    except ZeroDivisionError:  # NPMI of a pair that is all there is
        return
    assert ours.export_phrases() == exported
    for text in (p["sentences"], p["more"]):
        expected = [theirs[s] for s in text]
        assert [ours[s] for s in text] == expected
        assert by_corpus(ours, text) == [s for s in expected if s]
        assert [ours.freeze()[s] for s in text] == [theirs.freeze()[s] for s in text]
    trigram = gensim.Phrases(theirs[p["sentences"]], min_count=1, threshold=0.3)
    assert dict(Phrases(ours[p["sentences"]], min_count=1, threshold=0.3).vocab.items()) == trigram.vocab


@given(st.lists(st.sampled_from(WORDS), min_size=2, max_size=5), st.sampled_from(["_", "__", "of"]))
def test_every_reading_is_found(tokens, delimiter):
    connectors = frozenset({"of", "the", "of_the"})
    if {tokens[0], tokens[-1]} & connectors or not connectors.issuperset(tokens[1:-1]):
        return
    found = list(readings(delimiter.join(tokens), delimiter, connectors))
    assert (tokens[0], tuple(tokens[1:-1]), tokens[-1]) in found
    assert all(delimiter.join([a, *gap, b]) == delimiter.join(tokens) for a, gap, b in found)
    assert len(set(found)) == len(found)


@given(st.lists(st.text(st.sampled_from("ab_ é"), max_size=4), max_size=6), st.sampled_from(["_", "__", "é"]))
def test_words_that_hide_the_delimiter(words, delimiter):
    encoded = [encode_word(w) for w in words]
    blob = np.frombuffer(b"".join(encoded), np.uint8)
    offsets = np.concatenate([[0], np.cumsum([len(w) for w in encoded])]).astype(np.int64)
    found = phrases_counts.hiding(blob, offsets, encode_word(delimiter))
    assert found.tolist() == [delimiter in (delimiter + w + delimiter)[1:-1] for w in words]
