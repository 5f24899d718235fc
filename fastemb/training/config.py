"""Parameters of a training run: the one place where they are checked.

A model's parameters become one frozen dataclass. Constructing it checks every value, so that whoever holds a config
holds a valid one, and a wrong value is refused before any work is done. ``ValueError`` names the parameter, the value
and the range, ``TypeError`` the parameter and the type. Keywords of gensim 3, fastText and others are refused with
the name used here.
"""

from __future__ import annotations

import difflib
import math
import numbers
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np

MAX_INT32 = 2**31 - 1
MAX_SEED = 2**64 - 1
MAX_NEGATIVE = 4096  # a block holds one row of scores per input and noise word; quality stops growing below 100
MAX_NS_EXPONENT = 16.0  # 2^31 ** 16 still is a finite float64

# Keyword here -> what it is called in gensim 3, fastText, word2vec.c, scikit-learn or PyTorch.
_OLD_NAMES = {
    "vector_size": (
        "size dim dims dimension dimensions vector_dim embedding_dim embedding_size n_components layer1_size"
    ),
    "epochs": "iter epoch iterations n_iter max_iter num_epochs n_epochs",
    "window": "ws window_size context context_size",
    "min_count": "minCount mincount min_freq min_word_count min_df",
    "workers": "thread threads n_jobs num_workers nthreads num_threads",
    "alpha": "lr learning_rate eta start_lr start_alpha",
    "min_alpha": "end_alpha min_lr",
    "negative": "neg negatives num_negatives negative_samples",
    "sample": "t subsample threshold",
    "seed": "random_state random_seed",
    "algorithm": "model model_type method",
    "sg": "skipgram skip_gram",
    "loss": "objective",
    "hs": "hierarchical_softmax",
    "max_final_vocab": "max_vocab max_features vocab_size",
    "progress": "verbose",
    "sentences": "corpus corpus_iterable input docs documents texts data",
    "corpus_file": "file",
    "init": "pretrainedVectors pretrained_vectors",
    "callbacks": "callback",
}
RENAMED = {old: new for new, names in _OLD_NAMES.items() for old in names.split()}

# Keywords that exist elsewhere and have no counterpart here -> why.
ABSENT = {
    **dict.fromkeys(
        ("min_n", "max_n", "minn", "maxn", "bucket", "word_ngrams", "wordNgrams"), "Word2Vec has no subword n-grams"
    ),
    "lrUpdateRate": "the learning rate is updated continuously",
    "batch_size": "there are no batches: every word is one step",
    "docvecs": "it belonged to Doc2Vec",
}


def unknown_keywords(
    unknown: Iterable[str],
    known: Iterable[str],
    function: str,
    renamed: Mapping[str, str] = RENAMED,
    absent: Mapping[str, str] = ABSENT,
) -> TypeError:
    """The ``TypeError`` for keywords that `function` does not have, each with the name that was probably meant."""
    known = list(known)
    parts = []
    for name in unknown:
        if renamed.get(name) in known:
            parts.append(f"{name!r} is called {renamed[name]!r} here")
        elif name in absent:
            parts.append(f"{name!r} is not a parameter: {absent[name]}")
        else:
            near = difflib.get_close_matches(name, known, 1)
            parts.append(f"{name!r} is unknown" + (f"; did you mean {near[0]!r}?" if near else ""))
    return TypeError(f"{function}() got an unexpected keyword argument: " + ", ".join(parts))


def cpu_count() -> int:
    """Number of CPUs this process may run on (affinity respected), at least 1."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:  # not Linux
        count: Callable[[], int | None] = getattr(os, "process_cpu_count", os.cpu_count)
        return max(1, count() or 1)


def integer(name: str, value: Any, low: int, high: int, advice: str = "") -> int:
    """`value` as an int within [low, high]; a float with an integral value is no integer, a bool neither."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer, got {value!r} of type {type(value).__name__}")
    value = int(value)
    if not low <= value <= high:
        raise ValueError(f"{name}={value} is out of range: it must be from {low} to {high}{advice and '; ' + advice}")
    return value


