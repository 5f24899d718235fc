"""``Phrases`` and ``FrozenPhrases``: gensim's classes, counting and joining in C.

What differs from gensim on purpose is in the docs' page of differences; the page of the method is Mikolov et al. 2013,
section 4.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .memory import resolve_workers
from .phrased import base_corpus
from .phrases_base import _PhrasesTransformation, warn_of_dropped
from .phrases_counts import PhraseCounts, PhraseVocabulary
from .phrases_file import pack_counts, pack_phrases, unpack_counts, unpack_phrases
from .phrases_rules import Rules, Scoring, export, rules_of_counts, rules_of_phrases
from .phrases_scorers import BUILT_IN, check_scoring, unknown_scorer
from .report import EmptyCorpusError
from .sources import Tokenizer

__all__ = [
    "ENGLISH_CONNECTOR_WORDS",
    "FrozenPhrases",
    "Phraser",
    "Phrases",
    "from_native",
]

logger = logging.getLogger("fastemb")
Progress = Callable[[dict[str, Any]], Any]

ENGLISH_CONNECTOR_WORDS = frozenset("a an the for of with without at from to in on by and or".split())
"""Articles, prepositions and conjunctions: gensim's set."""


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)) or math.isnan(value):
        raise ValueError(f"{name} must be a number, got {value!r}")
    return value  # type: ignore[return-value]


