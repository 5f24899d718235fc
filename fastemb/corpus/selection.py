"""Which of the counted words become the vocabulary, and in what order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._corpus import Table, decode_words, encode_word
from .rules import RULE_DEFAULT, RULE_DISCARD, RULE_KEEP, TrimRule, Word

__all__ = ["Selection", "check_selection", "select"]


@dataclass(frozen=True)
class Selection:
    order: np.ndarray  # int32 (V,): table ids of the words kept, by their new id
    over_max_vocab_size: int = 0  # words left out because of max_vocab_size
    over_max_final_vocab: int = 0  # words left out because of max_final_vocab


def check_selection(
    min_count: Any,
    max_final_vocab: Any = None,
    max_vocab_size: Any = None,
    trim_rule: Any = None,
    keep: Iterable[Word] = (),
    sorted_vocab: Any = True,
) -> dict[str, Any]:
    """The keywords of `select`, checked before any work is done. ``ValueError`` names what makes no sense."""
    if isinstance(min_count, bool) or not hasattr(min_count, "__index__") or min_count < 0:
        raise ValueError(f"min_count must be an integer of at least 0, got {min_count!r}")
    for name, value in (("max_final_vocab", max_final_vocab), ("max_vocab_size", max_vocab_size)):
        if value is not None and (isinstance(value, bool) or not hasattr(value, "__index__") or value < 1):
            raise ValueError(f"{name} must be None or an integer of at least 1, got {value!r}")
    if trim_rule is not None and not callable(trim_rule):
        raise ValueError(f"trim_rule must be None or callable(word, count, min_count), got {trim_rule!r}")
    return {
        "min_count": int(min_count),
        "max_final_vocab": None if max_final_vocab is None else int(max_final_vocab),
        "max_vocab_size": None if max_vocab_size is None else int(max_vocab_size),
        "trim_rule": trim_rule,
        "keep": [keep] if isinstance(keep, (str, bytes)) else list(keep),
        "sorted_vocab": bool(sorted_vocab),
    }


def table_words(table: Table, ids: np.ndarray) -> list[Any]:
    """The words of table ids as str (or int)."""
    blob, offsets = table.export(ids)
    return blob.view(np.int64).tolist() if table.ints else decode_words(blob, offsets)


def select(
    table: Table,
    counts: np.ndarray,
    *,
    min_count: int = 5,
    max_final_vocab: int | None = None,
    max_vocab_size: int | None = None,
    trim_rule: TrimRule | None = None,
    keep: Iterable[Word] = (),
    sorted_vocab: bool = True,
) -> Selection:
    """Words of `table` to keep.

    In this order: the ``max_vocab_size`` most frequent stay candidates; `trim_rule` decides, or ``count >= min_count``
    where it says ``RULE_DEFAULT`` or is not given; of those the ``max_final_vocab`` most frequent stay. Words in
    `keep`, and those the rule wants kept, are never cut. Ties are always decided by bytes, so the outcome does not
    depend on the number of workers.
    """
    check_selection(min_count, max_final_vocab, max_vocab_size, trim_rule)
    protected = np.zeros(len(table), np.bool_)
    for word in (keep,) if isinstance(keep, (str, bytes)) else keep:
        if table.ints:
            index = table.find(np.int64(word).tobytes()) if not isinstance(word, (str, bytes)) else -1
        else:
            index = table.find(encode_word(word)) if isinstance(word, (str, bytes)) else -1
        if index >= 0:
            protected[index] = True

    candidate = np.ones(len(table), np.bool_)
    over_size = 0
    if max_vocab_size is not None and len(table) > max_vocab_size:
        ranked = np.arange(len(table), dtype=np.int32)
        table.sort(ranked)
        candidate[ranked[max_vocab_size:]] = False
        over_size = int(np.count_nonzero(~candidate & ~protected))

    kept = candidate & (counts >= min_count)
    if trim_rule is not None:
        ids = np.flatnonzero(candidate).astype(np.int32)
        for i, word in zip(ids.tolist(), table_words(table, ids), strict=True):
            verdict = trim_rule(word, int(counts[i]), min_count)
            if verdict == RULE_KEEP:
                kept[i] = protected[i] = True
            elif verdict == RULE_DISCARD:
                kept[i] = False
            elif verdict not in (RULE_DEFAULT, None):
                raise ValueError(
                    f"trim_rule returned {verdict!r} for {word!r}; RULE_DEFAULT, RULE_DISCARD or RULE_KEEP expected"
                )
    kept |= protected

    order = np.flatnonzero(kept).astype(np.int32)
    table.sort(order)
    over_final = 0
    if max_final_vocab is not None and len(order) > max_final_vocab:
        safe = protected[order]
        room = max(0, max_final_vocab - int(np.count_nonzero(safe)))
        stay = safe | (np.cumsum(~safe) <= room)
        over_final = int(np.count_nonzero(~stay))
        order = order[stay]
    if not sorted_vocab:
        try:
            first = table.first_positions()
        except ValueError:  # a table filled from a mapping: ids are already in order of appearance
            order = np.sort(order)
        else:
            order = order[np.argsort(first[order], kind="stable")]
    return Selection(order, over_size, over_final)
