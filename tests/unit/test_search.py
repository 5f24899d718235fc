"""Exact search against sorting everything, for every way of cutting it into blocks."""

import numpy as np
import pytest

import fastemb.search.exact as exact
from fastemb.geometry import inverse, principal_directions, remove_directions, row_norms, unit_rows, unit_vector
from fastemb.search import TopK, best_first, cosine_scores, cosine_topk


def by_sorting(queries, vectors, norms, k, exclude):
    scores = (queries.astype(np.float64) @ vectors.T.astype(np.float64)) * inverse(norms.astype(np.float64))
    scores[exclude] = -np.inf
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    best = np.take_along_axis(scores, order, axis=1)
    order[np.isneginf(best)] = -1
    return order, best


@pytest.mark.parametrize("seed", range(60))
def test_against_sorting(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    monkeypatch.setattr(exact, "SCORES", int(rng.integers(1, 5000)))
    monkeypatch.setattr(exact, "QUERIES", int(rng.integers(1, 50)))
    q, n, d, k = (int(rng.integers(1, high)) for high in (40, 3000, 12, 25))
    # small whole numbers: scores are exact in float32, and full of ties
    vectors = rng.integers(-2, 3, (n, d)).astype(np.float32)
    queries = rng.integers(-2, 3, (q, d)).astype(np.float32)
    norms = 2.0 ** rng.integers(-1, 2, n).astype(np.float32) * (rng.random(n) > 0.05)
    exclude = rng.integers(0, q, 50), rng.integers(0, n, 50)
    rows, scores = cosine_topk(queries, vectors, norms, k, exclude=exclude)
    want_rows, want_scores = by_sorting(queries, vectors, norms, k, exclude)
    np.testing.assert_array_equal(rows, want_rows)
    np.testing.assert_array_equal(scores, want_scores)


def test_all_equal_and_more_than_there_are():
    vectors = np.ones((5000, 3), np.float32)
    rows, scores = cosine_topk(vectors[:2], vectors, row_norms(vectors), 7)
    assert rows.tolist() == [list(range(7))] * 2
    rows, scores = cosine_topk(vectors[:1], vectors[:4], row_norms(vectors[:4]), 9, exclude=([0], [2]))
    assert rows.tolist() == [[0, 1, 3, -1]] and np.isneginf(scores[0, -1])


@pytest.mark.parametrize("shape", [(0, 5), (3, 0)])
def test_nothing_to_search(shape):
    queries, vectors = np.ones((shape[0], 4), np.float32), np.ones((shape[1], 4), np.float32)
    rows, scores = cosine_topk(queries, vectors, row_norms(vectors), 3)
    assert rows.shape == scores.shape == (shape[0], min(3, shape[1]))


def test_part_of_the_rows():
    vectors = np.random.default_rng(0).standard_normal((100, 4)).astype(np.float32)
    rows, _ = cosine_topk(vectors[:3], vectors, row_norms(vectors), 100, start=20, stop=30)
    assert all(sorted(r) == list(range(20, 30)) for r in rows.tolist())


def test_nan_is_never_found(monkeypatch):
    vectors = np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32)
    vectors[[0, 3, 40]] = np.nan
    for width in (1, 1 << 20):
        monkeypatch.setattr(exact, "SCORES", width)
        rows, scores = cosine_topk(unit_rows(vectors[1:3]), vectors, np.ones(50, np.float32), 50)
        assert (rows[:, -3:] == -1).all() and np.isfinite(scores[:, :-3]).all()
        assert not set(rows.ravel().tolist()) & {0, 3, 40}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_types(dtype):
    vectors = np.random.default_rng(0).standard_normal((300, 8)).astype(dtype)
    norms = row_norms(vectors)
    want = np.argsort(-(vectors.astype(float) @ vectors[0].astype(float)) / norms, kind="stable")[:5]
    for queries in (vectors[:1], vectors[:20]):  # fewer queries than dimensions, and more
        rows, scores = cosine_topk(unit_rows(queries), vectors, norms, 5)
        assert rows[0].tolist() == want.tolist()
        assert scores.dtype == (np.float64 if dtype == np.float64 else np.float32)
    np.testing.assert_allclose(cosine_scores(unit_rows(vectors[:1])[0], vectors, norms)[rows[0]], scores[0], rtol=1e-5)


def test_blocks_in_any_width_agree():
    rng = np.random.default_rng(3)
    scores = rng.integers(0, 9, (4, 500)).astype(np.float32)
    want = np.argsort(-scores, axis=1, kind="stable")[:, :11]
    for width in (1, 7, 11, 12, 499, 500):
        top = TopK(4, 11)
        for lo in range(0, 500, width):
            top.offer(0, np.ascontiguousarray(scores[:, lo : lo + width]), lo)
        np.testing.assert_array_equal(top.indices, want)


def test_best_first():
    scores = np.array([0.5, np.nan, 0.9, 0.5, -np.inf], np.float32)
    assert best_first(scores, 10).tolist() == [2, 0, 3]
    assert best_first(scores, 2, exclude=[2]).tolist() == [0, 3]
    assert best_first(scores[:0], 3).tolist() == []


def test_lengths_beyond_the_range_of_squares():
    rows = np.array([[3e30, 4e30], [3e-30, 4e-30], [0, 0], [3, 4]], np.float32)
    np.testing.assert_allclose(row_norms(rows), [5e30, 5e-30, 0, 5], rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(unit_rows(rows), axis=1), [1, 1, 0, 1], rtol=1e-6)
    assert unit_vector(rows[2]).tolist() == [0, 0] and unit_vector(rows[3]).dtype == np.float32
    np.testing.assert_allclose(unit_vector([3, 4]), [0.6, 0.8], rtol=1e-6)


def test_directions():
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((200, 5)) + np.array([9, 0, 0, 0, 0])
    direction = principal_directions(vectors.T @ vectors)
    assert abs(direction[0, 0]) > 0.99 and direction[0, np.abs(direction[0]).argmax()] > 0
    remove_directions(vectors, direction)
    np.testing.assert_allclose(vectors @ direction[0], 0, atol=1e-12)
