"""The GloVe trainer against its NumPy twin, on every instruction set, and its gradients by finite differences.

What may differ is rounding (float32 against float64) and the length of each step, by the relative error of the
reciprocal square root: 2**-14 with AVX-512, less elsewhere. Steps of up to 0.3 are made here, so weights may differ by
some 2e-5 a step; one wrong sign, weight, row or order moves them by 1e-2.
"""

import numpy as np
import pytest

from fastemb.reference import glove as twin
from fastemb.training import _engine, _glove

ISAS = _engine.available_simd()
SETTINGS = dict(eta=0.05, x_max=10.0, exponent=0.75, clip=100.0)


class Problem:
    """A matrix of counts, and tables of weights with the public numbers in them."""

    def __init__(self, words=40, dim=10, density=0.5, scale=6, seed=0, blocks=3, per_tile=1, largest=200, **settings):
        rng = np.random.default_rng(seed)
        dense = np.where(rng.random((words, words)) < density, rng.geometric(3 / largest, (words, words)), 0)
        self.i, self.j = np.nonzero(dense)
        self.data = dense[self.i, self.j].astype(np.int64)
        self.indptr = np.concatenate(([0], np.cumsum(np.bincount(self.i, minlength=words)))).astype(np.int64)
        self.words, self.dim, self.scale = words, dim, scale
        self.blocks, self.per_tile = blocks, per_tile
        self.settings = SETTINGS | settings
        self.start = [
            rng.normal(0, 0.5 / np.sqrt(dim), (words, dim + 1)),
            rng.normal(0, 0.5 / np.sqrt(dim), (words, dim + 1)),
            1 + rng.random((words, dim + 1)),
            1 + rng.random((words, dim + 1)),
        ]
        self.start = [x.astype(np.float32) for x in self.start]

    @property
    def cells(self):
        return self.i, self.j, self.data / self.scale

    def layout(self, isa):
        side = self.blocks // self.per_tile
        counts = _glove.Counts(self.indptr, self.j.astype(np.int32), self.data, scale=self.scale, blocks=self.blocks,
                               per_tile=self.per_tile, isa=isa)  # fmt: skip
        bins = np.concatenate(([0], np.cumsum(np.concatenate([counts.sizes(r) for r in range(side)])))).astype(np.int64)
        cells, width, zeros = np.zeros(len(self.i), _glove.CELL), self.per_tile * self.blocks, 0.0
        for r in range(side):
            first = bins[r * width : (r + 1) * width].copy()
            zeros += counts.place(r, first, cells, exponent=self.settings["exponent"], x_max=self.settings["x_max"])
        return cells, bins, zeros

    def tables(self):
        stride, tables = _glove.stride_of(self.dim), []
        for rows, squares, bias, one in (
            (self.start[0], self.start[2], self.dim, self.dim + 1),
            (self.start[1], self.start[3], self.dim + 1, self.dim),
        ):
            table = np.zeros((self.words, 2 * stride), np.float32)
            table[:, stride:] = 1
            table[:, one] = 1
            table[:, : self.dim], table[:, bias] = rows[:, :-1], rows[:, -1]
            table[:, stride : stride + self.dim], table[:, stride + bias] = squares[:, :-1], squares[:, -1]
            tables.append(table)
        return tables

    def public(self, tables):
        stride, d = _glove.stride_of(self.dim), self.dim
        take = [np.append(np.arange(d), d), np.append(np.arange(d), d + 1)]
        return [tables[0][:, take[0]], tables[1][:, take[1]], tables[0][:, stride + take[0]],
                tables[1][:, stride + take[1]]]  # fmt: skip

    def run(self, isa, tiles, epoch=0, seed=1):
        cells, bins, _ = self.layout(isa)
        tables = self.tables()
        trainer = _glove.Trainer(*tables, cells, bins, dim=self.dim, blocks=self.blocks, per_tile=self.per_tile,
                                 seed=seed, isa=isa, **self.settings)  # fmt: skip
        losses = [trainer.run(t, epoch) for t in tiles]
        stride = _glove.stride_of(self.dim)
        for table, one in zip(tables, (self.dim + 1, self.dim), strict=True):  # what is constant stays as it was
            assert (table[:, one] == 1).all() and (table[:, stride + one] == 1).all()
            assert not table[:, self.dim + 2 : stride].any() and (table[:, stride + self.dim + 2 :] == 1).all()
        return self.public(tables), losses

    def run_twin(self, tiles, epoch=0, seed=1):
        model = twin.Model(*(x.astype(np.float64) for x in self.start))
        bins = twin.bins_of(self.i, self.j, self.blocks, self.per_tile)
        losses = [
            twin.train_tile(model, self.cells, bins, t, per_tile=self.per_tile, seed=seed, epoch=epoch, **self.settings)
            for t in tiles
        ]
        return [model.words, model.contexts, model.word_squares, model.context_squares], losses


