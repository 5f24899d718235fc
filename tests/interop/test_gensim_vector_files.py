"""word2vec files between gensim and fastemb, both ways: same words, same order, bit-equal vectors."""

import warnings

import numpy as np
import pytest

from fastemb import KeyedVectors, load

gensim = pytest.importorskip("gensim.models", reason="needs gensim to compare with")

WORDS = ["the", "ďábel", "naïve", "東京", "a-b_c", "1984", "<unk>", "two.dots"]
MATRIX = (np.random.default_rng(5).standard_normal((len(WORDS), 7)) * 10.0 ** np.arange(-3, 4)).astype(np.float32)
COUNTS = [5, 9, 9, 1, 7, 3, 2, 8]


def fill(kv):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kv.add_vectors(WORDS, MATRIX)
    for word, count in zip(WORDS, COUNTS, strict=True):
        kv.set_vecattr(word, "count", count)
    return kv


@pytest.fixture()
def ours():
    return fill(KeyedVectors(7))


@pytest.fixture()
def theirs():
    return fill(gensim.KeyedVectors(7))


def assert_same(a, b):
    assert list(a.index_to_key) == list(b.index_to_key)
    assert a.vectors.dtype == b.vectors.dtype
    np.testing.assert_array_equal(a.vectors, b.vectors)


@pytest.mark.parametrize("binary", [False, True])
def test_theirs_to_ours(theirs, tmp_path, binary):
    path, vocab = str(tmp_path / "v"), str(tmp_path / "vocab")
    theirs.save_word2vec_format(path, fvocab=vocab, binary=binary)
    again = gensim.KeyedVectors.load_word2vec_format(path, fvocab=vocab, binary=binary)
    mine = KeyedVectors.load_word2vec_format(path, fvocab=vocab, binary=binary)
    assert_same(mine, again)
    assert [mine.get_vecattr(w, "count") for w in WORDS] == COUNTS
    assert_same(load(path), again)
    assert_same(KeyedVectors.load_word2vec_format(path), again)
    assert_same(KeyedVectors.load(path), again)
    limited = KeyedVectors.load_word2vec_format(path, binary=binary, limit=3)
    assert_same(limited, gensim.KeyedVectors.load_word2vec_format(path, binary=binary, limit=3))


@pytest.mark.parametrize("binary", [False, True])
def test_ours_to_theirs(ours, theirs, tmp_path, binary):
    path, vocab = str(tmp_path / "v"), str(tmp_path / "vocab")
    ours.save_word2vec_format(path, fvocab=vocab, binary=binary)
    again = gensim.KeyedVectors.load_word2vec_format(path, fvocab=vocab, binary=binary)
    # most frequent first, ties as they were
    assert list(again.index_to_key) == sorted(WORDS, key=lambda w: -COUNTS[WORDS.index(w)])
    for word in WORDS:
        np.testing.assert_array_equal(again[word], MATRIX[WORDS.index(word)])
        assert again.get_vecattr(word, "count") == COUNTS[WORDS.index(word)]
    ours.export(path, format="word2vec" if binary else "word2vec-text")
    assert_same(ours, gensim.KeyedVectors.load_word2vec_format(path, binary=binary))


@pytest.mark.parametrize(
    "options",
    [
        {},
        dict(prefix="*dt_"),
        dict(write_header=False),
        dict(total_vec=20),
        dict(sort_attr="nothing"),
        dict(binary=True, total_vec=20),
    ],
    ids=str,
)
def test_the_same_bytes_as_theirs(ours, theirs, tmp_path, options):
    a, b = tmp_path / "a", tmp_path / "b"
    for _ in range(2):  # the second time appended to the first
        ours.save_word2vec_format(a, **options)
        theirs.save_word2vec_format(str(b), **options)
        if options.get("binary"):  # word2vec.c ends a row by a line feed, gensim does not
            assert a.read_bytes().split(b"\n", 1)[0] == b.read_bytes().split(b"\n", 1)[0]
        else:
            rows_a, rows_b = (p.read_text(encoding="utf-8").split("\n") for p in (a, b))
            assert [r.split(" ")[0] for r in rows_a] == [r.split(" ")[0] for r in rows_b]
            numbers = [[np.float32(x) for r in rows[1:] for x in r.split(" ")[1:]] for rows in (rows_a, rows_b)]
            assert numbers[0] == numbers[1]
        options = options | {"append": True}


def test_no_header_and_types(ours, tmp_path):
    path = tmp_path / "glove.txt"
    ours.save_word2vec_format(path, write_header=False, sort_attr="")
    a = KeyedVectors.load_word2vec_format(path, no_header=True)
    assert_same(a, gensim.KeyedVectors.load_word2vec_format(str(path), no_header=True))
    assert_same(load(path), a)
    half = KeyedVectors.load_word2vec_format(path, no_header=True, datatype=np.float16)
    assert half.vectors.dtype == np.float16
    assert [k for k, _ in half.most_similar("the")] == [k for k, _ in a.most_similar("the")]


@pytest.mark.parametrize("binary", [False, True])
def test_intersect(ours, tmp_path, binary):
    path = str(tmp_path / "v")
    other = gensim.KeyedVectors(7)
    other.add_vectors(["the", "other", "1984"], np.full((3, 7), 0.5, np.float32))
    other.save_word2vec_format(path, binary=binary)
    assert ours.intersect_word2vec_format(path, lockf=0.25, binary=binary) == 2
    assert (ours["the"] == 0.5).all() and (ours["1984"] == 0.5).all() and "other" not in ours
    assert ours.vectors_lockf.tolist() == [0.25, 1, 1, 1, 1, 0.25, 1, 1]
    np.testing.assert_array_equal(ours["ďábel"], MATRIX[1])
    with pytest.raises(ValueError, match="its vectors have 7"):
        KeyedVectors(3).intersect_word2vec_format(path, binary=binary)


def test_test_files_of_gensim(shared_data):
    path = shared_data / "vectors" / "gensim" / "euclidean_vectors.bin"
    assert_same(
        KeyedVectors.load_word2vec_format(path, binary=True),
        gensim.KeyedVectors.load_word2vec_format(str(path), binary=True),
    )
