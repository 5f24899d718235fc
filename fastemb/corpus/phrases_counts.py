"""What ``Phrases`` counts: words, and pairs of words with nothing but connector words between them.

Words and pairs are counted as ids (csrc/fe_phrases). gensim counts strings, so that the pair ("new", "york") and the
word "new_york" share a count. Both views agree as long as no word contains the delimiter; where some do (a second pass
over joined text), the strings of the pairs they are in are spelled out once and looked for among the others: `Lexicon`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ._corpus import Table, TokenBlock, decode_words, encode_word
from ._phrases import CONNECTOR, NODE, PARTS, Pairs, Shard
from .encoded import Corpus
from .ordered import ordered

__all__ = ["Lexicon", "PhraseCounts", "PhraseVocabulary"]

logger = logging.getLogger("fastemb")

SPECIAL = 128  # flag of a word that hides the delimiter, see `hides`
SHARD = 1 << 20  # tokens
ROUND = 8  # shards: fixed, so that pruning does not depend on the number of workers
BACK = 1024  # tokens read before a shard, to find what its first pair begins with


def hides(word: bytes, delimiter: bytes) -> bool:
    """Whether a word, joined to others, shows the delimiter anywhere but at the joints."""
    return delimiter in (delimiter + word + delimiter)[1:-1]


def hiding(blob: np.ndarray, offsets: np.ndarray, delimiter: bytes) -> np.ndarray:
    """bool by word: `hides`."""
    found = np.zeros(len(offsets) - 1, np.bool_)
    if len(delimiter) == 1:
        at = np.flatnonzero(blob == delimiter[0])
        found[np.searchsorted(offsets, at, side="right") - 1] = True
    else:
        raw = blob.tobytes()
        edges = offsets.tolist()
        for i, (lo, hi) in enumerate(pairwise(edges)):
            found[i] = hides(raw[lo:hi], delimiter)
    return found


class PhraseCounts:
    """Exact counts of words and pairs, to which corpora are added.

    Parameters
    ----------
    delimiter : str
    connector_words : iterable of str
        Words that may stand inside a phrase; they are neither counted as words nor begin or end a pair.
    """

    def __init__(self, delimiter: str, connector_words: Iterable[str]) -> None:
        self.delimiter, self.glue = delimiter, encode_word(delimiter)
        self.connectors = frozenset(connector_words)
        self.table = Table()  # all words met, connector words too
        self.counts = np.zeros(0, np.int64)  # by word
        self.flags = np.zeros(0, np.uint8)  # by word: CONNECTOR, SPECIAL
        self.pairs = Pairs()
        self.corpus_word_count = 0
        self.min_reduce = 1
        self.pruned_entries = self.pruned_occurrences = 0
        self.version = 0  # changes with every count
        self._lexicon: Lexicon | None = None
        self._special_connector = any(hides(encode_word(c), self.glue) for c in self.connectors)

    # -- counting

    def add_words(self, blob: np.ndarray, offsets: np.ndarray) -> np.ndarray | None:
        """int32 ids of words given by their bytes, new ones added; None when id i is simply word i."""
        known = len(self.table)
        ids = self.table.add_blob(blob, offsets)
        more = len(self.table) - known
        if more:
            flags = np.zeros(more, np.uint8)
            new = ids >= known
            flags[ids[new] - known] = np.where(hiding(blob, offsets, self.glue)[new], SPECIAL, 0)
            self.flags = np.concatenate([self.flags, flags])
            self.counts = np.concatenate([self.counts, np.zeros(more, np.int64)])
            for word in self.connectors:
                at = self.table.find(encode_word(word))
                if at >= 0:
                    self.flags[at] |= CONNECTOR
        return ids if known else None

    def add(
        self,
        corpus: Corpus,
        *,
        own: bool,
        workers: int,
        max_vocab_size: int | None = None,
        progress: Callable[[dict[str, Any]], Any] | None = None,
    ) -> None:
        """Counts a corpus. own: its vocabulary's counts are those of its ids."""
        words = corpus.vocabulary
        if words.is_int:
            raise TypeError("phrases are joined from words; the keys of this corpus are integers")
        ids = self.add_words(words.blob, words.offsets)
        counts = words.counts if own else _count_ids(corpus)
        before = self.pruned_entries, self.pruned_occurrences
        self._count_pairs(corpus, ids, workers, max_vocab_size, progress)
        if ids is None:
            self.counts += counts
        else:
            self.counts[ids] += counts  # each word once, so no index occurs twice
        self.corpus_word_count += corpus.num_tokens
        self.changed()
        if max_vocab_size is not None:
            self._prune(max_vocab_size, words=True)
            dropped, lost = self.pruned_entries - before[0], self.pruned_occurrences - before[1]
            if dropped:
                logger.warning(
                    "max_vocab_size=%s: %s words and pairs with %s occurrences were dropped while counting; counts are "
                    "no longer exact, and phrases among them may be missed",
                    f"{max_vocab_size:,}",
                    f"{dropped:,}",
                    f"{lost:,}",
                )

    def changed(self) -> None:
        """Forgets what was derived from the counts."""
        self.version += 1
        self._lexicon = None

    def _count_pairs(
        self,
        corpus: Corpus,
        ids: np.ndarray | None,
        workers: int,
        limit: int | None,
        progress: Callable[[dict[str, Any]], Any] | None,
    ) -> None:
        offsets, total = corpus.offsets, corpus.num_tokens
        whole = corpus.ids if corpus.in_memory else None
        flags = self.flags if np.any(self.flags & CONNECTOR) else None
        shards = [Shard() for _ in range(min(ROUND, -(-total // SHARD)))]
        step = max(1, PARTS // (4 * workers)) if workers > 1 else PARTS

        def emit(task: tuple[Shard, int]) -> None:
            shard, lo = task
            hi = min(lo + SHARD, total)
            sentence = int(np.searchsorted(offsets, lo, side="right")) - 1
            if whole is not None:
                shard.emit(whole, 0, lo, hi, offsets, sentence, ids, flags)
                return
            begin = int(offsets[sentence])
            base = max(begin, lo - BACK)
            if not shard.emit(corpus.read(base, hi), base, lo, hi, offsets, sentence, ids, flags):
                shard.emit(corpus.read(begin, hi), begin, lo, hi, offsets, sentence, ids, flags)

        def count(lo: int) -> None:
            self.pairs.count(lo, min(lo + step, PARTS), filled)

        for start in range(0, total, ROUND * SHARD):
            tasks = list(zip(shards, range(start, min(start + ROUND * SHARD, total), SHARD), strict=False))
            filled = [shard for shard, _ in tasks]
            for _ in ordered(emit, tasks, workers):
                pass
            for shard in filled:
                self.pairs.adopt(shard)
            for _ in ordered(count, range(0, PARTS, step), workers):
                pass
            if limit is not None and len(self.pairs) > limit:
                self._prune(limit, words=False)
            if progress is not None:
                done = min(start + ROUND * SHARD, total)
                progress({"phase": "phrases", "tokens": done, "total_tokens": total, "pairs": len(self.pairs)})

    def _prune(self, limit: int, *, words: bool) -> None:
        """Drops the rarest pairs (and words) until `limit` entries are left."""
        entries = occurrences = 0
        plain = self.flags & CONNECTOR == 0
        while True:
            size = len(self.pairs)
            if words:
                size += int(np.count_nonzero(plain & (self.counts > 0)))
            if size <= limit:
                break
            dropped, lost = self.pairs.prune(self.min_reduce)
            if words:
                rare = plain & (self.counts > 0) & (self.counts <= self.min_reduce)
                dropped += int(np.count_nonzero(rare))
                lost += int(self.counts[rare].sum())
                self.counts[rare] = 0
            entries, occurrences = entries + dropped, occurrences + lost
            self.min_reduce += 1
        if entries:
            self.pruned_entries += entries
            self.pruned_occurrences += occurrences
            self.changed()

    # -- words

    def words_blob(self) -> tuple[np.ndarray, np.ndarray]:
        """All words by id: (bytes, offsets)."""
        return self.table.export(np.arange(len(self.table), dtype=np.int32))

    def find_words(self, words: Sequence[str]) -> np.ndarray:
        """int32 ids, -1 where unknown."""
        block = TokenBlock(1)
        block.add_tokens(words)
        return self.table.find_tokens(block)

    @property
    def lexicon(self) -> Lexicon:
        """The counts by string."""
        if self._lexicon is None:
            self._lexicon = Lexicon(self)
        return self._lexicon


def _count_ids(corpus: Corpus) -> np.ndarray:
    counts = np.zeros(len(corpus.vocabulary), np.int64)
    for lo in range(0, corpus.num_tokens, SHARD):
        counts += np.bincount(corpus.read(lo, min(lo + SHARD, corpus.num_tokens)), minlength=len(counts))
    return counts


class Lexicon:
    """The counts of words and joined pairs by their strings, as gensim's ``vocab`` has them.

    Where no word hides the delimiter, a string is one word or one pair, told by splitting it. Otherwise the strings of
    all words and pairs with such a word are kept in a table (`shared`), to which the count of the one other pair that
    a string may stand for is added (`merged` are the keys of those).
    """

    def __init__(self, counts: PhraseCounts) -> None:
        self.of = counts
        plain_words = counts.flags & CONNECTOR == 0
        here = plain_words & (counts.counts > 0)
        special = counts.flags & SPECIAL != 0
        self.shared: Table | None = None
        self.shared_counts = np.zeros(0, np.int64)
        self.merged = np.zeros(0, np.uint64)
        self.special_keys = np.zeros(0, np.uint64)
        self.simple = not (special.any() or counts._special_connector)
        if self.simple:
            self.size = int(np.count_nonzero(here)) + len(counts.pairs)
            return
        keys, times = counts.pairs.entries()
        odd = special[counts.pairs.firsts(keys)] | special[keys & np.uint64(0xFFFFFFFF)]
        if counts._special_connector:
            odd |= self._gap_flags(special)[keys >> np.uint64(32)] if len(keys) else odd
        blob, offsets = counts.words_blob()
        table = Table()
        ids = np.flatnonzero(here & special).astype(np.int32)
        table.add_blob(*counts.table.export(ids), counts.counts[ids])
        self.special_keys = keys[odd]
        table.add_blob(*counts.pairs.spell(self.special_keys, blob, offsets, counts.glue), times[odd])
        self.shared, self.shared_counts = table, table.columns()[0].copy()
        self._merge()
        n_plain = int(np.count_nonzero(here & ~special)) + len(keys) - int(np.count_nonzero(odd))
        self.size = len(table) + n_plain - len(self.merged)

    def _gap_flags(self, special: np.ndarray) -> Any:
        """By left: whether a connector word in it hides the delimiter."""
        parents, words = self.of.pairs.nodes()
        found = np.zeros(len(words), np.bool_)
        for i, (parent, word) in enumerate(zip(parents.tolist(), words.tolist(), strict=True)):
            found[i] = special[word] or (parent >= NODE and found[parent - NODE])

        class ByLeft:
            def __getitem__(self, lefts: np.ndarray) -> np.ndarray:
                out = np.zeros(len(lefts), np.bool_)
                node = lefts >= NODE
                out[node] = found[lefts[node] - np.uint64(NODE)]
                return out

        return ByLeft()

    def shared_strings(self) -> list[str]:
        """The strings of `shared` by id."""
        assert self.shared is not None
        return decode_words(*self.shared.export(np.arange(len(self.shared), dtype=np.int32)))

    def _merge(self) -> None:
        delimiter, connectors = self.of.delimiter, self.of.connectors
        rows, pieces = [], []
        for i, text in enumerate(self.shared_strings()):
            parts = text.split(delimiter)
            if len(parts) == 2 or (len(parts) > 2 and connectors.issuperset(parts[1:-1])):
                rows.append(i)
                pieces.append(parts)
        keys, known = self.keys(pieces)
        times = np.zeros(len(pieces), np.int64)
        times[known] = self.of.pairs.find(keys[known])
        here = times > 0
        self.shared_counts[np.array(rows, np.int64)[here]] += times[here]
        self.merged = np.sort(keys[here])

    def keys(self, pieces: Sequence[Sequence[str]]) -> tuple[np.ndarray, np.ndarray]:
        """Keys of the pairs that consist of exactly these plain words, and which of them can be pairs at all."""
        of = self.of
        n = len(pieces)
        keys, known = np.zeros(n, np.uint64), np.zeros(n, np.bool_)
        flat = [word for parts in pieces for word in parts]
        if not flat:
            return keys, known
        ids = of.find_words(flat)
        bad = (ids < 0) | (of.flags[ids] & SPECIAL != 0 if len(of.flags) else True)
        connector = np.zeros(len(ids), np.bool_)
        connector[~bad] = of.flags[ids[~bad]] & CONNECTOR != 0
        at = 0
        short = np.fromiter((len(parts) == 2 for parts in pieces), np.bool_, n)
        starts = np.concatenate([[0], np.cumsum([len(parts) for parts in pieces])])[:-1]
        a, b = starts[short], starts[short] + 1
        known[short] = ~(bad[a] | bad[b] | connector[a] | connector[b])
        keys[short] = ids[a].astype(np.uint64) << np.uint64(32) | ids[b].astype(np.uint32)
        for i in np.flatnonzero(~short).tolist():
            at, end = int(starts[i]), int(starts[i]) + len(pieces[i])
            if end - at < 2 or bad[at:end].any() or connector[at] or connector[end - 1]:
                continue
            if not connector[at + 1 : end - 1].all():
                continue
            left: int | None = int(ids[at])
            for j in range(at + 1, end - 1):
                left = of.pairs.find_node(left, int(ids[j])) if left is not None else None
            if left is not None:
                keys[i], known[i] = left << 32 | int(ids[end - 1]), True
        keys[~known] = 0
        return keys, known

    def find(self, strings: Sequence[str]) -> np.ndarray:
        """int64 counts of strings, 0 for those that are not here."""
        of, n = self.of, len(strings)
        out = np.zeros(n, np.int64)
        if not n:
            return out
        block = TokenBlock(1)
        block.add_tokens(strings)
        open_ = np.ones(n, np.bool_)
        if self.shared is not None:
            ids = self.shared.find_tokens(block)
            open_ = ids < 0
            out[~open_] = self.shared_counts[ids[~open_]]
        ids = of.table.find_tokens(block)
        word = open_ & (ids >= 0)
        if word.any():
            at = ids[word]
            plain = of.flags[at] & (CONNECTOR | SPECIAL) == 0
            out[word] = np.where(plain, of.counts[at], 0)
        rows = [i for i in np.flatnonzero(open_ & (ids < 0)).tolist() if of.delimiter in strings[i]]
        if rows:
            keys, known = self.keys([strings[i].split(of.delimiter) for i in rows])
            out[np.array(rows)[known]] = of.pairs.find(keys[known])
        return out

    def count(self, text: str) -> int:
        """The count of one string: what ``find([text])`` gives, for look-ups one by one."""
        of, key = self.of, encode_word(text)
        if self.shared is not None and (at := self.shared.find(key)) >= 0:
            return int(self.shared_counts[at])
        at = of.table.find(key)
        if at >= 0:
            return 0 if of.flags[at] & (CONNECTOR | SPECIAL) else int(of.counts[at])
        ids = [of.table.find(encode_word(part)) for part in text.split(of.delimiter)]
        if len(ids) < 2 or min(ids) < 0:
            return 0
        kinds = of.flags[ids].tolist()
        inner = all(kind & CONNECTOR for kind in kinds[1:-1])
        if not inner or (kinds[0] | kinds[-1]) & CONNECTOR or any(kind & SPECIAL for kind in kinds):
            return 0
        left: int | None = ids[0]
        for word in ids[1:-1]:
            left = None if left is None else of.pairs.find_node(left, word)
        return 0 if left is None else of.pairs.find_one(left << 32 | ids[-1])

    def __len__(self) -> int:
        return self.size

    def strings(self) -> Iterator[tuple[list[str], np.ndarray]]:
        """All strings with their counts, in batches: words by id, then joined pairs in the order of their keys."""
        of = self.of
        use = (of.flags & CONNECTOR == 0) & (of.counts > 0)
        if self.shared is not None:
            use &= of.flags & SPECIAL == 0
        ids = np.flatnonzero(use).astype(np.int32)
        yield decode_words(*of.table.export(ids)), of.counts[ids]
        if self.shared is not None:
            yield self.shared_strings(), self.shared_counts
        keys, times = self.plain_pairs()
        order = np.argsort(keys)
        keys, times = keys[order], times[order]
        blob, offsets = of.words_blob()
        for lo in range(0, len(keys), 1 << 18):
            part = keys[lo : lo + (1 << 18)]
            yield decode_words(*of.pairs.spell(part, blob, offsets, of.glue)), times[lo : lo + (1 << 18)]

    def plain_pairs(self, least: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """(keys, counts) of the pairs that share their string with nothing else."""
        keys, times = self.of.pairs.entries(least)
        if self.shared is None or not len(keys):
            return keys, times
        own = ~_among(keys, np.sort(self.special_keys)) & ~_among(keys, self.merged)
        return keys[own], times[own]


def _among(keys: np.ndarray, of: np.ndarray) -> np.ndarray:
    if not len(of):
        return np.zeros(len(keys), np.bool_)
    return of[np.minimum(np.searchsorted(of, keys), len(of) - 1)] == keys


class PhraseVocabulary(Mapping[str, int]):
    """Words and joined pairs with their counts; a read-only mapping with the length and items of gensim's dict."""

    __slots__ = ("_counts",)

    def __init__(self, counts: PhraseCounts) -> None:
        self._counts = counts

    def __getitem__(self, word: str) -> int:
        found = self.get(word)
        if not found:
            raise KeyError(word)
        return int(found)

    def get(self, word: Any, default: Any = None) -> Any:
        """The count of a word or joined pair."""
        if not isinstance(word, str):
            return default
        return self._counts.lexicon.count(word) or default

    def __contains__(self, word: object) -> bool:
        return bool(self.get(word))

    def __len__(self) -> int:
        return len(self._counts.lexicon)

    def __iter__(self) -> Iterator[str]:
        for strings, _ in self._counts.lexicon.strings():
            yield from strings

    def items(self) -> Any:
        """Pairs of string and count, batch by batch."""
        return _Items(self)

    def __repr__(self) -> str:
        return f"<{len(self):,} words and pairs with their counts>"


class _Items:
    def __init__(self, vocabulary: PhraseVocabulary) -> None:
        self._of = vocabulary

    def __len__(self) -> int:
        return len(self._of)

    def __iter__(self) -> Iterator[tuple[str, int]]:
        for strings, times in self._of._counts.lexicon.strings():
            yield from zip(strings, times.tolist(), strict=True)
