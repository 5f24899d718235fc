"""PPMI: exact on matrices computed by hand, the choices of Levy, Goldberg, Dagan 2015, files, errors."""

import logging
import math

import numpy as np
import pytest

import fastemb
from fastemb import PPMI, Cooccurrence, Corpus, KeyedVectors
from fastemb.formats import FormatError
from fastemb.reference import ppmi as twin
from fastemb.training.pmi import PMI


def counts_of(dense, words=None, scale=1):
    dense = np.asarray(dense)
    rows, columns = np.nonzero(dense)
    indptr = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=len(dense)))))
    words = words or [f"w{i}" for i in range(len(dense))]
    return Cooccurrence.from_csr(words, indptr, columns, dense[rows, columns], scale)


def dense_of(csr):
    out = np.zeros((csr.rows, csr.cols))
    out[np.repeat(np.arange(csr.rows), np.diff(csr.indptr)), csr.indices] = csr.data
    return out


HAND = [[0, 4, 1, 0], [4, 0, 2, 1], [1, 2, 0, 0], [0, 1, 0, 0]]  # sums 5, 7, 3, 1; 16 in all


def test_by_hand():
    """PMI(i, j) = log(16 n_ij / (sum_i sum_j)) for cds = 1, written out."""
    found = dense_of(PMI(counts_of(HAND), 1.0, 1.0).positive())
    by_hand = np.zeros((4, 4))
    by_hand[0, 1] = by_hand[1, 0] = math.log(16 * 4 / (5 * 7))
    by_hand[0, 2] = by_hand[2, 0] = math.log(16 * 1 / (5 * 3))
    by_hand[1, 2] = by_hand[2, 1] = math.log(16 * 2 / (7 * 3))
    by_hand[1, 3] = by_hand[3, 1] = math.log(16 * 1 / (7 * 1))
    assert np.array_equal(found.astype(np.float32), by_hand.astype(np.float32))


def test_by_hand_with_smoothing_and_shift():
    weights = np.array([5.0, 7.0, 3.0, 1.0]) ** 0.75
    model = PMI(counts_of(HAND), 0.75, 2.0)
    found = dense_of(model.positive())
    for i in range(4):
        for j in range(4):
            value = -math.inf
            if HAND[i][j]:
                value = math.log(HAND[i][j] * weights.sum() / ((5, 7, 3, 1)[i] * weights[j]))
            assert model.pair(i, j) == pytest.approx(value, abs=1e-14)
            assert found[i, j] == np.float32(max(0.0, value - math.log(2)))


def test_zero_pmi_is_no_cell():
    """Independent words: 16 * 1 / (4 * 4) is exactly 1, and rounding must not make it a cell."""
    csr = PMI(counts_of(np.full((4, 4), 3)), 1.0, 1.0).positive()
    assert csr.nnz == 0
    rng = np.random.default_rng(0)
    row, column = rng.integers(1, 900, 40), rng.integers(1, 900, 40)
    assert PMI(counts_of(np.outer(row, column)), 1.0, 1.0).positive().nnz == 0


def test_scale_cancels():
    one, other = PMI(counts_of(HAND), 0.75, 1.0), PMI(counts_of(np.array(HAND) * 2520, scale=2520), 0.75, 1.0)
    np.testing.assert_allclose(one.positive().data, other.positive().data, rtol=1e-6)


@pytest.mark.parametrize("cds, shift", [(0.75, 1), (1, 1), (0, 3), (0.5, 5)])
def test_against_the_twin(cds, shift):
    dense = np.random.default_rng(1).poisson(0.4, (60, 60)) * 3
    for workers in (1, 4):
        found = PMI(counts_of(dense), cds, shift, workers)
        np.testing.assert_allclose(dense_of(found.positive()), twin.ppmi(dense, cds, shift), atol=1e-6)
    assert np.array_equal(found.row_sums, dense.sum(axis=1))
    assert np.array_equal(found.column_sums, dense.sum(axis=0))


def test_overflow_is_told():
    with pytest.raises(OverflowError):
        PMI(counts_of([[2**62, 2**62], [1, 0]]), 1.0, 1.0)
    with pytest.raises(OverflowError):
        PMI(counts_of(np.diag([2**62, 2**62, 2**62])), 1.0, 1.0)


