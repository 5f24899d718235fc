"""``Glove``: vectors whose products are the logarithms of co-occurrence counts."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from fastemb.corpus import Cooccurrence, Vocabulary
from fastemb.formats import atomic
from fastemb.training import config as cfg
from fastemb.training import glove_store, memory
from fastemb.training.callbacks import call_hooks
from fastemb.training.checkpoint import Checkpoint
from fastemb.training.face import Face
from fastemb.training.glove_config import ABSENT, RENAMED, GloveConfig
from fastemb.training.glove_job import Cells, GloveJob, identity
from fastemb.training.glove_state import GloveState
from fastemb.training.run import Interrupted, Outcome, fit
from fastemb.vectors import KeyedVectors, register

logger = logging.getLogger("fastemb")


class Glove(Face, GloveState):
    """Word vectors by GloVe: weighted least squares on the logarithms of co-occurrence counts, with AdaGrad.

    Minimised is the sum, over all cells (i, j) with a count x above zero, of ``f(x) (w_i . c_j + b_i + b'_j - log x)**2
    / 2`` with ``f(x) = min(1, (x / x_max) ** exponent)``. The constructor counts and trains when it is given a source.

    Parameters
    ----------
    source : Cooccurrence, Corpus, path, iterable of token lists, ..., optional
        Counts, or whatever :class:`fastemb.Corpus` takes, which is then counted. Without it the model is left
        untrained.
    vector_size : int
        Dimension of the vectors.
    window : int
        Largest distance of a context word.
    min_count : int
        Rarer words are left out.
    x_max : float
        Counts from here on have full weight. The default is Stanford's, for corpora of billions of words; 10 suits
        corpora of some millions.
    exponent : float
        Of the weights of smaller counts.
    eta : float
        Learning rate at the start; AdaGrad lowers it for each number by itself.
    epochs : int
        Passes over the cells.
    seed : int
        Of the first values, of the order of the cells, and of subsampling.
    workers : int, optional
        Threads; None or -1 means every core this process may use. The result does not depend on it.
    symmetric : bool
        Contexts on both sides of a word; False: those to its left.
    weighting : {"harmonic", "linear", "flat"}
        What a pair counts at distance d, see :meth:`fastemb.Cooccurrence.count`. GloVe's is "harmonic", 1 / d.
    sample : float
        Subsampling of frequent words before counting; 0 keeps all, as GloVe does.
    max_final_vocab : int, optional
        At most so many words, the most frequent ones.
    combine : {"sum", "word", "context", "concat"}
        What ``wv`` holds: w + c, w, c, or both one behind the other (2 * vector_size numbers).
    grad_clip : float
        Largest size of ``f(x) * difference`` in a step.
    init : Glove, KeyedVectors or path, optional
        Rows of the words that the vocabulary shares with it start from there: a model's rows, biases and sums of
        squares, or half of a vector each in w and c. ``model.init_report`` tells how many.
    callbacks : sequence
        Objects with gensim's hooks, see :class:`fastemb.callbacks.CallbackAny2Vec`.
    progress : bool or callable, optional
        True for a line on stderr, False for none, a callable for a dict of figures; None chooses by itself.
    max_seconds : float, optional
        Stop training after this time.
    checkpoint : path, optional
        Save the model there after epochs (as often as takes at most 5 % of the time), when training is interrupted,
        and at the end. ``Glove.load(path).train(source, resume=True)`` goes on from it.
    max_memory : int, optional
        Bytes that counts, cells and weights may take; counts and cells beyond it go to temporary files.
    tokenizer, keep, cache : optional
        As in :class:`fastemb.Corpus`.

    Attributes
    ----------
    wv : KeyedVectors
        The vectors, see `combine`.
    word_vectors, context_vectors, word_biases, context_biases : float32 arrays (V, d), (V, d), (V,), (V,)
        w, c, b and b'; views of what is trained.
    history : list of dict
        One an epoch: ``epoch, cells, examples, loss, eta, seconds, cells_per_s``. ``loss`` is the mean over the cells,
        each as it was before its own step: the "cost" that Stanford's program prints. An epoch cut short has
        ``partial=True``.
    epochs_trained : int
        Epochs completed over the life of the model.

    Raises
    ------
    ValueError, TypeError
        A parameter is wrong (before any work), or there is nothing to train on.
    MemoryError
        The weights would not fit; told before they are allocated.
    FloatingPointError
        Training diverged. The model has its last good weights, and the message says which.
    KeyboardInterrupt
        Ctrl-C: the model is usable, and is found as ``model`` on the exception.

    Notes
    -----
    Pennington, Socher, Manning 2014, "GloVe: Global Vectors for Word Representation". Biases have learning rate 1, as
    in Stanford's program. One instruction set gives the same bytes for any number of workers: cells that are trained at
    the same time share no row. Up to eight cells of one word take their steps together.

    Examples
    --------
    >>> from fastemb import Glove
    >>> sentences = [["cat", "say", "meow"], ["dog", "say", "woof"]] * 50
    >>> model = Glove(sentences, vector_size=10, min_count=1, x_max=10, epochs=20)
    >>> model.wv["cat"].shape, model.history[0]["cells"]
    ((10,), 12)
    >>> model.history[-1]["loss"] < model.history[0]["loss"]
    True
    """

    def __init__(
        self,
        source: Any = None,
        vector_size: int = 100,
        window: int = 10,
        min_count: int = 5,
        x_max: float = 100.0,
        exponent: float = 0.75,
        eta: float = 0.05,
        epochs: int = 25,
        seed: int = 1,
        workers: int | None = None,
        *,
        symmetric: bool = True,
        weighting: str = "harmonic",
        sample: float = 0.0,
        max_final_vocab: int | None = None,
        combine: str = "sum",
        grad_clip: float = 100.0,
        init: Any = None,
        callbacks: Iterable[Any] = (),
        progress: Any = None,
        max_seconds: float | None = None,
        checkpoint: Any = None,
        max_memory: int | None = None,
        tokenizer: Any = None,
        keep: Iterable[Any] = (),
        cache: Any = "auto",
        **unknown: Any,
    ) -> None:
        if unknown:
            raise cfg.unknown_keywords(unknown, KEYWORDS, type(self).__name__, RENAMED, ABSENT)
        config = GloveConfig(
            vector_size=vector_size,
            window=window,
            min_count=min_count,
            x_max=x_max,
            exponent=exponent,
            eta=eta,
            epochs=epochs,
            seed=seed,
            workers=workers,
            symmetric=symmetric,
            weighting=weighting,
            sample=sample,
            max_final_vocab=max_final_vocab,
            combine=combine,
            grad_clip=grad_clip,
        )
        for name in GloveConfig.names():
            setattr(self, name, getattr(config, name))
        self._every_core = config.workers is None
        self.workers: int = config.threads
        self.callbacks = cfg.check_callbacks(callbacks)
        self._progress = cfg.check_progress(progress)
        self._max_seconds = cfg.check_max_seconds(max_seconds)
        self._checkpoint = cfg.check_path("checkpoint", checkpoint)
        self._max_memory = None if max_memory is None else cfg.integer("max_memory", max_memory, 1, 2**63 - 1)
        keep = (keep,) if isinstance(keep, (str, bytes)) else tuple(keep or ())
        self._corpus_options = {"tokenizer": tokenizer, "keep": keep, "cache": cache}
        self._init = init
        self.init_report = None
        self.history = []
        self.epochs_trained = 0
        self.total_train_time = 0.0
        self.wv = KeyedVectors(config.vector_size * (1 + (combine == "concat")))
        self._vocabulary = Vocabulary([])
        self._words = self._contexts = np.zeros((0, 0), np.float32)
        self._untrained = True
        self._run: dict[str, Any] | None = None  # the run that was left unfinished
        self._lock = threading.Lock()
        self._holder = None
        if source is not None:
            if checkpoint is not None:
                atomic.check_writable(checkpoint)
            self.train(source, callbacks=self.callbacks, max_seconds=self._max_seconds)

    # ---- training

    def count(self, source: Any, *, progress: Any = None) -> Cooccurrence:
        """The counts that :meth:`train` would make of `source`: text, counted as the model's parameters say.

        Parameters
        ----------
        source : text
            As in the constructor. Counts are returned as they are.
        progress : optional
            As in the constructor, for this call.

        Returns
        -------
        Cooccurrence
            Over the model's vocabulary if it has one.
        """
        with self._use("count"):
            return self._counts_for(source, self._config(), self._progress if progress is None else progress)

    def train(
        self,
        source: Any,
        *,
        epochs: int | None = None,
        eta: float | None = None,
        callbacks: Iterable[Any] = (),
        progress: Any = None,
        max_seconds: float | None = None,
        checkpoint: Any = None,
        resume: bool = False,
        **unknown: Any,
    ) -> Glove:
        """Train on counts, or on text that is counted first.

        A model without a vocabulary takes that of `source`. Later calls go on where the last one ended: twice ten
        epochs on the same counts are twenty epochs, bit for bit.

        Parameters
        ----------
        source : Cooccurrence or text
            As in the constructor. Count once with :meth:`fastemb.Cooccurrence.count` to train more often. Counts must
            be over the model's vocabulary; text is counted with it.
        epochs : int, optional
            Default: the model's.
        eta : float, optional
            Replaces the model's.
        callbacks, progress, max_seconds, checkpoint : optional
            As in the constructor, for this call.
        resume : bool
            Finish a run that was interrupted (Ctrl-C, `max_seconds`, a callback, or a model saved on the way and
            loaded), from the cell where it stopped; the result is that of a run that was not interrupted, bit for bit.

        Returns
        -------
        Glove
            The model itself.

        Raises
        ------
        RuntimeError
            The model is in use, or there is nothing to resume.
        ValueError
            A wrong parameter, counts of another vocabulary, nothing to train on.
        FloatingPointError, KeyboardInterrupt, MemoryError
            As in the constructor.
        """
        if unknown:
            raise cfg.unknown_keywords(unknown, TRAIN_KEYWORDS, "train", RENAMED, ABSENT)
        if source is None:
            raise TypeError("train() needs counts (a Cooccurrence) or text: the model keeps neither")
        hooks = cfg.check_callbacks(callbacks)
        progress = self._progress if progress is None else cfg.check_progress(progress)
        max_seconds = cfg.check_max_seconds(max_seconds)
        path = self._checkpoint if checkpoint is None else cfg.check_path("checkpoint", checkpoint)
        with self._use("train"):
            run = self._run if resume else None
            if resume:
                if run is None:
                    raise RuntimeError("resume=True: no training of this model was interrupted")
                self.eta, self.epochs = run["eta"], run["epochs"]
            else:
                self.eta = self.eta if eta is None else eta
                self.epochs = self.epochs if epochs is None else epochs
            config = self._config()
            counts = self._counts_for(source, config, progress)
            words = len(counts.vocabulary)
            limit = self._require_memory(words, config.vector_size, counts.nnz)
            mark = identity(counts)
            if run is not None and run["identity"] != mark:
                raise ValueError(
                    "resume=True: these are not the counts of the interrupted run, whose place in them would mean "
                    "nothing; train() without resume takes them"
                )
            if not len(self._vocabulary):
                self._set_vocabulary(counts.vocabulary)
            cells = Cells(counts, config, limit)
            del counts, source
            memory.give_back()
            if run is None:
                run = self._run = {
                    "epochs": config.epochs,
                    "done": 0,
                    "position": 0,
                    "eta": config.eta,
                    "identity": mark,
                    "first_epoch": self.epochs_trained,
                }
            self._fit(config, cells, run, hooks, progress, max_seconds, path)
        return self

    def _fit(
        self,
        config: GloveConfig,
        cells: Cells,
        run: dict[str, Any],
        callbacks: tuple[Any, ...],
        progress: Any,
        max_seconds: float | None,
        path: Any,
    ) -> None:
        checkpoint = None
        if path is not None:
            need = glove_store.size(len(self._vocabulary), config.vector_size)
            checkpoint = Checkpoint(path, lambda target: glove_store.save(self, target), need)

        def hook(name: str) -> None:
            self._holder = threading.get_ident()
            try:
                call_hooks(callbacks, name, self)
            finally:
                self._holder = None

        def note(outcome: Outcome) -> None:
            run["done"], run["position"] = outcome.epochs, outcome.position
            self.epochs_trained = run["first_epoch"] + outcome.epochs
            self._untrained = self._untrained and not outcome.total.words
            if checkpoint is not None and 0 < outcome.epochs < config.epochs and not outcome.position:
                job.pause()
                checkpoint.after_epoch()

        hook("on_train_begin")
        started = time.monotonic()
        job = GloveJob(self, config, cells, run["first_epoch"])
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
                unit="cells",
                rate="eta",
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
                        f"The model is usable as it is, after {outcome.epochs} epochs and {outcome.position} cells: "
                        + (f"it is saved to {path!s}, and " if saved else "")
                        + "it is `model` of this exception; train(source, resume=True) goes on."
                    )
            raise error
        if last is not None:
            last.write()
        hook("on_train_end")
        logger.info("trained %d cells in %.1f s", outcome.total.words, time.monotonic() - started)

    def _config(self) -> GloveConfig:
        """The present attributes, checked: programs change ``model.workers`` or ``model.eta`` between calls."""
        return GloveConfig(**{name: getattr(self, name) for name in GloveConfig.names()})

    def _requested_workers(self) -> int | None:
        return None if self._every_core and self.workers == cfg.cpu_count() else self.workers

    # ---- what is trained

    @property
    def word_vectors(self) -> np.ndarray:
        """float32 (V, d): w, a view of what is trained."""
        return self._words[:, : self.vector_size]

    @property
    def context_vectors(self) -> np.ndarray:
        """float32 (V, d): c (w~ in the paper), a view of what is trained."""
        return self._contexts[:, : self.vector_size]

    @property
    def word_biases(self) -> np.ndarray:
        """float32 (V,): b, a view of what is trained."""
        return self._words[:, self.vector_size] if len(self._words) else self._words[:, 0:0].reshape(0)

    @property
    def context_biases(self) -> np.ndarray:
        """float32 (V,): b' (b~ in the paper), a view of what is trained."""
        return self._contexts[:, self.vector_size + 1] if len(self._contexts) else self._words[:, 0:0].reshape(0)

    def log_count(self, word: Any, context: Any) -> float:
        """The model's estimate of the logarithm of a co-occurrence count.

        Raises
        ------
        KeyError
            A word is not in the vocabulary.
        """
        i, j = self.wv.get_index(word), self.wv.get_index(context)
        product = self.word_vectors[i].astype(np.float64) @ self.context_vectors[j]
        return float(product + self.word_biases[i] + self.context_biases[j])

    # ---- files

    def save(self, fname: Any) -> None:
        """Save the whole model in one safetensors file, from which training can go on; the write is atomic.

        Parameters
        ----------
        fname : path

        Raises
        ------
        ValueError
            The weights hold NaN or infinity.
        RuntimeError
            The model has no vocabulary, or is being trained.
        """
        with self._use("save"):
            glove_store.save(self, fname)

    @classmethod
    def load(cls, fname: Any) -> Glove:
        """Load what :meth:`save` wrote.

        Parameters
        ----------
        fname : path

        Raises
        ------
        FormatError
            The file is damaged, or of another format: the message says which.
        """
        return glove_store.load(cls, fname)

    # ---- small things

    def __str__(self) -> str:
        return f"{type(self).__name__}<vocab={len(self.wv)}, vector_size={self.vector_size}, eta={self.eta}>"

    __repr__ = __str__


_CODE = Glove.__init__.__code__
KEYWORDS = _CODE.co_varnames[1 : _CODE.co_argcount + _CODE.co_kwonlyargcount]
_CODE = Glove.train.__code__
TRAIN_KEYWORDS = _CODE.co_varnames[1 : _CODE.co_argcount + _CODE.co_kwonlyargcount]

register(glove_store.KIND, lambda tensors, meta: glove_store.from_native(Glove, tensors, meta))
