"""KeyedVectors where it differs from gensim's, and at the edges; test_gensim_keyedvectors.py has the rest."""

import copy
import pickle
import threading
import time

import numpy as np
import pytest

import fastemb
from fastemb import KeyedVectors
from fastemb.vectors import UnknownKeyError

RNG = np.random.default_rng(2)


@pytest.fixture()
def kv():
    kv = KeyedVectors(8)
    kv.add_vectors([f"w{i}" for i in range(300)], RNG.standard_normal((300, 8)))
    return kv


# ---- keys


def test_integers_are_keys_never_positions(kv):
    assert 5 not in kv and not kv.has_index_for(5) and kv.get_index(5, -1) == -1
    with pytest.raises(KeyError, match=r"5 is not in the vocabulary.*never positions: row 5 is vectors\[5\]"):
        kv[5]
    ids = KeyedVectors.from_vocabulary([70, 50, 60], np.eye(3))
    assert ids[50].tolist() == [0, 1, 0] and ids[np.int64(60)].tolist() == [0, 0, 1]
    assert 0 not in ids and 70 in ids and np.int32(70) in ids and ids.most_similar(50)[0][0] in (60, 70)
    assert ids[np.array([50, 60])].shape == (2, 3)
    with pytest.raises(KeyError, match="the keys are integers: did you mean 50 without quotes"):
        ids["50"]
    words = KeyedVectors.from_vocabulary(["5", "6"], np.eye(2))
    with pytest.raises(KeyError, match="did you mean the string '5'"):
        words[5]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [("Paris", "'paris'"), ("pariss", "'paris'"), ("apris", "'paris'"), ("goverment", "'government'"),
     ("cafe\u0301", "'café'"),
     (" paris ", "'paris'"), ("governmental", "'government'"), ("ΠΑΡΙΣΙ", "'παρισι'")],
)  # fmt: skip
def test_close_words(asked, expected):
    words = ["paris", "government", "london", "café", "of", "παρισι", "par", "parish"]
    kv = KeyedVectors.from_vocabulary(words, np.ones((len(words), 2)))
    with pytest.raises(KeyError) as error:
        kv.get_vector(asked)
    message = str(error.value)
    assert message.startswith(f"{asked!r} is not in the vocabulary of 8 keys; did you mean {expected}")
    assert message.endswith("?") and message.count("'") <= 8  # at most three suggestions
    assert isinstance(error.value, UnknownKeyError) and isinstance(error.value, KeyError)


def test_a_large_vocabulary_is_searched_quickly():
    rng = np.random.default_rng(0)
    letters = "".join(np.array(list("abcdefghijklmnopqrstuvwxyz"))[rng.integers(0, 26, 2_000_000)])
    begins, lengths = rng.integers(0, 1_999_980, 150_000).tolist(), rng.integers(3, 14, 150_000).tolist()
    words = list({letters[b : b + n] for b, n in zip(begins, lengths, strict=True)} | {"multiplication"})
    kv = KeyedVectors.from_vocabulary(words, np.zeros((len(words), 1)))
    assert len(kv.key_to_index) > 130_000
    for word in ("multipilcation", "zzzzzzzzz", "abcab", "x" * 100_000, "", "1"):
        times = []
        for _ in range(3):
            begin = time.thread_time()
            with pytest.raises(KeyError) as error:
                kv[word]
            times.append(time.thread_time() - begin)
        assert min(times) < 0.1  # about 0.02 s of a quiet machine
        assert ("multiplication" in str(error.value)) == (word == "multipilcation")


def test_the_count_of_a_dropped_word():
    class Vocabulary:
        blob, words, counts, min_count = b"", ["the", "cat"], np.array([9, 5]), None

        def __len__(self):
            return 2

        def __iter__(self):
            return iter(self.words)

        def raw_counts(self, word):
            return {"dog": 2, "often": 7}.get(word, 0)

    kv = KeyedVectors.from_vocabulary(Vocabulary(), np.eye(2))
    kv.min_count = 5
    with pytest.raises(KeyError, match="its count was 2, min_count is 5"):
        kv["dog"]
    with pytest.raises(KeyError, match="its count was 7, too few to be kept"):  # cut by max_final_vocab, say
        kv["often"]
    with pytest.raises(KeyError, match=r"^'never' is not in the vocabulary of 2 keys$"):
        kv["never"]
    assert kv.get_vecattr("cat", "count") == 5