TEXT = [["the", "cat", "sat", "on", "the", "mat"], ["a", "dog", "sat", "on", "a", "log"], ["cat", "and", "dog"]] * 5


@pytest.mark.parametrize("eig", [0, 0.5, 1])
@pytest.mark.parametrize("combine", ["word", "sum", "context"])
def test_vectors(eig, combine):
    model = PPMI(TEXT, vector_size=4, window=2, min_count=1, eig=eig, combine=combine, cds=0.8, shift=1.2)
    counts = model.cooccurrence
    dense = np.zeros(counts.shape)
    dense[np.repeat(np.arange(len(dense)), np.diff(counts.indptr)), counts.indices] = counts.data / counts.scale
    matrix = twin.ppmi(dense, 0.8, 1.2)
    u, s, v = twin.truncated_svd(matrix, 4)
    expected = {"word": u, "sum": u + v, "context": v}[combine] * s**eig
    np.testing.assert_allclose(model.wv.vectors, expected, atol=2e-5)
    np.testing.assert_allclose(model.singular_values, s, rtol=1e-5)
    assert model.wv.vectors.dtype == np.float32
    assert model.wv.get_vecattr("the", "count") == 10
    np.testing.assert_allclose(dense_of(model.matrix()), matrix, atol=1e-6)


def test_rows_and_contexts():
    model = PPMI(TEXT, vector_size=2, window=2, min_count=1, shift=1.5)
    row = model.ppmi_row("cat")
    assert row and min(row.values()) > 0
    for context, value in row.items():
        assert model.pmi("cat", context) - math.log(1.5) == pytest.approx(value)
    assert model.nearest_contexts("cat", 2) == sorted(row.items(), key=lambda x: -x[1])[:2]
    assert model.nearest_contexts("cat", 0) == []
    assert model.pmi("cat", "log") == -math.inf
    assert model.cooccurrence.row("cat")["sat"] > 0
    with pytest.raises(KeyError, match="cta"):
        model.pmi("cta", "cat")


def test_sources():
    corpus = Corpus(TEXT, min_count=1)
    counts = Cooccurrence.count(corpus, window=2, weighting="linear")
    models = [
        PPMI(TEXT, 3, 2, 1),
        PPMI(corpus, 3, window=2),
        PPMI(counts, 3, workers=3),
        PPMI(iter(TEXT), 3, window=2, min_count=1, workers=2),
    ]
    for model in models[1:]:
        assert np.array_equal(model.wv.vectors, models[0].wv.vectors)
    ints = PPMI([[5, 7, 5], [7, 9]] * 3, vector_size=2, min_count=1)
    assert ints.wv[5].shape == (2,) and ints.nearest_contexts(9)[0][0] == 7


def test_wrong_parameters():
    cases = {
        "vector_size=0": dict(vector_size=0), "window=0": dict(window=0), "cds=-1": dict(cds=-1),
        "shift=0.5": dict(shift=0.5), "eig=3": dict(eig=3.0), "sample=2": dict(sample=2),
        "weighting='liner'.*did you mean 'linear'": dict(weighting="liner"), "seed=-1": dict(seed=-1),
        "power_iterations=-1": dict(power_iterations=-1), "oversampling=-1": dict(oversampling=-1),
        "combine='avg'": dict(combine="avg"), "min_count=-1": dict(min_count=-1), "shift=nan": dict(shift=math.nan),
    }  # fmt: skip
    for message, keywords in cases.items():
        with pytest.raises(ValueError, match=message):
            PPMI(TEXT, **keywords)
    for keywords in (dict(vector_size=2.0), dict(cds="x"), dict(combine=True), dict(window=True)):
        with pytest.raises(TypeError, match=next(iter(keywords))):
            PPMI(TEXT, **keywords)
    for old, new in (("ns_exponent", "cds"), ("negative", "shift"), ("size", "vector_size"), ("n_iter", "power_iter")):
        with pytest.raises(TypeError, match=f"'{old}' is called '{new}"):
            PPMI(TEXT, **{old: 3})
    with pytest.raises(TypeError, match="did you mean 'symmetric'"):
        PPMI(TEXT, symetric=True)


