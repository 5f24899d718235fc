"""LSA: documents counted exactly, the weights by hand, the decomposition against NumPy, folding in, files, errors."""

import math
from collections import Counter

import numpy as np
import pytest

import fastemb
from fastemb import LSA, Corpus
from fastemb.corpus.documents import Documents, count_documents
from fastemb.formats import FormatError
from fastemb.reference import ppmi as twin
from fastemb.training.lsa import apply_weights, global_weights


def dense_of(csr):
    out = np.zeros((csr.rows, csr.cols))
    out[np.repeat(np.arange(csr.rows), np.diff(csr.indptr)), csr.indices] = csr.data
    return out


def random_documents(n, words, seed=0, ints=False):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 40, n)
    draw = (rng.zipf(1.4, lengths.sum()) - 1) % words
    return [[int(x) if ints else f"w{x}" for x in part] for part in np.split(draw, np.cumsum(lengths)[:-1])]


@pytest.mark.parametrize("ints", [False, True])
@pytest.mark.parametrize("min_count", [1, 6])
def test_counts(ints, min_count, monkeypatch):
    from fastemb.corpus import documents as module

    monkeypatch.setattr(module, "PIECE", 300)
    texts = random_documents(200, 60, ints=ints)
    assert any(not d for d in texts), "empty documents belong to the case"
    for workers in (1, 3):
        found = Documents(texts, min_count=min_count, workers=workers)
        words = found.vocabulary.words
        frequency = Counter(w for d in texts for w in d)
        assert set(words) == {w for w, c in frequency.items() if c >= min_count}
        assert found.vocabulary.counts.tolist() == [frequency[w] for w in words]
        assert found.vocabulary.total == sum(map(len, texts))
        csr = count_documents(found, workers)
        assert csr.rows == len(texts) and csr.cols == len(words)
        expected = np.array([[d.count(w) for w in words] for d in texts])
        assert np.array_equal(dense_of(csr), expected)
        for lo, hi in zip(csr.indptr[:-1], csr.indptr[1:], strict=True):
            assert (np.diff(csr.indices[lo:hi]) > 0).all()


def test_long_documents():
    """Lists of columns of every length are sorted; a count beyond float32's integers does not stop."""
    rng = np.random.default_rng(2)
    texts = [rng.permutation(n).tolist() for n in (1, 2, 700, 702, 1600, 5000)]
    csr = count_documents(Documents(texts, min_count=1))
    for d, text in enumerate(texts):
        row = csr.indices[csr.indptr[d] : csr.indptr[d + 1]]
        assert len(row) == len(text) and (np.diff(row) > 0).all()


def test_files_and_units(tmp_path):
    (tmp_path / "a.txt").write_text("one two\n\nthree rare\n")
    (tmp_path / "b.txt").write_text("one three two\r\none")
    lines = Documents(str(tmp_path), min_count=2)
    assert len(lines) == 5
    assert np.diff(count_documents(lines).indptr).tolist() == [2, 0, 1, 3, 1]
    files = Documents(str(tmp_path), min_count=2, unit="file")
    assert len(files) == 2 and sorted(files.vocabulary.words) == ["one", "three", "two"]
    assert dense_of(count_documents(files)).sum(axis=1).tolist() == [3, 4]
    strings = ["one two", "", "three rare", "one three two", "one"]
    for source, tokenizer in ((strings, "whitespace"), (strings, str.split), ([s.split() for s in strings], None)):
        again = Documents(source, tokenizer=tokenizer, min_count=2)
        assert np.array_equal(dense_of(count_documents(again)), dense_of(count_documents(lines)))
    listed = Documents([str(tmp_path / "b.txt"), tmp_path / "a.txt"], unit="file", min_count=1)
    assert dense_of(count_documents(listed)).sum(axis=1).tolist() == [4, 4]
    with open(tmp_path / "a.txt", "rb") as stream:
        assert len(Documents(stream, tokenizer="whitespace", min_count=1)) == 3


