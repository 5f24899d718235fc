"""Which words make which phrase: rules from counts or from a list of phrases, and the matcher that applies them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._corpus import decode_words
from ._phrases import CONNECTOR, NODE, SCORES, Matcher, scores
from .phrases_counts import PhraseCounts
from .vocabulary import Vocabulary

__all__ = ["Rules", "Scoring", "export", "rules_of_counts", "rules_of_phrases"]


@dataclass(frozen=True)
class Scoring:
    """How a pair is judged: by a formula of csrc/fe_phrases (its name), or by a function of the user's."""

    kind: str | Callable[..., Any]
    min_count: float
    threshold: float

    @property
    def least(self) -> int:
        """Pairs that occur less often cannot be phrases, whatever their score formula gives."""
        if callable(self.kind):
            return 1
        if self.kind == "default":
            return math.floor(self.min_count) + 1 if self.threshold >= 0 else 1
        return max(1, math.ceil(self.min_count))

    def of(self, counts: PhraseCounts, a: np.ndarray, b: np.ndarray, ab: np.ndarray) -> np.ndarray:
        """float64 scores; -inf for what is no pair."""
        size, total = len(counts.lexicon), counts.corpus_word_count
        if not callable(self.kind):
            return scores(self.kind, self.min_count, size, total, a, b, ab)
        out = np.full(len(ab), -np.inf)
        for i, (x, y, xy) in enumerate(zip(a.tolist(), b.tolist(), ab.tolist(), strict=True)):
            if x > 0 and y > 0 and xy > 0:
                out[i] = self.kind(
                    worda_count=x,
                    wordb_count=y,
                    bigram_count=xy,
                    len_vocab=size,
                    min_count=self.min_count,
                    corpus_word_count=total,
                )
        return out


@dataclass
class Rules:
    """Rule i: token ``starts[i]``, the tokens ``gaps[gap_offsets[i]:gap_offsets[i + 1]]``, ``ends[i]`` make the phrase
    ``phrases[made[i]]``. The arrays hold positions in ``tokens``."""

    tokens: list[str]
    phrases: list[str]
    scores: np.ndarray  # float64, of each phrase as it was first made
    starts: np.ndarray
    gaps: np.ndarray
    gap_offsets: np.ndarray
    ends: np.ndarray
    made: np.ndarray

    def __len__(self) -> int:
        return len(self.starts)

    def matcher(self, ids: np.ndarray, words: int, connectors: np.ndarray) -> Matcher:
        """For texts of which token i has the id ``ids[i]`` below `words`, -1 where it does not occur."""
        flags = np.zeros(words, np.uint8)
        flags[connectors[connectors >= 0]] = CONNECTOR
        starts, ends, gaps = ids[self.starts], ids[self.ends], ids[self.gaps]
        missing = np.concatenate([[0], np.cumsum(gaps < 0)])
        use = (starts >= 0) & (ends >= 0) & (missing[self.gap_offsets[1:]] == missing[self.gap_offsets[:-1]])
        lengths = np.diff(self.gap_offsets)
        kept = gaps[np.repeat(use, lengths)]
        offsets = np.concatenate([[0], np.cumsum(lengths[use])]).astype(np.int64)
        matcher = Matcher(flags, 2 * int(np.count_nonzero(use)))
        matcher.add(starts[use], kept, offsets, ends[use], self.made[use])
        return matcher

    def matcher_of(self, vocabulary: Vocabulary, connectors: Iterable[str]) -> Matcher:
        """For texts encoded with a vocabulary."""
        if vocabulary.is_int:
            raise TypeError("phrases are joined from words; the keys of this corpus are integers")
        return self.matcher(vocabulary.ids(self.tokens), len(vocabulary), vocabulary.ids(sorted(connectors)))


