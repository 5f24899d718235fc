"""What a GloVe model holds: its tables, the vectors made of them, and the lock that lets one user in at a time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from fastemb.corpus import Cooccurrence, Vocabulary
from fastemb.training import _glove, glove_job, memory, weights
from fastemb.training.glove_config import GloveConfig
from fastemb.training.progress import scan_progress
from fastemb.vectors import KeyedVectors

logger = logging.getLogger("fastemb")

CORPUS_OPTIONS = ("min_count", "max_final_vocab")


class GloveState:
    """Base of :class:`fastemb.Glove`: everything but the methods that users call.

    ``_words`` and ``_contexts`` are the tables of csrc/fe_glove.h; ``wv`` is made of them whenever training pauses.
    """

    wv: KeyedVectors
    vector_size: int
    combine: str
    seed: int
    history: list[dict[str, Any]]
    init_report: dict[str, int] | None
    _words: np.ndarray
    _contexts: np.ndarray
    _vocabulary: Vocabulary
    _untrained: bool
    _lock: threading.Lock
    _holder: int | None
    _init: Any
    _corpus_options: dict[str, Any]
    _max_memory: int | None

    # ---- one user at a time

    @contextmanager
    def _use(self, what: str) -> Iterator[None]:
        """Hold the model for `what`; a callback may use the model that its own thread is training."""
        if self._holder == threading.get_ident() and what != "train":
            yield
            return
        if not self._lock.acquire(blocking=False):
            raise RuntimeError(f"{what}: the model is in use, it is being trained; wait until that has ended")
        try:
            yield
        finally:
            self._lock.release()

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        del state["_lock"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock, self._holder = threading.Lock(), None

    # ---- counts

    def _counts_for(self, source: Any, config: GloveConfig, progress: Any) -> Cooccurrence:
        """`source` as counts over the model's vocabulary, or over its own where the model has none yet."""
        known = self._vocabulary if len(self._vocabulary) else None
        if isinstance(source, Cooccurrence):
            counts = source
        else:
            from fastemb.corpus import Corpus

            options: dict[str, Any] = {}
            if not isinstance(source, Corpus):
                options = dict(self._corpus_options)
                if known is None:
                    options |= {name: getattr(config, name) for name in CORPUS_OPTIONS}
                else:
                    options["vocabulary"] = known
            with scan_progress(progress) as report:
                counts = Cooccurrence.count(
                    source,
                    window=config.window,
                    symmetric=config.symmetric,
                    weighting=config.weighting,
                    sample=config.sample,
                    seed=config.seed,
                    max_memory=self._max_memory,
                    workers=config.threads,
                    progress=report,
                    **options,
                )
        words = counts.vocabulary
        if known is not None and words is not known and words != known:
            raise ValueError(
                f"these counts are of another vocabulary ({len(words):,} words, the model has {len(known):,}): count "
                "with vocabulary=, or give train() the text itself"
            )
        if not counts.nnz:
            raise ValueError(
                f"nothing to train on: no two of the {len(words):,} words of the vocabulary occur together; lower "
                "min_count, or put more than one word into a sentence (a line of a file)"
            )
        return counts

    # ---- weights

    def _require_memory(self, words: int, dim: int, cells: int) -> int | None:
        """Refuse what would not fit; the bytes that the cells may take."""
        room = memory.available()
        if self._max_memory is not None:
            room = self._max_memory if room is None else min(room, self._max_memory)
        width = 2 * dim if self.combine == "concat" else dim
        need = {f"weights of {words} words": 2 * words * 8 * _glove.stride_of(dim), "vectors": words * width * 4}
        if room is None:
            return None
        rest = room - sum(need.values())
        limit = max(int(glove_job.FILE_SHARE * room), 0)
        advice = []
        if rest < 0:
            size = room // (words * 20) // 16 * 16 - 2
            if size > 0:
                advice.append(f"vector_size={size}")
            advice.append("a higher min_count")
        memory.require(need, advice, room)
        return min(limit, rest)

    def _set_vocabulary(self, vocabulary: Vocabulary) -> None:
        """Tables for `vocabulary`, with first values."""
        self._vocabulary = vocabulary
        words, dim = len(vocabulary), self.vector_size
        self._words, self._contexts = glove_job.allocate(words, dim), glove_job.allocate(words, dim)
        self._draw()
        width = 2 * dim if self.combine == "concat" else dim
        self.wv = KeyedVectors.from_vocabulary(vocabulary, np.empty((words, width), np.float32))
        if self._init is not None:
            self._copy_init(self._init)
        self._publish()

    def _draw(self) -> None:
        """First values: vectors and biases uniform in (-1/2, 1/2) / d as in Stanford's program, sums of squares 1."""
        dim = self.vector_size
        for table, one, bias, stream in (
            (self._words, dim + 1, dim, 0),
            (self._contexts, dim, dim + 1, 1),
        ):
            rng = np.random.default_rng([self.seed, stream])
            stride = table.shape[1] // 2
            step = max(1, weights.CHUNK // table.shape[1])
            for i in range(0, len(table), step):
                rows = table[i : i + step]
                drawn = (rng.random((len(rows), dim + 1), dtype=np.float32) - np.float32(0.5)) / np.float32(dim)
                rows[:, :dim], rows[:, bias] = drawn[:, :dim], drawn[:, dim]
                rows[:, one] = 1
                rows[:, dim + 2 : stride] = 0
                rows[:, stride:] = 1
        self._untrained = True

    def _publish(self) -> None:
        """Make ``wv`` of the tables."""
        dim, out = self.vector_size, self.wv.vectors
        width = 2 * dim if self.combine == "concat" else dim
        if out.shape != (len(self._words), width) or out.dtype != np.float32 or not out.flags.writeable:
            out = np.empty((len(self._words), width), np.float32)
        words, contexts = self._words[:, :dim], self._contexts[:, :dim]
        if self.combine == "sum":
            np.add(words, contexts, out=out)
        elif self.combine == "concat":
            out[:, :dim], out[:, dim:] = words, contexts
        else:
            out[...] = words if self.combine == "word" else contexts
        self.wv.vectors = out  # norms of the old values are stale

    def _copy_init(self, other: Any) -> None:
        dim = self.vector_size
        if not hasattr(other, "vectors") and not hasattr(other, "wv"):
            from fastemb.vectors import load

            other = load(other)
        vectors = getattr(other, "wv", other)
        ids = self._vocabulary.ids(vectors.index_to_key)
        theirs = np.flatnonzero(ids >= 0)
        mine = ids[theirs]
        whole = isinstance(other, GloveState)
        size = other.vector_size if isinstance(other, GloveState) else vectors.vectors.shape[-1]
        if size != dim:
            raise ValueError(f"init has vectors of size {size}, the model has vector_size={dim}")
        if isinstance(other, GloveState):
            weights.copy_rows(self._words, mine, other._words, theirs)
            weights.copy_rows(self._contexts, mine, other._contexts, theirs)
        else:
            if not np.isfinite(vectors.vectors[theirs]).all():
                raise ValueError("init holds NaN or infinity")
            half = vectors.vectors[theirs] * np.float32(0.5)
            self._words[mine, :dim] = self._contexts[mine, :dim] = half  # so that w + w~ are the vectors
        self._untrained = False
        self.init_report = {"rows": len(mine), "words": len(self._vocabulary), "whole_model": int(whole)}
        logger.info("init: %d of %d rows copied", len(mine), len(self._vocabulary))
        if not len(mine):
            logger.warning("init: the vocabularies have no word in common")