def real(name: str, value: Any, low: float, high: float, *, above: bool = False, advice: str = "") -> float:
    """`value` as a finite float within [low, high], or (low, high] with `above`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {value!r} of type {type(value).__name__}")
    value = float(value)
    if math.isfinite(value) and (low < value if above else low <= value) and value <= high:
        return value
    if low == -math.inf and high == math.inf:
        allowed = "it must be finite"
    elif high == math.inf:
        allowed = f"it must be finite and {'above' if above else 'at least'} {low:g}"
    else:
        allowed = f"it must be {'above' if above else 'from'} {low:g} and at most {high:g}"
    raise ValueError(f"{name}={value!r} is out of range: {allowed}{advice and '; ' + advice}")


def flag(name: str, value: Any) -> int:
    """`value` as 0 or 1; bools are welcome."""
    if isinstance(value, (bool, np.bool_, numbers.Integral)):
        if int(value) in (0, 1):
            return int(value)
        raise ValueError(f"{name}={value!r} is out of range: it must be 0 or 1")
    raise TypeError(f"{name} must be 0 or 1, got {value!r} of type {type(value).__name__}")


def choice(name: str, value: Any, options: Mapping[str, Any]) -> Any:
    """What `options` holds for `value`."""
    if not isinstance(value, str):
        raise TypeError(
            f"{name} must be one of {', '.join(map(repr, options))}, got {value!r} of type {type(value).__name__}"
        )
    if value not in options:
        near = difflib.get_close_matches(value, options, 1)
        raise ValueError(
            f"{name}={value!r} is unknown: it must be one of {', '.join(map(repr, options))}"
            + (f"; did you mean {near[0]!r}?" if near else "")
        )
    return options[value]


def optional_callable(name: str, value: Any) -> Any:
    if value is not None and not callable(value):
        raise TypeError(f"{name} must be callable or None, got {value!r} of type {type(value).__name__}")
    return value


def check_workers(value: Any) -> int | None:
    """A positive number of worker threads, or None for "every core this process may use" (None and -1)."""
    if value is None or (isinstance(value, numbers.Integral) and not isinstance(value, bool) and value == -1):
        return None
    return integer("workers", value, 1, 65536, "None or -1 means every core this process may use")


def check_progress(value: Any) -> Any:
    if value is None or isinstance(value, bool) or callable(value):
        return value
    raise TypeError(f"progress must be True, False, None (automatic) or a callable, got {value!r}")


def check_max_seconds(value: Any) -> float | None:
    return None if value is None else real("max_seconds", value, 0.0, math.inf, above=True)


def check_path(name: str, value: Any) -> str | bytes | None:
    """`value` as a path, or None."""
    if value is None:
        return None
    try:
        return os.fspath(value)
    except TypeError:
        raise TypeError(f"{name} must be a path, got {value!r} of type {type(value).__name__}") from None


def check_callbacks(value: Any) -> tuple[Any, ...]:
    """`callbacks` as a tuple; one callback alone is taken as a tuple of one."""
    hooks = ("on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end")
    if value is None:
        return ()
    if any(callable(getattr(value, hook, None)) for hook in hooks):
        value = (value,)
    try:
        callbacks = tuple(value)
    except TypeError:
        raise TypeError(f"callbacks must be an iterable of callback objects, got {value!r}") from None
    for callback in callbacks:
        if isinstance(callback, type) or not any(callable(getattr(callback, hook, None)) for hook in hooks):
            raise TypeError(
                f"callbacks holds {callback!r}, which is not an object with one of the methods {', '.join(hooks)}"
                + ("; pass an instance, not the class" if isinstance(callback, type) else "")
            )
    return callbacks


def resolve_algorithm(sg: Any, algorithm: Any) -> int:
    """The value of ``sg`` that ``sg`` and its readable alias ask for together; None means not given."""
    if algorithm is None:
        return 0 if sg is None else flag("sg", sg)
    wanted = choice("algorithm", algorithm, {"skipgram": 1, "cbow": 0})
    if sg is not None and flag("sg", sg) != wanted:
        raise ValueError(f"algorithm={algorithm!r} contradicts sg={sg!r}: give one of them")
    return wanted


def resolve_loss(hs: Any, negative: Any, loss: Any) -> tuple[int, int]:
    """The values of ``hs`` and ``negative`` that they and their readable alias ask for together.

    None means not given.
    """
    if loss is None:
        return (0 if hs is None else flag("hs", hs)), (5 if negative is None else negative)
    wanted = choice("loss", loss, {"ns": 0, "hs": 1})
    if hs is not None and flag("hs", hs) != wanted:
        raise ValueError(f"loss={loss!r} contradicts hs={hs!r}: give one of them")
    if wanted:
        if negative not in (None, 0):
            raise ValueError(
                f"loss='hs' contradicts negative={negative!r}: leave negative away, or set hs=1 to train both"
            )
        return 1, 0
    if negative == 0:
        raise ValueError("loss='ns' contradicts negative=0: negative sampling needs at least one noise word")
    return 0, (5 if negative is None else negative)


@dataclass(frozen=True)
class Word2VecConfig:
    """Everything that decides what a Word2Vec run computes, checked.

    The meaning of each field is in the docstring of :class:`fastemb.Word2Vec`. ``workers`` is None for every
    available core.

    Raises
    ------
    ValueError
        A value out of its range, or values that contradict each other.
    TypeError
        A value of the wrong type.

    Examples
    --------
    >>> Word2VecConfig(window=0)
    Traceback (most recent call last):
        ...
    ValueError: window=0 is out of range: it must be from 1 to 2147483647
    """

    vector_size: int = 100
    alpha: float = 0.025
    window: int = 5
    min_count: int = 5
    max_vocab_size: int | None = None
    sample: float = 1e-3
    seed: int = 1
    workers: int | None = None
    min_alpha: float = 0.0001
    sg: int = 0
    hs: int = 0
    negative: int = 5
    ns_exponent: float = 0.75
    cbow_mean: int = 1
    epochs: int = 5
    sorted_vocab: int = 1
    max_final_vocab: int | None = None
    shrink_windows: bool = True

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "vector_size", integer("vector_size", self.vector_size, 1, MAX_INT32))
        put(self, "alpha", real("alpha", self.alpha, 0.0, math.inf, above=True))
        put(self, "min_alpha", real("min_alpha", self.min_alpha, 0.0, math.inf))
        if self.min_alpha > self.alpha:
            raise ValueError(
                f"min_alpha={self.min_alpha:g} is out of range: it must be at most alpha={self.alpha:g}, "
                "since the learning rate falls from alpha to min_alpha"
            )
        put(self, "window", integer("window", self.window, 1, MAX_INT32))
        put(self, "min_count", integer("min_count", self.min_count, 0, 2**63 - 1))
        if self.max_vocab_size is not None:
            put(self, "max_vocab_size", integer("max_vocab_size", self.max_vocab_size, 1, MAX_INT32))
        if self.max_final_vocab is not None:
            put(self, "max_final_vocab", integer("max_final_vocab", self.max_final_vocab, 1, MAX_INT32))
        sample = 0.0 if self.sample is None else self.sample
        put(self, "sample", real("sample", sample, 0.0, 1.0, advice="0 keeps every word, 1e-3 to 1e-5 are usual"))
        put(self, "seed", integer("seed", self.seed, 0, MAX_SEED))
        put(self, "workers", check_workers(self.workers))
        put(self, "sg", flag("sg", self.sg))
        put(self, "hs", flag("hs", self.hs))
        put(self, "negative", integer("negative", self.negative, 0, MAX_NEGATIVE, "5 to 20 are usual"))
        if not self.hs and not self.negative:
            raise ValueError(
                "negative=0 is out of range together with hs=0: nothing would be trained; "
                "set negative=5 for negative sampling or hs=1 for hierarchical softmax"
            )
        put(self, "ns_exponent", real("ns_exponent", self.ns_exponent, -MAX_NS_EXPONENT, MAX_NS_EXPONENT))
        put(self, "cbow_mean", flag("cbow_mean", self.cbow_mean))
        put(self, "epochs", integer("epochs", self.epochs, 1, MAX_INT32))
        put(self, "sorted_vocab", flag("sorted_vocab", self.sorted_vocab))
        put(self, "shrink_windows", bool(flag("shrink_windows", self.shrink_windows)))

    @property
    def algorithm(self) -> Literal["skipgram", "cbow"]:
        """``"skipgram"`` or ``"cbow"``."""
        return "skipgram" if self.sg else "cbow"

    @property
    def objectives(self) -> tuple[Literal["ns", "hs"], ...]:
        """What a run trains, in order: ``("hs",)``, ``("ns",)`` or, as in gensim with both set, ``("hs", "ns")``."""
        names: list[Literal["ns", "hs"]] = []
        if self.hs:
            names.append("hs")
        if self.negative:
            names.append("ns")
        return tuple(names)

    @property
    def threads(self) -> int:
        """The number of worker threads, "every core" resolved."""
        return cpu_count() if self.workers is None else self.workers

    def to_dict(self) -> dict[str, Any]:
        """The fields as a dict that JSON can hold."""
        return asdict(self)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Names of the fields."""
        return tuple(f.name for f in fields(cls))
