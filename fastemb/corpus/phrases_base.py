"""What ``Phrases`` and ``FrozenPhrases`` have in common: sentences and corpora joined, files."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from ._corpus import shown
from ._phrases import Matcher
from .encoded import Corpus
from .memory import resolve_workers
from .phrased import PhrasedSentences, base_corpus, joined
from .phrases_file import read, write
from .phrases_rules import Rules
from .phrases_scorers import BUILT_IN
from .readers import LineSentence, Text8Corpus
from .report import EmptyCorpusError

__all__ = ["check_words", "warn_of_dropped"]

logger = logging.getLogger("fastemb")

_SINGLES = 64  # sentences joined one by one, by look-ups, before all rules are compiled


def check_words(name: str, words: Any) -> frozenset[str]:
    if isinstance(words, (str, bytes)):
        raise ValueError(f"{name} must be a set of words, got the string {words!r}: {name}={{{words!r}}} for one word")
    words = frozenset(words)
    wrong = next((w for w in words if not isinstance(w, str)), None)
    if wrong is not None:
        raise ValueError(f"{name} holds {shown(wrong)}; words are strings")
    return words


class _PhrasesTransformation:
    """What both classes do with sentences. A subclass may override ``score_candidate`` or ``analyze_sentence``; then
    it, and not the C code, is asked."""

    _candidate: Any = None  # the score_candidate() that the rules stand for
    delimiter = "_"
    workers: int | None = None
    min_count: float
    threshold: float
    scoring: Callable[..., Any]

    def __init__(self, connector_words: Iterable[str]) -> None:
        self.connector_words = check_words("connector_words", connector_words)
        self._compiled: tuple[Any, Rules] | None = None
        self._by_token: tuple[Any, Matcher, dict[str, int], list[str]] | None = None
        self._asked: tuple[Any, int] = (None, 0)

    # -- what differs between the two

    def score_candidate(self, word_a: str, word_b: str, in_between: list[str]) -> tuple[Any, Any]:
        """``(phrase, score)`` when `word_a`, the connector words `in_between` and `word_b` are a phrase, else ``(None,
        None)``."""
        raise NotImplementedError("a subclass of this class defines score_candidate()")

    def _state(self) -> Any:
        """Something that changes whenever the rules do."""
        raise NotImplementedError

    def _make_rules(self) -> Rules:
        raise NotImplementedError

    # -- rules

    def _customised(self) -> bool:
        own = type(self)
        return (
            own.score_candidate is not own._candidate
            or own.analyze_sentence is not _PhrasesTransformation.analyze_sentence
        )

    def _rules(self) -> Rules:
        state = self._state()
        if self._compiled is None or self._compiled[0] != state:
            self._compiled = state, self._make_rules()
        return self._compiled[1]

    def _token_matcher(self) -> tuple[Matcher, dict[str, int], list[str]]:
        state = self._state()
        if self._by_token is None or self._by_token[0] != state:
            rules = self._rules()
            index = {token: i for i, token in enumerate(rules.tokens)}
            connectors = np.array([index[w] for w in self.connector_words if w in index], np.int64)
            matcher = rules.matcher(np.arange(len(index), dtype=np.int32), len(index), connectors)
            self._by_token = state, matcher, index, rules.phrases
        return self._by_token[1:]

    # -- sentences

    def analyze_sentence(self, sentence: Iterable[str]) -> Iterator[tuple[str, float | None]]:
        """The tokens of a sentence with its phrases joined, each with the score of the phrase or None.

        Greedy from the left: a phrase is a pair of words with nothing but connector words between them; its words are
        in no other phrase.

        Yields
        ------
        (str, float or None)

        Examples
        --------
        >>> phrases = Phrases([["new", "york"], ["new", "york"], ["new", "car"]], min_count=1, threshold=0.5)
        >>> list(phrases.analyze_sentence(["my", "new", "york"]))
        [('my', None), ('new_york', 0.8333333333333333)]
        """
        start: str | None = None
        between: list[str] = []
        for word in sentence:
            if word in self.connector_words:
                if start is None:
                    yield word, None
                else:
                    between.append(word)
                continue
            if start is not None:
                phrase, score = self.score_candidate(start, word, between)
                if score is not None:
                    yield phrase, score
                    start, between = None, []
                    continue
                yield start, None
                for connector in between:
                    yield connector, None
            start, between = word, []
            if not word:  # an empty token begins no phrase
                yield word, None
                start = None
        if start is not None:
            yield start, None
            for connector in between:
                yield connector, None

    def _join(self, sentence: Iterable[str]) -> list[str]:
        """One sentence: by look-ups at first, by compiled rules when many are asked for."""
        if self._customised():
            return [token for token, _ in self.analyze_sentence(sentence)]
        state = self._state()
        if self._by_token is None or self._by_token[0] != state:
            before, n = self._asked
            self._asked = state, n + 1 if before == state else 1
            if self._asked[1] <= _SINGLES:
                return [token for token, _ in self.analyze_sentence(sentence)]
        matcher, index, phrases = self._token_matcher()
        return matcher.tokens(sentence, index, phrases)

    def _sentences(self, source: Any) -> Iterator[list[str]]:
        if isinstance(source, (os.PathLike, str, bytes)):
            source = LineSentence(source)
        return (self._join(sentence) for sentence in source)

    def __getitem__(self, sentence: Any) -> Any:
        """A sentence, or a stream of sentences, with phrases joined.

        Parameters
        ----------
        sentence : list of str, or iterable of lists of str, reader, Corpus, ``pathlib.Path``
            What is a list (or another iterable) of strings is one sentence.

        Returns
        -------
        list of str, or PhrasedSentences
            Of a stream something that can be iterated as often as the stream itself, joined as one goes; and that
            ``Corpus``, ``Word2Vec`` and ``Phrases`` take at the speed of C.
        """
        if isinstance(sentence, (str, bytes)):
            raise TypeError(
                f"a sentence is a list of tokens, got {shown(sentence)}: split it, or for a file write "
                "phrases[LineSentence(path)] or phrases.corpus(path)"
            )
        if isinstance(sentence, (Corpus, PhrasedSentences, LineSentence, Text8Corpus, os.PathLike)):
            return PhrasedSentences(self, sentence)
        iterator = iter(sentence)
        try:
            first = next(iterator)
        except StopIteration:
            return []
        rest = itertools.chain([first], iterator)
        if isinstance(first, str):
            return self._join(rest)
        return PhrasedSentences(self, rest if iter(sentence) is sentence else sentence)

    def corpus(self, source: Any, **options: Any) -> Corpus:
        """A source encoded with its phrases joined: ``Corpus(phrases[source], **options)``, and paths are welcome.

        The words are counted, and `min_count` and the other cuts made, after the joining.

        Parameters
        ----------
        source
            Whatever :class:`fastemb.Corpus` takes, a Corpus too (make it with ``min_count=1``: words it has dropped
            would leave neighbours that are none).
        **options
            As for :class:`fastemb.Corpus`.

        Examples
        --------
        >>> sentences = [["new", "york", "city"], ["new", "york"], ["city", "of", "new", "york"]]
        >>> phrases = Phrases(sentences, min_count=1, threshold=0.5)
        >>> phrases.corpus(sentences, min_count=2).vocabulary.words
        ['new_york', 'city']
        """
        warn_of_dropped(source)
        return Corpus(PhrasedSentences(self, source), **options)

    def find_phrases(self, sentences: Any) -> dict[str, float]:
        """The phrases that are joined in a text, with their scores, best first.

        Parameters
        ----------
        sentences
            Whatever :class:`fastemb.Corpus` takes.

        Returns
        -------
        dict of str to float
        """
        if self._customised():
            found = (pair for sentence in sentences for pair in self.analyze_sentence(sentence))
            return {phrase: score for phrase, score in found if score is not None}
        warn_of_dropped(sentences)
        try:
            base = base_corpus(sentences, workers=self.workers)
        except EmptyCorpusError:
            return {}
        rules = self._rules()
        words = len(base.vocabulary)
        counts = np.zeros(words + len(rules.phrases), np.int64)
        matcher = rules.matcher_of(base.vocabulary, self.connector_words)
        for _ in joined(base, matcher, resolve_workers(self.workers), counts):
            pass
        found = np.flatnonzero(counts[words:]).tolist()
        return {rules.phrases[i]: float(rules.scores[i]) for i in found}

    # -- files

    def save(self, path: Any, *ignored: Any, **also_ignored: Any) -> None:
        """Save to one file, without pickle, atomically; the same counts give the same bytes.

        A scoring function of your own is not in the file: give it to ``load(path, scoring=function)``.

        Parameters
        ----------
        path : path
        *ignored, **also_ignored
            gensim's ``separately``, ``sep_limit``, ``ignore``, ``pickle_protocol``: without effect.
        """
        config = {
            "min_count": self.min_count if isinstance(self.min_count, int) else float(self.min_count),
            "threshold": float(self.threshold),
            "delimiter": self.delimiter,
            "connector_words": sorted(self.connector_words),
            "scoring": BUILT_IN.get(self.scoring),  # None: a function of the user's
        }
        write(path, *self._packed(config))

    def _packed(self, config: dict[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        raise NotImplementedError

    @classmethod
    def load(cls, path: Any, scoring: Any = None, **ignored: Any) -> Any:
        """The Phrases or FrozenPhrases that were saved to a file.

        Parameters
        ----------
        path : path
        scoring : callable, optional
            The scoring function that was used, where it was none of the built-in ones.

        Raises
        ------
        FormatError
            The file is damaged or holds something else (gensim's own files are pickles, which are not read). A
            ``ValueError``.
        """
        return cls._of_file(*read(path), name=os.fspath(path), scoring=scoring)

    @staticmethod
    def _of_file(tensors: dict[str, np.ndarray], meta: dict[str, Any], *, name: Any, scoring: Any) -> Any:
        raise NotImplementedError


def warn_of_dropped(source: Any) -> None:
    if isinstance(source, Corpus) and source.report.tokens_oov:
        logger.warning(
            "this Corpus has dropped %s of its %s words, so words that were no neighbours now are: make it with "
            "min_count=1, and cut the vocabulary after the phrases",
            f"{source.report.tokens_oov:,}",
            f"{source.report.tokens_read:,}",
        )
