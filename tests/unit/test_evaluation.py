"""Correlations against SciPy and closed forms; reading of benchmark sets; judging of answers."""

import gzip
import math

import numpy as np
import pytest

from fastemb import KeyedVectors
from fastemb.evaluation import evaluate_word_analogies, evaluate_word_pairs, pearson, spearman
from fastemb.evaluation.correlation import average_ranks, incomplete_beta


def test_incomplete_beta_in_closed_form():
    for x in np.linspace(0, 1, 21):
        assert incomplete_beta(1, 1, x) == pytest.approx(x, abs=1e-14)
        assert incomplete_beta(2, 3, x) == pytest.approx(6 * x**2 - 8 * x**3 + 3 * x**4, abs=1e-13)
        assert incomplete_beta(0.5, 0.5, x) == pytest.approx(2 / math.pi * math.asin(math.sqrt(x)), abs=1e-13)
        assert incomplete_beta(7.5, 2.25, x) == pytest.approx(1 - incomplete_beta(2.25, 7.5, 1 - x), abs=1e-13)


def test_t_distribution_in_closed_form():
    # one degree of freedom is Cauchy's, two have an elementary distribution
    for t in (0.1, 1.0, 3.0, 40.0):
        assert incomplete_beta(0.5, 0.5, 1 / (1 + t * t)) == pytest.approx(1 - 2 / math.pi * math.atan(t), rel=1e-10)
        assert incomplete_beta(1.0, 0.5, 2 / (2 + t * t)) == pytest.approx(1 - t / math.sqrt(2 + t * t), rel=1e-10)


def test_ranks():
    assert average_ranks([3, 1, 3, 2, 3]).tolist() == [4, 1, 4, 2, 4]
    assert average_ranks([]).tolist() == []


@pytest.mark.parametrize("seed", range(40))
def test_against_scipy(seed):
    stats = pytest.importorskip("scipy.stats", reason="needs SciPy to compare with")
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 1500))
    x = rng.integers(0, 30, n) + rng.standard_normal(n) * (seed % 2)
    y = rng.choice([-1, 0.1, 1]) * x + rng.choice([0.3, 10, 100]) * rng.standard_normal(n)
    for mine, theirs in ((pearson, stats.pearsonr), (spearman, stats.spearmanr)):
        a, b = mine(x, y), theirs(x, y)
        assert a.statistic == a[0] == a.correlation == pytest.approx(b[0], abs=1e-13)
        if b[1] > 1e-290:
            assert a.pvalue == a[1] == pytest.approx(b[1], rel=1e-8)


def test_ends_of_correlation():
    assert pearson([1, 2], [3, 5]) == (1.0, 1.0) and spearman([1, 2], [5, 3]) == (-1.0, 1.0)
    assert spearman([1, 2, 3, 4], [2, 3, 5, 9]) == (1.0, 0.0)
    assert pearson([0, 1e200, 2e200], [0, 1e-200, 2e-200]).statistic == pytest.approx(1)
    for x, y in (([], []), ([1], [2]), ([1, 1, 1], [1, 2, 3]), ([1, 2, np.nan], [1, 2, 3])):
        for f in (pearson, spearman):
            assert all(math.isnan(v) for v in f(x, y))
    with pytest.raises(ValueError, match="one length"):
        pearson([1, 2], [1, 2, 3])


WORDS = ["Dog", "dog", "cat", "car", "truck"]
MATRIX = np.array([[1, 0], [0.9, 0.3], [0.8, 0.4], [0, 1], [-0.1, 0.9]], np.float32)


@pytest.fixture()
def kv():
    kv = KeyedVectors(2)
    kv.add_vectors(WORDS, MATRIX)
    return kv


TEXT = "\ufeff# words\tscores\r\n\r\ndog\tcat\t9\r\n"
TEXT += "car \ttruck\t8.5\r\nDOG\ttruck\t1e0\r\ndog\tunicorn\t5\r\nonly two\t3\r\n"


