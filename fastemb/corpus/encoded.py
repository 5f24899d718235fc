"""``Corpus``: a text read once and kept as word ids."""

from __future__ import annotations

import dataclasses
import logging
import os
import threading
import time
import weakref
import zlib
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from . import scan as _scan
from ._corpus import encode_word, ids_in_range
from .cache import CacheDamaged, CacheFile, identity_of, open_cache, write_cache
from .memory import available, resolve_workers
from .report import CorpusChangedError, CorpusReport, EmptyCorpusError
from .rules import TrimRule, Word
from .selection import Selection, check_selection, select, table_words
from .sources import Plan, Tokenizer, plan
from .store import HEADER, FileStore, MemoryStore, Store, pread_into
from .vocabulary import Vocabulary, _table_of

__all__ = ["Corpus", "ScanResult", "scan"]

logger = logging.getLogger("fastemb")
Progress = Callable[[dict[str, Any]], Any]


class ScanResult(NamedTuple):
    vocabulary: Vocabulary
    report: CorpusReport


class Corpus:
    """A corpus read once, in parallel, and kept as int32 word ids with sentence offsets ("encode once").

    Parameters
    ----------
    source
        One of

        * a path (``str``, ``bytes`` or ``PathLike``), a glob pattern, a directory (its files by name), a list of those,
          ``"-"`` for standard input, a binary file object; gz, bz2, xz and zst are told by content;
        * an iterable of token lists, restartable or not (a generator is read once);
        * an iterable of strings, with `tokenizer`;
        * id arrays: ``(ids, offsets)``, a 2-D integer array with one sentence a row, or a list of integer arrays;
          integers are keys, never positions;
        * ``LineSentence``, ``PathLineSentences``, ``Text8Corpus``, ``BrownCorpus``.
    vocabulary : Vocabulary, optional
        Encode with these words instead of counting a vocabulary; all cuts below are then ignored.
    min_count : int
        Rarer words are dropped.
    max_final_vocab : int, optional
        Keep only so many words, the most frequent (ties by bytes). gensim raises min_count until the vocabulary fits
        and may stay below; here the size is reached exactly.
    max_vocab_size : int, optional
        gensim prunes while counting to save memory, which loses counts. Here counting is always exact, and the rarest
        words beyond this size are dropped afterwards.
    trim_rule : callable, optional
        ``trim_rule(word, count, min_count)`` -> ``RULE_DEFAULT``, ``RULE_DISCARD`` or ``RULE_KEEP``.
    keep : iterable of words
        Words that are kept, however rare, if they occur.
    sorted_vocab : bool
        Ids by count, highest first, ties by bytes; else by first appearance.
    tokenizer : callable or "whitespace", optional
        For strings (and the lines of files): ``tokenizer(text)`` gives the tokens. ``"whitespace"`` splits at ASCII
        white space, in C.
    workers : int, optional
        Threads; default all CPUs. The result does not depend on it.
    cache : path or "auto", optional
        None keeps the ids in memory. A path keeps them in a file that is reused by a later call with the same source
        (path, size, modification time) and settings; a stale or damaged one is rewritten, a file that is no cache
        refused. ``"auto"`` moves them to a temporary file (in ``tempfile.gettempdir()``, so TMPDIR chooses the disk)
        when they outgrow `max_memory`, or two fifths of the memory or address space available at the start.
    max_memory : int, optional
        Bytes the ids may take in memory, with ``cache="auto"``.
    progress : callable, optional
        Called from this thread with ``dict(phase="scan", bytes=, total_bytes=, tokens=, words_per_s=)``.

    Raises
    ------
    ValueError
        Nothing to train on (an empty corpus, or no word reaches `min_count`), a string that names no file, strings
        without a tokenizer, a damaged compressed file.
    TypeError
        What is no corpus, a token that is no str, bytes or int, integers mixed with strings.
    CorpusChangedError
        A file changed while it was read.

    Notes
    -----
    Tokens are separated by exactly the ASCII bytes space, ``\\t``, ``\\n``, ``\\v``, ``\\f``, ``\\r``; a line feed ends
    the sentence. Tokens and lines may have any length. A byte order mark at the start of a file is skipped. Tokens that
    are not valid UTF-8 are kept, counted and reported.

    Examples
    --------
    >>> c = Corpus([["a", "b", "a"], ["b", "rare"]], min_count=2)
    >>> c.vocabulary.words, c.ids.tolist(), c.offsets.tolist()
    (['a', 'b'], [0, 1, 0, 1], [0, 3, 4])
    >>> c.report.tokens_oov
    1
    """

    vocabulary: Vocabulary
    report: CorpusReport
    num_tokens: int
    offsets: np.ndarray

    def __init__(
        self,
        source: Any,
        *,
        vocabulary: Vocabulary | None = None,
        min_count: int = 5,
        max_final_vocab: int | None = None,
        max_vocab_size: int | None = None,
        trim_rule: TrimRule | None = None,
        keep: Iterable[Word] = (),
        sorted_vocab: bool = True,
        tokenizer: Tokenizer = None,
        workers: int | None = None,
        cache: Any = None,
        max_memory: int | None = None,
        progress: Progress | None = None,
        _block: int = _scan.BLOCK,
        _version: str | None = None,
    ) -> None:
        began = time.perf_counter()
        self._ids: np.ndarray | None = None
        self._fd = -1
        self._lock = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._path: str | None = None
        n_workers = resolve_workers(workers)
        cuts = check_selection(min_count, max_final_vocab, max_vocab_size, trim_rule, keep, sorted_vocab)
        if max_memory is not None and (not hasattr(max_memory, "__index__") or max_memory < 0):
            raise ValueError(f"max_memory must be None or a number of bytes, got {max_memory!r}")
        if vocabulary is not None and not len(vocabulary):
            raise ValueError("the given vocabulary is empty")
        what = plan(source, tokenizer)
        path = None if cache is None or cache == "auto" else os.fsdecode(os.fspath(cache))
        identity = None
        if path is not None:
            identity = _identity(what, cuts, vocabulary)
            if self._reuse(path, identity):
                return

        store = Store(path, (lambda: _memory_share(max_memory)) if cache == "auto" else None)
        try:
            found = _scan.run(
                what,
                workers=n_workers,
                store=store,
                track_first=not sorted_vocab,
                progress=progress,
                block=_block,
                version=_version,
            )
            if vocabulary is None:
                self.vocabulary, chosen, to_final = _choose(found, cuts, what)
            else:
                self.vocabulary, chosen, to_final = (
                    vocabulary,
                    Selection(np.empty(0, np.int32)),
                    _fixed(found, vocabulary),
                )
            report = _report(found, to_final)
            if report.tokens_kept == 0:
                raise ValueError(_nothing(what, report, "is in the given vocabulary"))
            maps = [to_final[m] for m in found.maps]
            found.maps.clear()
            del found.table
            self._finish(store, found, maps, n_workers, report, began, path, identity)
        finally:
            store.close()
        _log(self.report, chosen, self.vocabulary)

    # -- building

    def _finish(
        self,
        store: Store,
        found: _scan.Scan,
        maps: list[np.ndarray],
        workers: int,
        report: CorpusReport,
        began: float,
        path: str | None,
        identity: dict[str, Any] | None,
    ) -> None:
        backend, blocks = store.backend, found.collector.blocks
        if isinstance(backend, MemoryStore):
            self._ids, self.offsets = backend.finish(blocks, maps, workers)
            self.num_tokens = len(self._ids)
        else:
            self.num_tokens, self.offsets, crc = backend.finish(blocks, maps, workers)
        self.offsets.setflags(write=False)
        report = dataclasses.replace(
            report,
            tokens_kept=self.num_tokens,
            sentences_dropped=report.sentences + report.sentences_split - self.num_sentences,
            seconds=time.perf_counter() - began,
        )
        self.report = report
        if isinstance(backend, FileStore):
            if path is not None:
                write_cache(backend, self.num_tokens, crc, self.offsets, self.vocabulary, report, identity)
            self._adopt(*backend.detach(), path)

    def _adopt(self, fd: int, owner: Any, path: str | None) -> None:
        self._fd, self._path = fd, path
        st = os.fstat(fd)
        self._stamp = (st.st_size, st.st_mtime_ns)
        weakref.finalize(self, owner.close if owner is not None else lambda: os.close(fd))

    def _reuse(self, path: str, identity: dict[str, Any] | None) -> bool:
        try:
            if os.stat(path).st_size == 0 and os.path.isfile(path):
                return False
            cached = open_cache(path)
        except FileNotFoundError:
            return False
        except CacheDamaged as e:
            logger.warning("%s; it is written anew", e)
            return False
        except ValueError as e:
            raise ValueError(f"{e}; it would be overwritten: give another cache path, or delete the file") from None
        if identity is None or cached.meta["identity"] != identity:
            os.close(cached.fd)
            logger.info("the id cache %r was made from another source or with other settings; it is written anew", path)
            return False
        self._take(cached, path)
        logger.info("ids of %s tokens taken from the cache %r", f"{self.num_tokens:,}", path)
        return True

    def _take(self, cached: CacheFile, path: str) -> None:
        self.vocabulary, self.offsets, self.report = cached.vocabulary, cached.offsets, cached.report
        self.offsets.setflags(write=False)
        self.num_tokens = cached.num_tokens
        self._adopt(cached.fd, None, path)

    @classmethod
    def open(cls, path: Any) -> Corpus:
        """The corpus of a cache file, without its source. ``ValueError`` when the file is none or is damaged."""
        path = os.fsdecode(os.fspath(path))
        self = cls.__new__(cls)
        self._ids, self._lock = None, threading.Lock()
        self._take(open_cache(path), path)
        return self

    @classmethod
    def count(cls, source: Any, **options: Any) -> Vocabulary:
        """All words of `source` with their counts (``min_count=1`` unless given). Options as in ``scan``."""
        options.setdefault("min_count", 1)
        return scan(source, **options).vocabulary

    # -- reading

    @property
    def num_sentences(self) -> int:
        """Sentences with at least one word of the vocabulary."""
        return len(self.offsets) - 1

    @property
    def in_memory(self) -> bool:
        """Whether the ids are in memory, not in a file."""
        return self._ids is not None

    @property
    def nbytes(self) -> int:
        """Bytes of memory held by ids (when in memory), offsets and vocabulary."""
        v = self.vocabulary
        ids = self._ids.nbytes if self._ids is not None else 0
        return ids + self.offsets.nbytes + v.counts.nbytes + v.blob.nbytes + v.offsets.nbytes

    nbytes_estimate = nbytes

    @property
    def ids(self) -> np.ndarray:
        """int32 (num_tokens,): all ids, read-only; of a file corpus a memory map. Training uses ``read``."""
        if self._ids is not None:
            return self._ids
        if self.num_tokens == 0:
            return np.empty(0, np.int32)
        self._check()
        with os.fdopen(os.dup(self._fd), "rb") as f:
            return np.memmap(f, np.int32, "r", HEADER, (self.num_tokens,))

    def read(self, lo: int, hi: int, out: Any = None) -> np.ndarray:
        """int32 (hi - lo,): the ids of tokens lo..hi.

        A view for a corpus in memory; for one in a file they are read into `out`, an int32 buffer of at least that
        length (made when not given). Safe from several threads, without the GIL. ``CorpusChangedError`` when the
        file is no longer the one that was written.
        """
        if not 0 <= lo <= hi <= self.num_tokens:
            raise IndexError(f"tokens {lo}..{hi} of a corpus of {self.num_tokens}")
        if self._ids is not None:
            return self._ids[lo:hi]
        if out is None:
            out = np.empty(hi - lo, np.int32)
        elif not isinstance(out, np.ndarray):
            out = np.frombuffer(out, np.int32)
        if out.dtype != np.int32 or out.ndim != 1 or len(out) < hi - lo:
            raise ValueError(f"out must be a one-dimensional int32 buffer of at least {hi - lo} items")
        out = out[: hi - lo]
        self._check()
        if hasattr(os, "preadv") or hasattr(os, "pread"):
            got = pread_into(self._fd, out, HEADER + 4 * lo)
        else:
            with self._lock:
                got = pread_into(self._fd, out, HEADER + 4 * lo)
        if got != 4 * (hi - lo) or not ids_in_range(out, len(self.vocabulary)):
            raise CorpusChangedError(
                f"corpus changed: the id cache {self._path or '(temporary file)'} is cut or was overwritten"
            )
        return out

    def _check(self) -> None:
        st = os.fstat(self._fd)
        if self._stamp != (st.st_size, st.st_mtime_ns):
            raise CorpusChangedError(
                f"corpus changed: the id cache {self._path or '(temporary file)'} was written to since it was opened"
            )

    def __len__(self) -> int:
        return self.num_sentences

    def sentence(self, index: int) -> list[Any]:
        """The words of a sentence, those outside the vocabulary left out."""
        if not 0 <= index < self.num_sentences:
            raise IndexError(f"sentence {index} of {self.num_sentences}")
        words = self.vocabulary.words
        return [words[i] for i in self.read(int(self.offsets[index]), int(self.offsets[index + 1])).tolist()]

    def __iter__(self) -> Any:
        return (self.sentence(i) for i in range(self.num_sentences))

    def __repr__(self) -> str:
        where = "memory" if self.in_memory else (self._path or "a temporary file")
        size = f"{self.num_tokens:,} tokens in {self.num_sentences:,} sentences, {len(self.vocabulary):,} words"
        return f"<Corpus of {size}, ids in {where}>"


