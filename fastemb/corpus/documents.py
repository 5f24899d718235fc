"""Documents as rows: which words each holds, and how often.

A :class:`Corpus` drops sentences that have no word of the vocabulary, so the number of a sentence there is not the
number of the document that it was. Here row i must be document i: each document gets one more word at its end, a mark
that no text holds, which keeps it in the corpus and is left out when the words are counted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from numbers import Integral
from typing import Any

import numpy as np

from fastemb.geometry.sparse import CSR
from fastemb.geometry.threads import each

from ._termdoc import count, fill
from .encoded import Corpus
from .readers import LineSentence, open_text
from .sources import _is_path, expand
from .vocabulary import Vocabulary

__all__ = ["UNITS", "Documents", "count_documents"]

UNITS = ("line", "file")
MARK = "\ue000"  # a character for private use
INT_MARK = -(2**63)
PIECE = 1 << 20  # words of one piece of work


class Documents:
    """Documents read once and kept as ids, as a :class:`Corpus` is, none of them dropped.

    Parameters
    ----------
    source
        What :class:`Corpus` takes. A Corpus itself is taken as it is: its sentences are the documents.
    unit : {"line", "file"}
        What a document is, where the source is files. Of other sources every item is a document.
    tokenizer, workers, progress
        As in :class:`Corpus`.
    vocabulary : Vocabulary, optional
        Only these words.
    **options
        min_count and what else :class:`Corpus` takes.

    Attributes
    ----------
    corpus : Corpus
    vocabulary : Vocabulary
        Without the mark.
    columns : int32 array
        The word in `vocabulary` of each of the corpus's, -1 for the mark.
    """

    def __init__(
        self,
        source: Any,
        *,
        unit: str = "line",
        tokenizer: Any = None,
        vocabulary: Vocabulary | None = None,
        **options: Any,
    ) -> None:
        if isinstance(source, Corpus):
            self.corpus = source
            self.vocabulary = source.vocabulary if vocabulary is None else vocabulary
            self.columns = (
                np.arange(len(self.vocabulary), dtype=np.int32)
                if vocabulary is None
                else vocabulary.ids(source.vocabulary.words).astype(np.int32)
            )
            return
        marked = _Marked(source, unit, tokenizer, vocabulary)
        if options.get("max_final_vocab") is not None:
            options["max_final_vocab"] += 1
        if vocabulary is not None:
            options = {k: options[k] for k in ("workers", "progress") if k in options}
            options["vocabulary"] = Vocabulary([*vocabulary.words, marked.mark])
        else:
            keep = options.get("keep") or ()
            options["keep"] = (*((keep,) if isinstance(keep, (str, bytes)) else keep), marked.mark)
        self.corpus = Corpus(marked, tokenizer="whitespace" if marked.as_text else None, **options)
        whole = self.corpus.vocabulary
        at = int(whole.ids([INT_MARK if whole.is_int else MARK])[0])
        if vocabulary is None and whole.counts[at] != marked.number:
            raise ValueError(
                f"the documents hold the character {MARK!r} as a word, which is used here to mark their ends"
            )
        if len(whole) == 1:
            raise ValueError(
                f"no word of the {marked.number:,} documents reaches min_count={options.get('min_count', 5)}"
                if self.corpus.report.tokens_read > marked.number
                else f"the {marked.number:,} documents hold no word"
            )
        self.columns = np.arange(len(whole), dtype=np.int32)
        self.columns[at:] -= 1
        self.columns[at] = -1
        self.vocabulary = _without(whole, at, marked.number) if vocabulary is None else vocabulary

    def __len__(self) -> int:
        return self.corpus.num_sentences


class _Marked:
    """The documents of a source, each with the mark at its end, and how many there were."""

    def __init__(self, source: Any, unit: str, tokenizer: Any, vocabulary: Vocabulary | None) -> None:
        if unit not in UNITS:
            raise ValueError(f"unit={unit!r} is unknown: it must be one of {', '.join(map(repr, UNITS))}")
        self.mark: Any = INT_MARK if vocabulary is not None and vocabulary.is_int else MARK
        self.number = 0
        call: Callable[[str], Iterable[Any]] | None = tokenizer if callable(tokenizer) else None
        if tokenizer is not None and call is None and tokenizer != "whitespace":
            raise ValueError(f'tokenizer must be None, "whitespace" or a callable, got {tokenizer!r}')
        paths = _paths(source, tokenizer)
        self.as_text = call is None and (paths is not None or tokenizer == "whitespace")
        if paths is not None:
            texts: Any = _lines(paths) if unit == "line" else _files(paths)
        else:
            if unit == "file":
                raise ValueError("unit='file' needs files: a path, a pattern, a directory or a list of them")
            if type(source) is LineSentence:
                raise TypeError("give the path itself instead of a LineSentence: every line is a document")
            texts = _items(source)
        if call is not None:
            texts = (list(call(_text(t).decode("utf-8", "surrogateescape"))) for t in texts)
        self._texts = texts
        if not self.as_text:
            self._texts = iter(texts)
            self._first: list[Any] = []
            for document in self._texts:  # up to the first with a token: that tells whether they are integers
                document = _tokens(document, len(self._first))
                self._first.append(document)
                if document:
                    if vocabulary is None:
                        self.mark = INT_MARK if isinstance(document[0], Integral) else MARK
                    break

    def __iter__(self) -> Iterator[Any]:
        if self.as_text:
            end = b" " + MARK.encode()
            for text in self._texts:
                self.number += 1
                yield _text(text) + end
            return
        for document in self._first:
            self.number += 1
            yield [*document, self.mark]
        for document in self._texts:
            self.number += 1
            yield [*_tokens(document, self.number - 1), self.mark]


def _text(text: Any) -> bytes:
    if isinstance(text, str):
        return text.encode("utf-8", "surrogateescape")
    if isinstance(text, bytes):
        return text
    raise TypeError(f"a document is {type(text).__name__}; with a tokenizer every document is a string")


def _tokens(document: Any, number: int) -> list[Any]:
    if isinstance(document, (str, bytes)):
        raise TypeError(
            f"document {number} is the string {document!r:.60}: give lists of tokens, or strings with "
            'tokenizer="whitespace" (or a callable)'
        )
    try:
        return document.tolist() if isinstance(document, np.ndarray) else list(document)
    except TypeError:
        raise TypeError(f"document {number} is {document!r:.60}, not a list of tokens") from None


def _items(source: Any) -> Iterable[Any]:
    if source is None or isinstance(source, (int, float, dict, set, frozenset)) or not hasattr(source, "__iter__"):
        raise TypeError(
            f"the documents are {source!r:.60}; expected a path, a list of paths, or an iterable of documents"
        )
    if isinstance(source, tuple) and len(source) == 2 and all(isinstance(a, np.ndarray) for a in source):
        ids, offsets = source
        return (ids[a:b] for a, b in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True))
    if hasattr(source, "read"):
        return (line.rstrip(b"\r\n") if isinstance(line, bytes) else line.rstrip("\r\n") for line in source)
    return source


def _paths(source: Any, tokenizer: Any) -> list[str] | None:
    """The files of a source that names files."""
    if _is_path(source):
        return expand(source)
    if isinstance(source, (list, tuple)) and source and all(_is_path(x) for x in source):
        if tokenizer is not None and all(isinstance(x, (str, bytes)) for x in source):
            return None  # texts
        if not any(os.path.exists(os.fsdecode(os.fspath(x))) for x in source):
            return None  # strings that name no files: told as documents that are strings
        return [path for x in source for path in expand(x)]
    return None


def _lines(paths: list[str]) -> Iterator[bytes]:
    for path in paths:
        with open_text(path) as text:
            for line in text:
                yield line.rstrip(b"\r\n")


def _files(paths: list[str]) -> Iterator[bytes]:
    for path in paths:
        with open_text(path) as text:
            yield text.read()


def _without(vocabulary: Vocabulary, at: int, marks: int) -> Vocabulary:
    """The vocabulary without the mark."""
    keep = np.delete(np.arange(len(vocabulary)), at)
    counts, total = vocabulary.counts[keep], vocabulary.total - marks
    if vocabulary.is_int:
        smaller = Vocabulary(vocabulary.int_keys[keep].tolist(), counts, total=total)
    else:
        words = vocabulary.words
        smaller = Vocabulary([*words[:at], *words[at + 1 :]], counts, total=total)
    smaller._dropped = vocabulary._dropped
    return smaller


def count_documents(documents: Documents, workers: int = 1, tell: Callable[[], None] | None = None) -> CSR:
    """How often each word occurs in each document.

    Returns
    -------
    CSR (documents, words)
        float32 counts, columns ascending; the same for any number of workers.

    Examples
    --------
    >>> counts = count_documents(Documents([["a", "b", "a"], [], ["b"]], min_count=1))
    >>> counts.indptr.tolist(), counts.indices.tolist(), counts.data.tolist()
    ([0, 2, 2, 3], [0, 1, 1], [2.0, 1.0, 1.0])
    """
    corpus, columns = documents.corpus, documents.columns
    offsets = np.ascontiguousarray(corpus.offsets)
    n = len(offsets) - 1
    marks = np.arange(0, corpus.num_tokens + PIECE, PIECE)
    at = np.unique(np.clip(np.searchsorted(offsets, marks), 0, n))
    kept = np.zeros(n, np.int64)

    def ids(k: int) -> np.ndarray:
        return corpus.read(int(offsets[at[k]]), int(offsets[at[k + 1]]))

    def first(k: int) -> None:
        count(ids(k), offsets, columns, int(at[k]), int(at[k + 1]), kept)

    each(len(at) - 1, first, workers, tell)
    indptr = np.zeros(n + 1, np.int64)
    np.cumsum(kept, out=indptr[1:])
    indices, data = np.empty(int(indptr[-1]), np.int32), np.empty(int(indptr[-1]), np.float32)

    def second(k: int) -> None:
        fill(ids(k), offsets, columns, int(at[k]), int(at[k + 1]), indptr, indices, data)

    each(len(at) - 1, second, workers, tell)
    return CSR(indptr, indices, data, len(documents.vocabulary))
