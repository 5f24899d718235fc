"""Weight rows change between (n, d) and padded rows in one buffer."""

import numpy as np
import pytest

from fastemb.training.rows import allocate_rows, padded, stride_of, unpadded


@pytest.mark.parametrize("dim", [1, 15, 16, 17, 20, 100, 300])
@pytest.mark.parametrize("n", [1, 2, 33])
def test_the_same_memory_both_ways(n, dim):
    vectors = allocate_rows(n, dim)
    assert type(vectors) is np.ndarray and vectors.flags.c_contiguous and vectors.shape == (n, dim)
    values = np.random.default_rng(0).random((n, dim), np.float32)
    vectors[:] = values
    address = vectors.ctypes.data
    for _ in range(3):
        table = padded(vectors)
        assert table.ctypes.data == address and address % 64 == 0 and table.shape == (n, stride_of(dim))
        assert np.array_equal(table[:, :dim], values) and not table[:, dim:].any()
        vectors = unpadded(table, dim)
        assert vectors.ctypes.data == address and vectors.flags.c_contiguous
        assert np.array_equal(vectors, values)


@pytest.mark.parametrize("dim", [16, 20])
def test_foreign_arrays_are_copied(dim):
    mine = np.ones((5, dim), np.float32)
    table = padded(mine)
    assert not np.shares_memory(table, mine)
    back = unpadded(table, dim)
    back += 1
    assert (mine == 1).all() and (back == 2).all()
    tail = allocate_rows(6, dim)[1:]  # not the head of its buffer
    tail[:] = 3
    assert not np.shares_memory(padded(tail), tail)
    assert (tail == 3).all()


def test_only_padded_tables_are_unpadded():
    with pytest.raises(ValueError, match="padded"):
        unpadded(np.zeros((2, 32), np.float32), 20)
