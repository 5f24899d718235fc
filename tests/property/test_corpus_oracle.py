"""The corpus room against a plain Python oracle, over arbitrary bytes, block sizes, workers and tokenisers."""

import io
import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from fastemb.corpus import Corpus, LineSentence, Text8Corpus, Vocabulary, scan
from fastemb.corpus._corpus import encode_word, scan_versions, utf8_valid
from fastemb.corpus.readers import compression_of

SEPARATORS = re.compile(rb"[ \t\n\v\f\r]+")
SETTINGS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def oracle(sentences, min_count):
    """(words as bytes, counts, ids, offsets) of lists of bytes."""
    counts = Counter(t for s in sentences for t in s)
    kept = sorted((w for w, c in counts.items() if c >= min_count), key=lambda w: (-counts[w], w))
    index = {w: i for i, w in enumerate(kept)}
    ids, offsets = [], [0]
    for s in sentences:
        ids += [index[t] for t in s if t in index]
        if len(ids) > offsets[-1]:
            offsets.append(len(ids))
    return kept, [counts[w] for w in kept], ids, offsets


def lines_of(data, newline_ends=True):
    data = data.removeprefix(b"\xef\xbb\xbf")
    lines = data.split(b"\n") if newline_ends else [data]
    return [[t for t in SEPARATORS.split(line) if t] for line in lines]


def words_of(v):
    return [v.blob[v.offsets[i] : v.offsets[i + 1]].tobytes() for i in range(len(v))]


def check(corpus, sentences, min_count, empty):
    words, counts, ids, offsets = oracle(sentences, min_count)
    assert words_of(corpus.vocabulary) == words
    assert corpus.vocabulary.counts.tolist() == counts
    assert corpus.ids.tolist() == ids
    assert corpus.offsets.tolist() == offsets
    r = corpus.report
    tokens = [t for s in sentences for t in s]
    assert (r.tokens_read, r.tokens_kept, r.tokens_oov) == (len(tokens), len(ids), len(tokens) - len(ids))
    assert r.types == len(set(tokens)) and r.types_dropped == r.types - len(words)
    assert r.sentences == sum(1 for s in sentences if s) and r.empty_sentences == empty
    assert r.sentences_dropped == r.sentences - (len(offsets) - 1)
    assert r.invalid_utf8_tokens == sum(1 for t in tokens if not utf8_valid(t))


text = st.lists(
    st.one_of(
        st.sampled_from([b" ", b"\n", b"\r\n", b"\t", b"\n\n", b"\v\f", b"  ", b"\r"]),
        st.sampled_from(
            [
                b"a",
                b"b",
                b"the",
                b"\0",
                b"a\0",
                "é".encode(),
                b"\xff",
                b"\xc2\xa0",
                "\u2028".encode(),
                b"\x85",
                b"\xef\xbb\xbf",
            ]
        ),
        st.binary(max_size=6),
        st.sampled_from([b"x" * 15, b"x" * 16, b"x" * 17, b"y" * 40, b"y" * 16 + b"z" * 60, b"q" * 300]),
    ),
    max_size=60,
).map(b"".join)


@SETTINGS
@given(
    data=text,
    block=st.sampled_from([1, 2, 3, 5, 7, 16, 64, 100, 1 << 20]),
    workers=st.sampled_from([1, 2, 7]),
    min_count=st.sampled_from([1, 2]),
    version=st.sampled_from(scan_versions()),
)
@example(b"a\n", 1, 1, 1, None)
@example(b"\n\na b\n\n\na", 1, 2, 1, None)
@example(b"a" * 200 + b" b " + b"a" * 200, 7, 2, 1, None)
@example(b"\xef\xbb\xbfa\n\xef\xbb\xbfa", 1, 1, 1, None)
@example(b"\xef\xbb\xbf", 1, 1, 1, None)
def test_file_equals_oracle(tmp_path, data, block, workers, min_count, version):
    assume(compression_of(data) is None)
    path = tmp_path / "c.txt"
    path.write_bytes(data)
    sentences = lines_of(data)
    if not oracle(sentences, min_count)[0]:
        with pytest.raises(ValueError, match="is empty" if not any(sentences) else "reaches min_count"):
            Corpus(path, min_count=min_count, workers=workers, _block=block, _version=version)
        return
    empty = sum(1 for s in sentences[:-1] if not s)  # what follows the last line end is no line unless it holds a token
    for source in (path, io.BytesIO(data)):
        corpus = Corpus(source, min_count=min_count, workers=workers, _block=block, _version=version)
        check(corpus, sentences, min_count, empty)
    vocabulary, report = scan(path, min_count=min_count, workers=workers, _block=block)
    assert words_of(vocabulary) == oracle(sentences, min_count)[0] and report.sentences == sum(
        1 for s in sentences if s
    )


