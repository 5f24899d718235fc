"""What both benchmark tasks share: reading a set line by line, and finding its words in a model."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

_MAGIC: tuple[tuple[bytes, Any], ...] = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\x00", lzma.open))


def numbered_lines(source: Any, encoding: str = "utf-8") -> Iterator[tuple[int, Any]]:
    """Number and content of every line that is neither empty nor a comment (``#``), counted from 1.

    Parameters
    ----------
    source : path, open file (text or binary), or iterable of lines or of tuples
        A compressed file (gz, bz2, xz) is told by its first bytes.
    encoding : str

    Yields
    ------
    (int, str)
        The items of an iterable that are not strings are passed on as they are.
    """
    if isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as raw:
            head = raw.read(6)
            raw.seek(0)
            opener = next((opener for magic, opener in _MAGIC if head.startswith(magic)), None)
            with opener(raw) if opener else raw as lines:
                yield from _numbered(lines, encoding)
    else:
        yield from _numbered(source, encoding)


def _numbered(lines: Iterable[Any], encoding: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(lines, 1):
        if isinstance(line, bytes):
            line = line.decode(encoding)
        if isinstance(line, str):
            line = line.removeprefix("\ufeff").rstrip("\r\n")
            if not line.strip() or line.startswith("#"):
                continue
        yield number, line


def describe(source: Any) -> str:
    """How a message names the source."""
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source) if isinstance(os.fspath(source), str) else os.fsdecode(source)
    return str(
        getattr(source, "name", None) or ("the open file" if isinstance(source, io.IOBase) else "the given lines")
    )


class WordIndex:
    """Rows of the first ``restrict_vocab`` words, by word or by its upper-case form.

    Of several words with one upper-case form the first counts: the most frequent one in a sorted vocabulary.

    Parameters
    ----------
    keys : sequence of str or int
        Integer keys are found by their decimal digits.
    restrict_vocab : int or None
    case_insensitive : bool

    Attributes
    ----------
    size : int
        How many words are looked at.
    forms : list of str
        What each row is called in the comparison.
    """

    def __init__(self, keys: Sequence[Any], restrict_vocab: int | None, case_insensitive: bool):
        self._fold = case_insensitive
        self.forms = [self.form("" if key is None else str(key)) for key in keys[:restrict_vocab]]
        self.size = len(self.forms)
        self._rows = dict(zip(reversed(self.forms), range(self.size - 1, -1, -1), strict=True))

    def form(self, word: str) -> str:
        """The word as it is compared."""
        return word.upper() if self._fold else word

    def row(self, form: str) -> int:
        """The row of a word given in its compared form, -1 if there is none."""
        return self._rows.get(form, -1)
