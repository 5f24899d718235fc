"""Binding of the GloVe trainer: checks shapes and ranges once, releases the GIL, calls C."""

import numpy as np

from libc.math cimport log
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from fastemb.training import _engine


cdef extern from "fe_common.h":
    ctypedef enum fe_status:
        FE_OK, FE_NOMEM, FE_OVERFLOW, FE_STOPPED, FE_NONFINITE, FE_BADINPUT


cdef extern from "fe_random.h":
    uint64_t fe_mix64(uint64_t z) nogil
    uint64_t fe_epoch_key(uint64_t seed, uint64_t epoch) nogil


cdef extern from "fe_glove.h":
    enum: FE_GLOVE_ALIGN, FE_GLOVE_GROUP, FE_GLOVE_BATCH
    ctypedef struct fe_glove_cell:
        uint32_t place
        float log
    ctypedef struct fe_glove_job:
        float *words
        float *contexts
        int64_t stride, vocabulary
        int32_t dim
        int64_t blocks, per_tile
        const fe_glove_cell *cells
        const int64_t *bins
        float eta, exponent, log_x_max, clip
        uint64_t seed
    ctypedef fe_status fe_glove_fn(const fe_glove_job *, int64_t, int64_t, double *) nogil
    ctypedef struct fe_glove_isa:
        fe_glove_fn *train
    ctypedef struct fe_glove_counts:
        const int64_t *indptr
        const int32_t *indices
        const int64_t *data
        int64_t vocabulary, scale
    int fe_glove_find(const char *name, fe_glove_isa *out) nogil
    fe_status fe_glove_sizes(const fe_glove_counts *, int64_t blocks, int64_t per_tile, int64_t row, int64_t *sizes,
                             int64_t *bad_row, int64_t *bad_cell) nogil
    void fe_glove_place(const fe_glove_counts *, int64_t blocks, int64_t per_tile, int64_t row, const fe_glove_isa *isa,
                        float exponent, float log_x_max, int64_t *next, fe_glove_cell *cells, double *loss) nogil


GROUP = FE_GLOVE_GROUP  # cells that stay together in the order of an epoch
BATCH = FE_GLOVE_BATCH  # cells of one word whose products are taken before their steps
CELL = np.dtype([("place", np.uint32), ("log", np.float32)])  # fe_glove_cell


def stride_of(int64_t dim):
    """Numbers in the halves of a row: `dim`, a bias and a one, rounded up to whole cache lines."""
    return (dim + 2 + FE_GLOVE_ALIGN - 1) // FE_GLOVE_ALIGN * FE_GLOVE_ALIGN


def order(int64_t n, seed, int64_t epoch, int64_t stream):
    """A permutation of n numbers that is a function of seed, epoch and stream; int64 array (n,)."""
    keys = np.empty(n, np.uint64)
    cdef uint64_t[::1] view = keys
    cdef uint64_t key = fe_mix64(fe_epoch_key(seed, epoch) ^ <uint64_t>stream)
    cdef int64_t i
    for i in range(n):
        view[i] = fe_mix64(key + <uint64_t>i)
    return np.argsort(keys, kind="stable")


cdef int _isa(name, fe_glove_isa *out) except -1:
    if name is None:
        name = _engine.simd()
    elif name not in _engine.available_simd():
        raise ValueError(f"isa={name!r} is not available on this machine; it has: {', '.join(_engine.available_simd())}")
    if not fe_glove_find(name.encode(), out):
        raise RuntimeError(f"this build has no GloVe kernel for {name!r}")
    return 0


