"""What a corpus argument means: files to be read in C, a stream, sentences out of Python objects, or id arrays.

``plan`` looks at the argument once and answers with one of four plans; scan.py runs them.
"""

from __future__ import annotations

import glob
import itertools
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ._corpus import shown
from .readers import HEAD, LineSentence, Text8Corpus, compression_of, is_stream, list_directory, open_text
from .report import CorpusNotFoundError

__all__ = ["ArrayPlan", "File", "FilePlan", "SentencePlan", "StreamPlan", "plan"]

Tokenizer = Callable[[str], Iterable[Any]] | str | None


@dataclass(frozen=True)
class File:
    path: str  # "-" is standard input
    size: int  # bytes on disk; -1 for a stream
    mtime_ns: int
    compression: str | None
    stream: bool


@dataclass(frozen=True)
class FilePlan:
    files: list[File]
    newline_ends: bool = True
    max_sentence_length: int | None = None
    name: str = ""


@dataclass(frozen=True)
class StreamPlan:
    """A binary file object."""

    stream: Any
    newline_ends: bool = True
    max_sentence_length: int | None = None
    name: str = ""


@dataclass(frozen=True)
class SentencePlan:
    """Sentences as Python iterables of tokens; or, with as_text, strings to be split at ASCII white space in C."""

    sentences: Iterable[Any]
    as_text: bool = False
    name: str = ""


@dataclass(frozen=True)
class ArrayPlan:
    """Integer tokens: flat (n,), and where each sentence ends (ascending, the last one n)."""

    flat: np.ndarray
    ends: np.ndarray
    name: str = field(default="")


class MadePlan:
    """Ids that are made of those of another corpus, such as one with its phrases joined: `run` is ``scan.run``.

    A source that can be read like this has a method ``_corpus_plan(tokenizer)``, which gives one, or None.
    """

    name: str

    def run(self, *, workers: int, store: Any, track_first: bool, progress: Any) -> Any:
        """As ``scan.run``."""
        raise NotImplementedError


Plan = FilePlan | StreamPlan | SentencePlan | ArrayPlan | MadePlan


def _show(text: Any) -> str:
    text = repr(text)
    return text if len(text) <= 100 else text[:90] + "..." + text[-7:]


def _not_found(text: str) -> CorpusNotFoundError:
    return CorpusNotFoundError(
        f"no file or directory named {_show(text)}, and no file matches it as a pattern. If it is text, give a list of "
        'token lists ([["first", "sentence"], ...]) or a list of strings with tokenizer="whitespace"'
    )


def describe(path: str) -> File:
    if path == "-":
        return File("-", -1, 0, None, True)
    st = os.stat(path)
    if stat.S_ISDIR(st.st_mode):
        raise IsADirectoryError(f"{path!r} is a directory")
    if is_stream(st.st_mode):
        return File(path, -1, 0, None, True)
    with open(path, "rb", buffering=0) as f:
        kind = compression_of(f.read(HEAD) or b"")
    return File(path, st.st_size, st.st_mtime_ns, kind, False)


def _exists(path: str) -> bool:
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except ValueError:  # an embedded NUL
        return False
    except OSError as e:
        import errno

        if e.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            return False
        raise
    return True


def expand(path: Any) -> list[str]:
    """The files a path, directory or pattern stands for."""
    path = os.fspath(path)
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    if path == "-":
        return ["-"]
    if _exists(path):
        if not os.path.isdir(path):
            return [path]
        files = list_directory(path)
        if not files:
            raise CorpusNotFoundError(
                f"the directory {path!r} holds no files (hidden files and subdirectories are not read)"
            )
        return files
    if "\0" not in path and len(path) < 4096 and glob.has_magic(path):
        files = sorted(p for p in glob.glob(path, recursive=True) if os.path.isfile(p))
        if files:
            return files
    raise _not_found(path)


def _is_path(x: Any) -> bool:
    return isinstance(x, (str, bytes, os.PathLike))


