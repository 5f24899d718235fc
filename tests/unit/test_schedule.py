"""A corpus is cut into pieces without losing or repeating a token; the learning rate is linear in the position."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastemb.training import schedule
from fastemb.training.schedule import LinearSchedule, Plan


def offsets(lengths):
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def test_linear():
    rate = LinearSchedule(0.1, 0.02, epochs=4, tokens=1000)
    assert rate.at(0, 0) == 0.1
    assert rate.at(2, 0) == rate.at(1, 1000) == pytest.approx(0.06)
    assert rate.at(4, 0) == pytest.approx(0.02)
    assert rate.at(9, 0) == pytest.approx(0.02)


@settings(max_examples=200, deadline=None)
@given(
    lengths=st.lists(st.sampled_from([0, 1, 2, 5, 17, 40, 500]), min_size=1, max_size=60).filter(sum),
    workers=st.integers(1, 9),
    window=st.integers(1, 40),
    data=st.data(),
)
def test_every_token_once(lengths, workers, window, data):
    old = schedule.MIN_PIECE, schedule.MAX_PIECE, schedule.MIN_HALO
    schedule.MIN_PIECE, schedule.MAX_PIECE, schedule.MIN_HALO = 16, 64, 8
    try:
        ends = offsets(lengths)
        start = data.draw(st.integers(0, int(ends[-1]) - 1))
        plan = Plan(ends, workers=workers, window=window, start=start)
        pieces = [plan.piece(i) for i in range(len(plan))]
    finally:
        schedule.MIN_PIECE, schedule.MAX_PIECE, schedule.MIN_HALO = old
    assert pieces[0].begin == start and pieces[-1].end == ends[-1]
    assert all(a.end == b.begin for a, b in itertools.pairwise(pieces))
    for p in pieces:
        assert p.begin < p.end and p.end - p.begin <= 2 * plan.size
        assert ends[p.sentence] <= p.begin < ends[p.sentence + 1]
        first, last = p.sentence, int(np.searchsorted(ends, p.end - 1, side="right")) - 1
        assert p.low == max(ends[first], p.begin - plan.halo)
        assert p.high == min(ends[last + 1], p.end + plan.halo)
        assert p.high - p.low <= plan.capacity
        inside = (p.begin in ends, p.end in ends)
        if not inside[1]:  # only a sentence longer than a piece is cut
            assert lengths[last] > plan.size


def test_one_long_sentence_is_shared_by_workers():
    plan = Plan(offsets([1_000_000]), workers=4, window=5)
    assert len(plan) >= 4 * schedule.PIECES_PER_WORKER
    assert plan.piece(3).low == max(0, plan.piece(3).begin - plan.halo)


def test_an_empty_corpus_has_no_pieces():
    assert len(Plan(offsets([]), workers=1, window=5)) == 0
    assert Plan(offsets([]), workers=1, window=5).capacity == 0