@pytest.mark.parametrize("kind", ["path", "gz", "text file", "binary file", "lines", "tuples"])
def test_kinds_of_sources(kv, tmp_path, kind):
    path = tmp_path / "pairs.tsv"
    path.write_bytes(TEXT.encode())
    source = {
        "path": lambda: path,
        "gz": lambda: str(path) + ".gz",
        "text file": lambda: open(path, encoding="utf-8"),
        "binary file": lambda: open(path, "rb"),
        "lines": lambda: TEXT.splitlines(),
        "tuples": lambda: [
            ("dog", "cat", 9), ("car", "truck", "8.5"), ("DOG", "truck", 1.0), ("dog", "unicorn", 5), ("a", "b"),
        ],
    }[kind]  # fmt: skip
    with gzip.open(str(path) + ".gz", "wb") as out:
        out.write(TEXT.encode())
    scores = kv.evaluate_word_pairs(source())
    assert (scores.num_pairs, scores.num_oov, scores.num_invalid, scores.oov_ratio) == (3, 1, 1, 25.0)
    assert scores.spearman.statistic == pytest.approx(0.5)  # of the two forms of "dog" the first is meant
    assert kv.evaluate_word_pairs(source(), case_insensitive=False).num_oov == 2
    assert kv.evaluate_word_pairs(source(), dummy4unknown=True).num_pairs == 4


def test_white_space_between_the_fields(kv):
    lines = ["dog cat 9", "car  truck 8", "dog   car 1"]
    assert kv.evaluate_word_pairs(lines, delimiter=None).num_pairs == 3
    with pytest.raises(ValueError, match=r"none of its 3 lines .*separated by '\\t'.*'dog cat 9'.*delimiter"):
        kv.evaluate_word_pairs(lines)


def test_pairs_without_any_to_judge(kv):
    with pytest.raises(ValueError, match="it is empty"):
        kv.evaluate_word_pairs([])
    with pytest.raises(ValueError, match="has a word that is not among the 5 words"):
        kv.evaluate_word_pairs([("a", "b", 1)])
    with pytest.raises(FileNotFoundError):
        kv.evaluate_word_pairs("/nowhere/pairs.tsv")


def test_a_word_with_itself_and_the_other_way_round():
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((50, 30)).astype(np.float32)
    words = [str(i) for i in range(50)]
    pairs = [(a, b, 0.0) for a in words for b in words]
    cosines = {}
    import fastemb.evaluation.similarity as similarity

    rows = np.array([[int(a), int(b)] for a, b, _ in pairs])
    for (a, b, _), c in zip(pairs, similarity.pair_cosines(*rows.T, vectors), strict=True):
        cosines[a, b] = c
    assert all(cosines[a, b] == cosines[b, a] for a, b in cosines)
    assert {cosines[a, a] for a in words} == {1.0}


def test_zero_vectors_give_no_nan():
    kv = KeyedVectors(2)
    kv.add_vectors(["a", "b", "zero"], [[1, 0], [1, 1], [0, 0]])
    scores = kv.evaluate_word_pairs([("a", "b", 3), ("a", "zero", 2), ("a", "a", 4)])
    assert scores.pearson.statistic == pytest.approx(scores.pearson[0]) and not math.isnan(scores[0][0])


QUESTIONS = """\
# man is to woman
: family
man woman king queen
man  woman\tking queen
king queen man nobody
: empty

: rest
woman man queen king
one two three
"""


@pytest.fixture()
def royal():
    kv = KeyedVectors(3)
    kv.add_vectors(
        ["man", "woman", "king", "queen", "far", "zero"],
        [[1, 0, 0.1], [1, 1, 0.1], [2, 0, 3], [2, 1.9, 3], [0, -5, 0], [0, 0, 0]],
    )
    return kv