def scan(
    source: Any,
    *,
    min_count: int = 5,
    max_final_vocab: int | None = None,
    max_vocab_size: int | None = None,
    trim_rule: TrimRule | None = None,
    keep: Iterable[Word] = (),
    sorted_vocab: bool = True,
    tokenizer: Tokenizer = None,
    workers: int | None = None,
    progress: Progress | None = None,
    _block: int = _scan.BLOCK,
) -> ScanResult:
    """Counts the words of a source as ``Corpus`` does, but keeps no ids.

    Returns
    -------
    ScanResult
        ``(vocabulary, report)``.

    Examples
    --------
    >>> vocabulary, report = scan([["a", "b"], ["a"]], min_count=1)
    >>> vocabulary.words, vocabulary.counts.tolist(), report.tokens_read
    (['a', 'b'], [2, 1], 3)
    """
    began = time.perf_counter()
    n_workers = resolve_workers(workers)
    cuts = check_selection(min_count, max_final_vocab, max_vocab_size, trim_rule, keep, sorted_vocab)
    what = plan(source, tokenizer)
    found = _scan.run(
        what, workers=n_workers, store=None, track_first=not sorted_vocab, progress=progress, block=_block
    )
    vocabulary, chosen, to_final = _choose(found, cuts, what)
    report = dataclasses.replace(_report(found, to_final), seconds=time.perf_counter() - began)
    _log(report, chosen, vocabulary)
    return ScanResult(vocabulary, report)