def test_a_corpus_is_taken_as_it_is():
    corpus = Corpus([["a", "b"], ["zzz"], ["b", "a", "a"]], min_count=2)
    found = count_documents(Documents(corpus))
    assert dense_of(found).sum(axis=1).tolist() == [2, 3]
    with pytest.raises(ValueError, match="Corpus already"):
        LSA(corpus, vector_size=1, tokenizer="whitespace")


def test_sources_that_are_none():
    cases = [
        (TypeError, "document 0 is the string", ["just", "words"]),
        (TypeError, "expected a path", 7),
        (TypeError, "expected a path", None),
        (ValueError, "hold no word", [[], []]),
        (ValueError, "reaches min_count=5", [["a"], ["b", "c"]]),
        (ValueError, "mark their ends", [["a", "\ue000"] * 9]),
        (TypeError, "integer", [["a"], [3]]),
    ]
    for error, message, source in cases:
        with pytest.raises(error, match=message):
            count_documents(Documents(source)) if source is not None else Documents(source)
    with pytest.raises(ValueError, match="unit='file' needs"):
        Documents([["a"]], unit="file")
    with pytest.raises(ValueError, match="unit='page'"):
        Documents([["a"]], unit="page")


# Deerwester et al. 1990, table 2: titles about human-computer interaction (c) and graphs (m)
TITLES = [
    "human machine interface for lab abc computer applications",
    "a survey of user opinion of computer system response time",
    "the eps user interface management system",
    "system and human system engineering testing of eps",
    "relation of user perceived response time to error measurement",
    "the generation of random binary unordered trees",
    "the intersection graph of paths in trees",
    "graph minors iv widths of trees and well quasi ordering",
    "graph minors a survey",
]
TERMS = "human interface computer user system response time eps survey trees graph minors".split()


def deerwester(**options):
    only = [[w for w in title.split() if w in TERMS] for title in TITLES]
    return LSA(only, vector_size=2, weighting="count", min_count=1, **options)


def test_the_papers_example():
    """Singular values and relations as printed in the paper's appendix."""
    model = deerwester()
    np.testing.assert_allclose(model.singular_values, [3.34, 2.54], atol=0.005)
    query = [n for n, cosine in model.nearest_documents(["human", "computer"], 9) if cosine > 0.9]
    assert set(query) == {0, 1, 2, 3, 4}, "documents c3 and c5 share no word with the query and are found"
    words = dict(zip(model.wv.index_to_key, np.abs(model._fold), strict=True))
    np.testing.assert_allclose(words["human"], [0.22, 0.11], atol=0.006)
    np.testing.assert_allclose(words["system"], [0.64, 0.17], atol=0.006)
    np.testing.assert_allclose(words["trees"], [0.01, 0.49], atol=0.006)


@pytest.mark.parametrize("weighting", ["log-entropy", "tf-idf", "log", "count", "binary"])
def test_weights(weighting):
    texts = random_documents(50, 30, seed=3)
    counts = count_documents(Documents(texts, min_count=1))
    n = dense_of(counts)
    expected = {
        "log-entropy": lambda: twin.log_entropy(n.T).T, "tf-idf": lambda: twin.tf_idf(n.T).T,
        "log": lambda: np.log1p(n), "count": lambda: n, "binary": lambda: (n > 0).astype(float),
    }[weighting]()  # fmt: skip
    found = apply_weights(counts, weighting, global_weights(counts, weighting))
    np.testing.assert_allclose(dense_of(found), expected, atol=1e-6)


def test_entropy_by_hand():
    counts = count_documents(Documents([["a", "b"], ["a", "c", "c"], ["a"], ["c"]], min_count=1))
    weights = dict(zip("acb", global_weights(counts, "log-entropy"), strict=True))
    assert weights["b"] == 1
    third = 1 / 3
    assert weights["a"] == pytest.approx(1 + 3 * third * math.log(third) / math.log(4))
    assert weights["c"] == pytest.approx(1 + (2 / 3 * math.log(2 / 3) + third * math.log(third)) / math.log(4))
    one = count_documents(Documents([["a", "b"]], min_count=1))
    assert global_weights(one, "log-entropy").tolist() == [1, 1]


