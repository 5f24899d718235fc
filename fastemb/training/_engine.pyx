"""Binding of the word2vec trainer: checks shapes and ranges once, releases the GIL, calls C."""

import os

import numpy as np

from libc.math cimport ceil, sqrt
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free


cdef extern from "fe_common.h":
    ctypedef enum fe_status:
        FE_OK, FE_NOMEM, FE_OVERFLOW, FE_STOPPED, FE_NONFINITE, FE_BADINPUT


cdef extern from "fe_alias.h":
    ctypedef struct fe_alias:
        uint32_t threshold
        int32_t other
    void fe_alias_build(const double *weights, int64_t n, fe_alias *table, double *scaled, int32_t *stack) nogil


cdef extern from "fe_huffman.h":
    void fe_huffman_build(const int64_t *counts, int64_t n, int64_t *sums, int32_t *parent, uint8_t *side,
                          int32_t *depth) nogil
    void fe_huffman_paths(int64_t n, const int32_t *parent, const uint8_t *side, const int64_t *offsets,
                          int32_t *points, uint8_t *codes) nogil


cdef extern from "fe_train.h":
    enum: FE_SKIPGRAM, FE_CBOW, FE_NEGATIVE, FE_HIERARCHICAL, FE_ROW_ALIGN, FE_GROUP
    ctypedef struct fe_train_job:
        float *syn0
        float *syn1
        int64_t stride, vocabulary
        int32_t dim, algorithm, loss, window, shrink, negative, group, draws, cbow_mean
        int64_t longest_window
        uint64_t seed
        const uint32_t *keep
        const float *lockf
        const fe_alias *alias
        const int64_t *hs_offsets
        const int32_t *hs_points
        const uint8_t *hs_codes
        int32_t hs_longest
    ctypedef struct fe_piece:
        const int32_t *ids
        int64_t base, length
        const int64_t *offsets
        int64_t sentences, first_sentence, t0, t1, epoch
        float alpha0, alpha1
    ctypedef struct fe_worker:
        pass
    ctypedef fe_status fe_train_fn(const fe_train_job *, const fe_piece *, fe_worker *) nogil
    fe_status fe_worker_prepare(fe_worker *, const fe_train_job *) nogil
    void fe_worker_release(fe_worker *) nogil
    void fe_rows_pad(float *, int64_t, int64_t, int64_t) nogil
    void fe_rows_unpad(float *, int64_t, int64_t, int64_t) nogil
    int64_t fe_rows_first_nonfinite(const float *, int64_t, int64_t, int64_t) nogil


cdef extern from *:
    """
    /* Cython does not know C11 atomics; these are the counters of fe_worker. */
    #include <stdatomic.h>
    #include "fe_train.h"
    static int64_t worker_words(fe_worker *w) { return atomic_load_explicit(&w->words, memory_order_relaxed); }
    static int64_t worker_kept(fe_worker *w) { return atomic_load_explicit(&w->kept, memory_order_relaxed); }
    static int64_t worker_examples(fe_worker *w) { return atomic_load_explicit(&w->examples, memory_order_relaxed); }
    static double worker_loss(fe_worker *w) { return atomic_load_explicit(&w->loss, memory_order_relaxed); }
    static int worker_nonfinite(fe_worker *w) { return atomic_load_explicit(&w->nonfinite, memory_order_relaxed); }
    static void worker_stop(fe_worker *w, int stop) { atomic_store_explicit(&w->stop, stop, memory_order_relaxed); }
    static void worker_reset(fe_worker *w) {
        atomic_store(&w->words, 0); atomic_store(&w->kept, 0); atomic_store(&w->examples, 0);
        atomic_store(&w->loss, 0.0); atomic_store(&w->nonfinite, 0); atomic_store(&w->stop, 0);
    }
    """
    int64_t worker_words(fe_worker *w) nogil
    int64_t worker_kept(fe_worker *w) nogil
    int64_t worker_examples(fe_worker *w) nogil
    double worker_loss(fe_worker *w) nogil
    bint worker_nonfinite(fe_worker *w) nogil
    void worker_stop(fe_worker *w, int stop) nogil
    void worker_reset(fe_worker *w) nogil


