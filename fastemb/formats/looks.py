"""Do bytes look like text? What the sniffer and the word2vec reader both ask."""

from __future__ import annotations

from . import _text
from .rows import BLOCK, Source

__all__ = ["far_row", "is_texty", "row_is_text"]

_LONGEST_WORD = 64 << 20  # how far to look for the end of a first word


def is_texty(data: bytes) -> bool:
    """No control characters but white space, and UTF-8 but for at most a character cut off at the end."""
    if any(c < 32 and c not in b"\t\n\v\f\r" for c in data):
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as e:
        return e.start >= len(data) - 3 and e.reason == "unexpected end of data"
    return True


def row_is_text(source: Source | None, start: bytes, skip: int, dim: int) -> bool:
    """Is the first row, behind a word2vec header of `skip` bytes, text (or float32)? `start` is how the file begins.

    Text if its last fields are numbers, which float32 bytes practically never are; if not, still text (and an error for
    the text reader to name) unless bytes occur that text has not.
    """
    row = start[skip : skip + (1 << 16)]
    if source is not None and source.size is not None and not any(c in row for c in b" \t\n"):
        row = far_row(source, skip)  # a very long first word
    line, newline, _ = row.partition(b"\n")
    fields = line.split()
    if not newline and len(fields) > 1:
        fields = fields[:-1] if len(row) == 1 << 16 else fields  # the last may be cut in two
    tail = fields[1:][-min(dim, 8) :]
    if tail and all(_text.parse_float(f) is not None for f in tail):
        return True
    return is_texty(line)


def far_row(source: Source, skip: int) -> bytes:
    """The end of the first word and what follows it, where the word is longer than what was read at first."""
    with open(source.path, "rb") as f:
        at = skip
        f.seek(at)
        while at < skip + _LONGEST_WORD and (block := f.read(BLOCK)):
            found = min((i for i in (block.find(c) for c in (b" ", b"\t", b"\n")) if i >= 0), default=-1)
            if found >= 0:
                f.seek(at + found)
                return b"w" + f.read(1 << 16)
            at += len(block)
    return b""
