"""Parameters of a GloVe model, checked; see :mod:`fastemb.training.config`."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

from fastemb.training.config import (
    MAX_INT32,
    MAX_SEED,
    check_workers,
    choice,
    cpu_count,
    flag,
    integer,
    real,
)

MAX_WINDOW = 65535  # what Cooccurrence counts
MAX_WORDS = 1 << 28  # words a block times the most blocks, see fastemb.training.glove_job
COMBINATIONS = ("sum", "word", "context", "concat")
WEIGHTINGS = ("harmonic", "linear", "flat")

# Keyword here -> what it is called in Stanford's program, glove-python, text2vec, or in our other models.
_OLD_NAMES = {
    "source": "sentences corpus corpus_iterable corpus_file input docs documents texts data cooccurrence matrix",
    "vector_size": "size dim dims dimension embedding_dim embedding_size no_components n_components rank",
    "epochs": "iter iterations n_iter max_iter num_epochs n_epochs epoch",
    "eta": "learning_rate lr start_alpha initial_learning_rate",
    "x_max": "xmax max_count",
    "workers": "threads thread n_jobs num_workers no_threads num_threads",
    "seed": "random_state random_seed",
    "grad_clip": "max_loss grad_clip_value clip",
    "min_count": "vocab_min_count minCount min_freq",
    "window": "window_size context_size skip_grams_window",
    "progress": "verbose",
    "max_memory": "memory",
    "weighting": "distance_weighting",
    "callbacks": "callback",
    "combine": "model",
}
RENAMED = {old: new for new, names in _OLD_NAMES.items() for old in names.split()}
ABSENT = {
    "alpha": "the learning rate is called 'eta' here, and the exponent of the weights (Stanford's alpha) 'exponent'",
    "min_alpha": "AdaGrad lowers the learning rate by itself",
    "negative": "GloVe has no negative samples",
    "sg": "it belongs to Word2Vec",
    "hs": "it belongs to Word2Vec",
    "save_gradsq": "the sums of squares are always in the file that save() writes",
    "checkpoint_every": "give checkpoint= a path",
}


@dataclass(frozen=True)
class GloveConfig:
    """Everything that decides what a GloVe run computes, checked; the meanings are those of :class:`fastemb.Glove`.

    Raises
    ------
    ValueError, TypeError

    Examples
    --------
    >>> GloveConfig(x_max=0)
    Traceback (most recent call last):
        ...
    ValueError: x_max=0.0 is out of range: it must be finite and above 0
    """

    vector_size: int = 100
    window: int = 10
    min_count: int = 5
    x_max: float = 100.0
    exponent: float = 0.75
    eta: float = 0.05
    epochs: int = 25
    seed: int = 1
    workers: int | None = None
    symmetric: bool = True
    weighting: str = "harmonic"
    sample: float = 0.0
    max_final_vocab: int | None = None
    combine: str = "sum"
    grad_clip: float = 100.0

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "vector_size", integer("vector_size", self.vector_size, 1, MAX_INT32 // 8))
        put(self, "window", integer("window", self.window, 1, MAX_WINDOW))
        put(self, "min_count", integer("min_count", self.min_count, 0, 2**63 - 1))
        put(self, "x_max", real("x_max", self.x_max, 0.0, math.inf, above=True))
        if not 1e-30 <= self.x_max <= 1e30:
            raise ValueError(f"x_max={self.x_max:g} is out of range: 1e-30 to 1e30 are possible, 10 to 100 are usual")
        put(self, "exponent", real("exponent", self.exponent, 0.0, 16.0))
        put(self, "eta", real("eta", self.eta, 0.0, 1e6, above=True))
        put(self, "epochs", integer("epochs", self.epochs, 1, MAX_INT32))
        put(self, "seed", integer("seed", self.seed, 0, MAX_SEED))
        put(self, "workers", check_workers(self.workers))
        put(self, "symmetric", bool(flag("symmetric", self.symmetric)))
        put(self, "weighting", choice("weighting", self.weighting, {name: name for name in WEIGHTINGS}))
        sample = 0.0 if self.sample is None else self.sample
        put(self, "sample", real("sample", sample, 0.0, 1.0, advice="0 keeps every word, 1e-3 to 1e-5 are usual"))
        if self.max_final_vocab is not None:
            put(self, "max_final_vocab", integer("max_final_vocab", self.max_final_vocab, 1, MAX_INT32))
        put(self, "combine", choice("combine", self.combine, {name: name for name in COMBINATIONS}))
        put(self, "grad_clip", real("grad_clip", self.grad_clip, 0.0, 1e30, above=True))

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
