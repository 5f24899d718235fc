"""What a Word2Vec model holds: its vocabulary, its weights, and the lock that lets one user in at a time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from fastemb.corpus import Corpus, Vocabulary
from fastemb.training import config as cfg
from fastemb.training import memory, rows, source, store, weights
from fastemb.training.callbacks import call_hooks
from fastemb.training.checkpoint import Checkpoint
from fastemb.training.config import Word2VecConfig
from fastemb.training.progress import scan_progress
from fastemb.training.run import Interrupted, Outcome, fit
from fastemb.training.schedule import LinearSchedule
from fastemb.training.word2vec_job import OUTPUTS, Word2VecJob, output_rows
from fastemb.vectors import KeyedVectors

logger = logging.getLogger("fastemb")


class ModelState:
    """Base of :class:`fastemb.Word2Vec`: everything but the methods that users call.

    The parameters are plain attributes, as in gensim, where programs change them between calls; :meth:`_config`
    checks them again whenever they are used.
    """

    wv: KeyedVectors
    alpha: float
    min_alpha: float
    epochs: int
    sample: float
    ns_exponent: float
    sorted_vocab: int
    max_final_vocab: int | None
    max_vocab_size: int | None
    vector_size: int
    workers: int
    min_count: int
    seed: int
    negative: int
    syn1neg: np.ndarray
    history: list[dict[str, Any]]
    init_report: dict[str, int] | None
    running_training_loss: float
    min_alpha_yet_reached: float
    total_train_time: float
    train_count: int
    _epochs_trained: int
    _vocabulary: Vocabulary
    _encoded: source.Encoded | None
    _run: dict[str, Any] | None
    _lock: threading.Lock
    _holder: int | None
    _every_core: bool
    _max_memory: int | None
    _init: Any
    _freeze: Any
    _keep: tuple[Any, ...]
    _tokenizer: Any
    _cache: Any
    _progress: Any

    # ---- one user at a time

    @contextmanager
    def _use(self, what: str) -> Iterator[None]:
        """Hold the model for `what`; a callback may use the model that its own thread is training."""
        if self._holder == threading.get_ident() and what != "train":
            yield
            return
        if not self._lock.acquire(blocking=False):
            raise RuntimeError(f"{what}: the model is in use, it is being trained or built; wait until that has ended")
        try:
            yield
        finally:
            self._lock.release()

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        state["_encoded"] = None  # the corpus stays where it is
        del state["_lock"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock, self._holder = threading.Lock(), None

    # ---- configuration

    def _requested_workers(self) -> int | None:
        return None if self._every_core and self.workers == cfg.cpu_count() else self.workers

    def _config(self) -> Word2VecConfig:
        """The present attributes, checked: programs change ``model.workers`` or ``model.alpha`` between calls."""
        return Word2VecConfig(**{name: getattr(self, name) for name in Word2VecConfig.names()})

    def _lockf(self) -> np.ndarray | None:
        """Factors of the rows' updates, or None when nothing is held back."""
        factors = getattr(self.wv, "vectors_lockf", None)
        if factors is None or np.all(factors == 1.0):
            return None
        factors = np.asarray(factors, dtype=np.float32)
        if factors.shape not in ((1,), (len(self.wv),)):
            raise ValueError(f"wv.vectors_lockf must have 1 or {len(self.wv)} entries, it has shape {factors.shape}")
        if not np.isfinite(factors).all():
            raise ValueError("wv.vectors_lockf must be finite")
        return np.ascontiguousarray(np.broadcast_to(factors, (len(self.wv),)))

    @property
    def counts(self) -> np.ndarray:
        """int64 array (V,): how often each word occurred."""
        return self._synced_vocabulary().counts

    @property
    def cum_table(self) -> np.ndarray | None:
        """uint32 array (V,): gensim's cumulative noise table, made when asked for (training uses an alias table)."""
        if not self.negative or not len(self.wv):
            return None
        total = np.cumsum(np.maximum(self.counts, 1).astype(np.float64) ** float(self.ns_exponent))
        return np.rint(total / total[-1] * (2**31 - 1)).astype(np.uint32)

    # ---- vocabulary and corpus

    def _synced_vocabulary(self) -> Vocabulary:
        """The vocabulary, rebuilt if the program has put other keys into ``wv``."""
        if len(self._vocabulary) != len(self.wv):
            keys = self.wv.index_to_key
            counts = [int(self.wv.get_vecattr(key, "count") or 0) for key in keys] if keys else []
            self._vocabulary = Vocabulary(keys, counts)
            self._encoded = None
        return self._vocabulary

    def _encode(self, data: Any, known: Vocabulary | None, trim_rule: Any, progress: Any) -> Corpus:
        with scan_progress(self._progress if progress is None else progress) as report:
            return Corpus(
                data,
                min_count=self.min_count,
                max_final_vocab=self.max_final_vocab,
                max_vocab_size=self.max_vocab_size,
                trim_rule=trim_rule,
                keep=(*self._keep, *known.words) if known is not None else self._keep,
                sorted_vocab=bool(self.sorted_vocab),
                tokenizer=self._tokenizer,
                workers=self.workers,
                cache=self._cache,
                max_memory=self._max_memory_of_ids(),
                progress=report,
            )

    def _adopt(self, data: Any, known: Vocabulary | None) -> Corpus | None:
        """A Corpus that was made outside, with the vocabulary it has."""
        return data if isinstance(data, Corpus) and known is None else None

    def _corpus_for(self, data: Any, progress: Any) -> Corpus:
        """`data` encoded with the model's vocabulary; as it was encoded before, where that is provably the same."""
        vocabulary = self._synced_vocabulary()
        if data is None:
            if self._encoded is None:
                raise TypeError("the corpus that was encoded no longer fits the model: give train() the corpus")
            corpus = self._encoded.corpus
        elif isinstance(data, Corpus):
            if data.vocabulary is not vocabulary and data.vocabulary != vocabulary:
                raise ValueError(
                    f"this Corpus was encoded with another vocabulary ({len(data.vocabulary)} words, the model has "
                    f"{len(vocabulary)}): make it with vocabulary=, or give train() the source itself"
                )
            corpus = data
        elif self._encoded is not None and self._encoded.matches(data):
            corpus = self._encoded.corpus
        else:
            self._encoded = None  # its memory goes before the new one's comes
            with scan_progress(progress) as report:
                corpus = Corpus(
                    data,
                    vocabulary=vocabulary,
                    tokenizer=self._tokenizer,
                    workers=self.workers,
                    cache=self._cache,
                    max_memory=self._max_memory_of_ids(),
                    progress=report,
                )
            self._encoded = source.Encoded(data, corpus)
        if not corpus.num_tokens:
            raise ValueError(
                f"nothing to train on: none of the {corpus.report.tokens_read} words of the corpus is in the vocabulary"
            )
        if corpus.num_tokens == len(corpus.offsets) - 1:
            raise ValueError(
                f"nothing to train on: none of the {len(corpus.offsets) - 1} sentences has two words of the "
                "vocabulary, so no word has a context; lower min_count, or put more than one word into a sentence (a "
                "line of a file)"
            )
        return corpus

    # ---- weights

    def _set_vocabulary(self, vocabulary: Vocabulary, vectors: np.ndarray) -> None:
        self._vocabulary = vocabulary
        self.wv = KeyedVectors.from_vocabulary(vocabulary, vectors)
        self.wv.min_count = self.min_count
        self.wv.vectors_lockf = np.ones(1, dtype=np.float32)

    def _max_memory_of_ids(self) -> int | None:
        return None if self._max_memory is None else self._max_memory * 2 // 5

    def _require_memory(self, words: int, present: int = 0) -> None:
        """Refuse weights of `words` rows that would not fit; `present` bytes are held already."""
        matrices = 1 + len(self._config().objectives)
        need = memory.weights(words, self.vector_size, matrices)
        limit = memory.available()
        if self._max_memory is not None:
            limit = min(self._max_memory - present, limit if limit is not None else self._max_memory)
        advice = []
        if limit is not None and need > limit:
            size = limit // (matrices * max(1, words) * 4) // 16 * 16
            count = limit // (matrices * memory.stride(self.vector_size) * 4)
            if size:
                advice.append(f"vector_size={size}")
            if count:
                advice.append(f"max_final_vocab={count}")
            advice.append("a higher min_count")
        memory.require({f"weights of {words} words": need}, advice, limit)

    def _reset(self, vocabulary: Vocabulary) -> None:
        """A fresh vocabulary, with first weights."""
        self.wv = KeyedVectors(self.vector_size)  # what there was goes first
        self._drop_outputs()
        self._require_memory(len(vocabulary))
        self._set_vocabulary(vocabulary, rows.allocate_rows(len(vocabulary), self.vector_size))
        self.init_weights()
        self._start_from(0)

    def init_weights(self) -> None:
        """Set all weights to their first values and keep the vocabulary."""
        words = len(self.wv)
        self._drop_outputs()
        if self.wv.vectors.shape != (words, self.vector_size) or not self.wv.vectors.flags.writeable:
            self.wv.vectors = rows.allocate_rows(words, self.vector_size)
        weights.draw(self.wv.vectors, self.seed)
        self.wv.vectors = self.wv.vectors  # norms of the old values are stale
        for objective in self._config().objectives:
            self._set_output(objective, words)
        self._run = None

    def _drop_outputs(self) -> None:
        for name in OUTPUTS.values():
            self.__dict__.pop(name, None)

    def _set_output(self, objective: str, words: int) -> None:
        """Output rows for `words` words: those there are, and zeros."""
        name, need = OUTPUTS[objective], output_rows(objective, words)
        old = self.__dict__.get(name)
        table = rows.allocate_rows(need, self.vector_size)
        known = 0
        if old is not None:
            known = min(len(old), need)
            table[:known] = old[:known]
        table[known:] = 0
        setattr(self, name, table)

    def _grow(self, vocabulary: Vocabulary) -> None:
        """Rows for the words that `vocabulary` has beyond the present one."""
        old, words = self.wv, len(vocabulary)
        known = len(old)
        if words > known:
            self._require_memory(words)
        lockf = getattr(old, "vectors_lockf", np.ones(1, np.float32))
        vectors = rows.allocate_rows(words, self.vector_size)
        vectors[:known] = old.vectors
        weights.draw(vectors, self.seed, known)
        self._set_vocabulary(vocabulary, vectors)
        if len(lockf) > 1:
            self.wv.vectors_lockf = np.concatenate([lockf, np.ones(words - known, np.float32)])
        for objective in self._config().objectives:
            self._set_output(objective, words)
        self._run = None
        logger.info("vocabulary grew by %d to %d words", words - known, words)
        self._start_from(known)

    def _start_from(self, first: int) -> None:
        """Apply ``init=`` and ``freeze=`` to rows `first` and later."""
        copied = np.zeros(len(self.wv), dtype=bool)
        if self._init is not None:
            copied[first:] = self._copy_init(first)
        if self._freeze is not None:
            frozen = self._frozen(copied)
            frozen[:first] = False
            factors = np.array(np.broadcast_to(self.wv.vectors_lockf, (len(self.wv),)), dtype=np.float32)
            factors[frozen] = 0
            self.wv.vectors_lockf = factors

    def _copy_init(self, first: int) -> np.ndarray:
        other = self._init
        if not hasattr(other, "vectors") and not hasattr(other, "wv"):
            from fastemb.vectors import load

            other = load(other)
        vectors = getattr(other, "wv", other)
        if vectors.vectors.ndim != 2 or vectors.vectors.shape[1] != self.vector_size:
            raise ValueError(
                f"init has vectors of size {vectors.vectors.shape[-1]}, the model has vector_size={self.vector_size}"
            )
        ids = self._vocabulary.ids(vectors.index_to_key)
        theirs = np.flatnonzero(ids >= first)
        mine = ids[theirs]
        if not np.isfinite(vectors.vectors[theirs]).all():
            raise ValueError("init holds NaN or infinity")
        weights.copy_rows(self.wv.vectors, mine, vectors.vectors, theirs)
        outputs = 0
        if self.negative and getattr(other, "syn1neg", None) is not None:
            weights.copy_rows(self.syn1neg, mine, other.syn1neg, theirs)
            outputs = len(mine)
        self.init_report = {"rows": len(mine), "words": len(self.wv) - first, "output_rows": outputs}
        logger.info("init: %(rows)d of %(words)d rows copied, %(output_rows)d output rows", self.init_report)
        if not len(mine):
            logger.warning("init: the vocabularies have no word in common")
        found = np.zeros(len(self.wv) - first, dtype=bool)
        found[mine - first] = True
        return found

    def _frozen(self, copied: np.ndarray) -> np.ndarray:
        freeze, words = self._freeze, len(self.wv)
        if isinstance(freeze, str):
            if freeze != "init":
                raise ValueError(f"freeze={freeze!r}: give 'init', a list of words or a boolean mask")
            if self._init is None:
                raise ValueError("freeze='init' needs init=")
            return copied.copy()
        if isinstance(freeze, np.ndarray) and freeze.dtype == bool:
            if freeze.shape != (words,):
                raise ValueError(f"freeze is a mask of shape {freeze.shape}, the vocabulary has {words} words")
            return freeze.copy()
        ids = self._vocabulary.ids(list(freeze))
        if len(ids) and not (ids >= 0).any():
            raise ValueError(f"freeze: none of {len(ids)} words is in the vocabulary")
        if (ids < 0).any():
            logger.warning("freeze: %d of %d words are not in the vocabulary", int((ids < 0).sum()), len(ids))
        mask = np.zeros(words, dtype=bool)
        mask[ids[ids >= 0]] = True
        return mask

    def estimate_memory(self, vocab_size: int | None = None, report: dict[str, int] | None = None) -> dict[str, int]:
        """Bytes that the model needs, by what they are for.

        Parameters
        ----------
        vocab_size : int, optional
            Number of words; default: the present vocabulary.
        report : dict, optional
            Entries to add to.

        Returns
        -------
        dict of str to int
            ``vocab``, ``vectors``, ``syn1`` and ``syn1neg`` where trained, and ``total``. Rows are counted with their
            padding.
        """
        words = vocab_size or len(self.wv)
        matrix = memory.weights(words, self.vector_size, 1)
        need = dict(report or {})
        average = len(self._vocabulary.blob) / len(self._vocabulary) if len(self._vocabulary) else 8
        need["vocab"] = int(
            words * (average + 16 + 8 + 16)
        )  # bytes, offsets and counts, sampling tables, the lookup table
        need["vectors"] = matrix
        for objective in self._config().objectives:
            need[OUTPUTS[objective]] = matrix
        need["total"] = sum(v for k, v in need.items() if k != "total")
        return need

    # ---- training

    def _fit(
        self,
        config: Word2VecConfig,
        corpus: Corpus,
        run: dict[str, Any],
        callbacks: tuple[Any, ...],
        progress: Any,
        max_seconds: float | None,
        path: Any,
    ) -> tuple[int, int]:
        for objective in config.objectives:  # a program may have set model.hs, or grown wv, since the weights were made
            output = self.__dict__.get(OUTPUTS[objective])
            if output is None or output.shape != (output_rows(objective, len(self.wv)), config.vector_size):
                self._set_output(objective, len(self.wv))
        counts = self._vocabulary.counts
        if run["first_epoch"] == self._epochs_trained and not counts.any():
            counts = np.ones(len(counts), np.int64)
        checkpoint = None
        if path is not None:
            need = (
                4 * (1 + len(config.objectives)) * len(self.wv) * config.vector_size
                + 2 * self.estimate_memory()["vocab"]
            )
            checkpoint = Checkpoint(path, lambda target: store.save(self, target), need)
        schedule = LinearSchedule(config.alpha, config.min_alpha, config.epochs, corpus.num_tokens)
        self.running_training_loss = 0.0
        self._holder = threading.get_ident()
        try:
            call_hooks(callbacks, "on_train_begin", self)
        finally:
            self._holder = None
        started = time.monotonic()
        job = Word2VecJob(self, config, corpus, counts, self._lockf(), schedule, run["first_epoch"])

        def hook(name: str) -> None:
            self._holder = threading.get_ident()
            try:
                call_hooks(callbacks, name, self)
            finally:
                self._holder = None

        def note(outcome: Outcome) -> None:
            run["done"], run["position"] = outcome.epochs, outcome.position
            self._epochs_trained = run["first_epoch"] + outcome.epochs
            self.running_training_loss = outcome.total.loss
            self.min_alpha_yet_reached = schedule.at(outcome.epochs, outcome.position)
            if checkpoint is not None and 0 < outcome.epochs < config.epochs and not outcome.position:
                job.pause()
                checkpoint.after_epoch()

        error: BaseException | None = None
        try:
            outcome = fit(
                job,
                epochs=config.epochs,
                history=self.history,
                first_epoch=run["done"],
                position=run["position"],
                hooks=hook if callbacks else None,
                on_epoch=note,
                progress=progress,
                max_seconds=max_seconds,
            )
        except Interrupted as stop:
            outcome, error = stop.outcome, stop.error
        finally:
            job.close()
            self.total_train_time += time.monotonic() - started
        checkpoint, last = None, checkpoint  # note() writes none any more
        note(outcome)
        if run["done"] >= run["epochs"] or isinstance(error, FloatingPointError):
            self._run = None
        if error is not None:
            saved = last is not None and last.rescue()
            if isinstance(error, KeyboardInterrupt):
                error.model = self  # type: ignore[attr-defined]
                if hasattr(error, "add_note"):
                    error.add_note(
                        f"The model is usable as it is, after {outcome.epochs} epochs and {outcome.position} words: "
                        + (f"it is saved to {path!s}, and " if saved else "")
                        + "it is `model` of this exception; train(..., resume=True) goes on."
                    )
            raise error
        self.train_count += 1
        if last is not None:
            last.write()
        if self._encoded is not None and self._encoded.changed():
            logger.warning("the corpus has changed since it was read: the model is of the text as it was then")
        hook("on_train_end")
        read = round(corpus.report.tokens_read * (outcome.total.words / corpus.num_tokens))
        logger.info(
            "trained %d words (%d after subsampling) in %.1f s",
            outcome.total.words,
            outcome.total.kept,
            time.monotonic() - started,
        )
        return outcome.total.kept, read