class Phrases(_PhrasesTransformation):
    """Collocations: counts words and pairs, and joins the pairs that occur more often than their words suggest.

    gensim 4.4's class; same counts, scores and phrases. A pair is two words with nothing but connector words between
    them (``bank_of_america``). For longer phrases do it again: ``Phrases(bigrams[source])``.

    Parameters
    ----------
    sentences : optional
        Whatever :class:`fastemb.Corpus` takes, a Corpus too, or ``other_phrases[source]``. Read once, in parallel.
    min_count : float
        Pairs that occur less often are no phrases; the default score subtracts it from the count.
    threshold : float
        Pairs with a score above it are phrases. Above 0 for the default score, -1 to 1 for NPMI.
    max_vocab_size : int, optional
        At most so many words and pairs: beyond it the rarest are dropped while counting, as gensim does (it has 40
        million as its default). Here no limit is the default, and whatever was dropped is told: a warning is logged,
        ``pruned_entries`` and ``pruned_occurrences`` tell how much. About 25 bytes a pair are needed.
    delimiter : str
        What joins the words.
    progress_per : int
        Accepted for gensim programs, without effect; see `progress`.
    scoring : {"default", "npmi", "pmi"} or callable
        See :func:`original_scorer`, :func:`npmi_scorer`, :func:`pmi_scorer`; or a function of the keywords
        ``worda_count, wordb_count, bigram_count, len_vocab, min_count, corpus_word_count``.
    connector_words : set of str
        Words that may stand inside a phrase and are not counted, such as ``ENGLISH_CONNECTOR_WORDS``. No phrase begins
        or ends with one.
    corpus_file : path, optional
        Instead of `sentences`.
    workers : int, optional
        Threads; default all CPUs. The result does not depend on it.
    tokenizer : callable or "whitespace", optional
        As in :class:`fastemb.Corpus`.
    progress : callable, optional
        Called with a dict now and then while text is read (``phase="scan"``) and pairs are counted
        (``phase="phrases"``).

    Attributes
    ----------
    vocab : mapping of str to int
        Words (but for connector words) and joined pairs with their counts.
    corpus_word_count : int
        Tokens counted, connector words too.
    pruned_entries, pruned_occurrences : int
        What `max_vocab_size` has cost.

    Notes
    -----
    Mikolov et al. 2013, "Distributed Representations of Words and Phrases and their Compositionality"; Bouma 2009,
    "Normalized (Pointwise) Mutual Information in Collocation Extraction". Counts are exact 64-bit integers and do not
    depend on the number of workers.

    Examples
    --------
    >>> sentences = [["the", "bank", "of", "america"], ["bank", "of", "america"], ["a", "bank"], ["south", "america"]]
    >>> phrases = Phrases(sentences, min_count=1, threshold=0.5, connector_words=ENGLISH_CONNECTOR_WORDS)
    >>> phrases[["the", "bank", "of", "america"]]
    ['the', 'bank_of_america']
    >>> phrases.vocab["bank_of_america"], len(phrases.vocab), phrases.corpus_word_count
    (2, 5, 11)
    """

    def __init__(
        self,
        sentences: Any = None,
        min_count: float = 5,
        threshold: float = 10.0,
        max_vocab_size: int | None = None,
        delimiter: str = "_",
        progress_per: int = 10000,
        scoring: Any = "default",
        connector_words: Iterable[str] = frozenset(),
        *,
        corpus_file: Any = None,
        workers: int | None = None,
        tokenizer: Tokenizer = None,
        progress: Progress | None = None,
    ) -> None:
        super().__init__(connector_words)
        if _number("min_count", min_count) <= 0:
            raise ValueError(f"min_count must be above 0, got {min_count!r}")
        _number("threshold", threshold)
        self.scoring = check_scoring(scoring)
        kind = BUILT_IN.get(self.scoring)
        if kind == "default" and threshold <= 0:
            raise ValueError(f"threshold must be above 0 for the default score, got {threshold!r}")
        if kind == "npmi" and not -1 <= threshold <= 1:
            raise ValueError(f"threshold must lie between -1 and 1 for the NPMI score, got {threshold!r}")
        if max_vocab_size is not None and (
            isinstance(max_vocab_size, bool) or not hasattr(max_vocab_size, "__index__") or max_vocab_size < 1
        ):
            raise ValueError(f"max_vocab_size must be None or an integer of at least 1, got {max_vocab_size!r}")
        if not isinstance(delimiter, str) or not delimiter:
            raise ValueError(f"delimiter must be a string of at least one character, got {delimiter!r}")
        resolve_workers(workers)
        self.min_count, self.threshold = min_count, threshold
        self.max_vocab_size, self.progress_per, self.workers = max_vocab_size, progress_per, workers
        self._counts = PhraseCounts(delimiter, self.connector_words)
        if sentences is not None and corpus_file is not None:
            raise TypeError("give sentences or corpus_file, not both")
        source = corpus_file if sentences is None else sentences
        if source is not None:
            self.add_vocab(source, tokenizer=tokenizer, progress=progress)

    # -- counts

    @property
    def delimiter(self) -> str:  # type: ignore[override]
        """What joins the words; fixed, since the counts depend on it."""
        return self._counts.delimiter

    @property
    def vocab(self) -> PhraseVocabulary:
        """Words and joined pairs with their counts: a read-only mapping."""
        return PhraseVocabulary(self._counts)

    @property
    def corpus_word_count(self) -> int:
        """Tokens counted, connector words too."""
        return self._counts.corpus_word_count

    @property
    def min_reduce(self) -> int:
        """1, and one more for each time that `max_vocab_size` was exceeded."""
        return self._counts.min_reduce

    @property
    def pruned_entries(self) -> int:
        """Words and pairs dropped because of `max_vocab_size`."""
        return self._counts.pruned_entries

    @property
    def pruned_occurrences(self) -> int:
        """How often those had been counted."""
        return self._counts.pruned_occurrences

    def add_vocab(self, sentences: Any, *, tokenizer: Tokenizer = None, progress: Progress | None = None) -> None:
        """Count more text.

        Parameters
        ----------
        sentences, tokenizer, progress
            As in the constructor.

        Examples
        --------
        >>> phrases = Phrases([["new", "york"]])
        >>> phrases.add_vocab([["new", "york"], ["new", "car"]])
        >>> sorted(phrases.vocab.items())
        [('car', 1), ('new', 3), ('new_car', 1), ('new_york', 2), ('york', 2)]
        """
        began = time.perf_counter()
        warn_of_dropped(sentences)
        try:
            corpus = base_corpus(sentences, workers=self.workers, tokenizer=tokenizer, progress=progress)
        except EmptyCorpusError:
            logger.info("no words to count phrases in")
            return
        self._counts.add(
            corpus,
            own=corpus is not sentences,
            workers=resolve_workers(self.workers),
            max_vocab_size=self.max_vocab_size,
            progress=progress,
        )
        logger.info("counted %s tokens in %.2f s: %s", f"{corpus.num_tokens:,}", time.perf_counter() - began, self)

    def _packed(self, config: dict[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        return pack_counts(self._counts, config | {"max_vocab_size": self.max_vocab_size})

    # -- rules

    def _scoring(self) -> Scoring:
        return Scoring(BUILT_IN.get(self.scoring, self.scoring), self.min_count, self.threshold)

    def _state(self) -> Any:
        return self._counts.version, self._scoring()

    def _make_rules(self) -> Rules:
        return rules_of_counts(self._counts, self._scoring())

    def score_candidate(self, word_a: str, word_b: str, in_between: list[str]) -> tuple[Any, Any]:
        """``(phrase, score)`` when `word_a`, the connector words `in_between` and `word_b` are a phrase, else ``(None,
        None)``."""
        phrase = self.delimiter.join([word_a, *in_between, word_b])
        count = self._counts.lexicon.count
        a, b, ab = count(word_a), count(word_b), 0
        if a > 0 and b > 0:
            ab = count(phrase)
        if ab <= 0:
            return None, None
        score = self.scoring(
            worda_count=a,
            wordb_count=b,
            bigram_count=ab,
            len_vocab=len(self._counts.lexicon),
            min_count=self.min_count,
            corpus_word_count=self.corpus_word_count,
        )
        return (phrase, score) if score > self.threshold else (None, None)

    _candidate = score_candidate

    def export_phrases(self) -> dict[str, float]:
        """All phrases that were counted, with their scores, best first.

        As in gensim, a phrase is judged by the first and the last of the words it splits into at the delimiter, which
        differs from what joins text when words contain the delimiter themselves (a second pass).

        Examples
        --------
        >>> Phrases([["new", "york"], ["new", "york"], ["new", "car"]], min_count=1, threshold=0.5).export_phrases()
        {'new_york': 0.8333333333333333}
        """
        return export(self._counts, self._scoring())

    def freeze(self) -> FrozenPhrases:
        """The phrases alone, without the counts."""
        return FrozenPhrases(self)

    def __str__(self) -> str:
        return (
            f"{type(self).__name__}<{len(self.vocab)} vocab, min_count={self.min_count}, threshold={self.threshold}, "
            f"max_vocab_size={self.max_vocab_size}>"
        )

    __repr__ = __str__


class _Scores(dict[str, float]):
    """Phrases and scores that may be edited; tells by `version` that they were."""

    version = 0

    def _edited(name: str) -> Any:  # type: ignore[misc]
        plain = getattr(dict, name)

        def method(self: Any, *args: Any, **keywords: Any) -> Any:
            self.version += 1
            return plain(self, *args, **keywords)

        return method

    __setitem__, __delitem__, __ior__ = _edited("__setitem__"), _edited("__delitem__"), _edited("__ior__")
    clear, pop, popitem = _edited("clear"), _edited("pop"), _edited("popitem")
    setdefault, update = _edited("setdefault"), _edited("update")
    del _edited


class FrozenPhrases(_PhrasesTransformation):
    """The phrases of a ``Phrases`` without its counts: small, and joins the same text. gensim's name ``Phraser`` works.

    Parameters
    ----------
    phrases_model : Phrases

    Attributes
    ----------
    phrasegrams : dict of str to float
        Phrases and their scores; may be edited.

    Examples
    --------
    >>> phrases = Phrases([["new", "york"], ["new", "york"], ["new", "car"]], min_count=1, threshold=0.5)
    >>> frozen = phrases.freeze()
    >>> frozen[["new", "york"]], frozen.phrasegrams
    (['new_york'], {'new_york': 0.8333333333333333})
    """

    def __init__(self, phrases_model: Phrases) -> None:
        super().__init__(phrases_model.connector_words)
        self.threshold, self.min_count = phrases_model.threshold, phrases_model.min_count
        self.delimiter, self.scoring = phrases_model.delimiter, phrases_model.scoring
        self.workers = phrases_model.workers
        self.phrasegrams: dict[str, float] = phrases_model.export_phrases()
        logger.info("%s made of %s", self, phrases_model)

    @property
    def phrasegrams(self) -> dict[str, float]:
        """Phrases and their scores; may be edited."""
        return self._phrasegrams

    @phrasegrams.setter
    def phrasegrams(self, scored: dict[str, float]) -> None:
        before = getattr(self, "_phrasegrams", None)
        self._phrasegrams = _Scores(scored)
        self._phrasegrams.version = 0 if before is None else before.version + 1

    def _packed(self, config: dict[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        return pack_phrases(self._phrasegrams, config)

    def _state(self) -> Any:
        return self._phrasegrams.version, self.threshold, self.delimiter, self.connector_words

    def _make_rules(self) -> Rules:
        return rules_of_phrases(self._phrasegrams, self.threshold, self.delimiter, self.connector_words)

    def score_candidate(self, word_a: str, word_b: str, in_between: list[str]) -> tuple[Any, Any]:
        """``(phrase, score)`` when `word_a`, the connector words `in_between` and `word_b` are a phrase, else ``(None,
        None)``."""
        phrase = self.delimiter.join([word_a, *in_between, word_b])
        score = self._phrasegrams.get(phrase, -math.inf)
        return (phrase, score) if score > self.threshold else (None, None)

    _candidate = score_candidate

    def __str__(self) -> str:
        return (
            f"{type(self).__name__}<{len(self.phrasegrams)} phrases, min_count={self.min_count}, "
            f"threshold={self.threshold}>"
        )

    __repr__ = __str__


Phraser = FrozenPhrases


def from_native(tensors: dict[str, np.ndarray], meta: dict[str, Any], *, name: Any = None, scoring: Any = None) -> Any:
    """The Phrases or FrozenPhrases of the tensors and the description of a native file."""
    config, held = (unpack_phrases if meta.get("kind") == "FrozenPhrases" else unpack_counts)(tensors, meta, name)
    counts = held if isinstance(held, PhraseCounts) else None
    chosen = config["scoring"] if scoring is None else scoring
    if chosen is None and counts is not None:
        raise ValueError(
            f"{name or 'the file'} was made with a scoring function of its user's, which is not in it: load it with "
            "Phrases.load(path, scoring=function)"
        )
    model = Phrases(
        threshold=1,  # good for every score; the file's is set below, whatever the checks of new ones are
        delimiter=config["delimiter"],
        connector_words=config["connector_words"],
        scoring=unknown_scorer if chosen is None else chosen,
    )
    model.min_count, model.threshold = config["min_count"], config["threshold"]
    model.max_vocab_size = config.get("max_vocab_size")
    if counts is not None:
        model._counts = counts
        return model
    frozen = FrozenPhrases(model)
    assert isinstance(held, dict)
    frozen.phrasegrams = held
    return frozen


_PhrasesTransformation._of_file = staticmethod(from_native)  # type: ignore[method-assign]
