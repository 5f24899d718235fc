"""Every method of KeyedVectors against gensim's own, on the same matrix."""

import inspect
import logging
import math
import warnings

import numpy as np
import pytest

from fastemb import KeyedVectors

gensim = pytest.importorskip("gensim.models", reason="needs gensim to compare with")

V, D = 400, 24
RNG = np.random.default_rng(11)
WORDS = [f"w{i}" for i in range(V)]
MATRIX = (RNG.standard_normal((V, D)) * RNG.gamma(3, size=(V, 1)) + 0.3).astype(np.float32)


@pytest.fixture()
def theirs():
    kv = gensim.KeyedVectors(D)
    kv.add_vectors(WORDS, MATRIX)
    for i, word in enumerate(WORDS):
        kv.set_vecattr(word, "count", 10 + (i * 37) % V)
    return kv


@pytest.fixture()
def ours():
    kv = KeyedVectors(D)
    kv.add_vectors(WORDS, MATRIX)
    for i, word in enumerate(WORDS):
        kv.set_vecattr(word, "count", 10 + (i * 37) % V)
    return kv


def same(a, b, tol=2e-6):
    """Equal in shape and kind, scores to float32 rounding."""
    if isinstance(b, np.ndarray):
        assert isinstance(a, np.ndarray) and a.shape == b.shape
        np.testing.assert_allclose(a, b, atol=tol, rtol=1e-5)
    elif isinstance(b, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same(x, y, tol)
    elif isinstance(b, (float, np.floating)):
        assert a == pytest.approx(float(b), abs=tol, rel=1e-5)
    else:
        assert a == b and type(a) is type(b)


VECTOR = np.linspace(-1, 1, D).astype(np.float32)

MOST_SIMILAR = [
    dict(positive="w3"),
    dict(positive=["w3"]),
    dict(positive=["w3", "w9"], negative=["w4"]),
    dict(positive="w3", negative="w7", topn=5),
    dict(positive=["w3", "w3"]),
    dict(positive=[("w3", 2.0), ("w5", 0.5)]),
    dict(positive=[("w3", 2.0), "w5"], negative=[("w8", -0.3), "w6"]),
    dict(positive=["w1"], negative=[("w8", 0.7)]),
    dict(positive=VECTOR),
    dict(positive=[VECTOR, "w5"], negative=[MATRIX[2]]),
    dict(positive=[(VECTOR, 3.0), "w5"]),
    dict(positive=MATRIX[4:7]),
    dict(negative=["w10", "w11"]),
    dict(positive=["w3"], topn=None),
    dict(positive=["w3", "w5"], topn=None, restrict_vocab=50),
    dict(positive=["w3"], topn=0),
    dict(positive=["w3"], topn=1),
    dict(positive=["w3"], topn=V + 100),
    dict(positive=["w300"], restrict_vocab=100),
    dict(positive=["w30"], restrict_vocab=100, clip_start=60, clip_end=70),
    dict(positive=["w30"], clip_start=20, clip_end=60),
    dict(positive=["w30"], clip_start=20),
    dict(positive=["w30"], clip_end=40, topn=100),
    dict(positive=["w30"], clip_start=20, clip_end=60, topn=None),
]


@pytest.mark.parametrize("query", MOST_SIMILAR, ids=lambda q: "-".join(q))
def test_most_similar(ours, theirs, query):
    same(ours.most_similar(**query), theirs.most_similar(**query))


@pytest.mark.parametrize(
    "query",
    [
        dict(positive="w3"),
        dict(positive=["w3", "w9"], negative=["w4"]),
        dict(positive="w3", negative="w7", topn=5),
        dict(positive=["w3"], topn=None),
        dict(positive=["w3"], topn=0),
        dict(positive=["w3", "w4"], negative=["w5", "w6"], topn=V + 7),
        dict(positive=[MATRIX[3] / np.linalg.norm(MATRIX[3]), "w5"], negative=["w8"]),
    ],
)
def test_most_similar_cosmul(ours, theirs, query):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        same(ours.most_similar_cosmul(**query), theirs.most_similar_cosmul(**query), tol=2e-5)


CALLS = [
    ("similar_by_word", ("w5",), dict(topn=3)),
    ("similar_by_key", ("w5",), dict(topn=3, restrict_vocab=30)),
    ("similar_by_vector", (VECTOR,), dict(topn=4)),
    ("similarity", ("w1", "w2"), {}),
    ("similarity", ("w1", "w1"), {}),
    ("distance", ("w1", "w2"), {}),
    ("n_similarity", (["w1", "w2"], ["w3"]), {}),
    ("n_similarity", (["w1", "nope"], ["w3", "w4"]), {}),
    ("distances", ("w1",), {}),
    ("distances", ("w1", ["w2", "w3"]), {}),
    ("distances", (VECTOR, ["w2", "w3", "w2"]), {}),
    ("rank", ("w1", "w2"), {}),
    ("rank", ("w1", "w1"), {}),
    ("closer_than", ("w1", "w2"), {}),
    ("words_closer_than", ("w1", "w2"), {}),
    ("most_similar_to_given", ("w1", ["w7", "w8", "w9"]), {}),
    ("doesnt_match", (["w1", "w2", "w3", "w60"],), {}),
    ("doesnt_match", (["w1", "w2", "unknown", "w60"],), {}),
    ("rank_by_centrality", (["w1", "w2", "w3", "w60"],), {}),
    ("rank_by_centrality", (["w1", "w2", "w3", "w60"],), dict(use_norm=False)),
    ("relative_cosine_similarity", ("w1", "w2"), {}),
    ("relative_cosine_similarity", ("w1", "w2"), dict(topn=3)),
    ("get_mean_vector", (["w1", "w2"],), {}),
    ("get_mean_vector", (["w1", "w2", VECTOR],), dict(weights=[1, -2.5, 3])),
    ("get_mean_vector", (["w1", "w2"],), dict(weights=np.array([1.0, 2.0]), pre_normalize=False)),
    ("get_mean_vector", (["w1", "w2", "nope"],), dict(post_normalize=True)),
    ("get_mean_vector", (["nope"],), {}),
    ("get_mean_vector", (MATRIX[:5],), {}),
    ("cosine_similarities", (VECTOR, MATRIX), {}),
    ("get_vector", ("w4",), {}),
    ("get_vector", ("w4",), dict(norm=True)),
    ("word_vec", ("w4",), {}),
    ("get_index", ("w4",), {}),
    ("get_index", ("nope", -7), {}),
    ("has_index_for", ("w4",), {}),
    ("has_index_for", ("nope",), {}),
    ("get_normed_vectors", (), {}),
    ("get_vecattr", ("w4", "count"), {}),
    ("__getitem__", ("w4",), {}),
    ("__getitem__", (["w4", "w5"],), {}),
    ("__contains__", ("w4",), {}),
    ("__len__", (), {}),
    ("__str__", (), {}),
]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("method", "args", "options"), CALLS, ids=lambda x: x if isinstance(x, str) else None)
def test_other_queries(ours, theirs, method, args, options):
    same(getattr(ours, method)(*args, **options), getattr(theirs, method)(*args, **options))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_errors_are_of_the_same_kind(ours, theirs):
    for call, kind in [
        (lambda kv: kv["nope"], KeyError),
        (lambda kv: kv.most_similar("nope"), KeyError),
        (lambda kv: kv.most_similar(positive=["w1", "nope"]), KeyError),
        (lambda kv: kv.most_similar(), ValueError),
        (lambda kv: kv.most_similar_cosmul(negative=["w1"]), ValueError),
        (lambda kv: kv.similarity("w1", "nope"), KeyError),
        (lambda kv: kv.n_similarity([], ["w1"]), ZeroDivisionError),
        (lambda kv: kv.doesnt_match([]), ValueError),
        (lambda kv: kv.doesnt_match(["nope"]), ValueError),
        (lambda kv: kv.get_mean_vector([]), ValueError),
        (lambda kv: kv.get_mean_vector(["w1"], weights=[1, 2]), ValueError),
        (lambda kv: kv.get_mean_vector(["nope"], ignore_missing=False), KeyError),
        (lambda kv: kv.relative_cosine_similarity("w1", "w2", topn=0), ValueError),
        (lambda kv: kv.vocab, AttributeError),
        (lambda kv: kv.index2word, AttributeError),
        (lambda kv: kv.index2entity, AttributeError),
        (lambda kv: kv.vectors_norm, AttributeError),
        (lambda kv: kv.evaluate_word_pairs(["no pair"]), ValueError),
        (lambda kv: kv.set_vecattr("w1", "count", 1.5), TypeError),
    ]:
        with pytest.raises(kind):
            call(ours)
        if kind is not ValueError or "evaluate" not in inspect.getsource(call):
            with pytest.raises(kind):
                call(theirs)