def test_a_real_vocabulary():
    vocabulary = fastemb.Vocabulary(["a", "b", "bytes\udcff"], [3, 2, 1])
    matrix = np.eye(3, dtype=np.float32)
    kv = KeyedVectors.from_vocabulary(vocabulary, matrix)
    assert kv.vectors is matrix and len(kv) == 3 and "b" in kv and kv.index_to_key == ["a", "b", "bytes\udcff"]
    assert [kv.get_vecattr(w, "count") for w in kv] == [3, 2, 1]
    kv.set_vecattr("a", "count", 10)  # the vocabulary's own counts are read-only, and stay
    assert kv.get_vecattr("a", "count") == 10 and vocabulary.counts[0] == 3
    kv.add_vector("new", [1, 1, 1])
    assert len(vocabulary) == 3 and kv.get_vecattr("new", "count") == 0
    assert "count" not in KeyedVectors.from_vocabulary(fastemb.Vocabulary(["a"]), matrix[:1]).expandos
    ids = KeyedVectors.from_vocabulary(fastemb.Vocabulary([7, 5]), matrix[:2])
    assert ids.index_to_key == [7, 5] and ids[5].tolist() == [0, 1, 0]


def test_bad_keys(kv):
    for bad in (None, 1.5, b"w1", ["w1"]):
        with pytest.raises(TypeError):
            kv.get_index(bad)
    for bad in (None, b"bytes", 2.5, True):
        with pytest.raises(TypeError, match="key must be a str or an int"):
            kv.add_vector(bad, np.zeros(8))
    with pytest.raises(TypeError, match="rows, not of keys"):
        kv[1:3]
    with pytest.raises(ValueError, match="'a' is there more than once"):
        KeyedVectors.from_vocabulary(["a", "b", "a"], np.eye(3))
    with pytest.raises(ValueError, match="one row for each of 2 words"):
        KeyedVectors.from_vocabulary(["a", "b"], np.eye(3))
    for size in (0, -1, 2.5, "8"):
        with pytest.raises(ValueError, match="vector_size"):
            KeyedVectors(size)


def test_old_names_say_the_new_ones(kv):
    for name in ("vocab", "index2word", "index2entity", "syn0", "syn0norm", "vectors_norm", "wv"):
        with pytest.raises(AttributeError, match=r"gensim 3; use \w+"):
            getattr(kv, name)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = kv.nonsense


# ---- protocols


def test_container(kv):
    assert len(kv) == 300 and list(kv)[:2] == ["w0", "w1"] and "w1" in kv and "nope" not in kv
    assert kv[["w1", "w2"]].shape == (2, 8) and kv[[]].shape == (0, 8) and kv[("w1",)].shape == (1, 8)
    with pytest.raises(ValueError, match="read-only"):
        kv["w1"][0] = 1
    assert str(kv) == repr(kv) == "KeyedVectors<vector_size=8, 300 keys>"


def test_array(kv):
    assert np.asarray(kv) is kv.vectors and np.array(kv) is not kv.vectors
    assert np.asarray(kv, dtype=np.float64).dtype == np.float64
    assert np.shares_memory(np.array(kv, copy=False), kv.vectors) and not np.shares_memory(np.array(kv), kv.vectors)
    with pytest.raises(ValueError, match="without a copy"):
        kv.__array__(np.float64, copy=False)
    assert kv.vectors.flags.c_contiguous and kv.vectors.dtype == np.float32


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda kv: pickle.loads(pickle.dumps(kv))])
def test_copies(kv, again):
    kv.add_vector("one more", np.ones(8))  # leaves room at the end of the matrix
    twin = again(kv)
    assert twin.most_similar("w3") == kv.most_similar("w3") and len(twin.vectors) == 301
    # what is appended to one must not show in the other
    twin.index_to_key, twin.key_to_index = list(twin.index_to_key), dict(twin.key_to_index)
    twin.add_vector("x", np.full(8, 2.0))
    kv.add_vector("y", np.full(8, 3.0))
    assert twin["x"].tolist() == [2.0] * 8 and kv["y"].tolist() == [3.0] * 8 and "x" not in kv


# ---- queries