cdef class Counts:
    """A matrix of counts in compressed rows, to be put in the order of training.

    Parameters
    ----------
    indptr : array of int64, shape (V + 1,)
    indices : array of int32, shape (nnz,)
    data : array of int64, shape (nnz,)
        A count is ``data / scale``; zeros are no cells.
    scale : int
    blocks, per_tile : int
        As in csrc/fe_glove.h: `per_tile` divides `blocks`, and a block holds at most 65,536 words.
    isa : str, optional
    """

    cdef fe_glove_counts counts
    cdef fe_glove_isa isa
    cdef readonly int64_t blocks, per_tile
    cdef object _alive

    def __init__(self, const int64_t[::1] indptr, const int32_t[::1] indices, const int64_t[::1] data, *, int64_t scale,
                 int64_t blocks, int64_t per_tile, isa=None):
        cdef int64_t v = indptr.shape[0] - 1
        if v < 1 or indptr[0] != 0 or indptr[v] != indices.shape[0] or indices.shape[0] != data.shape[0]:
            raise ValueError("indptr does not fit indices and data")
        if np.any(np.diff(indptr) < 0):
            raise ValueError("indptr falls")
        if scale < 1 or per_tile < 1 or blocks < 1 or blocks % per_tile or v > blocks * 65536:
            raise ValueError(f"scale={scale}, blocks={blocks}, per_tile={per_tile} do not fit {v} words")
        _isa(isa, &self.isa)
        self.counts.indptr = &indptr[0]
        self.counts.indices = &indices[0] if indices.shape[0] else NULL
        self.counts.data = &data[0] if data.shape[0] else NULL
        self.counts.vocabulary, self.counts.scale = v, scale
        self.blocks, self.per_tile = blocks, per_tile
        self._alive = (indptr, indices, data)

    def sizes(self, int64_t row):
        """Cells of each bin of one row of tiles, int64 array (per_tile * blocks,), in the order of the cells."""
        sizes = np.zeros(self.per_tile * self.blocks, np.int64)
        cdef int64_t[::1] view = sizes
        cdef int64_t bad_row = 0, bad_cell = 0
        cdef fe_status status
        if not 0 <= row < self.blocks // self.per_tile:
            raise ValueError(f"there is no row {row} of tiles")
        with nogil:
            status = fe_glove_sizes(&self.counts, self.blocks, self.per_tile, row, &view[0], &bad_row, &bad_cell)
        if status != FE_OK:
            raise ValueError(
                f"cell {bad_cell}, in row {bad_row}, has column {self.counts.indices[bad_cell]} and count "
                f"{self.counts.data[bad_cell]}: columns must be from 0 to {self.counts.vocabulary - 1} and counts at least 0"
            )
        return sizes

    def place(self, int64_t row, int64_t[::1] first, cells, *, double exponent, double x_max):
        """Put the cells of one row of tiles into `cells`, an array of CELL; `first` holds the first cell of each bin, as
        `sizes` has them, and is used up. Returns the sum of the losses of a model of zeros."""
        cdef uint8_t[::1] raw = cells.view(np.uint8)
        cdef double loss = 0.0
        if cells.dtype != CELL or first.shape[0] != self.per_tile * self.blocks:
            raise ValueError("place() takes an array of CELL and the first cell of each bin")
        if not 0 <= row < self.blocks // self.per_tile:
            raise ValueError(f"there is no row {row} of tiles")
        if np.any(np.asarray(first) + self.sizes(row) > len(cells)):
            raise ValueError("the cells do not fit")
        if raw.shape[0] == 0:
            return 0.0
        with nogil:
            fe_glove_place(&self.counts, self.blocks, self.per_tile, row, &self.isa, <float>exponent, <float>log(x_max),
                           &first[0], <fe_glove_cell *>&raw[0], &loss)
        return loss


cdef class Trainer:
    """Trains tiles of cells. Tiles of different rows and columns of tiles may be trained at the same time.

    Parameters
    ----------
    words, contexts : array of float32, shape (V, 2 * stride_of(dim)), C-contiguous
        A row of `words` is the vector, the bias, a one and zeros, then the sums of squares of as many numbers (at least
        tiny, not zero); in a row of `contexts` the one comes before the bias.
    cells : array of CELL, shape (n,)
    bins : array of int64, shape (blocks ** 2 + 1,)
        First cell of each bin.
    dim, blocks, per_tile : int
    eta, exponent, x_max, clip : float
    seed : int
    isa : str, optional
        Instruction set; default `fastemb.training._engine.simd()`.
    """

    cdef fe_glove_job job
    cdef fe_glove_isa isa
    cdef object _alive

    def __init__(self, float[:, ::1] words, float[:, ::1] contexts, cells, const int64_t[::1] bins, *, int dim,
                 int64_t blocks, int64_t per_tile, double eta, double exponent, double x_max, double clip, seed=1,
                 isa=None):
        cdef int64_t v = words.shape[0], stride = words.shape[1] // 2
        cdef const uint8_t[::1] raw
        if v < 1 or contexts.shape[0] != v or contexts.shape[1] != words.shape[1]:
            raise ValueError("words and contexts must have the same shape, with at least one row")
        if dim < 1 or stride != stride_of(dim) or words.shape[1] != 2 * stride:
            raise ValueError(f"rows of {words.shape[1]} floats do not fit dim={dim}")
        if blocks < 1 or per_tile < 1 or blocks % per_tile or v > blocks * 65536:
            raise ValueError(f"blocks={blocks}, per_tile={per_tile} do not fit {v} words")
        if cells.dtype != CELL or cells.ndim != 1 or not cells.flags.c_contiguous:
            raise ValueError("cells must be an array of CELL")
        if bins.shape[0] != blocks * blocks + 1 or bins[0] != 0 or bins[blocks * blocks] != len(cells) or np.any(
                np.diff(bins) < 0):
            raise ValueError("bins do not fit the cells")
        _isa(isa, &self.isa)
        raw = cells.view(np.uint8)
        job = &self.job
        job.words, job.contexts = &words[0, 0], &contexts[0, 0]
        job.stride, job.vocabulary, job.dim = stride, v, dim
        job.blocks, job.per_tile = blocks, per_tile
        job.cells = <const fe_glove_cell *>&raw[0] if raw.shape[0] else NULL
        job.bins = &bins[0]
        job.eta, job.exponent, job.log_x_max, job.clip = <float>eta, <float>exponent, <float>log(x_max), <float>clip
        job.seed = seed
        self._alive = (words, contexts, raw, bins)

    @property
    def tiles(self):
        """How many tiles there are."""
        return (self.job.blocks // self.job.per_tile) ** 2

    def run(self, int64_t tile, int64_t epoch):
        """Train one tile once.

        The caller sees to it that no other call works on a tile of the same row or column of tiles.

        Parameters
        ----------
        tile : int
        epoch : int
            Enters the order of the cells.

        Returns
        -------
        float
            Sum of the losses; NaN or infinite if one is.
        """
        cdef double loss = 0.0
        cdef int64_t side = self.job.blocks // self.job.per_tile
        if not 0 <= tile < side * side:
            raise ValueError(f"there is no tile {tile}")
        with nogil:
            self.isa.train(&self.job, tile, epoch, &loss)
        return loss
