"""encode: texts to vectors, against the formulas written plainly."""

import logging

import numpy as np
import pytest

from fastemb import KeyedVectors
from fastemb.vectors import encoding

RNG = np.random.default_rng(9)
WORDS = [f"w{i}" for i in range(50)]
COUNTS = np.arange(500, 0, -10)


@pytest.fixture()
def kv():
    kv = KeyedVectors(6)
    kv.add_vectors(WORDS, RNG.standard_normal((50, 6)) + 0.4, extras={"count": COUNTS})
    return kv


TEXTS = ["w1 w2 w2", "", "w3", "nothing known here", "w4\tw5\nw49 unknown", " w1 " * 30]


def plainly(kv, text, pooling, weight=lambda w: 1.0):
    vectors = [weight(w) * kv[w] for w in text.split() if w in kv]
    if not vectors:
        return np.zeros(kv.vector_size)
    return {"mean": np.mean, "sum": np.sum, "max": np.max}[pooling](vectors, axis=0)


@pytest.mark.parametrize("pooling", ["mean", "sum", "max"])
@pytest.mark.parametrize("block", [1, 20, 1 << 20])
def test_pooling(kv, pooling, block, monkeypatch):
    monkeypatch.setattr(encoding, "_GATHERED", block)
    result = kv.encode(TEXTS, pooling=pooling)
    assert result.shape == (6, 6) and result.dtype == np.float32 and result.flags.c_contiguous
    np.testing.assert_allclose(result, [plainly(kv, t, pooling) for t in TEXTS], rtol=1e-5, atol=1e-6)
    unit = kv.encode(TEXTS, pooling=pooling, normalize=True)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), [1, 0, 1, 0, 1, 1], rtol=1e-6)


@pytest.mark.parametrize("block", [1, 1 << 20])
def test_sif(kv, block, monkeypatch):
    monkeypatch.setattr(encoding, "_GATHERED", block)
    a, p = 0.01, COUNTS / COUNTS.sum()
    plain = np.array([plainly(kv, t, "mean", lambda w: a / (a + p[int(w[1:])])) for t in TEXTS])
    np.testing.assert_allclose(kv.encode(TEXTS, pooling="sif", sif_a=a, sif_remove=None), plain, rtol=1e-5, atol=1e-6)
    # note B: the second moment of sentences of 20 words drawn from p
    u = a / (a + p)
    vectors = kv.vectors.astype(np.float64)
    mean = (p * u) @ vectors
    moment = 0.95 * np.outer(mean, mean) + 0.05 * (vectors.T * (p * u * u)) @ vectors
    c = np.linalg.eigh(moment)[1][:, -1]
    want = plain - np.outer(plain @ c, c)
    np.testing.assert_allclose(kv.encode(TEXTS, pooling="sif", sif_a=a), want, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(kv.encode(TEXTS, pooling="sif", sif_a=a, sif_remove=c), want, rtol=1e-4, atol=1e-5)
    c = np.linalg.svd(plain)[2][0]
    batch = kv.encode(TEXTS, pooling="sif", sif_a=a, sif_remove="batch")
    np.testing.assert_allclose(batch, plain - np.outer(plain @ c, c), rtol=1e-4, atol=1e-5)


def test_the_common_direction_is_what_drawn_sentences_have(kv):
    p = COUNTS / COUNTS.sum()
    rng = np.random.default_rng(1)
    drawn = [" ".join(rng.choice(WORDS, 20, p=p)) for _ in range(3000)]
    plain = kv.encode(drawn, pooling="sif", sif_remove=None).astype(np.float64)
    c = np.linalg.eigh(plain.T @ plain)[1][:, -1]
    assert abs(float(kv._vocabulary_direction(1e-3)[0] @ c)) > 0.99


def test_one_text_has_the_vector_it_has_among_others(kv):
    for pooling in encoding.POOLINGS:
        among = kv.encode(TEXTS, pooling=pooling)
        alone = kv.encode(TEXTS[0], pooling=pooling)
        assert alone.shape == (6,)
        np.testing.assert_allclose(alone, among[0], rtol=1e-6, atol=1e-7)


def test_the_direction_follows_the_vectors(kv):
    before = kv.encode("w1 w2", pooling="sif")
    kv.vectors = -kv.vectors[::-1].copy()
    assert not np.allclose(kv.encode("w1 w2", pooling="sif"), before)


def test_what_was_unknown_is_counted(kv, caplog):
    caplog.set_level(logging.INFO, logger="fastemb")
    _, report = kv.encode(TEXTS, return_report=True)
    assert report == encoding.EncodeReport(texts=6, empty_texts=2, tokens=41, tokens_oov=4)
    assert "2 of 6 texts have no word of the vocabulary" in caplog.text and "4 of 41 words" in caplog.text


def test_kinds_of_texts(kv):
    want = kv.encode(["w1 w2", "w3"])
    np.testing.assert_array_equal(kv.encode([["w1", "w2"], ("w3",)]), want)
    np.testing.assert_array_equal(kv.encode(t for t in ("w1 w2", "w3")), want)
    np.testing.assert_array_equal(kv.encode(["W1-W2", "W3"], tokenizer=lambda t: t.lower().split("-")), want)
    assert kv.encode([]).shape == (0, 6)
    ids = KeyedVectors.from_vocabulary([5, 6], np.eye(2))
    assert ids.encode([[5, 6, 7], np.array([6])]).tolist() == [[0.5, 0.5], [0, 1]]


def test_only_ascii_white_space_separates():
    assert encoding.split_words("a\u00a0b c\u2028d\x1ce\vf\x85g") == ["a\u00a0b", "c\u2028d\x1ce", "f\x85g"]
    assert encoding.split_words("a\x1cb c") == ["a\x1cb", "c"] and encoding.split_words(" a\f\r\n") == ["a"]


def test_bad_calls(kv):
    for options, message in (
        (dict(pooling="median"), "pooling must be one of mean, sum, max, sif"),
        (dict(pooling="sif", sif_a=0), "sif_a must be a positive number"),
        (dict(pooling="sif", sif_remove="all"), "sif_remove must be"),
        (dict(pooling="sif", sif_remove=np.ones(3)), "directions of shape"),
    ):
        with pytest.raises(ValueError, match=message):
            kv.encode(["w1"], **options)
    for texts in ([5], [b"w1"], [None], ["w1", 3.5]):
        with pytest.raises(TypeError, match="neither a string nor a list of words"):
            kv.encode(texts)


def test_frequencies_without_counts(caplog):
    kv = KeyedVectors.from_vocabulary(WORDS, RNG.standard_normal((50, 6)))
    result = kv.encode(["w0 w40"], pooling="sif", sif_remove=None)
    share = 1 / (np.arange(50) + 2.7)
    share /= share.sum()
    want = (1e-3 / (1e-3 + share[0]) * kv["w0"] + 1e-3 / (1e-3 + share[40]) * kv["w40"]) / 2
    np.testing.assert_allclose(result[0], want, rtol=1e-5)
    assert "no counts" in caplog.text


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_types(dtype):
    kv = KeyedVectors.from_vocabulary(["a", "b"], np.array([[1, 2], [3, 4]], dtype))
    assert kv.encode(["a b"]).dtype == np.float32 and kv.encode("a b").tolist() == [2, 3]