# -- steps of the two above


def _memory_share(max_memory: int | None) -> int:
    if max_memory is not None:
        return max_memory
    room = available()
    return 1 << 62 if room is None else room * 2 // 5


def _identity(what: Plan, cuts: dict[str, Any], vocabulary: Vocabulary | None) -> dict[str, Any] | None:
    settings = dict(cuts, keep=[encode_word(k).hex() if isinstance(k, (str, bytes)) else int(k) for k in cuts["keep"]])
    if vocabulary is not None:
        columns = (vocabulary.int_keys,) if vocabulary.is_int else (vocabulary.blob, vocabulary.offsets)
        settings = {"vocabulary": [zlib.crc32(np.ascontiguousarray(c).data) for c in (*columns, vocabulary.counts)]}
    return identity_of(what, settings)


def _choose(found: _scan.Scan, cuts: dict[str, Any], what: Plan) -> tuple[Vocabulary, Selection, np.ndarray]:
    """The vocabulary, how it was cut, and table id -> final id (int32, -1 for dropped words)."""
    table = found.table
    counts = found.counts
    tokens = found.collector.tokens
    if tokens == 0:
        raise EmptyCorpusError(_nothing(what, _report(found, np.zeros(0, np.int32)), ""))
    chosen = select(table, counts, **cuts)
    to_final = np.full(len(table), -1, np.int32)
    to_final[chosen.order] = np.arange(len(chosen.order), dtype=np.int32)
    if not len(chosen.order):
        report = _report(found, to_final)
        reason = (
            f"reaches min_count={cuts['min_count']}"
            if cuts["trim_rule"] is None
            else f"passes trim_rule and min_count={cuts['min_count']}"
        )
        raise ValueError(_nothing(what, report, reason))
    vocabulary = Vocabulary._from_table(table, chosen.order, counts, tokens)
    vocabulary._remember_dropped(table, counts, np.flatnonzero(to_final < 0))
    return vocabulary, chosen, to_final