class _Builder:
    def __init__(self) -> None:
        self.index: dict[str, int] = {}
        self.phrases: dict[str, int] = {}
        self.scores: list[float] = []
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.gaps: list[int] = []
        self.gap_offsets = [0]
        self.made: list[int] = []

    def add(self, start: str, gap: Sequence[str], end: str, phrase: str, score: float) -> None:
        index = self.index
        self.starts.append(index.setdefault(start, len(index)))
        for word in gap:
            self.gaps.append(index.setdefault(word, len(index)))
        self.ends.append(index.setdefault(end, len(index)))
        self.gap_offsets.append(len(self.gaps))
        number = self.phrases.setdefault(phrase, len(self.phrases))
        if number == len(self.scores):
            self.scores.append(score)
        self.made.append(number)

    def done(self) -> Rules:
        return Rules(
            list(self.index),
            list(self.phrases),
            np.array(self.scores, np.float64),
            np.array(self.starts, np.int32),
            np.array(self.gaps, np.int32),
            np.array(self.gap_offsets, np.int64),
            np.array(self.ends, np.int32),
            np.array(self.made, np.int32),
        )


def readings(text: str, delimiter: str, connectors: frozenset[str]) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """All (start, connector words between, end) whose tokens, joined by the delimiter, give `text`.

    Start and end are no connector words; the start is not empty, because gensim begins no phrase with an empty token.
    """
    places, at = [], text.find(delimiter)
    while at >= 0:
        places.append(at)
        at = text.find(delimiter, at + 1)

    def tails(begin: int) -> Iterator[tuple[tuple[str, ...], str]]:
        if text[begin:] not in connectors:
            yield (), text[begin:]
        for place in places:
            if place >= begin and text[begin:place] in connectors:
                for gap, end in tails(place + len(delimiter)):
                    yield (text[begin:place], *gap), end

    for place in places:
        if place and text[:place] not in connectors:
            for gap, end in tails(place + len(delimiter)):
                yield text[:place], gap, end


def rules_of_phrases(
    scored: Mapping[str, float], threshold: float, delimiter: str, connectors: frozenset[str]
) -> Rules:
    """Every reading of every phrase above the threshold, as ``FrozenPhrases`` knows them."""
    built = _Builder()
    overlaps = any(delimiter.startswith(delimiter[-i:]) for i in range(1, len(delimiter)))
    for phrase, score in scored.items():
        if score > threshold:
            start, glue, rest = phrase.partition(delimiter)
            if glue and not overlaps and delimiter not in rest:  # one reading, as most have
                if start and start not in connectors and rest not in connectors:
                    built.add(start, (), rest, phrase, score)
                continue
            for start, gap, end in readings(phrase, delimiter, connectors):
                built.add(start, gap, end, phrase, score)
    return built.done()


def best_first(marks: np.ndarray, strings: Sequence[str]) -> np.ndarray:
    """int64 (n,): the places of the scores, highest first, ties by string."""
    order = np.argsort(-marks, kind="stable")
    same = np.concatenate([[False], np.diff(marks[order]) == 0, [False]])
    for lo, hi in zip(np.flatnonzero(~same[:-1] & same[1:]), np.flatnonzero(same[:-1] & ~same[1:]) + 1, strict=True):
        order[lo:hi] = sorted(order[lo:hi].tolist(), key=strings.__getitem__)
    return order


def _passing(counts: PhraseCounts, scoring: Scoring, keys: np.ndarray, times: np.ndarray) -> tuple[Any, Any, Any]:
    """(keys, scores, strings) of the pairs above the threshold, best first, ties by string."""
    own = counts.counts
    first = counts.pairs.firsts(keys)
    marks = scoring.of(counts, own[first], own[keys & np.uint64(0xFFFFFFFF)], times)
    good = marks > scoring.threshold
    keys, marks = keys[good], marks[good]
    strings = decode_words(*counts.pairs.spell(keys, *counts.words_blob(), counts.glue))
    order = best_first(marks, strings)
    return keys[order], marks[order], [strings[i] for i in order.tolist()]


