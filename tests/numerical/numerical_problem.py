"""A small training problem that the C engine and its NumPy twin both solve."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import pairwise
from types import SimpleNamespace

import numpy as np

from fastemb.reference import word2vec
from fastemb.training import _engine, rows

ISAS = _engine.available_simd()
TILES = {"scalar": 4, "avx2": 6, "avx512": 12, "neon": 12}  # FE_TILE of csrc/fe_block.inc.h


@dataclass(frozen=True)
class Problem:
    """Corpus, start weights and settings; `run_engine` and `run_twin` start from the same weights each time."""

    dim: int = 17
    algorithm: str = "skipgram"
    loss: str = "ns"
    types: int = 60
    tokens: int = 500
    longest: int = 25  # sentences of 1..longest tokens
    window: int = 5
    shrink_windows: bool = True
    negative: int = 5
    group: int = 3
    draws: int | None = None
    cbow_mean: bool = True
    sample: float = 0.0
    lockf: bool = False
    counts: tuple[int, ...] = ()  # of the tree and the noise, instead of those of the corpus
    alpha0: float = 0.1  # far above the usual: the larger the steps, the more a wrong one shows
    alpha1: float = 0.02
    seed: int = 7
    epoch: int = 3
    t0: int = 0
    t1: int | None = None
    scale: float = 0.3  # of the start weights; scores then have a spread of 0.09 * sqrt(dim), sigmoids are not all 1/2

    def but(self, **changes) -> Problem:
        return replace(self, **changes)

    @cached_property
    def data(self) -> SimpleNamespace:
        rng = np.random.default_rng([self.dim, self.types, self.tokens])
        zipf = 1 / np.arange(1, self.types + 1)
        ids = rng.choice(self.types, self.tokens, p=zipf / zipf.sum()).astype(np.int32)
        if self.counts:
            ids = rng.integers(0, self.types, self.tokens, dtype=np.int32)
        lengths = rng.integers(1, self.longest + 1, self.tokens)
        ends = np.cumsum(lengths)
        offsets = np.concatenate(([0], ends[ends < self.tokens], [self.tokens])).astype(np.int64)
        counts = np.array(self.counts or np.sort(np.bincount(ids, minlength=self.types) + 1)[::-1], dtype=np.int64)
        outputs = self.types if self.loss == "ns" else max(self.types - 1, 1)
        return SimpleNamespace(
            ids=ids,
            offsets=offsets,
            counts=counts,
            syn0=rng.normal(0, self.scale, (self.types, self.dim)).astype(np.float32),
            syn1=rng.normal(0, self.scale, (outputs, self.dim)).astype(np.float32),
            keep=_engine.subsample_threshold(counts, self.sample),
            lockf=rng.choice([0.0, 0.25, 1.0, 1.5], self.types).astype(np.float32) if self.lockf else None,
            noise=counts.astype(np.float64) ** 0.75,
        )

    @property
    def stop(self) -> int:
        return self.tokens if self.t1 is None else self.t1

    def alpha(self, t: int) -> float:
        """Learning rate at a token."""
        return self.alpha0 + (self.alpha1 - self.alpha0) * (t - self.t0) / (self.stop - self.t0)

    def trainer(self, syn0: np.ndarray, syn1: np.ndarray, isa: str | None = None) -> _engine.Trainer:
        d = self.data
        return _engine.Trainer(
            syn0,
            syn1,
            dim=self.dim,
            algorithm=self.algorithm,
            loss=self.loss,
            window=self.window,
            shrink_windows=self.shrink_windows,
            negative=self.negative,
            group=self.group,
            draws=self.draws,
            cbow_mean=self.cbow_mean,
            seed=self.seed,
            keep=d.keep,
            noise=d.noise if self.loss == "ns" else None,
            huffman=_engine.huffman(d.counts) if self.loss == "hs" else None,
            lockf=d.lockf,
            longest_sentence=int(np.diff(d.offsets).max()),
            isa=isa,
        )

    def run_engine(self, isa: str | None = None, cuts: tuple[int, ...] = ()) -> tuple[np.ndarray, np.ndarray, object]:
        """Weights and counters after training; with `cuts` piece by piece, the learning rate passed on."""
        d = self.data
        syn0, syn1 = rows.padded(d.syn0.copy()), rows.padded(d.syn1.copy())
        trainer, state = self.trainer(syn0, syn1, isa), _engine.WorkerState()
        for a, b in pairwise([self.t0, *cuts, self.stop]):
            sentence = int(np.searchsorted(d.offsets, a, side="right")) - 1
            assert trainer.run(d.ids, 0, d.offsets, sentence, a, b, self.epoch, self.alpha(a), self.alpha(b), state)
        for table in (syn0, syn1):
            assert not table[:, self.dim :].any(), "the padding of the rows must stay zero"
        return np.array(syn0[:, : self.dim]), np.array(syn1[:, : self.dim]), state

    @lru_cache(maxsize=8)  # noqa: B019  (tests ask for one problem once per instruction set, one after the other)
    def run_twin(
        self, tile: int = 12, cuts: tuple[int, ...] = (), dtype: type = np.float64
    ) -> tuple[np.ndarray, np.ndarray, word2vec.Totals]:
        """The same by the NumPy twin, in float64 unless told: its own rounding is then out of the picture."""
        d = self.data
        W_in, W_out = d.syn0.astype(dtype), d.syn1.astype(dtype)
        if self.loss == "ns":
            objective = word2vec.NegativeSampling(d.noise, self.negative, group=self.group, draws=self.draws)
        else:
            objective = word2vec.HierarchicalSoftmax(d.counts)
        totals = word2vec.Totals()
        for a, b in pairwise([self.t0, *cuts, self.stop]):
            piece = word2vec.epoch(
                W_in,
                W_out,
                d.ids,
                d.offsets,
                objective,
                algorithm=self.algorithm,
                window=self.window,
                shrink_windows=self.shrink_windows,
                cbow_mean=self.cbow_mean,
                keep=d.keep,
                lockf=d.lockf,
                alpha0=self.alpha(a),
                alpha1=self.alpha(b),
                seed=self.seed,
                number=self.epoch,
                t0=a,
                t1=b,
                tile=tile,
            )
            for name, value in vars(piece).items():
                setattr(totals, name, getattr(totals, name) + value)
        return W_in, W_out, totals