def test_what_the_source_has_settled():
    counts = Cooccurrence.count(TEXT, window=2, min_count=1)
    with pytest.raises(ValueError, match="window, weighting: the source is a Cooccurrence"):
        PPMI(counts, 2, window=3, weighting="flat")
    with pytest.raises(ValueError, match="min_count: the source is a Corpus"):
        PPMI(Corpus(TEXT, min_count=1), 2, min_count=2)
    with pytest.raises(ValueError, match="tokenizer: the source is a Corpus"):
        PPMI(Corpus(TEXT, min_count=1), 2, tokenizer="whitespace")


def test_too_few_words_or_counts():
    with pytest.raises(ValueError, match=r"vector_size=100 is out of range.*9 words"):
        PPMI(TEXT, min_count=1)
    with pytest.raises(ValueError, match="one word long"):
        PPMI([["a"], ["b"]], vector_size=1, min_count=1)


def test_words_without_positive_context(caplog):
    caplog.set_level(logging.INFO, "fastemb")
    model = PPMI(counts_of(np.full((3, 3), 2) + np.diag([9, 0, 0])), vector_size=2, cds=1.0)
    assert np.isfinite(model.wv.vectors).all()
    assert not model.wv["w1"].all() or not model.wv["w2"].all() or "zero vectors" in caplog.text


def test_files(tmp_path):
    model = PPMI(TEXT, vector_size=3, window=2, min_count=1, shift=1.1)
    path = tmp_path / "m.safetensors"
    model.save(path)
    first = path.read_bytes()
    for loaded in (PPMI.load(path), PPMI.load(path, mmap=True), fastemb.load(path)):
        assert isinstance(loaded, PPMI) and loaded.config == model.config
        assert np.array_equal(loaded.wv.vectors, model.wv.vectors)
        assert np.array_equal(loaded.singular_values, model.singular_values)
        assert loaded.ppmi_row("cat") == model.ppmi_row("cat")
        assert loaded.wv.most_similar("cat") == model.wv.most_similar("cat")
        assert loaded.cooccurrence.window == 2
        loaded.save(tmp_path / "again")
        assert (tmp_path / "again").read_bytes() == first
    model.save(path, counts=False)
    small = PPMI.load(path)
    with pytest.raises(RuntimeError, match="counts are not here"):
        small.pmi("cat", "dog")
    small.cooccurrence = model.cooccurrence
    assert small.pmi("cat", "and") == model.pmi("cat", "and")
    small.cooccurrence = Cooccurrence.count([["x", "y"]], min_count=1)
    with pytest.raises(ValueError, match="other words"):
        small.pmi("cat", "and")
    with pytest.raises(RuntimeError, match="empty model"):
        PPMI(vector_size=3).save(path)


def test_damaged_and_foreign_files(tmp_path):
    path = tmp_path / "m"
    PPMI(TEXT, vector_size=3, min_count=1).save(path)
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(FormatError, match="checksum"):
        PPMI.load(path)
    path.write_bytes(data[:-9])
    with pytest.raises(FormatError):
        PPMI.load(path)
    kv = KeyedVectors(2)
    kv.add_vectors(["a"], [[1, 2]])
    kv.save(path)
    with pytest.raises(FormatError, match="not a PPMI"):
        PPMI.load(path)


def test_progress_and_interruption():
    told = []
    PPMI(TEXT, vector_size=2, min_count=1, progress=told.append)
    assert all({"phase", "fraction", "seconds", "eta"} <= set(report) for report in told)

    from fastemb.training import phases

    def stop(report):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phases, "CALL_SECONDS", 0.0)
        with pytest.raises(KeyboardInterrupt):
            PPMI(TEXT, vector_size=2, min_count=1, progress=stop)
        assert {"ppmi", "svd"} <= {r["phase"] for r in _all_reports()}


def _all_reports():
    told = []
    PPMI(TEXT, vector_size=2, min_count=1, progress=told.append)
    return told


def test_small_things():
    model = PPMI(TEXT, vector_size=2, min_count=1)
    assert model.vector_size == 2 and model.cds == 0.75 and "PPMI<vocab=9" in repr(model)
    with pytest.raises(AttributeError, match=r"model\.wv\.most_similar"):
        model.most_similar("cat")
    with pytest.raises(TypeError, match=r"model\.wv"):
        model["cat"]
    with pytest.raises(TypeError, match=r"model\.wv"):
        "cat" in model  # noqa: B015


def test_to_scipy():
    pytest.importorskip("scipy.sparse")
    model = PPMI(TEXT, vector_size=2, min_count=1)
    assert model.to_scipy().nnz == model.matrix().nnz
