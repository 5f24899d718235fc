"""The twins themselves: gradients by finite differences, and each clever form against the obvious one."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import fastemb.reference
from fastemb.reference import block, minibatch, random, sampling, word2vec

MODULES = [m.name for m in pkgutil.iter_modules(fastemb.reference.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    result = doctest.testmod(importlib.import_module(f"fastemb.reference.{name}"))
    assert result.failed == 0


def numerical_gradient(f, x: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Central differences, exact to about step**2 = 1e-10 relative to the third derivative."""
    gradient = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        saved = x[i]
        x[i] = saved + step
        above = f()
        x[i] = saved - step
        below = f()
        x[i] = saved
        gradient[i] = (above - below) / (2 * step)
    return gradient


def weights(kind: str, M: int, N: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """P and Q of one centre word, of a Huffman path, or of anything."""
    if kind == "one centre word":
        return np.eye(1, N), 1 - np.eye(1, N)
    if kind == "path":
        codes = rng.integers(0, 2, N)
        return 1.0 - codes, codes.astype(float)
    return rng.integers(0, 3, (M, N)).astype(float), rng.choice([0.0, 5 / 6, 1.0, 2.5], (M, N))


@pytest.mark.parametrize("M, N, d", [(1, 1, 1), (1, 6, 5), (4, 6, 3), (10, 2, 7), (3, 9, 4)])
@pytest.mark.parametrize("kind", ["one centre word", "path", "any"])
def test_gradients_by_finite_differences(M, N, d, kind, rng):
    H, O = rng.normal(size=(M, d)), rng.normal(size=(N, d))
    P, Q = weights(kind, M, N, rng)
    dH, dO = block.block_gradients(H, O, P, Q, lr=1.0)
    # float64: differences of a loss of up to 100 lose 1e-14 / 1e-5 = 1e-9; the third derivatives add as much
    np.testing.assert_allclose(-dH, numerical_gradient(lambda: block.block_loss(H, O, P, Q), H), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(-dO, numerical_gradient(lambda: block.block_loss(H, O, P, Q), O), rtol=1e-6, atol=1e-8)


def test_block_step_is_a_gradient_step_even_with_repeated_rows(rng):
    W_in, W_out = rng.normal(size=(5, 4)), rng.normal(size=(6, 4))
    inputs, outputs, lr = np.array([2, 0, 2, 4]), np.array([1, 5, 3]), 0.1
    P, Q = weights("any", 4, 3, rng)

    def loss():
        return block.block_loss(W_in[inputs], W_out[outputs], P, Q)

    wanted_in = W_in - lr * numerical_gradient(loss, W_in)
    wanted_out = W_out - lr * numerical_gradient(loss, W_out)
    before = loss()
    assert block.block_step(W_in, W_out, inputs, outputs, P, Q, lr) == pytest.approx(before)
    np.testing.assert_allclose(W_in, wanted_in, atol=1e-8)
    np.testing.assert_allclose(W_out, wanted_out, atol=1e-8)
    assert loss() < before


@pytest.mark.parametrize("mean", [True, False])
def test_cbow_step_is_word2vecs_multiple_of_the_gradient(mean, rng):
    """C times the gradient for the mean, a C-th of it for the sum; the outputs' change is the gradient either way."""
    W_in, W_out = rng.normal(size=(5, 4)), rng.normal(size=(6, 4))
    contexts, outputs, lr = [np.array([2, 0, 3]), np.array([4, 2])], np.array([1, 5, 3]), 0.1
    P, Q = weights("any", 2, 3, rng)

    def hidden(tables):
        pairs = zip(tables, contexts, strict=True)
        return np.stack([t[c].mean(axis=0) if mean else t[c].sum(axis=0) for t, c in pairs])

    apart = [
        W_in.copy(),
        W_in.copy(),
    ]  # each context reads its own copy, so that its part of the gradient is told apart
    wanted_in = W_in.copy()
    for table, context in zip(apart, contexts, strict=True):
        gradient = numerical_gradient(lambda: block.block_loss(hidden(apart), W_out[outputs], P, Q), table)
        wanted_in -= lr * gradient * (len(context) if mean else 1 / len(context))
    wanted_out = W_out - lr * numerical_gradient(
        lambda: block.block_loss(hidden([W_in, W_in]), W_out[outputs], P, Q), W_out
    )
    block.cbow_step(W_in, W_out, contexts, outputs, P, Q, lr, mean=mean)
    np.testing.assert_allclose(W_in, wanted_in, atol=1e-8)
    np.testing.assert_allclose(W_out, wanted_out, atol=1e-8)


@pytest.mark.parametrize("in_turn", [0, 1, 3])
def test_in_turn_is_one_input_after_the_other(in_turn, rng):
    """The matrix form of `in_turn` against the loop it stands for."""
    inputs, outputs = np.array([1, 1, 0, 1]), np.array([0, 2, 1])
    W_in, W_out, lockf = rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), np.array([1.0, 0.5, 1.0])
    (P, Q), lr = weights("any", 4, 3, rng), 0.3
    G = block.gradient_cells(W_in[inputs], W_out[outputs], P, Q, lr)
    looped_in, looped_out = W_in.copy(), W_out.copy()
    for m, i in enumerate(inputs):
        for n, o in enumerate(outputs):
            looped_out[o] += G[m, n] * (looped_in[i] if n >= len(outputs) - in_turn else W_in[i])
        looped_in[i] += lockf[i] * (G[m] @ W_out[outputs])
    block.block_step(W_in, W_out, inputs, outputs, P, Q, lr, lockf, in_turn=in_turn)
    np.testing.assert_allclose(W_in, looped_in, atol=1e-14)
    np.testing.assert_allclose(W_out, looped_out, atol=1e-14)


@pytest.mark.parametrize("types", [2, 5, 100])
@pytest.mark.parametrize("negative, group, draws", [(5, 1, 5), (5, 3, 6), (2, 8, 11), (20, 4, 20)])
def test_weights_of_a_group_are_the_sum_over_its_pairs(types, negative, group, draws, rng):
    """P and Q against the loop over the pairs: each has its centre word, and all noise words but that one."""
    objective = word2vec.NegativeSampling(np.ones(types), negative, group=group, draws=draws)
    centres, covers, key = rng.integers(0, types, group), rng.random((7, group)) < 0.6, np.uint64(12345)
    outputs, right, wrong = objective.outputs(centres, key, covers)
    noise = objective.draw(np.array([key]))[0]
    P, Q = np.zeros((7, types)), np.zeros((7, types))
    for m, t in zip(*np.nonzero(covers), strict=True):
        P[m, centres[t]] += 1
        for word in noise[noise != centres[t]]:
            Q[m, word] += negative / draws
    assert len(noise) == draws and len(set(outputs.tolist())) == len(outputs)
    assert set(outputs.tolist()) == {*centres.tolist(), *noise.tolist()}
    np.testing.assert_array_equal(right, P[:, outputs])
    np.testing.assert_allclose(wrong, Q[:, outputs], atol=1e-12)


@pytest.mark.parametrize("algorithm", ["skipgram", "cbow"])
def test_group_of_one_is_word2vec_as_published(algorithm, rng):
    """Pair by pair (skip-gram) or centre by centre (CBOW), with no block and no weights, as word2vec.c's loops go."""
    offsets, lr = np.array([0, 1, 22, 25, 60]), float(np.float32(0.05))
    ids = np.concatenate([rng.permutation(40)[:n] for n in np.diff(offsets)])  # no word twice in a window: no turns
    W_in, W_out, noise = rng.normal(0, 0.3, (40, 5)), rng.normal(0, 0.3, (40, 5)), 1 / np.arange(1, 41)
    ours = W_in.copy(), W_out.copy()
    objective = word2vec.NegativeSampling(noise, 4, group=1, draws=4)
    totals = word2vec.epoch(*ours, ids, offsets, objective, algorithm=algorithm, window=3, alpha0=lr, alpha1=lr)
    keys = random.centre_keys(random.epoch_key(1, 0), np.arange(60))
    loss, examples, reach = 0.0, 0, word2vec.reaches(keys, 3, True)
    for s in range(4):
        for p in range(offsets[s], offsets[s + 1]):
            around = range(max(offsets[s], p - reach[p]), min(offsets[s + 1], p + reach[p] + 1))
            context = [ids[k] for k in around if k != p]
            targets = [(ids[p], 1.0), *((w, 0.0) for w in objective.draw(keys[p : p + 1])[0] if w != ids[p])]
            before_in, before_out = W_in.copy(), W_out.copy()
            for hs in [[c] for c in context] if algorithm == "skipgram" else [context] if context else []:
                h, examples = before_in[hs].mean(axis=0), examples + 1
                change = np.zeros(5)
                for word, label in targets:
                    prob = 1 / (1 + np.exp(-h @ before_out[word]))
                    loss -= np.log(prob if label else 1 - prob)
                    change += lr * (label - prob) * before_out[word]
                    W_out[word] += lr * (label - prob) * h
                for c in hs:
                    W_in[c] += change
    assert totals.examples == examples and totals.loss == pytest.approx(loss)
    np.testing.assert_allclose(ours[0], W_in, atol=1e-12)
    np.testing.assert_allclose(ours[1], W_out, atol=1e-12)


def test_units_cover_the_text_and_cross_no_sentence():
    offsets = np.array([0, 5, 5, 3000, 3001])
    assert word2vec.units(offsets, 0, 3001, 5) == [(0, 5), (5, 1029), (1029, 2053), (2053, 3000), (3000, 3001)]
    assert word2vec.units(offsets, 2, 1500, 5) == [(2, 5), (5, 1029), (1029, 1500)]
    assert word2vec.units(offsets, 100, 3000, 2000) == [(100, 2100), (2100, 3000)]
    assert [word2vec.last_pass(n, 6) for n in (0, 1, 6, 7, 12, 13, 14)] == [0, 1, 6, 3, 6, 4, 4]


def test_sigmoid_and_softplus_far_out():
    with np.errstate(all="raise", under="ignore"):
        x = np.array([-1e4, -50.0, 0.0, 50.0, 1e4])
        np.testing.assert_allclose(block.sigmoid(x), [0, np.exp(-50), 0.5, 1, 1], rtol=1e-15)
        np.testing.assert_allclose(block.softplus(x), [0, np.exp(-50), np.log(2), 50, 1e4], rtol=1e-15)


def test_dtype_is_kept():
    H, O = np.ones((2, 3), np.float32), np.ones((2, 3), np.float32)
    dH, dO = block.block_gradients(H, O, np.array([1.0, 0.0]), np.array([0.0, 1.0]), 0.025)
    assert dH.dtype == dO.dtype == np.float32


@pytest.mark.parametrize("n, rows", [(0, 5), (1, 5), (1000, 3), (1000, 40), (1000, 5000)])
def test_scatter_add(n, rows, rng):
    index, changes = rng.integers(0, rows, n), rng.normal(size=(n, 3))
    ours, numpys = np.ones((rows, 3)), np.ones((rows, 3))
    minibatch.scatter_add(ours, index, changes)
    np.add.at(numpys, index, changes)
    np.testing.assert_allclose(ours, numpys, atol=1e-11)  # float64; another order of up to 400 additions


def test_minibatch_of_one_centre_word_is_the_oracle(rng):
    """Noise that is always the same word leaves nothing to chance, so both must give the same weights."""
    counts = np.array([1, 1, 1, 1, 1, 1, 10**15])  # the last word is drawn with probability 1 - 3e-11
    ids, offsets = np.array([0, 1, 2, 3, 4, 5, 0, 2, 4, 1, 3, 5]), np.array([0, 6, 9, 12])
    start = rng.normal(0, 0.3, (7, 4)).astype(np.float32), rng.normal(0, 0.3, (7, 4)).astype(np.float32)
    ours, oracle = [w.copy() for w in start], [w.astype(np.float64) for w in start]
    options = dict(window=3, shrink_windows=False, alpha0=0.1, alpha1=0.02)
    loss = minibatch.sgns_minibatch_epoch(
        *ours, ids, offsets, counts, rng=rng, negative=2, sample=0, batch=1, **options
    )
    noise = sampling.noise_distribution(counts)
    totals = word2vec.epoch(*oracle, ids, offsets, word2vec.NegativeSampling(noise, 2, group=1, draws=2), **options)
    # a few steps in float32; no word is context twice in a window, so the order of updates does not matter
    np.testing.assert_allclose(ours[0], oracle[0], atol=1e-6)
    np.testing.assert_allclose(ours[1], oracle[1], atol=1e-6)
    assert loss == pytest.approx(totals.loss / totals.examples, rel=1e-5)


def test_minibatch_learns_what_the_oracle_learns(rng):
    """Two topics of fifty words each that never meet: same losses after the same epochs, and the topics come apart."""
    topic = rng.integers(0, 2, 200)
    ids = (topic[:, None] * 50 + rng.integers(0, 50, (200, 8))).ravel()
    offsets, counts = np.arange(0, 1601, 8), np.bincount(ids, minlength=100)
    settings = dict(alpha0=0.04, alpha1=0.04)
    start = (rng.random((100, 16), dtype=np.float32) - 0.5) / 16
    ours, oracle = (start.copy(), np.zeros_like(start)), (start.copy(), np.zeros_like(start))
    objective = word2vec.NegativeSampling(sampling.noise_distribution(counts), 5, group=1, draws=5)
    for epoch in range(4):
        loss = minibatch.sgns_minibatch_epoch(*ours, ids, offsets, counts, rng=rng, sample=0, batch=8, **settings)
        totals = word2vec.epoch(*oracle, ids, offsets, objective, number=epoch, **settings)
    # other draws: 7,000 pairs an epoch, whose losses spread by 1.5; and the eight words of a batch are a bit stale
    assert loss == pytest.approx(totals.loss / totals.examples, abs=0.05)
    for W_in, _ in (ours, oracle):
        unit = W_in / np.linalg.norm(W_in, axis=1, keepdims=True)
        cosines = unit @ unit.T
        assert cosines[:50, :50].mean() > cosines[:50, 50:].mean() + 0.3


def test_random_numbers_of_scalars_and_arrays_agree_without_warnings():
    with np.errstate(all="raise"):
        key = random.epoch_key(2**64 - 1, 2**63)
        position = np.array([0, 1, 2**32 - 1, 2**32, 2**40 + 3])
        keys, bits = random.centre_keys(key, position), random.subsampling_bits(key, position)
        for i, p in enumerate(position):
            assert random.centre_keys(key, p) == keys[i]
            assert random.subsampling_bits(key, p) == bits[i]
        assert random.negative_bits(keys, 3).shape == (5, 3)
        assert len(np.unique(random.negative_bits(keys, 3))) == 15


def test_reference_imports_nothing_else_of_the_package():
    import ast
    import sys
    from pathlib import Path

    for path in Path(fastemb.reference.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [a.name for a in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            assert node.level == 1 if isinstance(node, ast.ImportFrom) and node.level else True
            others = [n for n in names if not n.startswith("fastemb.reference.")]
            assert {n.split(".")[0] for n in others} <= {"numpy", *sys.stdlib_module_names}, path.name
