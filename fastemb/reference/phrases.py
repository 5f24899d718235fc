"""Collocations counted and joined with Python's dictionaries: the twin of csrc/fe_phrases and fastemb/corpus/phrases*.

Everything is a string here, as in gensim: the pair ("new", "york") and the word "new_york" are one entry.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

__all__ = ["NaivePhrases", "default_score", "join_by_table", "npmi_score", "pmi_score"]

Score = Callable[[int, int, int, int, float, int], float]


def default_score(a: int, b: int, ab: int, size: int, least: float, total: int) -> float:
    """(ab - least) / (a b) * size."""
    return (ab - least) / float(a * b) * size


def npmi_score(a: int, b: int, ab: int, size: int, least: float, total: int) -> float:
    """ln(p(ab) / (p(a) p(b))) / -ln p(ab), -inf below `least`."""
    if ab < least or ab == total:
        return -math.inf
    pa, pb, pab = a / total, b / total, ab / total
    return math.log(pab / (pa * pb)) / -math.log(pab)


def pmi_score(a: int, b: int, ab: int, size: int, least: float, total: int) -> float:
    """ln(p(ab) / (p(a) p(b))), -inf below `least`."""
    if ab < least:
        return -math.inf
    pa, pb, pab = a / total, b / total, ab / total
    return math.log(pab / (pa * pb))


def join_by_table(
    sentence: Sequence[str], connectors: Collection[str], judge: Callable[[str, str, Sequence[str]], str | None]
) -> list[str]:
    """A sentence joined greedily from the left; judge(start, end, between) gives the phrase or None."""
    out: list[str] = []
    i = 0
    while i < len(sentence):
        start = sentence[i]
        j = i + 1
        if start and start not in connectors:
            while j < len(sentence) and sentence[j] in connectors:
                j += 1
            if j < len(sentence):
                phrase = judge(start, sentence[j], sentence[i + 1 : j])
                if phrase is not None:
                    out.append(phrase)
                    i = j + 1
                    continue
        out.append(start)
        i += 1
    return out


class NaivePhrases:
    """Counts of words and joined pairs.

    Parameters
    ----------
    delimiter : str
    connectors : collection of str

    Attributes
    ----------
    vocab : dict of str to int
    total : int
        Tokens, connector words too.
    """

    def __init__(self, delimiter: str = "_", connectors: Collection[str] = ()) -> None:
        self.delimiter, self.connectors = delimiter, frozenset(connectors)
        self.vocab: dict[str, int] = {}
        self.total = 0

    def add(self, sentences: Iterable[Sequence[str]]) -> None:
        """Count sentences."""
        for sentence in sentences:
            self.total += len(sentence)
            places = [i for i, word in enumerate(sentence) if word not in self.connectors]
            for n, i in enumerate(places):
                self._count(sentence[i])
                if n:
                    self._count(self.delimiter.join(sentence[places[n - 1] : i + 1]))

    def _count(self, entry: str) -> None:
        self.vocab[entry] = self.vocab.get(entry, 0) + 1

    def score(self, start: str, end: str, between: Sequence[str], least: float, formula: Score) -> float:
        """The score of a candidate; -inf where a count is missing."""
        entry = self.delimiter.join([start, *between, end])
        a, b, ab = (self.vocab.get(x, 0) for x in (start, end, entry))
        return formula(a, b, ab, len(self.vocab), least, self.total) if a and b and ab else -math.inf

    def phrases(self, least: float, threshold: float, formula: Score = default_score) -> dict[str, float]:
        """All entries that are phrases when split at the delimiter, with their scores."""
        found = {}
        for entry in self.vocab:
            parts = entry.split(self.delimiter)
            if len(parts) > 1:
                score = self.score(parts[0], parts[-1], parts[1:-1], least, formula)
                if score > threshold:
                    found[entry] = score
        return found

    def join(
        self, sentence: Sequence[str], least: float, threshold: float, formula: Score = default_score
    ) -> list[str]:
        """A sentence joined as ``Phrases`` does."""

        def judge(start: str, end: str, between: Sequence[str]) -> str | None:
            good = self.score(start, end, between, least, formula) > threshold
            return self.delimiter.join([start, *between, end]) if good else None

        return join_by_table(sentence, self.connectors, judge)

    def join_frozen(self, sentence: Sequence[str], scored: Mapping[str, float], threshold: float) -> list[str]:
        """A sentence joined as ``FrozenPhrases`` does, by the string alone."""

        def judge(start: str, end: str, between: Sequence[str]) -> str | None:
            phrase = self.delimiter.join([start, *between, end])
            return phrase if scored.get(phrase, -math.inf) > threshold else None

        return join_by_table(sentence, self.connectors, judge)
