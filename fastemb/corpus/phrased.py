"""Text with phrases joined: as lists of tokens, as one goes, or as a corpus of ids, in C."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._corpus import Table, encode_words
from ._phrases import Matcher
from .crew import Collector
from .encoded import Corpus
from .ordered import ordered
from .phrases_rules import Rules
from .scan import Scan
from .sources import MadePlan, Tokenizer
from .store import Block, Store

__all__ = ["JoinPlan", "PhrasedSentences", "base_corpus", "joined"]

PIECE = 1 << 18  # tokens a task


class PhrasedSentences:
    """The sentences of a source with phrases joined; restartable where the source is. Made by ``phrases[source]``.

    Iterating gives lists of tokens, one sentence at a time. Handed to ``Corpus``, to a model or to another ``Phrases``,
    it is not iterated: the source is encoded and joined in C.

    Parameters
    ----------
    obj : Phrases or FrozenPhrases
    corpus : Corpus, path, reader, or iterable of token lists

    Examples
    --------
    >>> from fastemb import Corpus, Phrases
    >>> sentences = [["new", "york", "is", "large"], ["new", "york"], ["new", "ideas", "york"]]
    >>> phrases = Phrases(sentences, min_count=1, threshold=0.5)
    >>> list(phrases[sentences])
    [['new_york', 'is', 'large'], ['new_york'], ['new', 'ideas', 'york']]
    >>> Corpus(phrases[sentences], min_count=1).vocabulary.words
    ['new_york', 'ideas', 'is', 'large', 'new', 'york']
    """

    def __init__(self, obj: Any, corpus: Any) -> None:
        self.obj, self.corpus = obj, corpus

    def __iter__(self) -> Iterator[list[Any]]:
        return self.obj._sentences(self.corpus)

    def __len__(self) -> int:
        return len(self.corpus)

    def __repr__(self) -> str:
        return f"<{self.corpus!r} with the phrases of {self.obj}>"

    def _corpus_plan(self, tokenizer: Tokenizer) -> Any:
        """What ``Corpus`` reads instead of iterating."""
        if self.obj._customised():  # a subclass decides by itself what a phrase is
            return None
        return JoinPlan(self.obj, self.corpus, tokenizer, f"{self.corpus!r:.60} with phrases joined")


@dataclass
class JoinPlan(MadePlan):
    """A source whose ids are those of another, with phrases joined."""

    obj: Any
    source: Any
    tokenizer: Tokenizer
    name: str

    def run(
        self,
        *,
        workers: int,
        store: Store | None,
        track_first: bool = False,
        progress: Callable[[dict[str, Any]], Any] | None = None,
    ) -> Scan:
        """As ``scan.run``: the joined ids go to the store, the words and their counts are returned."""
        base = base_corpus(self.source, workers=workers, tokenizer=self.tokenizer, progress=progress)
        rules = self.obj._rules()
        matcher = rules.matcher_of(base.vocabulary, self.obj.connector_words)
        words = len(base.vocabulary)
        counts = np.zeros(words + len(rules.phrases), np.int64)
        first = np.full(len(counts), np.iinfo(np.int64).max) if track_first else None
        collector = Collector(None, None, None, None)
        for ids, ends in joined(base, matcher, workers, counts):
            if first is not None:
                found, where = np.unique(ids, return_index=True)
                first[found] = np.minimum(first[found], where + collector.tokens)
            if store is not None:
                collector.blocks.append(Block(0, store.append(ids, 0), len(ids), ends))
            collector.tokens += len(ids)
        report = base.report
        collector.text_bytes, collector.sentences = report.bytes_read, report.sentences
        collector.empty, collector.split = report.empty_sentences, report.sentences_split
        collector.file_blocks = dict.fromkeys(range(report.files), 0)
        table, to_table = _vocabulary(base, rules, counts, first)
        totals, invalid = table.columns()
        return Scan(table, totals, invalid, [to_table], collector)


def _vocabulary(base: Corpus, rules: Rules, counts: np.ndarray, first: np.ndarray | None) -> tuple[Table, np.ndarray]:
    """The table of what was written, and the way there from what the matcher writes."""
    blob, offsets = base.vocabulary.blob, base.vocabulary.offsets
    more, more_offsets = encode_words(rules.phrases)
    if rules.phrases:
        assert more_offsets is not None
        blob = np.concatenate([blob, more])
        offsets = np.concatenate([offsets, more_offsets[1:] + offsets[-1]])
    use = np.flatnonzero(counts)
    if first is not None:
        use = use[np.argsort(first[use])]
    table = Table(first=first is not None, expected=len(use))
    to_table = np.zeros(len(counts), np.int32)
    # a phrase may be spelled as a word is: then both get the same id
    to_table[use] = table.add_blob(*_take(blob, offsets, use), counts[use])
    return table, to_table


def _take(blob: np.ndarray, offsets: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(blob, offsets) of some of the words."""
    lengths = (offsets[1:] - offsets[:-1])[rows]
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return blob[np.repeat(offsets[rows] - ends[:-1], lengths) + np.arange(ends[-1])], ends


def base_corpus(source: Any, *, workers: int | None, tokenizer: Tokenizer = None, progress: Any = None) -> Corpus:
    """The source with every word kept; a Corpus is taken as it is."""
    if isinstance(source, Corpus):
        return source
    return Corpus(source, min_count=1, tokenizer=tokenizer, workers=workers, cache="auto", progress=progress)


def pieces(corpus: Corpus, matcher: Matcher) -> Iterator[tuple[int, int]]:
    """Ranges of tokens that can be joined one by one: cut at sentence ends or where no phrase can be under way."""
    offsets, total, lo = corpus.offsets, corpus.num_tokens, 0
    while lo < total:
        at = min(lo + PIECE, total)
        after = int(np.searchsorted(offsets, at, side="left"))
        end, width = int(offsets[after]), 4096
        while at < end:
            stop = min(at + width, end)
            ids = corpus.read(at, stop)
            cut = matcher.cut(ids, 0, len(ids))
            at, width = at + cut, width * 2
            if cut < len(ids):
                break
        yield lo, at
        lo = at


def joined(
    corpus: Corpus, matcher: Matcher, workers: int, counts: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(ids, sentence ends) of the pieces in turn; when it is through, the ids written have been added to `counts`."""
    offsets = corpus.offsets
    counters = [counts]  # those no thread is using
    made = []

    def one(piece: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        lo, hi = piece
        i, j = np.searchsorted(offsets, (lo, hi), side="right")
        try:
            own = counters.pop()
        except IndexError:
            own = np.zeros(len(counts), np.int64)
            made.append(own)
        result = matcher.join(corpus.read(lo, hi), offsets[i:j] - lo, own)
        counters.append(own)
        return result

    yield from ordered(one, pieces(corpus, matcher), workers)
    for own in made:
        counts += own
