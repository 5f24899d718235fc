"""The sparse kernels against dense NumPy, on every instruction set; the truncated SVD against the whole one."""

import numpy as np
import pytest

from fastemb.geometry import _sparse, sparse
from fastemb.geometry.sparse import CSR
from fastemb.geometry.svd import truncated_svd
from fastemb.reference import ppmi as twin

ISAS = _sparse.available_simd()


def random_csr(rows, cols, density, rng, skew=False):
    dense = rng.standard_normal((rows, cols)).astype(np.float32)
    keep = rng.random((rows, cols)) < (density if not skew else density * 4 / (1 + np.arange(cols) / 8))
    dense[~keep] = 0
    return from_dense(dense), dense


def from_dense(dense):
    rows, columns = np.nonzero(dense)
    indptr = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=len(dense))))).astype(np.int64)
    return CSR(indptr, columns.astype(np.int32), dense[rows, columns].astype(np.float32), dense.shape[1])


def test_instruction_sets():
    assert ISAS[0] == "scalar"
    with pytest.raises(ValueError, match="not available"):
        a = sparse.tiled(CSR(np.array([0, 1]), np.zeros(1, np.int32), np.ones(1, np.float32), 1))
        sparse.multiply(a, sparse.to_panels(np.ones((1, 1), np.float32)), isa="abacus")


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(
    "rows, cols, density", [(1, 1, 1), (7, 5, 0.5), (300, 200, 0.05), (40, 9000, 0.02), (9000, 40, 0.02), (5, 5, 0)]
)
@pytest.mark.parametrize("columns", [1, 64, 70])
def test_products(rows, cols, density, columns, isa, rng):
    csr, dense = random_csr(rows, cols, density, rng)
    a = sparse.tiled(csr)
    at = sparse.transposed(a)
    x = rng.standard_normal((cols, columns)).astype(np.float32)
    z = rng.standard_normal((rows, columns)).astype(np.float32)
    y = sparse.from_panels(sparse.multiply(a, sparse.to_panels(x), isa=isa), columns)
    w = sparse.from_panels(sparse.multiply(at, sparse.to_panels(z), isa=isa), columns)
    for found, left, right in ((y, dense, x), (w, dense.T, z)):
        exact = left.astype(np.float64) @ right
        size = np.abs(left).astype(np.float64) @ np.abs(right)  # what rounding errors are relative to
        assert (np.abs(found - exact) <= 1e-6 * size + 1e-30).all()


def test_tiles_hold_every_cell_once(rng, monkeypatch):
    monkeypatch.setattr(sparse, "TILE", 16)
    monkeypatch.setattr(sparse, "SEGMENT", 1)
    monkeypatch.setattr(sparse, "PIECE", 500)
    csr, dense = random_csr(90, 130, 0.3, rng)
    a = sparse.tiled(csr, workers=3)
    assert a.tiles > 4 and a.shape == (90, 130) and a.nnz == csr.nnz
    eye = sparse.to_panels(np.eye(130, dtype=np.float32))
    assert np.array_equal(sparse.from_panels(sparse.multiply(a, eye), 130), dense)
    back = sparse.transposed(a, workers=2)
    eye = sparse.to_panels(np.eye(90, dtype=np.float32))
    assert np.array_equal(sparse.from_panels(sparse.multiply(back, eye, workers=3), 90), dense.T)


def test_unsorted_columns(rng):
    csr, dense = random_csr(30, 30, 0.4, rng)
    for lo, hi in zip(csr.indptr[:-1], csr.indptr[1:], strict=True):
        order = rng.permutation(hi - lo)
        csr.indices[lo:hi], csr.data[lo:hi] = csr.indices[lo:hi][order], csr.data[lo:hi][order]
    found = sparse.multiply(sparse.tiled(csr), sparse.to_panels(np.eye(30, dtype=np.float32)))
    assert np.array_equal(sparse.from_panels(found, 30), dense)


@pytest.mark.parametrize(
    "indptr, indices",
    [
        ([0, 2, 1, 2], [0, 1]),
        ([0, 1, 2, 3], [0, 1]),
        ([1, 1, 2, 2], [0, 1]),
        ([0, 1, 2, 2], [0, 9]),
        ([0, 1, 2, 2], [-1, 0]),
    ],
)
def test_damaged_matrices_are_refused(indptr, indices):
    with pytest.raises(ValueError, match=r"indptr|column"):
        sparse.tiled(CSR(np.array(indptr), np.array(indices, np.int32), np.ones(2, np.float32), 9))


def test_a_product_of_other_shapes_is_refused(rng):
    a = sparse.tiled(random_csr(5, 6, 0.5, rng)[0])
    with pytest.raises(ValueError, match="panels of shape"):
        sparse.multiply(a, sparse.to_panels(np.ones((5, 3), np.float32)))


def angle(a, b):
    """Largest principal angle between the columns of two orthonormal matrices."""
    return np.arccos(np.clip(np.linalg.svd(a.T.astype(np.float64) @ b, compute_uv=False).min(), 0, 1))


def structured(rows, cols, rank, rng, noise=0.02):
    """A sparse matrix with a falling spectrum, as counts of words have."""
    left = rng.gamma(0.3, size=(rows, rank)) * (np.arange(1, rank + 1) ** -0.7)
    dense = (left @ rng.gamma(0.3, size=(rank, cols))).astype(np.float32) + noise * rng.random((rows, cols), np.float32)
    dense[dense < np.quantile(dense, 0.8)] = 0
    return from_dense(dense), dense