def test_signatures_begin_as_theirs():
    """Every public method of gensim's class is here, and takes at least its arguments, in its order."""
    options = {"save": 1, "load": 1, "add_lifecycle_event": 0}
    for name, function in inspect.getmembers(gensim.KeyedVectors, callable):
        if name.startswith("_") or name in ("add_lifecycle_event",):
            continue
        assert hasattr(KeyedVectors, name), name
        wanted = list(inspect.signature(function).parameters.values())[: options.get(name)]
        got = list(inspect.signature(getattr(KeyedVectors, name)).parameters.values())
        if any(p.kind is p.VAR_POSITIONAL for p in got):
            continue
        assert [p.name for p in got][: len(wanted)] == [p.name for p in wanted], name
        for mine, their in zip(got, wanted, strict=False):
            if their.default is not their.empty:
                assert mine.default is not mine.empty, (name, mine.name)


# ---- changes


def both(ours, theirs, change):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        a, b = change(ours), change(theirs)
        theirs.allocate_vecattrs()  # ours grow by themselves
    assert ours.index_to_key == list(theirs.index_to_key)
    assert ours.key_to_index == theirs.key_to_index
    np.testing.assert_allclose(ours.vectors, theirs.vectors, rtol=1e-6, atol=1e-7)
    for name, column in theirs.expandos.items():
        np.testing.assert_array_equal(ours.expandos[name], column)
    return a, b


