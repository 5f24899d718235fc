"""Any allowed parameters train any small text: every word once an epoch, finite vectors, the same twice, no crash."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastemb import Word2Vec

WORDS = st.sampled_from([f"w{i}" for i in range(12)] + ["é", "\udcff", "a b", ""])
TEXTS = st.lists(st.lists(WORDS, max_size=12), min_size=1, max_size=20)
PARAMETERS = st.fixed_dictionaries(
    {
        "vector_size": st.integers(1, 70),
        "window": st.integers(1, 9) | st.just(2**31 - 1),
        "min_count": st.integers(0, 3),
        "sample": st.sampled_from([0, 1e-5, 1e-2, 0.5, 1.0]),
        "seed": st.integers(0, 2**64 - 1),
        "workers": st.integers(1, 4),
        "sg": st.integers(0, 1),
        "ns_exponent": st.floats(-16, 16),
        "cbow_mean": st.integers(0, 1),
        "epochs": st.integers(1, 3),
        "sorted_vocab": st.integers(0, 1),
        "max_final_vocab": st.none() | st.integers(1, 12),
        "shrink_windows": st.booleans(),
        "alpha": st.floats(1e-4, 0.2),
    }
)
OBJECTIVES = st.sampled_from(
    [{"negative": 1}, {"negative": 5}, {"negative": 100}, {"loss": "hs"}, {"hs": 1, "negative": 3}]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=TEXTS, parameters=PARAMETERS, objective=OBJECTIVES)
def test_any_parameters(text, parameters, objective):
    try:
        model = Word2Vec(text, **parameters, **objective)
    except ValueError as error:  # the text may be too poor for the parameters, which is all that may be wrong
        assert any(x in str(error) for x in ("empty", "min_count", "nothing to train on"))
        return
    counts = {}
    for sentence in text:
        for word in sentence:
            counts[word] = counts.get(word, 0) + 1
    assert all(counts[w] >= parameters["min_count"] for w in model.wv.index_to_key)
    known = sum(counts[w] for w in model.wv.index_to_key)
    assert [h["words"] for h in model.history] == [known] * parameters["epochs"]
    assert np.isfinite(model.wv.vectors).all()
    assert all(h["examples"] == 0 or math.isfinite(h["loss"]) for h in model.history)
    if parameters["workers"] == 1:
        again = Word2Vec(text, **parameters, **objective)
        assert np.array_equal(again.wv.vectors, model.wv.vectors)


@settings(max_examples=200, deadline=None)
@given(
    name=st.sampled_from(
        ["vector_size", "window", "alpha", "min_alpha", "negative", "epochs", "workers", "seed", "sample"]
    ),
    value=st.none()
    | st.integers()
    | st.floats()
    | st.text(max_size=3)
    | st.booleans()
    | st.lists(st.integers(), max_size=2),
)
def test_a_wrong_value_is_refused_by_name(name, value):
    try:
        Word2Vec(**{name: value})
    except (ValueError, TypeError) as error:
        assert name in str(error)
    else:
        assert isinstance(value, (int, float)) or (value is None and name in ("workers", "sample", "negative"))


@pytest.mark.parametrize("workers", [1, 3])
def test_examples_are_the_same_for_any_number_of_workers(workers):
    text = np.random.default_rng(1).integers(300, size=(3000, 12))
    model = Word2Vec(text, vector_size=3, workers=workers, min_count=1, sample=1e-3, epochs=1, sg=1)
    assert model.history[0]["examples"] == Word2Vec(
        text, vector_size=5, workers=2, min_count=1, sample=1e-3, epochs=1, sg=1
    ).history[0]["examples"]  # fmt: skip