@pytest.mark.parametrize("rows, cols", [(1500, 700), (700, 1500)])
def test_truncated_svd(rows, cols, rng):
    csr, dense = structured(rows, cols, 60, rng)
    left, values, right = truncated_svd(csr, 40, power_iterations=8)
    u, s, v = twin.truncated_svd(dense, 40)
    np.testing.assert_allclose(values[:30], s[:30], rtol=2e-4)
    np.testing.assert_allclose(values, s, rtol=2e-3)
    assert left.dtype == right.dtype == np.float32 and left.shape == (rows, 40) and right.shape == (cols, 40)
    for found in (left, right):
        np.testing.assert_allclose(found.T @ found, np.eye(40), atol=3e-5)
    gaps = s[:-1] / s[1:]
    best = 10 + int(np.argmax(gaps[9:30]))  # a cut where the exact space is well defined
    assert angle(left[:, :best], u[:, :best]) < 0.01 and angle(right[:, :best], v[:, :best]) < 0.01
    assert np.array_equal(left[np.abs(left).argmax(axis=0), np.arange(40)] > 0, np.ones(40, bool))


def test_like_the_textbooks_algorithm(rng):
    """Gram matrices in place of Householder's QR, and fewer of them, cost no accuracy."""
    csr, dense = structured(900, 800, 200, rng)
    exact = twin.truncated_svd(dense, 50)[1]
    for power in (0, 1, 3):
        ours = truncated_svd(csr, 50, power_iterations=power).values
        theirs = twin.randomized_svd(dense, 50, power_iterations=power)[1]
        assert np.abs(ours / exact - 1).max() < 1.2 * np.abs(theirs / exact - 1).max() + 1e-5
    # on a flat spectrum the shifts show
    flat = np.linalg.qr(rng.standard_normal((1000, 400)))[0] * np.linspace(5, 1, 400)
    flat = (flat @ np.linalg.qr(rng.standard_normal((900, 400)))[0].T).astype(np.float32)
    exact = np.linspace(5, 1, 400)[:50]
    ours = np.abs(truncated_svd(from_dense(flat), 50, power_iterations=4).values / exact - 1).max()
    theirs = np.abs(twin.randomized_svd(flat, 50, power_iterations=4)[1] / exact - 1).max()
    assert ours < 0.75 * theirs


def test_against_scipy(rng):
    linalg = pytest.importorskip("scipy.sparse.linalg")
    from scipy.sparse import csr_matrix

    csr, _ = structured(1200, 1000, 80, rng)
    s = linalg.svds(csr_matrix((csr.data, csr.indices, csr.indptr), shape=(1200, 1000)), k=30, random_state=1)[1]
    np.testing.assert_allclose(truncated_svd(csr, 30, power_iterations=8).values, np.sort(s)[::-1], rtol=5e-4)


def test_ill_conditioned(rng):
    """Singular values over six orders: far beyond what a float32 Gram matrix would carry."""
    u, _ = np.linalg.qr(rng.standard_normal((1100, 60)))
    v, _ = np.linalg.qr(rng.standard_normal((900, 60)))
    s = 10.0 ** -np.linspace(-2, 3, 60)
    csr = from_dense((u * s @ v.T).astype(np.float32))
    found = truncated_svd(csr, 30)
    np.testing.assert_allclose(found.values, s[:30], rtol=1e-3)
    np.testing.assert_allclose(found.left.T @ found.left, np.eye(30), atol=1e-4)


def test_rank_below_k(rng):
    dense = (rng.standard_normal((1000, 5)) @ rng.standard_normal((5, 800))).astype(np.float32)
    found = truncated_svd(from_dense(dense), 20)
    np.testing.assert_allclose(found.values[:5], np.linalg.svd(dense, compute_uv=False)[:5], rtol=1e-4)
    assert (found.values[5:] < 1e-4 * found.values[0]).all()
    assert np.isfinite(found.left).all() and np.isfinite(found.right).all()
    zero = truncated_svd(from_dense(np.zeros((600, 700), np.float32)), 3)
    assert not zero.values.any() and not zero.left.any()


@pytest.mark.parametrize("shape", [(3, 4), (4, 3), (1, 1), (30, 500)])
def test_small_matrices_are_exact(shape, rng):
    csr, dense = random_csr(*shape, 0.8, rng)
    k = min(shape)
    found = truncated_svd(csr, k)
    np.testing.assert_allclose(found.left * found.values @ found.right.T, dense, atol=1e-5)


def test_same_result_for_any_number_of_workers(rng, monkeypatch):
    monkeypatch.setattr(sparse, "PIECE", 5000)
    csr, _ = structured(1500, 600, 50, rng)
    one = truncated_svd(csr, 20, workers=1)
    for workers in (2, 5):
        other = truncated_svd(csr, 20, workers=workers)
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert not np.array_equal(one.left, truncated_svd(csr, 20, seed=2).left)


def test_what_is_refused(rng):
    csr, _ = random_csr(20, 30, 0.5, rng)
    for k in (0, 21):
        with pytest.raises(ValueError, match=f"k={k} is out of range"):
            truncated_svd(csr, k)
    for bad in (np.nan, np.inf):
        csr.data[3] = bad
        with pytest.raises(FloatingPointError, match="NaN or infinity"):
            truncated_svd(csr, 3)
    big, _ = structured(700, 600, 20, rng)
    big.data[5] = np.nan
    with pytest.raises(FloatingPointError, match="NaN or infinity"):
        truncated_svd(big, 3)


def test_progress_and_interruption(rng):
    csr, _ = structured(900, 600, 20, rng)
    told = []
    truncated_svd(csr, 5, tell=told.append)
    assert told == sorted(told) and told[-1] == 1.0

    def stop(share):
        if share > 0.3:
            raise KeyboardInterrupt

    for workers in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            truncated_svd(csr, 5, tell=stop, workers=workers)