def _fixed(found: _scan.Scan, vocabulary: Vocabulary) -> np.ndarray:
    if len(found.table) and found.table.ints != vocabulary.is_int:
        kinds = ("strings", "integers")
        raise TypeError(
            f"the corpus has {kinds[found.table.ints]}, the given vocabulary {kinds[vocabulary.is_int]} as keys"
        )
    if not len(found.table):
        return np.empty(0, np.int32)
    where = _table_of(vocabulary).merge(found.table)
    where[where >= len(vocabulary)] = -1
    return where


def _report(found: _scan.Scan, to_final: np.ndarray) -> CorpusReport:
    c, counts = found.collector, found.counts
    kept = int(counts[to_final >= 0].sum())
    top = None
    if len(counts):
        best = np.flatnonzero(counts == counts.max()).astype(np.int32)[:1000]
        found.table.sort(best)
        top = (table_words(found.table, best[:1])[0], int(counts[best[0]]))
    return CorpusReport(
        bytes_read=c.text_bytes,
        sentences=c.sentences,
        empty_sentences=c.empty,
        sentences_split=c.split,
        tokens_read=c.tokens,
        tokens_kept=kept,
        tokens_oov=c.tokens - kept,
        types=len(counts),
        types_dropped=int(np.count_nonzero(to_final < 0)),
        invalid_utf8_tokens=0 if found.table.ints else int(counts[found.invalid].sum()),
        most_frequent=top,
        files=len(c.file_blocks),
    )