def test_adding(ours, theirs):
    a, b = both(ours, theirs, lambda kv: kv.add_vector("new", VECTOR))
    assert a == b == V
    both(ours, theirs, lambda kv: kv.add_vectors(["n1", "w3", "n2"], MATRIX[:3]))
    both(ours, theirs, lambda kv: kv.add_vectors(["n3", "w4"], MATRIX[5:7], replace=True))
    both(ours, theirs, lambda kv: kv.add_vectors("n4", MATRIX[8]))
    both(ours, theirs, lambda kv: kv.__setitem__("w9", MATRIX[0]))
    both(ours, theirs, lambda kv: kv.__setitem__(["w8", "n5"], MATRIX[3:5]))
    both(ours, theirs, lambda kv: kv.fill_norms(force=True))
    same(ours.most_similar("n5"), theirs.most_similar("n5"))


def test_preallocated_rows():
    a, b = KeyedVectors(D, 3), gensim.KeyedVectors(D, 3)
    assert len(a) == len(b) == 3
    both(a, b, lambda kv: [kv.add_vector(w, v) for w, v in zip(WORDS[:3], MATRIX, strict=False)])
    both(a, b, lambda kv: kv.add_vector("one more", VECTOR))


def test_sorting_scaling_resizing(ours, theirs, caplog):
    caplog.set_level(logging.ERROR)
    both(ours, theirs, lambda kv: kv.sort_by_descending_frequency())
    theirs.norms = None  # gensim forgets to
    same(ours.most_similar("w7"), theirs.most_similar("w7"))
    both(ours, theirs, lambda kv: kv.unit_normalize_all())
    same(ours.norms, theirs.norms)
    for kv in (ours, theirs):
        kv.index_to_key.append("extra")
        kv.key_to_index["extra"] = V
        kv.resize_vectors(seed=3)
        assert kv.vectors.shape == (V + 1, D) and len(kv.expandos["count"]) == V + 1
        assert np.abs(kv["extra"]).max() <= 1 / D


def test_vectors_for_all(ours, theirs):
    for copy in (False, True):
        a = ours.vectors_for_all(["w5", "nope", "w2", "w5"], copy_vecattrs=copy)
        b = theirs.vectors_for_all(["w5", "nope", "w2", "w5"], copy_vecattrs=copy)
        assert a.index_to_key == b.index_to_key
        same(a.vectors, b.vectors)
    assert a.get_vecattr("w2", "count") == b.get_vecattr("w2", "count")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_init_sims_replace(ours, theirs):
    both(ours, theirs, lambda kv: kv.init_sims(replace=True))


# ---- evaluation

PAIRS = [(f"w{i}", f"W{(i * 7 + 1) % 450}", float((i * 13) % 11)) for i in range(150)]


def write_pairs(path, sep="\t"):
    path.write_text("# a comment\n" + "".join(sep.join(map(str, p)) + "\n" for p in PAIRS) + "bad line\n")
    return str(path)