def test_many_queries_at_once_are_the_single_ones(kv):
    vector = RNG.standard_normal(8)
    mixed = {"positive": ["w1", ("w2", 0.5)], "negative": "w3"}
    batch = kv.most_similar_batch(["w0", vector, mixed, "w0"], topn=4)
    single = [kv.most_similar("w0", topn=4), kv.most_similar(vector, topn=4), kv.most_similar(**mixed, topn=4)]
    for a, b in zip(batch, [*single, single[0]], strict=True):
        assert [k for k, _ in a] == [k for k, _ in b]
        assert [s for _, s in a] == pytest.approx([s for _, s in b], abs=1e-6)
    everything = kv.most_similar_batch(kv.index_to_key, topn=3)
    assert [[k for k, _ in row] for row in everything] == [[k for k, _ in kv.most_similar(w, topn=3)] for w in kv]
    rows, scores = kv.most_similar_batch(kv.vectors[:5], topn=2, as_arrays=True)
    assert rows[:, 0].tolist() == [0, 1, 2, 3, 4] and scores.dtype == np.float32  # a vector excludes nothing
    limited = kv.most_similar_batch(["w200"], restrict_vocab=10, topn=50)[0]
    assert (
        limited == pytest.approx(kv.most_similar("w200", restrict_vocab=10, topn=50)) if False else len(limited) == 10
    )
    assert kv.most_similar_batch([]) == [] and kv.most_similar_batch(["w1"], topn=0) == [[]]
    for bad, kind in (("w1", TypeError), ([1.5], TypeError), (["nope"], KeyError), (np.ones((2, 3)), ValueError),
                      ([{"plus": "w1"}], TypeError), (np.full((1, 8), np.nan), ValueError)):  # fmt: skip
        with pytest.raises(kind):
            kv.most_similar_batch(bad)


def test_ties_come_in_the_order_of_the_rows():
    kv = KeyedVectors(2)
    kv.add_vectors(list("abcdef"), [[1, 0]] * 6)
    assert [k for k, _ in kv.most_similar("c")] == list("abdef")
    assert [k for k, _ in kv.most_similar("c", topn=2)] == ["a", "b"]


def test_zero_vectors_are_similar_to_nothing():
    kv = KeyedVectors(2)
    kv.add_vectors(["a", "b", "zero"], [[1, 0], [1, 1], [0, 0]])
    with np.errstate(all="raise"):
        assert kv.similarity("a", "zero") == 0 and kv.similarity("zero", "zero") == 0
        assert kv.most_similar("zero") == [("a", 0.0), ("b", 0.0)]
        assert dict(kv.most_similar("a"))["zero"] == 0.0
        assert kv.distances("zero").tolist() == [1, 1, 1] and kv.distances("a")[2] == 1
        assert kv.get_vector("zero", norm=True).tolist() == [0, 0]
        assert kv.get_normed_vectors()[2].tolist() == [0, 0]
        assert kv.most_similar_cosmul("a")[-1] == ("zero", pytest.approx(0.5, abs=1e-5))
        assert kv.n_similarity(["zero"], ["a"]) == 0 and kv.cosine_similarities([0, 0], kv.vectors).tolist() == [
            0,
            0,
            0,
        ]
        assert kv.most_similar_batch(["zero", "a"], topn=1) == [[("a", 0.0)], [("b", pytest.approx(0.5**0.5))]]
        kv.unit_normalize_all()
    assert kv.vectors[2].tolist() == [0, 0] and kv.norms.tolist() == [1, 1, 0]


def test_equal_vectors_have_cosine_one(kv):
    kv["twin"] = kv["w9"]
    assert (
        kv.similarity("w9", "twin") == 1
        and kv.distance("w9", "w9") == 0
        and isinstance(kv.similarity("w1", "w2"), float)
    )
    assert all(kv.similarity(w, w) == 1 for w in kv)


def test_queries_that_make_no_sense(kv):
    for bad in (np.ones(5), np.ones((2, 2, 2))):
        with pytest.raises(ValueError, match=r"shape"):
            kv.most_similar(positive=[bad])
    with pytest.raises(ValueError, match="NaN"):
        kv.similar_by_vector([np.nan] * 8)
    with pytest.raises(TypeError, match="expected a key"):
        kv.most_similar(positive=[{"w1": 2}])
    with pytest.raises(ValueError, match="at least one positive or negative"):
        kv.most_similar(positive=[])
    with pytest.raises(ValueError, match="empty list"):
        kv.most_similar_to_given("w1", [])
    assert kv.most_similar("w1", topn=-3) == []