cdef extern from "fe_dispatch.h":
    enum: FE_ISA_MOST
    ctypedef struct fe_isa:
        const char *name
        int lanes
        fe_train_fn *train
    int fe_isas_usable(fe_isa *out)


ROW_ALIGN = FE_ROW_ALIGN  # floats; rows of the tables that are trained start on cache lines

cdef fe_isa _isas[FE_ISA_MOST]
cdef int _isa_count = fe_isas_usable(_isas)


def available_simd():
    """Instruction sets that this build holds and this machine can run, slowest first.

    Returns
    -------
    list of str
        Some of "scalar", "avx2", "avx512", "neon"; never empty.

    Examples
    --------
    >>> "scalar" in available_simd()
    True
    """
    return [(<bytes>_isas[i].name).decode() for i in range(_isa_count)]


cdef int _isa_index(name) except -1:
    names = available_simd()
    if name is None:
        name = os.environ.get("FASTEMB_SIMD") or names[len(names) - 1]
        if name not in names:
            raise RuntimeError(f"FASTEMB_SIMD={name!r} is not available on this machine; it has: {', '.join(names)}. "
                               "Unset FASTEMB_SIMD to use the fastest.")
    elif name not in names:
        raise ValueError(f"isa={name!r} is not available on this machine; it has: {', '.join(names)}")
    return names.index(name)


def simd():
    """Instruction set that training uses: the fastest, or what the environment variable FASTEMB_SIMD names.

    Raises
    ------
    RuntimeError
        If FASTEMB_SIMD names an instruction set that this machine or build lacks.
    """
    return available_simd()[_isa_index(None)]


def subsample_threshold(counts, double sample):
    """Subsampling thresholds of Mikolov et al. 2013 as word2vec.c and gensim apply them.

    A word of relative frequency f is kept with probability min(1, sqrt(t / f) + t / f), t = `sample`.

    Parameters
    ----------
    counts : array of int64, shape (V,)
    sample : float
        0 (or a negative number) keeps everything. gensim's convention for 1 and more: an absolute count.

    Returns
    -------
    array of uint32, shape (V,), or None when everything is kept
        The token at a position is kept if its 32-bit hash is at most this number.
    """
    counts = np.asarray(counts, dtype=np.float64)
    if sample <= 0 or counts.size == 0:
        return None
    threshold = sample * counts.sum() if sample < 1.0 else sample * (3 + sqrt(5)) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(counts > 0, threshold / counts, np.inf)
        keep = np.minimum(np.sqrt(ratio) + ratio, 1.0)
    return np.maximum(np.ceil(keep * 4294967296.0) - 1.0, 0.0).astype(np.uint32)


class Huffman:
    """Paths of a Huffman tree, root first.

    Attributes
    ----------
    offsets : array of int64, shape (V + 1,)
    points : array of int32
        ``points[offsets[i]:offsets[i + 1]]`` are the inner nodes (rows of the output matrix) on word i's path.
    codes : array of uint8
        The branch (0 or 1) taken at each of them.
    """

    __slots__ = ("offsets", "points", "codes")

    def __init__(self, offsets, points, codes):
        self.offsets, self.points, self.codes = offsets, points, codes

    @property
    def depth(self):
        return np.diff(self.offsets)


