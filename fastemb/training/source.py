"""What a training call is fed with, and whether it is what was encoded before."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from typing import Any

import numpy as np


def choose(sentences: Any, corpus_iterable: Any, corpus_file: Any) -> Any:
    """The one source among the keywords that gensim has for it; None if none was given.

    Raises
    ------
    TypeError
        More than one was given, or ``corpus_file`` is no path.
    """
    given = {
        name: value
        for name, value in (
            ("sentences", sentences),
            ("corpus_iterable", corpus_iterable),
            ("corpus_file", corpus_file),
        )
        if value is not None
    }
    if len(given) > 1:
        raise TypeError(f"give one of {' and '.join(given)}, not both")
    if corpus_file is not None and not isinstance(corpus_file, (str, bytes, os.PathLike)):
        raise TypeError(
            f"corpus_file must be a path, got {type(corpus_file).__name__}; other sources go first, as `sentences`"
        )
    return next(iter(given.values()), None)


def is_one_shot(source: Any) -> bool:
    """Whether `source` can be read once only: a generator, another iterator, an open file, standard input."""
    return isinstance(source, Iterator) or hasattr(source, "read") or (isinstance(source, str) and source == "-")


def _stat(path: str) -> tuple[str, int, int] | None:
    try:
        stat = os.stat(path)
    except (OSError, ValueError):
        return None
    return (os.path.realpath(path), stat.st_size, stat.st_mtime_ns) if os.path.isfile(path) else None


def fingerprint(source: Any) -> tuple[Any, ...] | None:
    """Something that is equal for two sources only if they read the same, unchanged files; None for what is no file."""
    if isinstance(source, (str, bytes, os.PathLike)):
        path = os.fsdecode(source)
        if os.path.isdir(path):
            files = sorted(entry.path for entry in os.scandir(path))
        elif os.path.exists(path):
            files = [path]
        else:
            files = sorted(glob.glob(path, recursive=True))
        stats = tuple(_stat(file) for file in files)
        return None if not stats or None in stats else stats
    if isinstance(source, (list, tuple)) and source and all(isinstance(x, (str, bytes, os.PathLike)) for x in source):
        parts = tuple(fingerprint(x) for x in source)
        return None if None in parts else parts
    kind = type(source)
    if kind.__module__.split(".")[0] == "fastemb" and hasattr(
        source, "source"
    ):  # our own LineSentence and its relatives
        inner = fingerprint(source.source)
        options = tuple(sorted((k, repr(v)) for k, v in getattr(source, "__dict__", {}).items() if k != "source"))
        return None if inner is None else (kind.__name__, inner, options)
    return None


class Renumbered:
    """A corpus whose ids are those of a larger vocabulary, translated as they are read.

    Parameters
    ----------
    corpus : Corpus
    vocabulary : Vocabulary
        Holds every word of the corpus's own.
    """

    in_memory = False

    def __init__(self, corpus: Any, vocabulary: Any) -> None:
        self.corpus, self.vocabulary = corpus, vocabulary
        self.offsets, self.num_tokens, self.report = corpus.offsets, corpus.num_tokens, corpus.report
        self.new_ids = vocabulary.ids(corpus.vocabulary.words)
        assert len(self.new_ids) == 0 or self.new_ids.min() >= 0

    def read(self, low: int, high: int, out: np.ndarray) -> np.ndarray:
        """As ``Corpus.read``."""
        return np.take(self.new_ids, self.corpus.read(low, high, out), out=out[: high - low])


class Encoded:
    """An encoded corpus and where it came from, so that ``build_vocab(x)`` and ``train(x)`` read x once.

    Reuse is for what is provably the same: files of the same path, size and modification time; the very same one-shot
    object, which cannot be read again; the same :class:`Corpus`. A list may have changed since, so it is encoded
    again.
    """

    def __init__(self, source: Any, corpus: Any) -> None:
        self.source, self.corpus = source, corpus
        self.files = fingerprint(source)
        self.one_shot = is_one_shot(source)

    def changed(self) -> bool:
        """Whether the files that were read are no longer what they were."""
        return self.files is not None and self.files != fingerprint(self.source)

    def matches(self, source: Any) -> bool:
        """Whether reading `source` now would give the corpus held here."""
        if source is self.corpus:
            return True
        if self.one_shot:
            return source is self.source or (isinstance(source, str) and source == self.source)
        return self.files is not None and self.files == fingerprint(source)