def _is_ids(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.dtype.kind in "iu"


def _arrays(flat: np.ndarray, offsets: np.ndarray) -> ArrayPlan:
    if flat.ndim != 1 or offsets.ndim != 1:
        raise ValueError("(ids, offsets) must be two one-dimensional arrays")
    offs = offsets.astype(np.int64)
    if len(offs) < 1 or offs[0] != 0 or offs[-1] != len(flat) or np.any(np.diff(offs) < 0):
        raise ValueError(
            f"offsets must ascend from 0 to the number of ids, {len(flat)}: sentence s is "
            "ids[offsets[s]:offsets[s + 1]] (for two sentences given as two arrays use a list, not a tuple)"
        )
    return ArrayPlan(flat, offs[1:], "id arrays")


def _reader(source: Any) -> Plan | None:
    """Readers (ours, or gensim's by their attributes) whose result C gives exactly."""
    if type(source) in (LineSentence, Text8Corpus) or (
        isinstance(source, LineSentence) and type(source).__iter__ is LineSentence.__iter__
    ):
        if source.limit is not None:
            return None
        if type(source) is LineSentence and hasattr(source.source, "read"):
            stream = source.source
            if hasattr(stream, "seek") and stream.seekable():
                stream.seek(0)
            return StreamPlan(stream, True, source.max_sentence_length, "a file object")
        files = [describe(p) for path in source._paths() for p in expand(path)]
        return FilePlan(files, source.newline_ends, source.max_sentence_length, _show(source.source))
    return None


def _lines_of(files: list[str]) -> Iterator[str]:
    for path in files:
        with open_text(path) as text:
            for line in text:
                yield line.decode("utf-8", "surrogateescape")


def _tokenized(texts: Iterable[Any], tokenizer: Callable[[str], Iterable[Any]]) -> Iterator[Iterable[Any]]:
    for number, text in enumerate(texts):
        if isinstance(text, bytes):
            text = text.decode("utf-8", "surrogateescape")
        if not isinstance(text, str):
            raise TypeError(f"item {number} is {shown(text)}; with a tokenizer the items are strings")
        yield tokenizer(text)


def _bad_source(source: Any) -> TypeError:
    return TypeError(
        f"the corpus is {shown(source)}; expected a path, a list of paths, a binary file object, an iterable of token "
        "lists, an iterable of strings with tokenizer=, or id arrays"
    )


def plan(source: Any, tokenizer: Tokenizer = None) -> Plan:
    """What to read and how. ``TypeError``/``ValueError`` say what was expected and show the right call."""
    if tokenizer is not None and tokenizer != "whitespace" and not callable(tokenizer):
        raise ValueError(f'tokenizer must be None, "whitespace" or a callable from str to tokens, got {tokenizer!r}')
    call = tokenizer if callable(tokenizer) else None

    if source is None or isinstance(source, (int, float, dict, set, frozenset)):
        raise _bad_source(source)
    if _is_path(source):
        files = expand(source)
        if call:
            return SentencePlan(_tokenized(_lines_of(files), call), name=_show(source))
        return FilePlan([describe(p) for p in files], name=_show(source))
    if hasattr(source, "read") or hasattr(source, "readinto"):
        if call:
            raise ValueError("a tokenizer with a file object: pass its lines, (line.decode() for line in file)")
        return StreamPlan(source, name="a file object")
    known = source._corpus_plan(tokenizer) if hasattr(source, "_corpus_plan") else _reader(source)
    if known is not None:
        return known

    if isinstance(source, np.ndarray):
        if _is_ids(source) and source.ndim == 2:
            rows, width = source.shape
            return ArrayPlan(source.reshape(-1), np.arange(1, rows + 1, dtype=np.int64) * width, "an id array")
        if _is_ids(source):
            raise ValueError(
                f"an integer array of {source.ndim} dimension(s): give (ids, offsets), a 2-D array with one sentence a "
                "row, or a list of arrays"
            )
        return plan(source.tolist(), tokenizer)
    if isinstance(source, tuple) and len(source) == 2 and _is_ids(source[0]) and _is_ids(source[1]):
        return _arrays(*source)

    items = source
    if isinstance(source, (list, tuple)):
        if source and all(_is_path(x) for x in source):
            texts = all(isinstance(x, (str, bytes)) for x in source)
            if not (texts and tokenizer is not None):
                return _paths(list(source), call)
        if source and all(_is_ids(x) and x.ndim == 1 for x in source) and not any(x.dtype == np.uint64 for x in source):
            lengths = np.fromiter((len(x) for x in source), np.int64, len(source))
            # one flat copy costs 8 bytes a token; long lists go through the batches instead
            if lengths.sum() <= 1 << 22:
                return ArrayPlan(
                    np.concatenate([x.astype(np.int64, copy=False) for x in source]),
                    np.cumsum(lengths),
                    "a list of id arrays",
                )
    elif not isinstance(source, Iterable) and not hasattr(source, "__getitem__"):
        raise _bad_source(source)
    if call:
        return SentencePlan(_tokenized(items, call), name="an iterable of strings")
    if tokenizer == "whitespace":
        return SentencePlan(items, as_text=True, name="an iterable of strings")
    return SentencePlan(items, name="an iterable")


def _paths(paths: list[Any], call: Callable[[str], Iterable[Any]] | None) -> Plan:
    missing = [
        p
        for p in paths
        if isinstance(p, (str, bytes)) and os.fspath(p) != "-" and not _exists(os.fsdecode(p)) and not glob.has_magic(p)
    ]
    if missing and len(missing) == len(paths):
        raise CorpusNotFoundError(
            f"a list of strings, such as {_show(missing[0])}, that name no files. For sentences as strings pass "
            'tokenizer="whitespace" (or a callable): Corpus(strings, tokenizer="whitespace"); for one sentence of '
            "tokens, [tokens]"
        )
    files = list(itertools.chain.from_iterable(expand(p) for p in paths))
    if call:
        return SentencePlan(_tokenized(_lines_of(files), call), name=f"{len(files)} files")
    return FilePlan([describe(p) for p in files], name=f"{len(files)} files")
