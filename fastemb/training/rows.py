"""Weight tables: users see (n, d) C-contiguous float32, the kernels want rows that start on cache lines.

Both are the same memory. `allocate_rows` reserves a buffer with room for padded rows and returns the unpadded view of
its head; `padded` spreads the rows in place for training, `unpadded` gathers them again. Nothing is copied and nothing
is held twice; a row of 100 floats costs 112 while it trains.
"""

from __future__ import annotations

import numpy as np

from fastemb.training import _engine

_CACHE_LINE = 64  # bytes


def stride_of(dim: int) -> int:
    """Floats from one padded row to the next: `dim` rounded up to whole cache lines."""
    return -(-dim // _engine.ROW_ALIGN) * _engine.ROW_ALIGN


def allocate_rows(n: int, dim: int) -> np.ndarray:
    """An uninitialised (n, dim) float32 array at the head of an aligned buffer that has room for padded rows.

    Parameters
    ----------
    n, dim : int

    Returns
    -------
    array of float32, shape (n, dim), C-contiguous
    """
    return _buffer(n * stride_of(dim)).view(np.ndarray)[: n * dim].reshape(n, dim)


def allocate_aligned(n: int, width: int) -> np.ndarray:
    """An uninitialised (n, width) float32 array on a cache line; where `width` is a multiple of 16, so are its rows."""
    return _buffer(n * width).view(np.ndarray).reshape(n, width)


def padded(vectors: np.ndarray) -> np.ndarray:
    """The same rows with padding, shape (n, stride), 64-byte aligned.

    In place if `vectors` came from `allocate_rows`; it must then not be read until `unpadded` is called. Any other
    array (a user's own, a read-only memory map) is copied.

    Parameters
    ----------
    vectors : array of float32, shape (n, dim)

    Returns
    -------
    array of float32, shape (n, stride)
    """
    n, dim = vectors.shape
    stride = stride_of(dim)
    buffer = _buffer_of(vectors, n * stride)
    if buffer is None:
        buffer = _buffer(n * stride).view(np.ndarray)
        buffer[: n * dim].reshape(n, dim)[...] = vectors
    _engine.pad_rows(buffer, n, dim, stride)
    return buffer[: n * stride].reshape(n, stride)


def unpadded(table: np.ndarray, dim: int) -> np.ndarray:
    """The (n, dim) view of a padded table, whose rows are moved together in place.

    Parameters
    ----------
    table : array of float32, shape (n, stride)
        From `padded`.
    dim : int

    Returns
    -------
    array of float32, shape (n, dim), C-contiguous
    """
    n, stride = table.shape
    buffer = _buffer_of(table, n * stride)
    if buffer is None:
        raise ValueError("unpadded() takes a table that padded() returned")
    _engine.unpad_rows(buffer, n, dim, stride)
    return buffer[: n * dim].reshape(n, dim)


class _Buffer(np.ndarray):
    """Marks the arrays made here, so that `padded` knows a buffer with spare room when it sees a view of one."""


def _buffer(size: int) -> np.ndarray:
    # NumPy lets a view's base skip arrays of the view's own type, up to one whose base is of another type; so the
    # marker must stand on another _Buffer, and views of the marker must be plain arrays, or they would not lead back
    # to it.
    raw = np.empty(size * 4 + _CACHE_LINE, np.uint8).view(_Buffer)
    start = -raw.ctypes.data % _CACHE_LINE
    return raw[start : start + size * 4].view(np.float32)


def _buffer_of(array: np.ndarray, size: int) -> np.ndarray | None:
    """The float32 buffer of at least `size` whose head `array` is, as a plain array, or None."""
    if not (array.dtype == np.float32 and array.flags.c_contiguous and array.flags.writeable):
        return None
    base: np.ndarray | None = array
    while base is not None:
        if type(base) is _Buffer and base.ndim == 1:
            if base.ctypes.data == array.ctypes.data and base.size >= size:
                return base.view(np.ndarray)
        base = base.base if isinstance(base, np.ndarray) else None
    return None