def huffman(counts):
    """Huffman tree of word counts; equal sums take the leaf first, so the tree is the same on every machine.

    Parameters
    ----------
    counts : array of int64, shape (V,)
        Positive; any order.

    Returns
    -------
    Huffman
    """
    counts = np.ascontiguousarray(counts, dtype=np.int64)
    if counts.ndim != 1 or counts.size == 0 or counts.min() <= 0:
        raise ValueError("hierarchical softmax needs a positive count for every word")
    cdef int64_t n = counts.size
    order = None
    if n > 1 and np.any(np.diff(counts) > 0):
        order = np.argsort(-counts, kind="stable")
    cdef const int64_t[::1] sorted_counts = counts if order is None else np.ascontiguousarray(counts[order])
    cdef int64_t[::1] sums = np.empty(n, np.int64)
    cdef int32_t[::1] parent = np.zeros(2 * n, np.int32)
    cdef uint8_t[::1] side = np.zeros(2 * n, np.uint8)
    depth = np.zeros(n, np.int32)
    cdef int32_t[::1] depth_view = depth
    with nogil:
        fe_huffman_build(&sorted_counts[0], n, &sums[0], &parent[0], &side[0], &depth_view[0])
    offsets = np.zeros(n + 1, np.int64)
    np.cumsum(depth, out=offsets[1:])
    points = np.empty(max(int(offsets[n]), 1), np.int32)
    codes = np.empty(max(int(offsets[n]), 1), np.uint8)
    cdef const int64_t[::1] offsets_view = offsets
    cdef int32_t[::1] points_view = points
    cdef uint8_t[::1] codes_view = codes
    with nogil:
        fe_huffman_paths(n, &parent[0], &side[0], &offsets_view[0], &points_view[0], &codes_view[0])
    if order is None:
        return Huffman(offsets, points[:offsets[n]], codes[:offsets[n]])
    rank = np.empty(n, np.int64)
    rank[order] = np.arange(n)
    own = np.zeros(n + 1, np.int64)
    np.cumsum(depth[rank], out=own[1:])
    take = np.repeat(offsets[rank] - own[:n], depth[rank]) + np.arange(own[n])
    return Huffman(own, points[take], codes[take])


def alias_table(weights):
    """Walker's alias table of unnormalised weights, as (threshold, other) records of shape (V,)."""
    cdef const double[::1] w = np.ascontiguousarray(weights, dtype=np.float64)
    cdef int64_t n = w.shape[0]
    if n == 0 or not np.all(np.isfinite(w)) or np.min(w) < 0 or np.sum(w) <= 0 or not np.isfinite(np.sum(w)):
        raise ValueError("the noise distribution needs finite, non-negative weights with a positive sum; "
                         "ns_exponent may be too large or too small for these counts")
    table = np.zeros(n, dtype=[("threshold", np.uint32), ("other", np.int32)])
    cdef uint8_t[::1] raw = table.view(np.uint8)
    cdef double[::1] scaled = np.empty(n)
    cdef int32_t[::1] stack = np.empty(n, np.int32)
    with nogil:
        fe_alias_build(&w[0], n, <fe_alias *>&raw[0], &scaled[0], &stack[0])
    return table


cdef class WorkerState:
    """Counters and scratch of one worker thread; the counters may be read from other threads while it runs."""

    cdef fe_worker *w
    cdef readonly bint busy

    def __cinit__(self):
        self.w = <fe_worker *>calloc(1, sizeof(fe_worker))
        if self.w == NULL:
            raise MemoryError("no memory for a worker's counters")

    def __dealloc__(self):
        if self.w != NULL:
            fe_worker_release(self.w)
            free(self.w)

    @property
    def words(self):
        """Words of the vocabulary consumed, before subsampling."""
        return worker_words(self.w)

    @property
    def kept(self):
        """Words that survived subsampling and were centre words."""
        return worker_kept(self.w)

    @property
    def examples(self):
        """Skip-gram: (centre, context) pairs; CBOW: centres with at least one context word."""
        return worker_examples(self.w)

    @property
    def loss(self):
        """Sum over the examples of their negative log likelihood (all output rows of an example together)."""
        return worker_loss(self.w)

    @property
    def nonfinite(self):
        """Whether NaN or Inf was met; `run` returned at once."""
        return bool(worker_nonfinite(self.w))

    def stop(self):
        """Make a running `Trainer.run` with this state return within about a thousand words."""
        worker_stop(self.w, 1)

    def reset(self):
        """Set the counters to zero and withdraw `stop`."""
        worker_reset(self.w)