def _simple_rules(counts: PhraseCounts, keys: np.ndarray, marks: np.ndarray, strings: list[str]) -> Rules:
    """Rules of pairs as they were counted, without a look at their strings."""
    starts = counts.pairs.firsts(keys).astype(np.int64)
    ends = (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
    lefts = keys >> np.uint64(32)
    lengths = np.zeros(len(keys), np.int64)
    gaps: list[int] = []
    long = np.flatnonzero(lefts >= NODE)
    if len(long):
        parents, words = counts.pairs.nodes()
        for i in long.tolist():
            gap: list[int] = []
            left = int(lefts[i])
            while left >= NODE:
                gap.append(int(words[left - NODE]))
                left = int(parents[left - NODE])
            lengths[i] = len(gap)
            gaps += reversed(gap)
    between = np.array(gaps, np.int64)
    used = np.unique(np.concatenate([starts, ends, between]))
    tokens = decode_words(*counts.table.export(used.astype(np.int32)))

    def place(ids: np.ndarray) -> np.ndarray:
        return np.searchsorted(used, ids).astype(np.int32)

    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    made = np.arange(len(keys), dtype=np.int32)
    return Rules(tokens, strings, marks, place(starts), place(between), offsets, place(ends), made)


def _shared_candidates(counts: PhraseCounts, least: int) -> tuple[list[str], np.ndarray]:
    """Strings (and their counts) that may be read in more than one way."""
    lexicon = counts.lexicon
    strings = lexicon.shared_strings()
    times = lexicon.shared_counts
    use = np.flatnonzero(times >= least)
    chosen, many = [strings[i] for i in use.tolist()], times[use]
    keys, gapped = lexicon.plain_pairs(least)
    long = (keys >> np.uint64(32)) >= NODE
    spelled = decode_words(*counts.pairs.spell(keys[long], *counts.words_blob(), counts.glue))
    return chosen + spelled, np.concatenate([many, gapped[long]])


def rules_of_counts(counts: PhraseCounts, scoring: Scoring) -> Rules:
    """The rules by which ``Phrases`` joins: start and end have counts, the joined string has one, the score passes."""
    lexicon = counts.lexicon
    keys, times = lexicon.plain_pairs(scoring.least)
    if lexicon.simple:
        return _simple_rules(counts, *_passing(counts, scoring, keys, times))
    built = _Builder()
    short = (keys >> np.uint64(32)) < NODE
    for phrase, score in zip(*reversed(_passing(counts, scoring, keys[short], times[short])[1:]), strict=True):
        start, end = phrase.split(counts.delimiter)
        built.add(start, (), end, phrase, float(score))
    strings, many = _shared_candidates(counts, scoring.least)
    found = [(i, r) for i, s in enumerate(strings) for r in readings(s, counts.delimiter, counts.connectors)]
    marks = _marks(counts, scoring, [r for _, r in found], many[[i for i, _ in found]])
    for at in np.flatnonzero(marks > scoring.threshold).tolist():
        i, (start, gap, end) = found[at]
        built.add(start, gap, end, strings[i], float(marks[at]))
    return built.done()


def _marks(counts: PhraseCounts, scoring: Scoring, read: list[Any], times: np.ndarray) -> np.ndarray:
    a = counts.lexicon.find([start for start, _, _ in read])
    b = counts.lexicon.find([end for _, _, end in read])
    return scoring.of(counts, a, b, times)


def export(counts: PhraseCounts, scoring: Scoring) -> dict[str, float]:
    """All phrases with their scores, best first.

    As in gensim, a string is judged by the words it splits into at the delimiter: the first and the last.
    """
    lexicon = counts.lexicon
    keys, times = lexicon.plain_pairs(scoring.least)
    _, marks, strings = _passing(counts, scoring, keys, times)
    if lexicon.simple:
        return dict(zip(strings, marks.tolist(), strict=True))
    # what is spelled with a word that hides the delimiter, split at it
    shared = lexicon.shared_strings()
    use = np.flatnonzero(lexicon.shared_counts >= scoring.least).tolist()
    parts = [(i, shared[i].split(counts.delimiter)) for i in use]
    split = [(i, p) for i, p in parts if len(p) > 1]
    a, b = lexicon.find([p[0] for _, p in split]), lexicon.find([p[-1] for _, p in split])
    more = scoring.of(counts, a, b, lexicon.shared_counts[[i for i, _ in split]])
    found = list(zip(strings, marks.tolist(), strict=True))
    found += [(shared[i], m) for (i, _), m in zip(split, more.tolist(), strict=True) if m > scoring.threshold]
    return dict(sorted(found, key=lambda item: (-item[1], item[0])))


assert set(SCORES) == {"default", "npmi", "pmi"}
