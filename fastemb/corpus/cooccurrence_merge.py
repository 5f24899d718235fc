"""Adding up the counts of several corpora, also of different vocabularies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ._cooccur import RowCounter, StopFlag
from .counting import cut, most_cells
from .spill import PIECE_CELLS, Counted, Memory, Sink
from .threads import in_order
from .vocabulary import Vocabulary

__all__ = ["merge"]

SAME = ("scale", "window", "symmetric", "weighting")


def merge(
    parts: Sequence[Any], vocabulary: Vocabulary | None, max_memory: int | None, workers: int
) -> tuple[Vocabulary, Counted]:
    """See ``Cooccurrence.merge``. A row of the result is the sum of the parts' rows of that word."""
    if not parts:
        raise ValueError("merge() needs at least one Cooccurrence")
    for part in parts:
        if not hasattr(part, "indptr"):
            raise TypeError(f"merge() takes Cooccurrence objects, got {type(part).__name__}")
    for name in SAME:
        values = sorted({repr(getattr(p, name)) for p in parts})
        if len(values) > 1:
            raise ValueError(
                f"the parts were counted in different ways: {name} is {' and '.join(values)}; count them alike"
            )
    if vocabulary is None:
        vocabulary = Vocabulary.merge(*(p.vocabulary for p in parts))
    v = len(vocabulary)
    columns_of: list[np.ndarray | None] = []  # of each part: its ids -> ids of the result; None where they are the same
    rows_of: list[np.ndarray] = []  # ids of the result -> rows of the part, -1 for none
    bound = np.zeros(v, np.int64)
    for part in parts:
        to = translate(part.vocabulary, vocabulary)
        rows = np.full(v, -1, np.int64)
        rows[to[to >= 0]] = np.flatnonzero(to >= 0)
        bound += np.where(rows >= 0, np.diff(part.indptr, append=part.indptr[-1])[rows], 0)
        same = len(to) == v and np.array_equal(to, np.arange(v))
        columns_of.append(None if same else to)
        rows_of.append(rows)

    memory, stop = Memory.plan(v, workers, max_memory), StopFlag()
    cuts = cut(most_cells(bound, 1, v), PIECE_CELLS)
    nnz = np.zeros(v, np.int64)

    def work(counter: RowCounter) -> Callable[[int], Any]:
        def rows(k: int) -> Any:
            columns, counts = [], []
            for i in range(int(cuts[k]), int(cuts[k + 1])):
                for part, row_of, to in zip(parts, rows_of, columns_of, strict=True):
                    row = int(row_of[i])
                    if row >= 0:
                        lo, hi = int(part.indptr[row]), int(part.indptr[row + 1])
                        counter.add_cells(part._some(0, lo, hi), part._some(1, lo, hi), to)
                found = counter.harvest()
                columns.append(found[0].copy())
                counts.append(found[1].copy())
                nnz[i] = len(columns[-1])
                if stop.is_set():
                    return None
            return np.concatenate(columns), np.concatenate(counts)

        return rows

    with Sink(memory.cells) as sink:
        in_order(
            len(cuts) - 1,
            [work(RowCounter(v)) for _ in range(memory.workers)],
            lambda _, found: sink.append(*found),
            stop=stop.set,
        )
        indptr = np.zeros(v + 1, np.int64)
        np.cumsum(nnz, out=indptr[1:])
        return vocabulary, Counted(indptr, sink.finish())


def translate(old: Vocabulary, new: Vocabulary) -> np.ndarray:
    """int32 (len(old),): the ids in `new` of the words of `old`, -1 where there is none."""
    if len(old) and len(new) and old.is_int != new.is_int:
        raise TypeError("one vocabulary has integer keys, the other strings")
    if not len(old):
        return np.empty(0, np.int32)
    return new.ids(old.int_keys if old.is_int else old.words)