def sharing(str algorithm, int64_t window, bint shrink_windows, int negative, group=None, draws=None):
    """How many neighbouring centre words share how many noise words, where the caller does not say.

    The defaults hold gensim's scores on real text (benchmarks/NOTES.md). Skip-gram sums the changes of all pairs of a group in
    one step, so wide windows get small groups: the step would be too long for the learning rates that people use.

    Parameters
    ----------
    algorithm : {"skipgram", "cbow"}
    window, negative : int
    shrink_windows : bool
    group, draws : int, optional
        Returned as they are, if given.

    Returns
    -------
    group : int
        1 to 8; skip-gram: 4 up to window 5, 2 at window 10, 1 from 11 on; CBOW: 3.
    draws : int
        Noise words drawn for a group, each of weight negative / draws; `negative` for a group of 1, a fifth more for 2 and 3,
        two fifths more from 4 on.

    Examples
    --------
    >>> sharing("skipgram", 5, True, 5)
    (4, 7)
    """
    if group is None:
        group = 3 if algorithm == "cbow" else max(1, min(4, 20 // (window if shrink_windows else 2 * window)))
    if draws is None:
        draws = negative + (negative * (0, 0, 1, 1, 2)[min(group, 4)] + 4) // 5
    return group, draws


cdef class Trainer:
    """One training job over weight tables that the workers share (hogwild).

    Parameters
    ----------
    syn0 : array of float32, shape (V, S), C-contiguous
        Input rows; S is `dim` rounded up to a multiple of ROW_ALIGN, the padding is zero.
    syn1 : array of float32, shape (V, S) or (V - 1, S)
        Output rows, or the inner nodes of the Huffman tree.
    dim : int
        Vector size.
    algorithm : {"skipgram", "cbow"}
    loss : {"ns", "hs"}
    window, negative : int
    shrink_windows, cbow_mean : bool
    seed : int
    keep : array of uint32, shape (V,), optional
        From `subsample_threshold`.
    noise : array of float64, shape (V,)
        Unnormalised noise distribution; needed for loss "ns".
    huffman : Huffman
        Needed for loss "hs".
    lockf : array of float32, shape (V,), optional
        Factor of each input row's update; 0 freezes a row.
    longest_sentence : int, optional
        Bound of the scratch memory when the window is large.
    isa : str, optional
        Instruction set; default `simd()`.
    group, draws : int, optional
        See `sharing`.
    """

    cdef fe_train_job job
    cdef fe_train_fn *train
    cdef readonly str isa
    cdef object _alive  # arrays the job points into

    def __init__(self, float[:, ::1] syn0, float[:, ::1] syn1, *, int dim, str algorithm, str loss, int64_t window,
                 bint shrink_windows=True, int negative=5, bint cbow_mean=True, seed=1, keep=None, noise=None,
                 huffman=None, lockf=None, longest_sentence=None, isa=None,
                 group=None, draws=None):
        cdef int64_t v = syn0.shape[0], stride = syn0.shape[1], expected
        cdef const uint32_t[::1] keep_view
        cdef const float[::1] lock_view
        cdef const uint8_t[::1] alias_view
        cdef const int64_t[::1] offsets_view
        cdef const int32_t[::1] points_view
        cdef const uint8_t[::1] codes_view
        if v < 1 or v > 2147483647:
            raise ValueError(f"syn0 has {v} rows; a vocabulary holds 1 to 2^31 - 1 words")
        if dim < 1 or stride != (dim + FE_ROW_ALIGN - 1) // FE_ROW_ALIGN * FE_ROW_ALIGN:
            raise ValueError(f"rows of {stride} floats do not fit dim={dim}; pad them with fastemb.training.rows")
        if algorithm not in ("skipgram", "cbow") or loss not in ("ns", "hs"):
            raise ValueError(f"algorithm={algorithm!r}, loss={loss!r}: 'skipgram' or 'cbow', 'ns' or 'hs'")
        if window < 1:
            raise ValueError(f"window={window}: must be at least 1")
        expected = v if loss == "ns" else max(v - 1, 1)
        if syn1.shape[0] != expected or syn1.shape[1] != stride:
            raise ValueError(f"syn1 has shape ({syn1.shape[0]}, {syn1.shape[1]}), expected ({expected}, {stride})")
        self.isa = available_simd()[_isa_index(isa)]
        self.train = _isas[_isa_index(isa)].train
        self.job.longest_window = min(window, longest_sentence if longest_sentence is not None else window, 1 << 28)
        job = &self.job
        job.syn0, job.syn1 = &syn0[0, 0], &syn1[0, 0]
        job.stride, job.vocabulary, job.dim = stride, v, dim
        job.algorithm = FE_SKIPGRAM if algorithm == "skipgram" else FE_CBOW
        job.loss = FE_NEGATIVE if loss == "ns" else FE_HIERARCHICAL
        # the drawn reach depends on the window as given; only the scratch memory on what a sentence can fill of it
        job.window, job.shrink = <int32_t>min(window, 2147483647), shrink_windows
        job.negative, job.cbow_mean = negative, cbow_mean
        job.group, job.draws = (1, 0) if loss == "hs" else sharing(algorithm, window, shrink_windows, negative, group, draws)
        if not 1 <= job.group <= FE_GROUP or (job.draws < 1 and loss == "ns" and negative > 0):
            raise ValueError(f"group={group}, draws={draws}: 1 to {FE_GROUP}, at least 1")
        job.seed = <uint64_t>(int(seed) & 0xFFFFFFFFFFFFFFFF)
        job.keep, job.lockf, job.alias = NULL, NULL, NULL
        job.hs_offsets, job.hs_points, job.hs_codes = NULL, NULL, NULL
        alive = [syn0, syn1]
        if keep is not None:
            keep_view = np.ascontiguousarray(keep, np.uint32)
            if keep_view.shape[0] != v:
                raise ValueError(f"keep has {keep_view.shape[0]} entries for {v} words")
            job.keep = &keep_view[0]
            alive.append(keep_view)
        if lockf is not None:
            lock_view = np.ascontiguousarray(lockf, np.float32)
            if lock_view.shape[0] != v:
                raise ValueError(f"lockf has {lock_view.shape[0]} entries for {v} words")
            job.lockf = &lock_view[0]
            alive.append(lock_view)
        if loss == "ns":
            if noise is None or len(noise) != v:
                raise ValueError(f"noise must have {v} entries")
            if negative < 1 or negative > 100000:
                raise ValueError(f"negative={negative}: must be 1 to 100,000")
            alias_view = alias_table(noise).view(np.uint8)
            job.alias = <const fe_alias *>&alias_view[0]
            alive.append(alias_view)
        else:
            if huffman is None or len(huffman.offsets) != v + 1:
                raise ValueError(f"huffman must hold the paths of {v} words")
            depth = np.diff(huffman.offsets)
            if huffman.offsets[0] != 0 or depth.min() < 0 or len(huffman.points) != huffman.offsets[v] or (
                    len(huffman.codes) != len(huffman.points)):
                raise ValueError("huffman: offsets do not fit points and codes")
            if len(huffman.points) and (huffman.points.min() < 0 or huffman.points.max() >= expected):
                raise ValueError("huffman: points outside the output rows")
            job.hs_longest = <int32_t>depth.max()
            offsets_view = np.ascontiguousarray(huffman.offsets, np.int64)
            job.hs_offsets = &offsets_view[0]
            alive.append(offsets_view)
            if len(huffman.points):
                points_view = np.ascontiguousarray(huffman.points, np.int32)
                codes_view = np.ascontiguousarray(huffman.codes, np.uint8)
                job.hs_points, job.hs_codes = &points_view[0], &codes_view[0]
                alive += [points_view, codes_view]
        self._alive = alive

    def run(self, const int32_t[::1] ids, int64_t base, const int64_t[::1] offsets, int64_t first_sentence, int64_t t0,
            int64_t t1, int64_t epoch, double alpha0, double alpha1, WorkerState state not None):
        """Train the centre words at absolute token positions t0 to t1.

        Parameters
        ----------
        ids : array of int32
            Word ids of the absolute positions base to base + len(ids); every id below V (the caller's promise: it is the
            corpus that was encoded with this vocabulary; checked in debug builds and by the caller once).
        base : int
        offsets : array of int64, shape (sentences + 1,)
            Absolute sentence offsets of the whole corpus.
        first_sentence : int
            The sentence that holds position t0.
        t0, t1 : int
        epoch : int
            Enters the random numbers.
        alpha0, alpha1 : float
            Learning rate at t0 and at t1, linear between.
        state : WorkerState

        Returns
        -------
        bool
            False if it was stopped or met NaN or Inf (see `state`).
        """
        cdef fe_piece piece
        cdef fe_status status
        cdef int64_t n = ids.shape[0], sentences = offsets.shape[0] - 1
        if not (base >= 0 and base <= t0 <= t1 <= base + n):
            raise ValueError(f"tokens {t0}:{t1} are not inside the buffer {base}:{base + n}")
        if t0 == t1:
            return True
        if not (0 <= first_sentence < sentences and offsets[first_sentence] <= t0 < offsets[first_sentence + 1]
                and t1 <= offsets[sentences]):
            raise ValueError(f"sentence {first_sentence} does not hold token {t0}, or {t1} is beyond the corpus")
        piece.ids, piece.base, piece.length = &ids[0], base, n
        piece.offsets, piece.sentences, piece.first_sentence = &offsets[0], sentences, first_sentence
        piece.t0, piece.t1, piece.epoch = t0, t1, epoch
        piece.alpha0, piece.alpha1 = <float>alpha0, <float>alpha1
        if state.busy:
            raise RuntimeError("this WorkerState is in use by another thread")
        state.busy = True
        try:
            with nogil:
                status = fe_worker_prepare(state.w, &self.job)
                if status == FE_OK:
                    status = self.train(&self.job, &piece, state.w)
        finally:
            state.busy = False
        if status == FE_NOMEM:
            raise MemoryError(f"no memory for a worker's buffers at window={self.job.window}")
        return status == FE_OK


def pad_rows(float[::1] buffer not None, int64_t n, int64_t dim, int64_t stride):
    """Spread n rows of `dim` floats at the head of `buffer` to rows of `stride` floats, in place, padded with zeros."""
    if dim < 1 or stride < dim or n < 0 or n * stride > buffer.shape[0]:
        raise ValueError(f"{n} rows of {stride} floats do not fit a buffer of {buffer.shape[0]}")
    if n:
        with nogil:
            fe_rows_pad(&buffer[0], n, dim, stride)


def unpad_rows(float[::1] buffer not None, int64_t n, int64_t dim, int64_t stride):
    """The inverse of `pad_rows`."""
    if dim < 1 or stride < dim or n < 0 or n * stride > buffer.shape[0]:
        raise ValueError(f"{n} rows of {stride} floats do not fit a buffer of {buffer.shape[0]}")
    if n:
        with nogil:
            fe_rows_unpad(&buffer[0], n, dim, stride)


def first_nonfinite_row(const float[:, ::1] rows not None):
    """Index of the first row that holds NaN or Inf, or -1."""
    cdef int64_t found = -1
    if rows.shape[0] and rows.shape[1]:
        with nogil:
            found = fe_rows_first_nonfinite(&rows[0, 0], rows.shape[0], rows.shape[1], rows.shape[1])
    return found
