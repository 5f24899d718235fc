"""Parameters of the models that decompose a matrix of counts, PPMI and LSA: the one place where they are checked."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

from fastemb.training import config as cfg

WEIGHTINGS = ("harmonic", "linear", "flat")  # of distances
COMBINATIONS = ("word", "sum", "context")
LOCAL = ("log-entropy", "tf-idf", "log", "count", "binary")  # of cells of a term-document matrix

# What others call them.
_OLD_NAMES = {
    "cds": "ns_exponent context_smoothing context_distribution_smoothing smoothing",
    "shift": "negative neg k",
    "eig": "eigenvalue_weighting p power",
    "combine": "add_contexts w_plus_c w_c add_context ensemble",
    "weighting": "dyn dynamic_window shrink_windows distance_weighting weights",
    "sample": "sub",
    "power_iterations": "n_iter iterations iter epochs niter power_iters",
    "oversampling": "n_oversamples oversamples extra_dims",
    "vector_size": "num_topics rank n_topics",
    "documents": "corpus docs sentences texts corpus_iterable input",
    "source": "corpus sentences corpus_iterable corpus_file input cooccurrence",
}


def renamed(known: Iterable[str]) -> dict[str, str]:
    """Old name -> name, for a function that has the parameters `known`."""
    known = set(known)
    return cfg.RENAMED | {old: new for new, names in _OLD_NAMES.items() if new in known for old in names.split()}


@dataclass(frozen=True)
class SVDConfig:
    """What every truncated SVD needs, checked; ``workers`` is None for every available core."""

    vector_size: int = 100
    eig: float = 0.5
    oversampling: int = 10
    power_iterations: int = 5
    seed: int = 1
    workers: int | None = None

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "vector_size", cfg.integer("vector_size", self.vector_size, 1, cfg.MAX_INT32))
        put(self, "eig", cfg.real("eig", self.eig, -1.0, 2.0, advice="0, 0.5 and 1 are usual"))
        put(self, "oversampling", cfg.integer("oversampling", self.oversampling, 0, 10_000))
        put(self, "power_iterations", cfg.integer("power_iterations", self.power_iterations, 0, 1000))
        put(self, "seed", cfg.integer("seed", self.seed, 0, cfg.MAX_SEED))
        put(self, "workers", cfg.check_workers(self.workers))

    @property
    def threads(self) -> int:
        """The number of worker threads, "every core" resolved."""
        return cfg.cpu_count() if self.workers is None else self.workers

    def to_dict(self) -> dict[str, Any]:
        """The fields as a dict that JSON can hold."""
        return asdict(self)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Names of the fields."""
        return tuple(f.name for f in fields(cls))


@dataclass(frozen=True)
class PPMIConfig(SVDConfig):
    """Everything that decides what :class:`fastemb.PPMI` computes from counts, checked.

    Examples
    --------
    >>> PPMIConfig(shift=0.5)
    Traceback (most recent call last):
        ...
    ValueError: shift=0.5 is out of range: it must be finite and at least 1; it is the number k whose log is subtracted
    """

    cds: float = 0.75
    shift: float = 1.0
    combine: str = "word"

    def __post_init__(self) -> None:
        super().__post_init__()
        put = object.__setattr__
        put(self, "cds", cfg.real("cds", self.cds, 0.0, 4.0, advice="0.75 is usual, 1 is plain PMI"))
        put(
            self,
            "shift",
            cfg.real("shift", self.shift, 1.0, math.inf, advice="it is the number k whose log is subtracted"),
        )
        cfg.choice("combine", self.combine, dict.fromkeys(COMBINATIONS))


@dataclass(frozen=True)
class CountConfig:
    """How co-occurrences are counted for :class:`fastemb.PPMI`, checked; see ``Cooccurrence.count``.

    ``None`` stands for the default, which is also the mark of what a user did not ask for.
    """

    window: int | None = None
    min_count: int | None = None
    weighting: str | None = None
    symmetric: bool | None = None
    sample: float | None = None
    max_vocab_size: int | None = None
    max_final_vocab: int | None = None
    sorted_vocab: int | None = None

    DEFAULTS: ClassVar[dict[str, Any]] = {"window": 5, "weighting": "linear", "symmetric": True, "sample": 0.0}

    def __post_init__(self) -> None:
        put = object.__setattr__
        for name, low, high in (
            ("window", 1, 65535),
            ("min_count", 0, 2**63 - 1),
            ("max_vocab_size", 1, cfg.MAX_INT32),
            ("max_final_vocab", 1, cfg.MAX_INT32),
        ):
            if getattr(self, name) is not None:
                put(self, name, cfg.integer(name, getattr(self, name), low, high))
        if self.weighting is not None:
            cfg.choice("weighting", self.weighting, dict.fromkeys(WEIGHTINGS))
        if self.symmetric is not None:
            put(self, "symmetric", bool(cfg.flag("symmetric", self.symmetric)))
        if self.sample is not None:
            put(self, "sample", cfg.real("sample", self.sample, 0.0, 1.0, advice="0 keeps every word"))
        if self.sorted_vocab is not None:
            put(self, "sorted_vocab", cfg.flag("sorted_vocab", self.sorted_vocab))

    def given(self) -> dict[str, Any]:
        """What the user asked for."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}

    def refuse(self, what: str, allowed: Iterable[str] = ()) -> None:
        """``ValueError`` when the user asked for something that `what`, the source, has settled already."""
        wrong = [name for name in self.given() if name not in allowed]
        if wrong:
            raise ValueError(
                f"{', '.join(wrong)}: the source is a {what}, whose words and counts are made already; give these to "
                f"{what} instead"
            )


@dataclass(frozen=True)
class LSAConfig(SVDConfig):
    """Everything that decides what :class:`fastemb.LSA` computes, checked."""

    eig: float = 1.0
    weighting: str = "log-entropy"
    min_count: int = 2
    max_vocab_size: int | None = None
    max_final_vocab: int | None = None
    sorted_vocab: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        put = object.__setattr__
        cfg.choice("weighting", self.weighting, dict.fromkeys(LOCAL))
        put(self, "min_count", cfg.integer("min_count", self.min_count, 0, 2**63 - 1))
        for name in ("max_vocab_size", "max_final_vocab"):
            if getattr(self, name) is not None:
                put(self, name, cfg.integer(name, getattr(self, name), 1, cfg.MAX_INT32))
        put(self, "sorted_vocab", cfg.flag("sorted_vocab", self.sorted_vocab))
