"""Parameters are refused before any work, with their name, value and range."""

import math

import numpy as np
import pytest

from fastemb.training.config import (
    RENAMED,
    Word2VecConfig,
    check_callbacks,
    check_max_seconds,
    check_progress,
    cpu_count,
    resolve_algorithm,
    resolve_loss,
    unknown_keywords,
)

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("vector_size", v) for v in (0, -1, 2**31, 10**18)],
        *[("alpha", v) for v in (0.0, -1.0, NAN, INF, -INF)],
        *[("min_alpha", v) for v in (-1e-9, NAN, INF, 0.5)],
        *[("window", v) for v in (0, -1, 2**31)],
        *[("min_count", v) for v in (-1,)],
        *[("max_vocab_size", v) for v in (0, -1)],
        *[("max_final_vocab", v) for v in (0, -1)],
        *[("sample", v) for v in (-1e-9, 1.5, NAN, INF)],
        *[("seed", v) for v in (-1, 2**64)],
        *[("workers", v) for v in (0, -2, 10**6)],
        *[("sg", v) for v in (2, -1)],
        *[("hs", v) for v in (2, -1)],
        *[("negative", v) for v in (-1, 10**9)],
        *[("ns_exponent", v) for v in (NAN, INF, 1e3)],
        *[("cbow_mean", v) for v in (2,)],
        *[("epochs", v) for v in (0, -1, 2**31)],
        *[("sorted_vocab", v) for v in (2,)],
        *[("shrink_windows", v) for v in (2,)],
    ],
)
def test_out_of_range(name, value):
    with pytest.raises(ValueError, match=rf"^{name}=.*(must be|from)") as error:
        Word2VecConfig(**{name: value})
    assert str(value) in str(error.value) or f"{value:g}" in str(error.value)


@pytest.mark.parametrize("name", Word2VecConfig.names())
@pytest.mark.parametrize("value", ["5", [5], 5j, {}])
def test_wrong_type(name, value):
    with pytest.raises(TypeError, match=rf"^{name} must be"):
        Word2VecConfig(**{name: value})


@pytest.mark.parametrize("name", ["vector_size", "window", "epochs", "negative", "seed", "workers"])
@pytest.mark.parametrize("value", [5.0, True])
def test_an_integer_is_no_float_and_no_bool(name, value):
    with pytest.raises(TypeError, match=rf"^{name} must be an integer"):
        Word2VecConfig(**{name: value})


def test_numpy_scalars_are_numbers():
    config = Word2VecConfig(
        vector_size=np.int64(7),
        alpha=np.float32(0.5),
        sg=np.bool_(True),
        window=np.uint8(3),
        shrink_windows=np.bool_(False),
    )
    assert (config.vector_size, config.alpha, config.sg, config.window, config.shrink_windows) == (7, 0.5, 1, 3, False)
    assert all(type(v) in (int, float, bool, type(None)) for v in config.to_dict().values())


def test_nothing_to_train_is_refused_with_advice():
    with pytest.raises(ValueError, match=r"negative=0.*hs=0.*negative=5.*hs=1"):
        Word2VecConfig(negative=0)
    assert Word2VecConfig(hs=1, negative=0).objectives == ("hs",)
    assert Word2VecConfig().objectives == ("ns",)
    assert Word2VecConfig(hs=1).objectives == ("hs", "ns")  # what gensim trains then


def test_all_cores():
    assert Word2VecConfig().threads == Word2VecConfig(workers=-1).threads == cpu_count() >= 1
    assert Word2VecConfig(workers=3).threads == 3


def test_a_config_is_frozen():
    with pytest.raises(AttributeError):
        Word2VecConfig().window = 3


@pytest.mark.parametrize(
    ("sg", "algorithm", "wanted"), [(None, None, 0), (1, None, 1), (None, "skipgram", 1), (0, "cbow", 0)]
)
def test_algorithm(sg, algorithm, wanted):
    assert resolve_algorithm(sg, algorithm) == wanted


@pytest.mark.parametrize(
    ("hs", "negative", "loss", "wanted"),
    [
        (None, None, None, (0, 5)),
        (1, None, None, (1, 5)),
        (None, None, "hs", (1, 0)),
        (None, 7, "ns", (0, 7)),
        (1, 0, "hs", (1, 0)),
    ],
)
def test_loss(hs, negative, loss, wanted):
    assert resolve_loss(hs, negative, loss) == wanted


def test_contradictions():
    with pytest.raises(ValueError, match="algorithm='cbow' contradicts sg=1"):
        resolve_algorithm(1, "cbow")
    with pytest.raises(ValueError, match="loss='ns' contradicts hs=1"):
        resolve_loss(1, None, "ns")
    with pytest.raises(ValueError, match="loss='hs' contradicts negative=5"):
        resolve_loss(None, 5, "hs")
    with pytest.raises(ValueError, match="loss='ns' contradicts negative=0"):
        resolve_loss(None, 0, "ns")
    with pytest.raises(ValueError, match="did you mean 'skipgram'"):
        resolve_algorithm(None, "skip-gram")


def test_foreign_keywords():
    known = [*Word2VecConfig.names(), "algorithm", "loss", "sentences", "corpus_file", "init", "callbacks", "progress"]
    assert set(RENAMED.values()) <= set(known)
    pairs = "size vector_size iter epochs dim vector_size ws window minCount min_count thread workers lr alpha".split()
    for old, new in zip(pairs[::2], pairs[1::2], strict=True):
        assert f"{old!r} is called {new!r}" in str(unknown_keywords([old], known, "f"))
    assert "did you mean 'window'" in str(unknown_keywords(["windw"], known, "f"))
    assert "subword" in str(unknown_keywords(["min_n"], known, "f"))
    assert str(unknown_keywords(["zzz"], known, "f")).endswith("'zzz' is unknown")


def test_options():
    assert check_max_seconds(None) is None and check_max_seconds(3) == 3.0
    with pytest.raises(ValueError, match="max_seconds=0"):
        check_max_seconds(0)
    with pytest.raises(TypeError, match="progress"):
        check_progress("yes")

    class Hook:
        def on_epoch_end(self, model):
            pass

    hook = Hook()
    assert check_callbacks(None) == () and check_callbacks(hook) == check_callbacks([hook]) == (hook,)
    with pytest.raises(TypeError, match="not the class"):
        check_callbacks([Hook])
    with pytest.raises(TypeError, match="callbacks holds"):
        check_callbacks([print])