@pytest.mark.parametrize("eig", [0, 0.5, 1])
def test_words_documents_and_folding_in(eig):
    texts = random_documents(120, 50, seed=5)
    model = LSA(texts, vector_size=6, min_count=2, eig=eig)
    words = model.wv.index_to_key
    n = np.array([[d.count(w) for w in words] for d in texts])
    d, s, t = twin.truncated_svd(twin.log_entropy(n.T).T, 6)
    np.testing.assert_allclose(model.singular_values, s, rtol=1e-5)
    np.testing.assert_allclose(model.document_vectors, d * s**eig, atol=1e-4)
    np.testing.assert_allclose(model.wv.vectors, t * s**eig, atol=1e-4)
    again = model.transform(texts)
    assert again.dtype == np.float32
    np.testing.assert_allclose(again, model.document_vectors, atol=1e-4)
    assert not model.transform([[], ["never seen"]]).any()
    assert model.transform([]).shape == (0, 6)
    other = model.transform(iter([" ".join(x) for x in texts]), tokenizer="whitespace")
    np.testing.assert_allclose(other, again, atol=1e-6)
    np.testing.assert_allclose(model.transform(Corpus(texts[:1], min_count=1)), again[:1], atol=1e-6)
    with pytest.raises(TypeError, match="document 0 is the string"):
        model.transform(["w1", "w2"])


def test_workers_and_ints():
    texts = random_documents(300, 80, seed=6, ints=True)
    one, three = (LSA(texts, vector_size=5, workers=w) for w in (1, 3))
    assert np.array_equal(one.document_vectors, three.document_vectors)
    assert np.array_equal(one.wv.vectors, three.wv.vectors)
    np.testing.assert_allclose(one.transform([[], texts[7]])[1], one.document_vectors[7], atol=1e-4)
    assert not one.transform([[]]).any()


def test_nearest_documents():
    model = deerwester()
    assert [n for n, _ in model.nearest_documents(8, 1)] == [7]
    assert len(model.nearest_documents(0, 100)) == 8
    assert model.nearest_documents(["trees"], 0) == []
    with pytest.raises(IndexError, match="document 9 of 9"):
        model.nearest_documents(9)


def test_wrong_parameters():
    for message, keywords in {
        "vector_size=0": dict(vector_size=0), "weighting='tfidf'.*did you mean 'tf-idf'": dict(weighting="tfidf"),
        "unit='page'": dict(unit="page"), "eig=9": dict(eig=9.0), "at most 9 singular": dict(vector_size=10),
    }.items():  # fmt: skip
        with pytest.raises(ValueError, match=message):
            LSA([t.split() for t in TITLES], min_count=1, **({"vector_size": 2} | keywords))
    with pytest.raises(TypeError, match="'num_topics' is called 'vector_size'"):
        LSA(TITLES, num_topics=3)
    with pytest.raises(RuntimeError, match="empty"):
        LSA(vector_size=3).transform([["a"]])


def test_files(tmp_path):
    model, path = deerwester(), tmp_path / "m"
    model.save(path)
    for loaded in (LSA.load(path), LSA.load(path, mmap=True), fastemb.load(path)):
        assert isinstance(loaded, LSA) and loaded.config == model.config and loaded.num_documents == 9
        assert np.array_equal(loaded.document_vectors, model.document_vectors)
        assert np.array_equal(loaded.transform([["human"]]), model.transform([["human"]]))
        loaded.save(tmp_path / "again")
        assert (tmp_path / "again").read_bytes() == path.read_bytes()
    with pytest.raises(FormatError, match="not a PPMI"):
        fastemb.PPMI.load(path)
    data = bytearray(path.read_bytes())
    data[-3] ^= 4
    path.write_bytes(data)
    with pytest.raises(FormatError, match="checksum"):
        LSA.load(path)


def test_a_model_is_not_its_vectors():
    model = LSA([["a", "b"], ["b", "c"], ["c", "a", "d"]] * 4, vector_size=2, min_count=1)
    with pytest.raises(TypeError, match=r"model\.wv\['a'\]"):
        model["a"]
    with pytest.raises(TypeError, match=r"in model\.wv"):
        "a" in model  # noqa: B015
    with pytest.raises(AttributeError, match=r"model\.wv\.most_similar"):
        model.most_similar("a")