def _nothing(what: Plan, report: CorpusReport, reason: str) -> str:
    if report.tokens_read == 0:
        size = f"{report.bytes_read:,} bytes and " if report.bytes_read else ""
        return (
            f"the corpus {what.name} is empty: {size}{report.sentences + report.empty_sentences:,} sentences read, no "
            "token among them. Give it text: words separated by white space, a sentence a line, or lists of tokens"
        )
    assert report.most_frequent is not None
    word, count = report.most_frequent
    advice = (
        f"lower min_count to {count} or less, or give more text"
        if "min_count" in reason
        else "give the vocabulary of this kind of text"
    )
    return (
        f"no word {reason}: {report.tokens_read:,} tokens read from {what.name}, {report.types:,} different words, the "
        f"most frequent, {word!r}, occurs {count:,} times; {advice}"
    )


def _log(report: CorpusReport, chosen: Selection, vocabulary: Vocabulary) -> None:
    logger.info("corpus read: %s", report)
    if report.invalid_utf8_tokens:
        logger.warning(
            "%s tokens are not valid UTF-8; they are kept, encode('utf-8', 'surrogateescape') gives their bytes back",
            f"{report.invalid_utf8_tokens:,}",
        )
    if chosen.over_max_vocab_size:
        logger.info("max_vocab_size left out %s words", f"{chosen.over_max_vocab_size:,}")
    if chosen.over_max_final_vocab:
        logger.info("max_final_vocab left out %s words that reach min_count", f"{chosen.over_max_final_vocab:,}")
    logger.debug("vocabulary of %s words", f"{len(vocabulary):,}")