def check(problem, isa, tiles=None, tolerance=2e-3, **how):
    tiles = range((problem.blocks // problem.per_tile) ** 2) if tiles is None else tiles
    ours, losses = problem.run(isa, tiles, **how)
    theirs, expected = problem.run_twin(tiles, **how)
    for name, a, b in zip(("words", "contexts", "squares of words", "squares of contexts"), ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=name)
    np.testing.assert_allclose(losses, expected, rtol=tolerance)
    moved = np.abs(theirs[0] - problem.start[0]).max()
    assert moved > 20 * tolerance, "the case must train something"


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dim", [1, 2, 6, 7, 8, 13, 14, 15, 16, 17, 30, 31, 32, 100, 110, 111, 112, 126, 127, 300])
def test_every_dimension(isa, dim):
    check(Problem(dim=dim), isa)


CASES = {
    "one block": dict(blocks=1),
    "a tile of many bins": dict(blocks=6, per_tile=3),
    "one tile of many bins": dict(blocks=4, per_tile=4),
    "more blocks than words": dict(words=5, blocks=8, per_tile=2, density=0.9),
    "a word with many cells": dict(words=300, density=0.9, blocks=1),
    "words with few cells": dict(words=300, density=0.01, blocks=2),
    "every count above x_max": dict(x_max=0.01),
    "small weights": dict(x_max=1e4, eta=0.5),
    "weights all one": dict(exponent=0.0),
    "clipped": dict(clip=0.1),
    "large steps": dict(eta=0.5, largest=2000),
    "counts near 2^62": dict(largest=2**62, scale=720720, density=0.2),
}


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("case", CASES)
def test_every_setting(isa, case):
    check(Problem(**CASES[case]), isa)


@pytest.mark.parametrize("isa", ISAS)
def test_order_is_of_seed_and_epoch(isa):
    problem = Problem(words=60, blocks=2)
    check(problem, isa, epoch=3, seed=2**64 - 1)
    first = problem.run(isa, [0, 3], epoch=1)[0]
    assert all(np.array_equal(a, b) for a, b in zip(first, problem.run(isa, [0, 3], epoch=1)[0], strict=True))
    assert any(not np.array_equal(a, b) for a, b in zip(first, problem.run(isa, [0, 3], epoch=2)[0], strict=True))


@pytest.mark.parametrize("isa", ISAS)
def test_first_losses(isa):
    """The losses of zeros, that a run is compared with, and those of one cell, that is those before its step."""
    problem = Problem()
    i, j, x = problem.cells
    zeros = 0.5 * np.sum(twin.weight(x, 10.0, 0.75) * np.log(x) ** 2)
    assert problem.layout(isa)[2] == pytest.approx(zeros, rel=1e-5)
    one = Problem(words=30, blocks=30, density=0.3)  # at most one cell a bin, and a tile is a bin
    model = twin.Model(*(a.astype(np.float64) for a in one.start))
    i, j, x = one.cells
    expected = twin.cost(model, i[:1], j[:1], x[:1], 10.0, 0.75)
    assert one.run(isa, [i[0] * 30 + j[0]])[1][0] == pytest.approx(expected, rel=1e-5)


def test_gradients_by_finite_differences():
    problem = Problem(words=7, dim=3)
    model = twin.Model(*(a.astype(np.float64) for a in problem.start))
    by_words, by_contexts = twin.gradients(model, *problem.cells, 10.0, 0.75)
    h = 1e-6
    for table, gradient in ((model.words, by_words), (model.contexts, by_contexts)):
        for at in np.ndindex(table.shape):
            value = table[at]
            table[at] = value + h
            above = twin.cost(model, *problem.cells, 10.0, 0.75)
            table[at] = value - h
            below = twin.cost(model, *problem.cells, 10.0, 0.75)
            table[at] = value
            assert (above - below) / (2 * h) == pytest.approx(gradient[at], rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("isa", ISAS)
def test_the_trainer_steps_along_the_gradient(isa):
    """With huge sums of squares the rows hardly move, and an epoch's step is the gradient of the whole cost over
    their roots: so the trainer's gradients are those that finite differences confirm."""
    problem = Problem(words=12, dim=5, blocks=2)
    big = 1e8
    problem.start[2][:] = problem.start[3][:] = big
    problem.start[0] *= 1e-1  # float32 rows: a step must not drown in their rounding
    problem.start[1] *= 1e-1
    model = twin.Model(*(a.astype(np.float64) for a in problem.start))
    by_words, by_contexts = twin.gradients(model, *problem.cells, 10.0, 0.75)
    ours = problem.run(isa, range(4))[0]
    for row, start, gradient in zip(ours, problem.start, (by_words, by_contexts), strict=False):
        rate = np.full(gradient.shape[1], 0.05)
        rate[-1] = 1.0
        step = (start - row.astype(np.float64)) * np.sqrt(big) / rate
        np.testing.assert_allclose(step, gradient, rtol=0.05, atol=0.02 * np.abs(gradient).max())


def test_the_twin_lowers_the_cost():
    problem = Problem(words=20)
    losses = []
    model = twin.Model(*(x.astype(np.float64) for x in problem.start))
    bins = twin.bins_of(problem.i, problem.j, 3, 1)
    for epoch in range(20):
        losses.append(
            sum(
                twin.train_tile(model, problem.cells, bins, t, per_tile=1, seed=1, epoch=epoch, **problem.settings)
                for t in range(9)
            )
        )
    assert losses[-1] < 0.2 * losses[0]


def test_bad_counts_are_refused():
    indptr, indices, data = np.array([0, 1, 2]), np.array([1, 2], np.int32), np.array([1, 1])
    counts = _glove.Counts(indptr, indices, data, scale=1, blocks=1, per_tile=1)
    with pytest.raises(ValueError, match="cell 1, in row 1, has column 2 and count 1"):
        counts.sizes(0)
    data = np.array([1, -1])
    counts = _glove.Counts(indptr, np.array([1, 0], np.int32), data, scale=1, blocks=1, per_tile=1)
    with pytest.raises(ValueError, match="count -1"):
        counts.sizes(0)