def test_indexer(kv):
    class Indexer:
        def most_similar(self, vector, topn):
            return [("found", float(np.linalg.norm(vector)), topn)]

    assert kv.most_similar("w1", topn=7, indexer=Indexer()) == [("found", pytest.approx(1), 7)]


def test_an_empty_table():
    kv = KeyedVectors(4)
    assert len(kv) == 0 and list(kv) == [] and kv.similar_by_vector(np.ones(4)) == []
    assert kv.most_similar(np.ones(4), topn=None).shape == (0,)
    assert kv.get_normed_vectors().shape == (0, 4) and kv.most_similar_batch(np.ones((2, 4))) == [[], []]
    assert kv.encode(["no words"]).tolist() == [[0, 0, 0, 0]]
    with pytest.raises(KeyError, match="vocabulary of 0 keys"):
        kv["a"]
    kv.sort_by_descending_frequency()
    kv.unit_normalize_all()
    kv.add_vector("a", [1, 2, 3, 4])
    assert kv.most_similar("a") == []


def test_threads_may_query(kv):
    want = [kv.most_similar(f"w{i}") for i in range(40)]
    kv.fill_norms(force=True)
    kv.norms, failures = None, []

    def query():
        try:
            assert [kv.most_similar(f"w{i}") for i in range(40)] == want
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=query) for _ in range(6)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not failures


# ---- changes


def test_norms_follow_the_vectors(kv):
    kv.fill_norms()
    assert kv.norms is not None
    kv.vectors = kv.vectors * 3
    assert kv.norms is None
    kv.fill_norms()
    before = kv.norms.copy()
    kv.vectors[0] *= 2  # nobody is told
    kv.fill_norms()
    assert kv.norms[0] == before[0]
    kv.fill_norms(force=True)
    assert kv.norms[0] == pytest.approx(2 * before[0])
    kv["w0"] = np.ones(8)
    assert kv.similarity("w0", "w0") == pytest.approx(1) and kv.most_similar("w0", topn=1)[0][1] <= 1.000001


def test_adding_one_by_one_does_not_copy_everything_each_time():
    kv = KeyedVectors(16)
    addresses = set()
    for i in range(3000):
        assert kv.add_vector(f"w{i}", np.full(16, i)) == i
        addresses.add(kv.vectors.ctypes.data)
    assert len(addresses) < 40 and kv.vectors.shape == (3000, 16) and kv["w2999"][0] == 2999
    assert kv.vectors.flags.c_contiguous


def test_adding(kv):
    with pytest.raises(ValueError, match="2 keys need 2 vectors of 8 numbers"):
        kv.add_vectors(["a", "b"], np.ones((2, 7)))
    with pytest.raises(ValueError, match="2 keys need 2 vectors"):
        kv.add_vectors(["a", "b"], np.ones((3, 8)))
    with pytest.raises(ValueError):
        kv.add_vector("a", np.ones(9))
    assert len(kv) == len(kv.vectors) == len(kv.key_to_index) == 300
    kv.add_vectors(["a", "b", "a"], [[1] * 8, [2] * 8, [3] * 8], extras={"count": np.array([1, 2, 3])})
    assert len(kv) == 302 and kv["a"][0] == 1 and kv.get_vecattr("a", "count") == 1
    kv.add_vectors(["c", "a", "c"], [[4] * 8, [5] * 8, [6] * 8], extras={"count": [4, 5, 6]}, replace=True)
    assert len(kv) == 303 and kv["a"][0] == 5 and kv["c"][0] == 6 and kv.get_vecattr("c", "count") == 6
    assert kv.add_vector("a", np.zeros(8)) == 300 and kv["a"][0] == 5  # it is there already
    kv.add_vectors([], np.zeros((0, 8)))
    with pytest.raises(ValueError, match="extras"):
        kv.add_vectors(["x"], np.ones((1, 8)), extras={"count": [1, 2]})


