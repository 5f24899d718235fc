"""``Vocabulary``: the words of a corpus, their ids and counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ._corpus import Table, TokenBlock, decode_words, encode_word, encode_words, hash_word
from .rules import TrimRule, Word
from .selection import select

__all__ = ["Vocabulary"]


class Vocabulary:
    """Immutable words with counts; a word's id is its position.

    Parameters
    ----------
    words : sequence of str, bytes or int
        All strings or all integers (signed 64-bit), each once.
    counts : array_like of int, optional
        One count a word; zeros when not given.
    total : int, optional
        Tokens in the text the counts were taken from, out-of-vocabulary ones included. Default: the sum of the counts.

    Raises
    ------
    ValueError
        A word given twice, counts of another length or below zero, an integer beyond 64 bits.
    TypeError
        Words that are neither str, bytes nor int, or a mixture of strings and integers.

    Notes
    -----
    Strings are kept as their UTF-8 bytes with ``surrogateescape``: a word that is not valid UTF-8 in the corpus comes
    back as a ``str`` with escapes, and is found again by it. Other lone surrogates are stored in their three-byte form.

    Examples
    --------
    >>> v = Vocabulary(["the", "cat"], [10, 2])
    >>> len(v), v.id("cat"), v.word(0), "dog" in v
    (2, 1, 'the', False)
    >>> v.ids(["cat", "dog"]).tolist()
    [1, -1]
    """

    __slots__ = ("_blob", "_counts", "_dropped", "_ints", "_offsets", "_table", "_words", "total")

    _blob: np.ndarray
    _offsets: np.ndarray
    _counts: np.ndarray
    _ints: np.ndarray | None
    _words: list[str] | list[int] | None
    _table: Table | None
    _dropped: tuple[np.ndarray, np.ndarray, bool] | None
    total: int

    def __init__(self, words: Iterable[Word], counts: Any = None, *, total: int | None = None) -> None:
        first, offsets = encode_words(words)
        if offsets is None:
            self._set(None, None, first, counts, total)
        else:
            self._set(first, offsets, None, counts, total)
        self._check_unique()

    def _set(self, blob: Any, offsets: Any, ints: Any, counts: Any, total: int | None) -> None:
        n = len(ints) if ints is not None else len(offsets) - 1
        if counts is None:
            counts = np.zeros(n, np.int64)
        else:
            counts = np.array(list(counts) if not hasattr(counts, "__len__") else counts)
            if counts.size and counts.dtype.kind not in "iu":
                if counts.dtype.kind != "f" or not np.all(counts == np.floor(counts)):
                    raise ValueError("counts must be whole numbers")
            counts = counts.astype(np.int64)
        if counts.shape != (n,):
            raise ValueError(f"{n} words but counts of shape {counts.shape}")
        if n and counts.min() < 0:
            raise ValueError(f"counts must not be negative, got {counts.min()}")
        self._blob = np.empty(0, np.uint8) if blob is None else blob
        self._offsets = np.zeros(1, np.int64) if offsets is None else offsets
        self._ints = ints
        self._counts = counts
        for array in (self._blob, self._offsets, self._counts, *(() if ints is None else (ints,))):
            array.setflags(write=False)
        self._words = None
        self._table = None
        self._dropped = None
        self.total = int(counts.sum()) if total is None else int(total)

    @classmethod
    def from_parts(
        cls, blob: Any, offsets: Any, counts: Any, *, int_keys: Any = None, total: int | None = None
    ) -> Vocabulary:
        """From the arrays files hold.

        (blob uint8, offsets int64 (V + 1,)) or int_keys int64 (V,), and counts int64 (V,).
        Raises ``ValueError`` when offsets do not fit the blob or a word occurs twice.
        """
        self = cls.__new__(cls)
        if int_keys is not None:
            self._set(None, None, np.array(int_keys, np.int64), counts, total)
        else:
            self._set(np.array(blob, np.uint8), np.array(offsets, np.int64), None, counts, total)
        self._check_unique()
        return self

    @classmethod
    def _from_table(cls, table: Table, order: np.ndarray, counts: np.ndarray, total: int) -> Vocabulary:
        self = cls.__new__(cls)
        blob, offsets = table.export(order)
        if table.ints:
            self._set(None, None, blob.view(np.int64), counts[order], total)
        else:
            self._set(blob, offsets, None, counts[order], total)
        return self

    @classmethod
    def from_frequencies(
        cls,
        frequencies: Mapping[Any, int],
        *,
        min_count: int = 1,
        max_final_vocab: int | None = None,
        trim_rule: TrimRule | None = None,
        keep: Iterable[Word] = (),
        sorted_vocab: bool = True,
        total: int | None = None,
    ) -> Vocabulary:
        """From a mapping of word to count, sorted and cut as a scanned corpus is.

        >>> Vocabulary.from_frequencies({"b": 3, "a": 3, "c": 9, "d": 1}, min_count=2).words
        ['c', 'a', 'b']
        """

        table = _table_of(cls(frequencies.keys(), list(frequencies.values())))
        counts = table.columns()[0]
        order = select(
            table,
            counts,
            min_count=min_count,
            max_final_vocab=max_final_vocab,
            trim_rule=trim_rule,
            keep=keep,
            sorted_vocab=sorted_vocab,
        ).order
        return cls._from_table(table, order, counts, int(counts.sum()) if total is None else total)

    @classmethod
    def merge(cls, *vocabularies: Vocabulary) -> Vocabulary:
        """All words of several vocabularies with their counts added, sorted by count (ties by bytes).

        >>> Vocabulary.merge(Vocabulary(["a", "b"], [1, 5]), Vocabulary(["a"], [7])).words
        ['a', 'b']
        """
        if not vocabularies:
            return cls([])
        table = _table_of(vocabularies[0])
        for v in vocabularies[1:]:
            _same_kind(vocabularies[0], v)
            table.merge(_table_of(v))
        order = np.arange(len(table), dtype=np.int32)
        table.sort(order)
        return cls._from_table(table, order, table.columns()[0], sum(v.total for v in vocabularies))

    def updated(self, other: Vocabulary, *, min_count: int = 1, max_final_vocab: int | None = None) -> Vocabulary:
        """This vocabulary grown by another: the words here keep their ids, new ones follow, sorted.

        Counts of words in both are added. New words need ``min_count`` in `other`; no more than ``max_final_vocab``
        words altogether, never fewer than there are here.

        >>> Vocabulary(["a", "b"], [5, 4]).updated(Vocabulary(["c", "b", "d"], [9, 2, 1]), min_count=2).words
        ['a', 'b', 'c']
        """
        if min_count < 1:
            raise ValueError(f"min_count must be at least 1, got {min_count}")
        _same_kind(self, other)
        n = len(self)
        table = _table_of(self)
        where = table.merge(_table_of(other))
        counts = table.columns()[0]
        new = where[where >= n]
        new = new[counts[new] >= min_count].astype(np.int32)
        table.sort(new)
        if max_final_vocab is not None:
            new = new[: max(0, max_final_vocab - n)]
        order = np.concatenate([np.arange(n, dtype=np.int32), new])
        return type(self)._from_table(table, order, counts, self.total + other.total)

    # -- words and ids

    def __len__(self) -> int:
        return len(self._counts)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.words)

    def __contains__(self, word: object) -> bool:
        try:
            return self.id(word) >= 0  # type: ignore[arg-type]
        except (TypeError, KeyError):
            return False

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocabulary):
            return NotImplemented
        if self.is_int != other.is_int or not np.array_equal(self._counts, other._counts):
            return False
        if self.is_int:
            return np.array_equal(self.int_keys, other.int_keys)
        return np.array_equal(self._blob, other._blob) and np.array_equal(self._offsets, other._offsets)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        head = ", ".join(repr(self.word(i)) for i in range(min(3, len(self))))
        return f"<Vocabulary of {len(self):,} words: {head}{', ...' if len(self) > 3 else ''}>"

    def __reduce__(self) -> Any:
        return _rebuild, (self._blob, self._offsets, self._counts, self._ints, self.total)

    @property
    def is_int(self) -> bool:
        """True when the keys are integers."""
        return self._ints is not None

    @property
    def int_keys(self) -> np.ndarray:
        """int64 (V,): the keys of an integer vocabulary."""
        if self._ints is None:
            raise AttributeError("the keys of this vocabulary are strings: use .words")
        return self._ints

    @property
    def blob(self) -> np.ndarray:
        """uint8: the words' bytes end to end (empty for integer keys)."""
        return self._blob

    @property
    def offsets(self) -> np.ndarray:
        """int64 (V + 1,): word i is ``blob[offsets[i]:offsets[i + 1]]``."""
        return self._offsets

    @property
    def counts(self) -> np.ndarray:
        """int64 (V,)."""
        return self._counts

    @property
    def words(self) -> list[Any]:
        """The words as ``str`` (or ``int``), in the order of their ids; built when first asked for."""
        if self._words is None:
            self._words = self._ints.tolist() if self._ints is not None else decode_words(self._blob, self._offsets)
        return self._words

    def word(self, index: int) -> Any:
        """The word of an id. ``IndexError`` outside 0..len - 1."""
        if not 0 <= index < len(self):
            raise IndexError(f"word id {index} is not in 0..{len(self) - 1}")
        if self._ints is not None:
            return int(self._ints[index])
        if self._words is not None:
            return self._words[index]
        return self._blob[self._offsets[index] : self._offsets[index + 1]].tobytes().decode("utf-8", "surrogateescape")

    def id(self, word: Word) -> int:
        """The id of a word. ``KeyError`` when it is not here, ``TypeError`` for what can be no word."""
        found = self._find(word)
        if found < 0:
            raise KeyError(word)
        return found

    def _key(self, word: Word) -> bytes | None:
        """What the table knows a word by; None for what cannot be one of these words (an int among strings, say)."""
        if isinstance(word, (str, bytes)):
            return None if self.is_int else encode_word(word)
        if not hasattr(word, "__index__"):
            raise TypeError(f"a word is str, bytes or int, not {type(word).__name__}")
        key = word.__index__()
        return np.int64(key).tobytes() if self.is_int and -(2**63) <= key < 2**63 else None

    def _find(self, word: Word) -> int:
        key = self._key(word)
        return -1 if key is None else self._lookup().find(key)

    def ids(self, words: Sequence[Any] | np.ndarray) -> np.ndarray:
        """int32 (n,): the ids of words, -1 where unknown."""
        if isinstance(words, (str, bytes)):
            raise TypeError("ids() takes a list of words; id() takes one")
        block = TokenBlock()
        block.add_tokens(words)
        return self._lookup().find_tokens(block)

    def _lookup(self) -> Table:
        if self._table is None:  # two threads may both build it; either is right
            self._table = _table_of(self)
        return self._table

    def _check_unique(self) -> None:
        table = self._lookup()
        if len(table) != len(self):
            seen: set[Any] = set()
            for w in self.words:
                if w in seen:
                    raise ValueError(f"the word {w!r} is given twice")
                seen.add(w)

    # -- words that were cut off

    def _remember_dropped(self, table: Table, counts: np.ndarray, dropped: np.ndarray, limit: int = 1 << 20) -> None:
        """Keeps hash -> count of dropped words: 9-16 bytes each, the rarest left out beyond `limit`."""
        complete = len(dropped) <= limit
        if not complete:
            dropped = dropped[np.argpartition(-counts[dropped], limit)[:limit]]
        hashes, kept = table.hashes()[dropped], counts[dropped]
        order = np.argsort(hashes)
        small = np.min_scalar_type(int(kept.max())) if len(kept) else np.dtype(np.uint8)
        self._dropped = (hashes[order], kept[order].astype(small), complete)

    def raw_counts(self, word: Word) -> int | None:
        """How often a word occurred in the corpus this came from, cut-off words included; None when that is not known.

        0 means it never occurred. Counts of cut-off words are held for the most frequent million of them.
        """
        key = self._key(word)
        if key is None:
            return 0
        index = self._lookup().find(key)
        if index >= 0:
            return int(self._counts[index])
        if self._dropped is None:
            return None
        hashes, counts, complete = self._dropped
        h = np.uint64(hash_word(key))
        at = int(np.searchsorted(hashes, h))
        if at < len(hashes) and hashes[at] == h:
            return int(counts[at])
        return 0 if complete else None


def _rebuild(blob: Any, offsets: Any, counts: Any, ints: Any, total: int) -> Vocabulary:
    return Vocabulary.from_parts(blob, offsets, counts, int_keys=ints, total=total)


def _table_of(v: Vocabulary) -> Table:
    table = Table(v.is_int, expected=len(v))
    if v._ints is not None:
        table.add_blob(v._ints.view(np.uint8), np.arange(len(v) + 1, dtype=np.int64) * 8, v._counts)
    else:
        table.add_blob(v._blob, v._offsets, v._counts)
    return table


def _same_kind(a: Vocabulary, b: Vocabulary) -> None:
    if len(a) and len(b) and a.is_int != b.is_int:
        raise TypeError("one vocabulary has integer keys, the other strings")
