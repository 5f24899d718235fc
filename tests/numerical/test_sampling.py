"""Alias table, Huffman tree, subsampling and the trainer's draws: exact properties, then statistics with fixed seeds.

The statistical tests look at the engine from outside, through what it trains and counts, on each instruction set, so
they hold whatever the twin does. Their seeds are fixed: each either always passes or always fails, and the limits are
set where a right sampler fails once in a million seeds.
"""

import numpy as np
import pytest
from numerical_problem import ISAS

from fastemb.reference import huffman, sampling, word2vec
from fastemb.training import _engine, rows

SHUFFLE = np.random.default_rng(11)


def chi_square_limit(cells: int) -> float:
    """What a chi-square of `cells` - 1 degrees of freedom exceeds once in a million (Wilson and Hilferty 1931)."""
    k = cells - 1
    return k * (1 - 2 / (9 * k) + 4.753 * np.sqrt(2 / (9 * k))) ** 3


WEIGHTS = {
    "one": np.ones(1),
    "two": np.array([3.0, 1.0]),
    "equal": np.ones(7),
    "zipf": 1 / np.arange(1, 5001) ** 0.75,
    "random": SHUFFLE.random(1000),
    "zeros": np.array([0.0, 1, 0, 2, 0, 0, 5]),
    "spread over 300 orders": 10.0 ** np.linspace(-150, 150, 100),
    "shuffled": SHUFFLE.permutation(1 / np.arange(1, 301)),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_alias_table_holds_the_distribution(name):
    weights = WEIGHTS[name]
    table, n = _engine.alias_table(weights), len(weights)
    assert table["other"].min() >= 0 and table["other"].max() < n
    own = table["other"] == np.arange(n)
    accept = np.where(own, 1, table["threshold"] / 2.0**32)
    # thresholds are cut to 32 bits: at most 2**-32 a cell; and n cells may fill up one word's
    np.testing.assert_allclose(
        sampling.alias_probabilities(accept, table["other"]), weights / weights.sum(), rtol=0, atol=2.0**-32 + 1e-12
    )
    assert not np.any(table["threshold"][weights == 0]), "a word of weight 0 must never be drawn"
    assert np.all(weights[table["other"]] > 0)


@pytest.mark.parametrize("name", WEIGHTS)
def test_alias_table_is_the_twins(name):
    table = _engine.alias_table(WEIGHTS[name])
    twin = word2vec.NegativeSampling(WEIGHTS[name], 5)
    np.testing.assert_array_equal(table["threshold"], twin.threshold)
    np.testing.assert_array_equal(table["other"], twin.other)


@pytest.mark.parametrize("bad", [[], [0.0, 0.0], [1.0, -1.0], [np.nan, 1], [np.inf, 1], [1e308, 1e308]])
def test_alias_table_refuses(bad):
    with pytest.raises(ValueError, match="noise distribution"), np.errstate(over="ignore"):
        _engine.alias_table(np.array(bad))


COUNTS = {
    "one": [5],
    "two": [5, 5],
    "equal": [3] * 37,
    "powers": [2**k for k in range(20, -1, -1)],
    "zipf": [10**6 // k for k in range(1, 2000)],
    "huge": [2**60, 2**59, 2**59, 7, 7, 7, 1],
    "unsorted": SHUFFLE.integers(1, 50, 200).tolist(),
}


@pytest.mark.parametrize("name", COUNTS)
def test_huffman_tree(name):
    counts = np.array(COUNTS[name], dtype=np.int64)
    tree, V = _engine.huffman(counts), len(counts)
    assert (
        len(tree.offsets) == V + 1 and tree.offsets[0] == 0 and tree.offsets[-1] == len(tree.points) == len(tree.codes)
    )
    paths = [
        (tree.points[a:b].tolist(), tree.codes[a:b].tolist())
        for a, b in zip(tree.offsets, tree.offsets[1:], strict=False)
    ]
    # optimal: no tree has a smaller mean path
    assert sum(int(c) * len(codes) for c, (_, codes) in zip(counts, paths, strict=True)) == huffman.huffman_cost(counts)
    # complete and free of prefixes: Kraft's sum is exactly 1
    assert sum(2.0 ** -len(codes) for _, codes in paths) == 1
    assert len({tuple(codes) for _, codes in paths}) == V
    # one tree: a sequence of branches leads every word to the same node, and nodes are rows 0..V-2, the root last
    at = {}
    for nodes, codes in paths:
        assert all(0 <= n < V - 1 for n in nodes) and set(codes) <= {0, 1}
        for depth, node in enumerate(nodes):
            assert at.setdefault(tuple(codes[:depth]), node) == node
    assert sorted(at.values()) == list(range(V - 1))
    if V > 1:
        assert at[()] == V - 2
    if name != "unsorted":  # the twin breaks ties by id, which is the rank only where counts descend
        assert paths == huffman.huffman_paths(counts)


def test_huffman_of_unsorted_counts_has_the_depths_of_the_sorted():
    counts = np.array(COUNTS["unsorted"])
    order = np.argsort(-counts, kind="stable")
    np.testing.assert_array_equal(_engine.huffman(counts).depth[order], _engine.huffman(counts[order]).depth)


@pytest.mark.parametrize("sample", [0.0, 1e-5, 1e-3, 0.1, 5.0])
def test_thresholds_are_the_twins(sample):
    counts = np.array([10**6, 5 * 10**5, 1000, 10, 1])
    engine, twin = _engine.subsample_threshold(counts, sample), sampling.keep_threshold(counts, sample)
    if engine is None:
        assert np.all(twin == 2**32 - 1)
    else:
        np.testing.assert_array_equal(engine, twin)
        kept = (engine.astype(float) + 1) / 2**32
        np.testing.assert_allclose(kept, sampling.keep_probability(counts, sample), atol=2.0**-32)


def trainer(types: int, syn1: np.ndarray, isa: str, **options) -> _engine.Trainer:
    """A trainer of one-dimensional vectors whose inputs are frozen at 1."""
    syn0 = rows.padded(np.ones((types, 1), np.float32))
    settings = dict(algorithm="skipgram", loss="ns", window=1, shrink_windows=False, noise=np.ones(types))
    return _engine.Trainer(syn0, syn1, dim=1, lockf=np.zeros(types, np.float32), isa=isa, **(settings | options))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("group, draws", [(1, 5), (2, None), (3, None), (3, 5), (8, 10)])
@pytest.mark.parametrize("exponent", [0.75, 1.0, 0.0, -0.5])
def test_negatives_follow_the_noise_distribution(exponent, group, draws, isa, rng):
    """Counts how often the engine draws each word.

    Sentences of one group of word 0, windows beyond them, inputs frozen at 1, outputs so small that every sigmoid is
    1/2: each draw of a word moves its output by negative / draws * -alpha / 2 for each pair of the group. Draws of word
    0 itself are dropped, being the centre word.
    """
    types, sentences, length, alpha = 50, 20_000, max(group, 2), 2.0**-40
    tokens, groups, pairs = sentences * length, sentences * length // group, group * (length - 1)
    counts = np.sort(rng.integers(1, 1000, types))[::-1].astype(float)
    noise = counts**exponent
    syn1 = rows.padded(np.zeros((types, 1), np.float32))
    ids, offsets = np.zeros(tokens, np.int32), np.arange(0, tokens + 1, length, dtype=np.int64)
    state = _engine.WorkerState()
    job = trainer(types, syn1, isa, noise=noise, seed=123, group=group, draws=draws, window=length)
    assert job.run(ids, 0, offsets, 0, 0, tokens, 0, alpha, alpha, state)
    assert state.examples == groups * pairs
    moved = syn1[:, 0].astype(float) / (alpha / 2 * pairs)  # 20,000 roundings to 24 bits: below 1e-3 of it
    assert moved[0] == pytest.approx(groups, rel=1e-3)
    draws = draws or 6
    drawn = -moved * draws / 5
    p = noise[1:] / noise.sum()
    total = draws * groups
    expected = np.append(p, 1 - p.sum()) * total
    observed = np.append(drawn[1:], total - drawn[1:].sum())
    assert np.sum((observed - expected) ** 2 / expected) < chi_square_limit(types)
    np.testing.assert_allclose(drawn[1:], np.round(drawn[1:]), rtol=1e-4, atol=1e-3)  # sigmoid(0) is 1/2 to 3e-7


@pytest.mark.parametrize("isa", ISAS)
def test_keep_rates(isa):
    """Each word is kept at its own rate."""
    tokens = 50_000
    counts = np.array([500_000, 100_000, 20_000, 3000, 900, 10])
    keep = _engine.subsample_threshold(counts, 1e-3)
    wanted = sampling.keep_probability(counts, 1e-3)
    offsets = np.array([0, tokens], dtype=np.int64)
    syn1 = rows.padded(np.zeros((6, 1), np.float32))
    for word, p in enumerate(wanted):
        state = _engine.WorkerState()
        job = trainer(6, syn1, isa, keep=keep, seed=5)
        assert job.run(np.full(tokens, word, np.int32), 0, offsets, 0, 0, tokens, 0, 1e-9, 1e-9, state)
        assert state.words == tokens
        if p == 1:
            assert state.kept == tokens
        else:
            assert abs(state.kept - p * tokens) < 4.9 * np.sqrt(tokens * p * (1 - p))


@pytest.mark.parametrize("isa", ISAS)
def test_windows_are_uniform(isa):
    """One centre word a call, in the middle of a long sentence: the pairs counted are twice its reach."""
    tokens, window = 6000, 7
    ids, offsets = np.zeros(tokens, np.int32), np.array([0, tokens], dtype=np.int64)
    job = trainer(2, rows.padded(np.zeros((2, 1), np.float32)), isa, window=window, shrink_windows=True, negative=1)
    state, pairs = _engine.WorkerState(), []
    for t in range(window, tokens - window):
        before = state.examples
        assert job.run(ids, 0, offsets, 0, t, t + 1, 0, 1e-9, 1e-9, state)
        pairs.append(state.examples - before)
    assert set(pairs) == {2 * r for r in range(1, window + 1)}
    observed, expected = np.bincount(pairs)[2::2], len(pairs) / window
    assert np.sum((observed - expected) ** 2 / expected) < chi_square_limit(window)
    # neighbours draw independently of each other: no correlation beyond 4.9 standard errors
    reach = np.array(pairs) / 2
    assert abs(np.corrcoef(reach[1:], reach[:-1])[0, 1]) < 4.9 / np.sqrt(len(reach))


def test_draws_of_twin_positions_epochs_and_seeds_are_independent():
    """Pairs of draws that should have nothing to do with each other fill an 8 x 8 table evenly."""
    from fastemb.reference.random import centre_keys, epoch_key, negative_bits, scale32, subsampling_bits

    position, n = np.arange(20_000), 8
    base = centre_keys(epoch_key(1, 0), position)
    top = lambda bits: scale32(bits >> np.uint64(32), n)  # noqa: E731
    noise = top(negative_bits(base, 2))
    pairs = {
        "window and first negative": (top(base), noise[:, 0]),
        "first and second negative": (noise[:, 0], noise[:, 1]),
        "position and next": (top(base)[1:], top(base)[:-1]),
        "epoch and next": (top(base), top(centre_keys(epoch_key(1, 1), position))),
        "seed and next": (top(base), top(centre_keys(epoch_key(2, 0), position))),
        "keeping and window": (scale32(subsampling_bits(epoch_key(1, 0), position), n), top(base)),
        "keeping and the next word's": tuple(
            scale32(subsampling_bits(epoch_key(1, 0), p), n) for p in (position[1:], position[:-1])
        ),
        "keeping in two epochs": tuple(scale32(subsampling_bits(epoch_key(1, e), position), n) for e in (0, 1)),
    }
    for name, (a, b) in pairs.items():
        table = np.bincount(a * n + b, minlength=n * n)
        expected = len(a) / (n * n)
        assert np.sum((table - expected) ** 2 / expected) < chi_square_limit(n * n), name