@pytest.mark.parametrize("method", ["most_similar", "most_similar_cosmul"])
def test_analogies(royal, tmp_path, method):
    path = tmp_path / "questions.txt"
    path.write_text(QUESTIONS)
    result = royal.evaluate_word_analogies(path, similarity_function=method)
    score, sections = result
    assert score == 1.0
    assert [s["section"] for s in sections] == ["family", "empty", "rest", "Total accuracy"]
    assert sections[0]["correct"] == [("MAN", "WOMAN", "KING", "QUEEN")] * 2 and sections[0]["incorrect"] == []
    counts = (result.num_questions, result.num_answered, result.num_correct, result.num_oov, result.num_invalid)
    assert counts == (4, 3, 3, 1, 1)
    strict = royal.evaluate_word_analogies(path, dummy4unknown=True, similarity_function=method)
    assert strict.score == 0.75 and strict.sections[0]["incorrect"] == [("KING", "QUEEN", "MAN", "NOBODY")]


@pytest.mark.parametrize("method", ["most_similar", "most_similar_cosmul"])
@pytest.mark.parametrize("fold", [False, True])
@pytest.mark.parametrize("asked_about", [2000, 100])  # 600 questions: words that hardly repeat, and that do
def test_analogies_are_those_of_the_queries(method, fold, asked_about):
    rng = np.random.default_rng(4)
    words = [f"w{i}" for i in range(2000)]
    kv = KeyedVectors(10)
    kv.add_vectors(words, rng.standard_normal((2000, 10)) + 0.2)
    questions = []
    for a, b, c in rng.integers(0, asked_about, (600, 3)):
        a, b, c = words[a], words[b], words[c]
        answer = getattr(kv, method)(positive=[b, c], negative=[a], topn=1)[0][0]
        questions.append((a, b, c, answer if len(questions) % 3 else "w0"))
    result = kv.evaluate_word_analogies(questions, similarity_function=method, case_insensitive=fold)
    right = {q[:3] for q in result.sections[-1]["correct"]}
    asked = [tuple(w.upper() if fold else w for w in q) for q in questions]
    wrong = [
        q for i, q in enumerate(asked) if (q[:3] in right) != bool(i % 3) and len(set(q[:3])) == 3 and q[3] not in q[:3]
    ]
    assert len(wrong) <= 2  # "w0" may be right


def test_analogies_without_questions(royal):
    with pytest.raises(ValueError, match="no analogy question"):
        royal.evaluate_word_analogies(["one two"])
    with pytest.raises(ValueError, match="similarity_function"):
        royal.evaluate_word_analogies(QUESTIONS.splitlines(), similarity_function="euclid")
    nothing = royal.evaluate_word_analogies([("a", "b", "c", "d")])
    assert nothing.score == 0.0 and nothing.num_oov == 1


def test_integer_keys():
    keys, vectors = [5, 6, 7], np.array([[1, 0], [1, 1], [0, 1]], np.float32)
    assert evaluate_word_pairs([("5", "6", 2), (5, 7, 1), (6, 7, 2.5)], keys, vectors).num_pairs == 3
    norms = np.ones(3, np.float32)
    assert evaluate_word_analogies([(5, 6, 7, 5)], keys, vectors, norms).num_answered == 1


def test_real_sets(shared_data):
    """All sets of the data folder can be read, without an invalid line."""
    for path in sorted((shared_data / "eval").iterdir()):
        text = path.read_text(encoding="utf-8")
        words = sorted({w for line in text.splitlines() if line[:1] not in ":#" for w in line.split()[:2]})
        kv = KeyedVectors(5)
        kv.add_vectors(words, np.random.default_rng(0).standard_normal((len(words), 5)))
        if path.suffix == ".tsv":
            result = kv.evaluate_word_pairs(path)
            assert result.num_pairs > 25 and abs(result.spearman.statistic) < 0.5
        else:
            result = kv.evaluate_word_analogies(path)
            assert result.num_questions > 5000
        assert result.num_invalid == 0