def test_columns(kv):
    kv.set_vecattr("w1", "count", 7)
    kv.set_vecattr("w2", "count", np.int32(8))
    kv.set_vecattr("w1", "label", "a string")
    kv.set_vecattr("w1", "share", 0.25)
    kv.set_vecattr("w2", "share", 1)
    assert kv.expandos["count"].dtype == np.int64 and kv.expandos["label"].dtype == object
    assert (kv.get_vecattr("w1", "count"), kv.get_vecattr("w1", "label"), kv.get_vecattr("w2", "share")) == (
        7,
        "a string",
        1,
    )
    with pytest.raises(TypeError, match="'count' holds int64, which cannot hold"):
        kv.set_vecattr("w1", "count", 0.5)
    with pytest.raises(KeyError, match=r"no attribute 'sample' .there: 'count', 'label', 'share'"):
        kv.get_vecattr("w1", "sample")
    with pytest.raises(KeyError, match="not in the vocabulary"):
        kv.set_vecattr("nope", "count", 1)
    with pytest.raises(KeyError, match="came without counts"):
        KeyedVectors.from_vocabulary(["a"], [[1.0]]).get_vecattr("a", "count")
    with pytest.raises(KeyError, match="came without counts"):
        KeyedVectors.from_vocabulary(["a"], [[1.0]]).sort_by_descending_frequency()


def test_read_only_vectors_are_copied_to_be_changed():
    matrix = np.eye(3, dtype=np.float32)
    matrix.setflags(write=False)
    for change in (
        lambda kv: kv.unit_normalize_all(),
        lambda kv: kv.__setitem__("a", [0, 1, 1]),
        lambda kv: kv.add_vector("d", [1, 1, 1]),
    ):
        kv = KeyedVectors.from_vocabulary(["a", "b", "c"], matrix)
        assert kv.most_similar("a", topn=1) == [("b", 0.0)]
        change(kv)
        assert (matrix == np.eye(3)).all() and "a" in kv
    assert kv.vectors.shape == (4, 3)


def test_lock_factors(kv):
    assert kv.vectors_lockf.tolist() == [1.0] * 300 and kv.vectors_lockf.dtype == np.float32
    kv.vectors_lockf[3] = 0
    assert kv.vectors_lockf[3] == 0
    kv.add_vector("new", np.ones(8))
    assert kv.vectors_lockf[3] == 0 and len(kv.vectors_lockf) == 301 and kv.vectors_lockf[300] == 1
    kv.vectors_lockf = np.array([0.5])  # one for all, as gensim has it
    assert kv._vectors_lockf.tolist() == [0.5]
    with pytest.raises(ValueError, match="one factor for each of 301 rows"):
        kv.vectors_lockf = np.ones(5)


def test_wmdistance_names_its_extra(kv, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "ot", None)
    with pytest.raises(ImportError, match=r"pip install fastemb\[ot\]"):
        kv.wmdistance(["w1"], ["w2"])


def test_wmdistance_without_the_extra(kv, monkeypatch):
    """The costs and shares that POT is given, on a problem whose answer is plain: one word against two."""
    import sys
    import types

    def emd2(a, b, costs):
        assert a.sum() == pytest.approx(1) and b.sum() == pytest.approx(1) and costs.shape == (len(a), len(b))
        return float(b @ costs[0]) if len(a) == 1 else -1.0

    monkeypatch.setitem(sys.modules, "ot", types.SimpleNamespace(emd2=emd2))
    d2, d3 = (np.linalg.norm(kv["w1"] - kv[w]) for w in ("w2", "w3"))
    assert kv.wmdistance(["w1"], ["w2", "w3", "w3", "nope"], norm=False) == pytest.approx((d2 + 2 * d3) / 3, rel=1e-5)
    assert kv.wmdistance(["w1", "w1"], ["w1"]) == 0.0
    assert kv.wmdistance(["nope"], ["w1"]) == kv.wmdistance([], []) == float("inf")
    with pytest.raises(TypeError, match="lists of words"):
        kv.wmdistance("w1 w2", ["w1"])


def test_keys_become_plain_strings_and_integers(tmp_path):
    ids = KeyedVectors.from_vocabulary(np.array([4, 2, 9]), np.eye(3))
    assert [type(k) for k in ids] == [int] * 3 and ids.index_to_key == [4, 2, 9]
    words = KeyedVectors.from_vocabulary(np.array(["a", "b"]), np.eye(2))
    words.add_vector(np.str_("c"), [1, 1])
    assert [type(k) for k in words] == [str] * 3
    for kv in (ids, words):
        kv.save(tmp_path / "kv")
        assert fastemb.load(tmp_path / "kv").index_to_key == kv.index_to_key


def test_rows_that_are_not_finite_are_never_neighbours():
    kv = KeyedVectors.from_vocabulary(list("abcd"), [[1, 0], [np.nan, 1], [np.inf, 1], [0, 1]])
    assert kv.most_similar("a") == [("d", 0.0)] and kv.most_similar_batch(["a"] * 3) == [[("d", 0.0)]] * 3
