"""Trim rules, by gensim's values: what a ``trim_rule(word, count, min_count)`` may return."""

from collections.abc import Callable
from typing import Any

__all__ = ["RULE_DEFAULT", "RULE_DISCARD", "RULE_KEEP", "TrimRule", "Word"]

RULE_DEFAULT, RULE_DISCARD, RULE_KEEP = 0, 1, 2

Word = str | bytes | int
TrimRule = Callable[[Any, int, int], int]