@pytest.mark.parametrize(
    "options", [{}, dict(dummy4unknown=True), dict(restrict_vocab=200), dict(case_insensitive=False)]
)
def test_word_pairs(ours, theirs, tmp_path, options):
    if options.get("case_insensitive") is False:
        for kv in (ours, theirs):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                kv.add_vectors([f"W{i}" for i in range(0, V, 2)], MATRIX[::2] + 1)
            kv.fill_norms(force=True)
    path = write_pairs(tmp_path / "pairs.tsv")
    a, b = ours.evaluate_word_pairs(path, **options), theirs.evaluate_word_pairs(path, **options)
    assert len(a) == 3
    same([tuple(a[0]), tuple(a[1]), a[2]], [tuple(map(float, b[0])), tuple(map(float, b[1])), b[2]])
    assert a[0].statistic == a.pearson[0] and a[1].pvalue == a.spearman[1]
    assert a.num_invalid == 1 and a.num_pairs + (0 if options.get("dummy4unknown") else a.num_oov) == len(PAIRS)


def test_word_pairs_other_delimiter(ours, theirs, tmp_path):
    path = write_pairs(tmp_path / "pairs.csv", sep=",")
    a, b = ours.evaluate_word_pairs(path, delimiter=","), theirs.evaluate_word_pairs(path, delimiter=",")
    assert a[1][0] == pytest.approx(b[1][0])


def analogy_file(path):
    lines = [": first section"]
    lines += [f"w{i} W{i + 1} w{i + 2} w{(i * 3) % 410}" for i in range(60)]
    lines += ["", "just three words", ": second  "]
    # questions with an answer: the words that 3CosAdd gives
    kv = gensim.KeyedVectors(D)
    kv.add_vectors(WORDS, MATRIX)
    for i in range(60, 120):
        a, b, c = f"w{i}", f"w{i + 3}", f"w{i + 5}"
        lines.append(f"{a} {b} {c} {kv.most_similar(positive=[b, c], negative=[a], topn=1)[0][0]}")
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.mark.parametrize(
    "options", [{}, dict(dummy4unknown=True), dict(restrict_vocab=150), dict(case_insensitive=False)]
)
def test_word_analogies(ours, theirs, tmp_path, options):
    for kv in (ours, theirs):  # other spellings of words, near them: they must be passed over as answers
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kv.add_vectors([f"W{i}" for i in range(0, 60)], MATRIX[:60] + 0.01)
        kv.fill_norms(force=True)
    path = analogy_file(tmp_path / "questions.txt")
    score, sections = theirs.evaluate_word_analogies(path, **options)
    mine = ours.evaluate_word_analogies(path, **options)
    assert mine == (score, sections)
    assert mine.num_questions == 120 and mine.num_invalid == 1
    assert mine.num_correct == len(sections[-1]["correct"])
    assert mine[1][-1]["section"] == "Total accuracy"


def test_google_analogies(shared_data):
    """A real question set, on vectors in which some of its answers are right."""
    path = shared_data / "eval" / "en_google.txt"
    words = sorted({w for line in open(path) if not line.startswith(":") for w in line.split()})
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((len(words), 30)).astype(np.float32)
    row = {w: i for i, w in enumerate(words)}
    for number, line in enumerate(open(path)):
        if not line.startswith(":") and number % 5 == 0:
            a, b, c, d = (row[w] for w in line.split())
            matrix[d] = matrix[b] - matrix[a] + matrix[c] + 0.3 * rng.standard_normal(30)
    a, b = KeyedVectors(30), gensim.KeyedVectors(30)
    for kv in (a, b):
        kv.add_vectors(words, matrix)
    mine, their = a.evaluate_word_analogies(path), b.evaluate_word_analogies(str(path))
    assert mine[1] == their[1]
    assert 0.02 < mine.score < 0.98


# ---- word mover's distance


def test_wmdistance(ours, theirs):
    pytest.importorskip("ot", reason="needs POT (pip install fastemb[ot])")
    for one, two in [
        (["w1", "w2", "w3"], ["w4", "w5"]),
        (["w1", "w1", "w3", "nope"], ["w4", "w1"]),
        (["w1"], ["w1"]),
        (["w1", "w2"], ["w2", "w1"]),
        (["w1"], ["w2"]),
        (["nope"], ["w2"]),
    ]:
        for norm in (True, False):
            a, b = ours.wmdistance(one, two, norm=norm), theirs.wmdistance(one, two, norm=norm)
            assert a == b if math.isinf(b) else a == pytest.approx(b, abs=1e-6)
