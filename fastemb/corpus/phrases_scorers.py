"""Scores of pairs of words: gensim's formulas, and checks of a user's own."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ._phrases import scores

__all__ = ["BUILT_IN", "check_scoring", "npmi_scorer", "original_scorer", "pmi_scorer", "unknown_scorer"]

_SCORER_PARAMETERS = ("worda_count", "wordb_count", "bigram_count", "len_vocab", "min_count", "corpus_word_count")


def _score(kind: str, a: int, b: int, ab: int, size: float, least: float, total: float) -> float:
    counts = (np.array([x], np.int64) for x in (a, b, ab))
    return float(scores(kind, least, size, total, *counts)[0])


def original_scorer(
    worda_count: int, wordb_count: int, bigram_count: int, len_vocab: int, min_count: float, corpus_word_count: int
) -> float:
    """``(bigram_count - min_count) / (worda_count * wordb_count) * len_vocab`` (Mikolov et al. 2013).

    >>> original_scorer(3, 2, 2, 31, 1, 0)
    5.166666666666666
    """
    return _score("default", worda_count, wordb_count, bigram_count, len_vocab, min_count, corpus_word_count)


def npmi_scorer(
    worda_count: int, wordb_count: int, bigram_count: int, len_vocab: int, min_count: float, corpus_word_count: int
) -> float:
    """Normalised pointwise mutual information, -1 to 1 (Bouma 2009); -inf below `min_count`.

    ``ln(p(ab) / (p(a) p(b))) / -ln p(ab)``, with probabilities of `corpus_word_count` words.

    >>> round(npmi_scorer(3, 2, 2, 0, 1, 30), 3)
    0.85
    """
    return _score("npmi", worda_count, wordb_count, bigram_count, len_vocab, min_count, corpus_word_count)


def pmi_scorer(
    worda_count: int, wordb_count: int, bigram_count: int, len_vocab: int, min_count: float, corpus_word_count: int
) -> float:
    """Pointwise mutual information in nats, ``ln(p(ab) / (p(a) p(b)))``; -inf below `min_count`.

    >>> round(pmi_scorer(3, 2, 2, 0, 1, 30), 3)
    2.303
    """
    return _score("pmi", worda_count, wordb_count, bigram_count, len_vocab, min_count, corpus_word_count)


BUILT_IN: dict[Any, str] = {original_scorer: "default", npmi_scorer: "npmi", pmi_scorer: "pmi"}
_BY_NAME = {name: scorer for scorer, name in BUILT_IN.items()}


def check_scoring(scoring: Any) -> Callable[..., float]:
    if isinstance(scoring, str):
        if scoring not in _BY_NAME:
            raise ValueError(f"scoring must be one of {', '.join(map(repr, _BY_NAME))} or a function, got {scoring!r}")
        return _BY_NAME[scoring]
    if not callable(scoring):
        raise ValueError(f"scoring must be a name or a function, got {scoring!r}")
    try:
        parameters = inspect.signature(scoring).parameters
    except (TypeError, ValueError):  # a function in C tells nothing
        return scoring
    if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        missing = [name for name in _SCORER_PARAMETERS if name not in parameters]
        if missing:
            raise ValueError(
                f"the scoring function lacks the parameters {', '.join(missing)}; it is called with "
                f"{', '.join(_SCORER_PARAMETERS)} as keywords"
            )
    return scoring


def unknown_scorer(
    worda_count: int, wordb_count: int, bigram_count: int, len_vocab: int, min_count: float, corpus_word_count: int
) -> float:
    """Stands for the scoring function of a file's maker, which is not in the file."""
    raise RuntimeError("the scoring function is not in the file: give it to load(path, scoring=function)")