@SETTINGS
@given(data=text, block=st.sampled_from([1, 3, 16, 1 << 20]), length=st.integers(1, 5), workers=st.sampled_from([1, 3]))
def test_readers_equal_their_own_iteration(tmp_path, data, block, length, workers):
    assume(compression_of(data) is None)
    path = tmp_path / "c.txt"
    path.write_bytes(data)
    for reader in (
        LineSentence(path),
        LineSentence(path, max_sentence_length=length),
        Text8Corpus(path, max_sentence_length=length),
    ):
        sentences = [[encode_word(w) for w in s] for s in reader]
        assert [t for s in sentences for t in s] == [t for s in lines_of(data) for t in s]
        if any(sentences):
            corpus = Corpus(reader, min_count=1, workers=workers, _block=block)
            _, _, ids, offsets = oracle(sentences, 1)
            assert corpus.ids.tolist() == ids and corpus.offsets.tolist() == offsets


@SETTINGS
@given(
    sentences=st.lists(st.lists(st.one_of(st.text(max_size=20), st.binary(max_size=20)), max_size=5), max_size=12),
    block=st.sampled_from([1, 8, 1 << 20]),
    one_shot=st.booleans(),
    workers=st.sampled_from([1, 2, 7]),
)
def test_token_lists_equal_oracle(sentences, block, one_shot, workers):
    """Tokens of lists may hold anything: spaces, line ends, NUL, nothing at all, lone surrogates."""
    encoded = [[encode_word(t) for t in s] for s in sentences]
    if any(encoded):
        corpus = Corpus(iter(sentences) if one_shot else sentences, min_count=1, workers=workers, _block=block)
        check(corpus, encoded, 1, sum(1 for s in sentences if not s))


def test_surrogates_are_found_again():
    words = ["\udcff", "a\udc80b", "\ud800", "ok", ""]
    corpus = Corpus([words], min_count=1)
    assert corpus.report.invalid_utf8_tokens == 3
    assert sorted(corpus.vocabulary.ids(words)) == [0, 1, 2, 3, 4]
    assert {"\udcff", "a\udc80b", "ok", ""} <= set(corpus.vocabulary.words)


@SETTINGS
@given(
    rows=st.lists(st.lists(st.one_of(st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1)), max_size=5), max_size=10),
    workers=st.sampled_from([1, 3]),
    block=st.sampled_from([1, 8, 40, 1 << 20]),
)
def test_ids_equal_oracle(rows, workers, block):
    flat = np.array([i for r in rows for i in r], np.int64)
    offsets = np.cumsum([0] + [len(r) for r in rows])
    if not len(flat):
        return
    counts = Counter(flat.tolist())
    keys = sorted(counts, key=lambda k: (-counts[k], k))
    index = {k: i for i, k in enumerate(keys)}
    ends = [o for o in dict.fromkeys(offsets.tolist())]
    for source in (
        rows,
        iter(rows),
        (flat, offsets),
        [np.array(r, np.int64) for r in rows],
        (np.array(r, np.int64) for r in rows),
    ):
        corpus = Corpus(source, min_count=1, workers=workers, _block=block)
        assert corpus.vocabulary.is_int and corpus.vocabulary.words == keys
        assert corpus.ids.tolist() == [index[i] for i in flat.tolist()]
        assert corpus.offsets.tolist() == ends
        assert corpus.report.sentences == len(ends) - 1 and corpus.report.empty_sentences == len(rows) - len(ends) + 1


@SETTINGS
@given(
    st.dictionaries(st.text(max_size=4), st.integers(1, 6), min_size=1, max_size=30),
    st.integers(1, 4),
    st.one_of(st.none(), st.integers(1, 10)),
    st.booleans(),
)
def test_cuts_equal_oracle(frequencies, min_count, most, in_order):
    v = Vocabulary.from_frequencies(frequencies, min_count=min_count, max_final_vocab=most, sorted_vocab=not in_order)
    ranked = sorted(
        (w for w in frequencies if frequencies[w] >= min_count), key=lambda w: (-frequencies[w], encode_word(w))
    )[:most]
    if in_order:
        ranked = [w for w in frequencies if w in ranked]
    assert words_of(v) == [encode_word(w) for w in ranked]
    assert v.counts.tolist() == [frequencies[w] for w in ranked]


@given(st.binary(max_size=8))
def test_utf8_validity(data):
    try:
        data.decode("utf-8")
        valid = True
    except UnicodeDecodeError:
        valid = False
    assert utf8_valid(data) == valid
