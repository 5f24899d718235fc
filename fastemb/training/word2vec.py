"""``Word2Vec``: gensim 4.4's class on this engine.

What is gensim's and has no effect here is accepted and named as such in the docstring; what differs on purpose is in
the docs' page of differences.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from fastemb.corpus import Vocabulary
from fastemb.formats import atomic
from fastemb.training import config as cfg
from fastemb.training import memory, scoring, source, store
from fastemb.training.checkpoint import corpus_identity
from fastemb.training.config import Word2VecConfig
from fastemb.training.face import Face
from fastemb.training.word2vec_state import ModelState
from fastemb.vectors import KeyedVectors, register

logger = logging.getLogger("fastemb")

MOVED = {
    "vocab": "model.wv.key_to_index",
    "index2word": "model.wv.index_to_key",
    "index2entity": "model.wv.index_to_key",
    "syn0": "model.wv.vectors",
    "vectors": "model.wv.vectors",
    "size": "model.vector_size",
    "iter": "model.epochs",
    "docvecs": "Doc2Vec, which fastemb does not have",
    "accuracy": "model.wv.evaluate_word_analogies",
}


class Word2Vec(Face, ModelState):
    """Word vectors by skip-gram or CBOW with negative sampling or hierarchical softmax.

    The constructor trains when it is given a corpus. The corpus is read once, in parallel, into ids; every epoch then
    reads ids only.

    Parameters
    ----------
    sentences : path, glob, directory, list of paths, ``"-"``, file object, iterable of token lists, id arrays or
    Corpus, optional
        Whatever :class:`fastemb.Corpus` takes. Without it the model is left untrained. A one-shot generator is fine.
    corpus_file : path, optional
        gensim's name for a path; compressed files are read too.
    vector_size : int
        Dimension of the vectors.
    alpha, min_alpha : float
        The learning rate falls linearly from `alpha` to `min_alpha` over all epochs.
    window : int
        Largest distance between centre and context word; drawn from 1..window for each centre if `shrink_windows`.
    min_count : int
        Rarer words are left out.
    max_vocab_size : int, optional
        Only so many most frequent words are candidates; not needed to save memory.
    sample : float
        Words of a larger share of the corpus are randomly dropped; 0 keeps all.
    seed : int
        One seed, one worker and one instruction set give the same bytes, whatever PYTHONHASHSEED.
    workers : int, optional
        Threads; None or -1 means every core this process may use.
    sg : {0, 1}, optional
        1 for skip-gram, 0 (default) for CBOW. Readable alias: ``algorithm="skipgram"|"cbow"``.
    hs, negative : int, optional
        Hierarchical softmax if ``hs=1``; `negative` (5) noise words if above 0. Both are trained if both are set, as
        in gensim: set ``negative=0`` for hierarchical softmax alone. Readable alias: ``loss="ns"|"hs"``, which sets
        both.
    ns_exponent : float
        Noise words are drawn by ``count ** ns_exponent``; any sign.
    cbow_mean : {0, 1}
        CBOW averages (1) or adds (0) its context.
    hashfxn, null_word, batch_words : optional
        Accepted for gensim programs, without effect: the first weights depend on `seed` only, and there are no batches.
    epochs : int
        Passes over the corpus.
    trim_rule : callable, optional
        ``trim_rule(word, count, min_count)`` returns RULE_DEFAULT (0), RULE_DISCARD (1) or RULE_KEEP (2).
    sorted_vocab : {0, 1}
        1: most frequent words first; 0: in the order of their first occurrence.
    compute_loss : bool
        Accepted; the loss is always computed.
    callbacks : sequence
        Objects with gensim's hooks, see :class:`fastemb.callbacks.CallbackAny2Vec`.
    comment : optional
        Kept with the model.
    max_final_vocab : int, optional
        At most so many words, the most frequent ones.
    shrink_windows : bool
        See `window`.
    algorithm, loss : str, optional
        See `sg` and `hs`.
    init : KeyedVectors, Word2Vec or path, optional
        Rows of the words that the vocabulary shares with it are copied from there (and the output rows, from a whole
        model). ``model.init_report`` tells how many.
    freeze : "init", sequence of words or boolean mask, optional
        Rows that are never changed; ``"init"`` means those copied by `init`. The mask has one entry per word.
    progress : bool or callable, optional
        True for a line on stderr, False for none, a callable for a dict of figures; None chooses by itself.
    max_seconds : float, optional
        Stop training after this time.
    checkpoint : path, optional
        Save the whole model there after epochs (as often as takes at most 5 % of the time), when training is
        interrupted, and at the end. ``Word2Vec.load(path).train(corpus, resume=True)`` goes on from it.
    cache : path, "auto" or None
        Where the ids are kept: in a file there that later calls reuse, in memory (None), or in memory until they take
        two fifths of what is available, then in a temporary file ("auto").
    max_memory : int, optional
        Bytes that ids and weights may take: with ``cache="auto"`` the ids leave memory at two fifths of it, and weights
        that do not fit are refused.
    tokenizer, keep : optional
        As in :class:`fastemb.Corpus`: how strings become tokens, and words that are never cut.

    Attributes
    ----------
    wv : KeyedVectors
        The vectors.
    history : list of dict
        One an epoch: ``epoch, words, examples, loss, alpha, seconds, words_per_s``. ``words`` is the exact number of
        corpus words in the vocabulary, before subsampling; ``loss`` is the mean per example. An epoch cut short has
        ``partial=True``.
    syn1neg, syn1 : float32 arrays (V, d) and (V - 1, d)
        Output rows of negative sampling, inner nodes of the Huffman tree; present if trained.
    corpus_count, corpus_total_words : int
        Sentences, and words in and out of the vocabulary, of the corpus the vocabulary was built from.

    Raises
    ------
    ValueError, TypeError
        A parameter is wrong (before any work), or the corpus holds no word that reaches `min_count`.
    MemoryError
        The weights would not fit; told before they are allocated.
    FloatingPointError
        Training diverged. The model has its last good weights: those of the last epoch of which a copy could be kept
        for at most 2 % of the time (in a temporary file; in memory below 4 MiB), and the message says which.
    KeyboardInterrupt
        Ctrl-C: workers stop, the model is usable, and is found as ``model`` on the exception.

    Notes
    -----
    Mikolov et al. 2013, "Efficient Estimation of Word Representations in Vector Space" and "Distributed
    Representations of Words and Phrases and their Compositionality". While a thread trains, ``wv`` may be read from
    others (values change as they look); a second ``train`` or ``save`` raises RuntimeError.

    Examples
    --------
    >>> from fastemb import Word2Vec
    >>> sentences = [["cat", "say", "meow"], ["dog", "say", "woof"]] * 50
    >>> model = Word2Vec(sentences, vector_size=20, min_count=1, epochs=2, workers=1)
    >>> model.wv["cat"].shape, [h["words"] for h in model.history]
    ((20,), [300, 300])
    """

    def __init__(
        self,
        sentences: Any = None,
        corpus_file: Any = None,
        vector_size: int = 100,
        alpha: float = 0.025,
        window: int = 5,
        min_count: int = 5,
        max_vocab_size: int | None = None,
        sample: float = 1e-3,
        seed: int = 1,
        workers: int | None = None,
        min_alpha: float = 0.0001,
        sg: int | None = None,
        hs: int | None = None,
        negative: int | None = None,
        ns_exponent: float = 0.75,
        cbow_mean: int = 1,
        hashfxn: Any = None,
        epochs: int = 5,
        null_word: int = 0,
        trim_rule: Any = None,
        sorted_vocab: int = 1,
        batch_words: int = 10000,
        compute_loss: bool = False,
        callbacks: Iterable[Any] = (),
        comment: Any = None,
        max_final_vocab: int | None = None,
        shrink_windows: bool = True,
        *,
        algorithm: str | None = None,
        loss: str | None = None,
        init: Any = None,
        freeze: Any = None,
        progress: Any = None,
        max_seconds: float | None = None,
        checkpoint: Any = None,
        cache: Any = "auto",
        max_memory: int | None = None,
        tokenizer: Any = None,
        keep: Iterable[Any] = (),
        **unknown: Any,
    ) -> None:
        if unknown:
            raise cfg.unknown_keywords(unknown, KEYWORDS, type(self).__name__)
        hs, negative = cfg.resolve_loss(hs, negative, loss)
        config = Word2VecConfig(
            vector_size=vector_size,
            alpha=alpha,
            window=window,
            min_count=min_count,
            max_vocab_size=max_vocab_size,
            sample=sample,
            seed=seed,
            workers=workers,
            min_alpha=min_alpha,
            sg=cfg.resolve_algorithm(sg, algorithm),
            hs=hs,
            negative=negative,
            ns_exponent=ns_exponent,
            cbow_mean=cbow_mean,
            epochs=epochs,
            sorted_vocab=sorted_vocab,
            max_final_vocab=max_final_vocab,
            shrink_windows=shrink_windows,
        )
        for name in Word2VecConfig.names():
            setattr(self, name, getattr(config, name))
        self._every_core = config.workers is None
        self.workers: int = config.threads
        self.batch_words = cfg.integer("batch_words", batch_words, 1, cfg.MAX_INT32)
        self.null_word = cfg.flag("null_word", null_word)
        self.hashfxn = cfg.optional_callable("hashfxn", hashfxn)
        self.compute_loss = bool(cfg.flag("compute_loss", compute_loss))
        self.comment = comment
        self.layer1_size = config.vector_size
        self.callbacks = cfg.check_callbacks(callbacks)
        self._trim_rule = cfg.optional_callable("trim_rule", trim_rule)
        self._progress = cfg.check_progress(progress)
        self._max_seconds = cfg.check_max_seconds(max_seconds)
        self._checkpoint = cfg.check_path("checkpoint", checkpoint)
        self._cache = cache
        self._max_memory = None if max_memory is None else cfg.integer("max_memory", max_memory, 1, 2**63 - 1)
        self._tokenizer = tokenizer
        self._keep = (keep,) if isinstance(keep, (str, bytes)) else tuple(keep or ())
        self._init, self._freeze = init, freeze
        self.init_report: dict[str, int] | None = None

        self.history: list[dict[str, Any]] = []
        self.running_training_loss = 0.0
        self.min_alpha_yet_reached = config.alpha
        self.train_count = 0
        self.total_train_time = 0.0
        self.corpus_count = 0
        self.corpus_total_words = 0
        self.effective_min_count = config.min_count
        self.raw_vocab = None
        self.wv = KeyedVectors(config.vector_size)
        self._vocabulary = Vocabulary([])
        self._encoded: source.Encoded | None = None
        self._epochs_trained = 0
        self._run: dict[str, Any] | None = None  # the run that was left unfinished
        self._lock = threading.Lock()
        self._holder: int | None = None  # thread that trains while its callbacks may use the model

        data = source.choose(sentences, None, corpus_file)
        if data is not None:
            if checkpoint is not None:
                atomic.check_writable(checkpoint)
            self.build_vocab(data, trim_rule=trim_rule)
            self.train(callbacks=self.callbacks, max_seconds=self._max_seconds)
            self._encoded = None
        elif trim_rule is not None or callbacks:
            logger.warning(
                "trim_rule and callbacks have no effect without a corpus: give them to build_vocab() and train()"
            )

    # ---- vocabulary

    def build_vocab(
        self,
        corpus_iterable: Any = None,
        corpus_file: Any = None,
        update: bool = False,
        progress_per: int = 10000,
        keep_raw_vocab: bool = False,
        trim_rule: Any = None,
        *,
        sentences: Any = None,
        min_count: int | None = None,
        sample: float | None = None,
        progress: Any = None,
        **unknown: Any,
    ) -> None:
        """Build the vocabulary from a corpus and set the weights to their first values.

        Parameters
        ----------
        corpus_iterable, corpus_file, sentences
            One source, as in the constructor. It is encoded on the way, so that ``train`` on the same one-shot
            object, or on files that have not changed, does not read it again.
        update : bool
            Add the new words to the present vocabulary, whose words keep their rows; counts are added.
        trim_rule : callable, optional
            As in the constructor.
        min_count, sample : optional
            Replace the model's.
        progress : optional
            As in the constructor, for this call.
        progress_per, keep_raw_vocab
            Accepted, without effect.

        Raises
        ------
        ValueError
            The corpus is empty, or no word reaches ``min_count``.
        RuntimeError
            ``update=True`` without a vocabulary.
        """
        if unknown:
            raise cfg.unknown_keywords(unknown, KEYWORDS, "build_vocab")
        data = source.choose(sentences, corpus_iterable, corpus_file)
        if data is None:
            raise TypeError("build_vocab() needs a corpus: a path, or an iterable of token lists")
        with self._use("build_vocab"):
            if update and not len(self.wv):
                raise RuntimeError(
                    "build_vocab(update=True) needs a vocabulary to add to: build one without update first"
                )
            if min_count:
                self.min_count = min_count
            if sample:
                self.sample = sample
            self._config()
            known = self._synced_vocabulary() if update else None
            rule = cfg.optional_callable("trim_rule", trim_rule)
            corpus: Any = self._adopt(data, known) or self._encode(data, known, rule, progress)
            vocabulary = corpus.vocabulary
            if known is not None:
                vocabulary = known.updated(vocabulary)
                if len(vocabulary) > len(known) or not corpus.vocabulary == vocabulary:
                    corpus = source.Renumbered(corpus, vocabulary)
            memory.give_back()
            self.corpus_count, self.corpus_total_words = corpus.report.sentences, corpus.report.tokens_read
            self.effective_min_count = self.min_count
            if update:
                self._grow(vocabulary)
            else:
                self._reset(vocabulary)
            self._encoded = source.Encoded(data, corpus)

    def build_vocab_from_freq(
        self,
        word_freq: Mapping[Any, int],
        keep_raw_vocab: bool = False,
        corpus_count: int | None = None,
        trim_rule: Any = None,
        update: bool = False,
    ) -> None:
        """Build the vocabulary from a mapping of word to count.

        Parameters
        ----------
        word_freq : mapping
        corpus_count : int, optional
            Number of sentences, kept as ``model.corpus_count``; training does not need it.
        trim_rule, update
            As in :meth:`build_vocab`.
        keep_raw_vocab
            Accepted, without effect.
        """
        if not isinstance(word_freq, Mapping):
            raise TypeError(f"word_freq must be a mapping of word to count, got {type(word_freq).__name__}")
        with self._use("build_vocab_from_freq"):
            if update and not len(self.wv):
                raise RuntimeError("build_vocab_from_freq(update=True) needs a vocabulary to add to")
            vocabulary = Vocabulary.from_frequencies(
                word_freq,
                min_count=self.min_count,
                max_final_vocab=self.max_final_vocab,
                trim_rule=cfg.optional_callable("trim_rule", trim_rule),
                keep=self._keep,
                sorted_vocab=bool(self.sorted_vocab),
            )
            if not len(vocabulary):
                most = max(word_freq.items(), key=lambda item: item[1], default=None)
                raise ValueError(
                    f"none of {len(word_freq)} words reaches min_count={self.min_count}"
                    + (f": the most frequent is {most[0]!r} with {most[1]}" if most else "")
                )
            self.corpus_count = corpus_count or 0
            self.corpus_total_words = int(sum(word_freq.values()))
            self._encoded = None
            if update:
                self._grow(self._synced_vocabulary().updated(vocabulary))
            else:
                self._reset(vocabulary)

    def reset_from(self, other_model: Word2Vec) -> None:
        """Take over the vocabulary and counts of another model and set the weights to their first values."""
        with self._use("reset_from"):
            self._reset(other_model._synced_vocabulary())
            self.corpus_count = other_model.corpus_count
            self.corpus_total_words = other_model.corpus_total_words

    # ---- training

    def train(
        self,
        corpus_iterable: Any = None,
        corpus_file: Any = None,
        total_examples: int | None = None,
        total_words: int | None = None,
        epochs: int | None = None,
        start_alpha: float | None = None,
        end_alpha: float | None = None,
        word_count: int = 0,
        queue_factor: int = 2,
        report_delay: float = 1.0,
        compute_loss: bool = False,
        callbacks: Iterable[Any] = (),
        *,
        sentences: Any = None,
        progress: Any = None,
        max_seconds: float | None = None,
        checkpoint: Any = None,
        resume: bool = False,
        **unknown: Any,
    ) -> tuple[int, int]:
        """Train the weights on a corpus.

        Parameters
        ----------
        corpus_iterable, corpus_file, sentences
            One source, as in the constructor. Words outside the vocabulary are counted and left out. Without one, the
            corpus that ``build_vocab`` has read is trained on.
        epochs : int, optional
            Default: the model's.
        start_alpha, end_alpha : float, optional
            Replace the model's ``alpha`` and ``min_alpha``.
        callbacks : sequence
            As in the constructor.
        progress, max_seconds, checkpoint : optional
            As in the constructor, for this call.
        resume : bool
            Finish a run that was interrupted (Ctrl-C, `max_seconds`, a callback, or a model saved by a callback and
            loaded), with its learning rates and from the word where it stopped; ``epochs`` and the alphas are then
            taken from that run. With one worker, the weights become those of a run that was not interrupted, bit for
            bit, if it stopped between epochs.
        total_examples, total_words, word_count, queue_factor, report_delay, compute_loss
            Accepted for gensim programs, without effect: the corpus is counted, and the loss is always computed.

        Returns
        -------
        (int, int)
            Words trained after subsampling, and words read, of all epochs.

        Raises
        ------
        RuntimeError
            No vocabulary yet, or the model is in use.
        ValueError
            A wrong parameter, or no word of the corpus is in the vocabulary.
        FloatingPointError, KeyboardInterrupt
            As in the constructor.
        """
        if unknown:
            raise cfg.unknown_keywords(unknown, TRAIN_KEYWORDS, "train")
        data = source.choose(sentences, corpus_iterable, corpus_file)
        if data is None and self._encoded is None:
            raise TypeError("train() needs a corpus: a path, or an iterable of token lists")
        hooks = cfg.check_callbacks(callbacks)
        progress = self._progress if progress is None else cfg.check_progress(progress)
        max_seconds = cfg.check_max_seconds(max_seconds)
        path = self._checkpoint if checkpoint is None else cfg.check_path("checkpoint", checkpoint)
        with self._use("train"):
            run = self._run if resume else None
            if resume:
                if run is None:
                    raise RuntimeError("resume=True: no training of this model was interrupted")
                self.alpha, self.min_alpha, self.epochs = run["start_alpha"], run["end_alpha"], run["epochs"]
            else:
                self.alpha = self.alpha if start_alpha is None else start_alpha
                self.min_alpha = self.min_alpha if end_alpha is None else end_alpha
                self.epochs = self.epochs if epochs is None else epochs
            config = self._config()
            if not len(self.wv):
                raise RuntimeError("you must first build vocabulary before training the model: call build_vocab()")
            if config.alpha > self.min_alpha_yet_reached and not resume:
                logger.info("alpha %g is higher than what earlier training ended with", config.alpha)
            corpus = self._corpus_for(data, progress)
            if run is None:
                run = self._run = {
                    "epochs": config.epochs,
                    "done": 0,
                    "position": 0,
                    "start_alpha": config.alpha,
                    "end_alpha": config.min_alpha,
                    "tokens": corpus.num_tokens,
                    "corpus": corpus_identity(corpus),
                    "first_epoch": self._epochs_trained,
                }
            elif run["tokens"] != corpus.num_tokens or run["corpus"] != corpus_identity(corpus):
                raise ValueError(
                    f"resume=True: this corpus ({corpus.num_tokens} words of the vocabulary) is not that of the "
                    f"interrupted run ({run['tokens']} words), whose place in it would mean nothing; train() without "
                    "resume takes it"
                )
            return self._fit(config, corpus, run, hooks, progress, max_seconds, path)

    # ---- what a trained model tells

    def get_latest_training_loss(self) -> float:
        """Sum of the loss over all examples of the last ``train`` call; ``history`` has the mean of each epoch."""
        return self.running_training_loss

    def predict_output_word(self, context_words_list: Sequence[Any], topn: int = 10) -> list[tuple[Any, float]] | None:
        """Most likely centre words for some context words, with their probabilities.

        Parameters
        ----------
        context_words_list : list of words
            Unknown ones are left out.
        topn : int

        Returns
        -------
        list of (word, float), or None if no context word is known

        Raises
        ------
        RuntimeError
            The model was not trained with negative sampling.
        """
        return scoring.predict_output_word(self, context_words_list, topn)

    def score(
        self,
        sentences: Iterable[Sequence[Any]],
        total_sentences: int = 1_000_000,
        chunksize: int = 100,
        queue_factor: int = 2,
        report_delay: float = 1,
    ) -> np.ndarray:
        """Log probability of each sentence under hierarchical softmax (Taddy 2015), as gensim defines it.

        Parameters
        ----------
        sentences : iterable of token lists
        total_sentences : int
            Score at most so many.
        chunksize, queue_factor, report_delay
            Accepted, without effect.

        Returns
        -------
        float32 array (n,)

        Raises
        ------
        RuntimeError
            The model was not trained with ``hs=1``.
        """
        return scoring.score(self, sentences, total_sentences)

    def init_sims(self, replace: bool = False) -> None:
        """gensim 3's normalisation, kept for old programs: not needed.

        ``replace=True`` makes all vectors unit length.
        """
        if replace:
            self.wv.unit_normalize_all()

    # ---- files

    def save(self, fname: Any, **gensim_options: Any) -> None:
        """Save the whole model in one safetensors file, from which training can go on; the write is atomic.

        Parameters
        ----------
        fname : path
        **gensim_options
            ``separately, sep_limit, ignore, pickle_protocol`` are accepted, without effect.

        Raises
        ------
        ValueError
            The weights hold NaN or infinity.
        RuntimeError
            The model has no vocabulary, or is being trained.
        """
        options = ("separately", "sep_limit", "ignore", "pickle_protocol")
        if set(gensim_options) - set(options):
            raise cfg.unknown_keywords(set(gensim_options) - set(options), ("fname", *options), "save")
        with self._use("save"):
            store.save(self, fname)

    @classmethod
    def load(cls, fname: Any, mmap: Any = None, **gensim_options: Any) -> Word2Vec:
        """Load what :meth:`save` wrote.

        Parameters
        ----------
        fname : path
        mmap : optional
            True or gensim's ``"r"``: map the file instead of reading it; training then copies.

        Raises
        ------
        FormatError
            The file is damaged, or of another format: the message says which.
        """
        if set(gensim_options) - {"rethrow"}:
            raise cfg.unknown_keywords(set(gensim_options) - {"rethrow"}, ("fname", "mmap"), "load")
        return store.load(cls, fname, mmap=bool(mmap))

    # ---- small things

    def __str__(self) -> str:
        return f"{type(self).__name__}<vocab={len(self.wv)}, vector_size={self.vector_size}, alpha={self.alpha}>"

    __repr__ = __str__

    def __getattr__(self, name: str) -> Any:
        if name in MOVED:
            raise AttributeError(f"{type(self).__name__} has no {name!r}: use {MOVED[name]}")
        return super().__getattr__(name)


_CODE = Word2Vec.__init__.__code__
KEYWORDS = _CODE.co_varnames[1 : _CODE.co_argcount + _CODE.co_kwonlyargcount]
_CODE = Word2Vec.train.__code__
TRAIN_KEYWORDS = _CODE.co_varnames[1 : _CODE.co_argcount + _CODE.co_kwonlyargcount]

register(store.KIND, lambda tensors, meta: store.from_native(Word2Vec, tensors, meta))
