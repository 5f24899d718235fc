"""word2vec text and binary, as word2vec.c, gensim and fastText (``.vec``) write them.

Layout::

    text      b"ROWS DIM\\n" then a row each: word, DIM decimal numbers, separated by single spaces, line feed
    binary    b"ROWS DIM\\n" then a row each: word, one space, DIM little-endian float32, and in word2vec.c a line feed

Words are bytes; white space is what separates, so words with a space are split from the right in text.
"""

from __future__ import annotations

import os
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _text, atomic
from .errors import FormatError
from .looks import row_is_text
from .rows import BLOCK, MAX_HEADER, Source, Words, check_options, counts_from, finish, read_rows, write_rows

__all__ = ["read", "write"]

_HEADER = re.compile(rb"[ \t]*([+-]?\d+)[ \t]+([+-]?\d+)[ \t\r]*\n")


def _header(start: bytes, path: Any) -> tuple[int, int, int]:
    """(rows, dim, length of the header in bytes) of the bytes a file begins with."""
    skip = 3 if start.startswith(b"\xef\xbb\xbf") else 0
    match = _HEADER.match(start[: MAX_HEADER + skip], skip)
    if not match:
        line = start[skip : skip + 60].split(b"\n")[0]
        raise FormatError(
            f"the first line must be 'ROWS DIM', two whole numbers, but is {line!r}; a file without such a line is "
            "read by glove.read",
            path=path,
            format="word2vec",
            byte=0,
        )
    rows, dim = int(match[1]), int(match[2])
    if rows < 1 or dim < 1 or rows >= 2**62 or dim >= 2**40:
        raise FormatError(
            f"the header announces {match[1].decode()[:40]} rows of {match[2].decode()[:40]} numbers, which cannot be; "
            "the file is damaged",
            path=path,
            format="word2vec",
            byte=0,
        )
    return rows, dim, match.end()


def read(
    path: str | os.PathLike[str],
    binary: bool | None = None,
    limit: int | None = None,
    *,
    encoding: str = "utf-8",
    errors: str = "surrogateescape",
    duplicates: str = "error",
    on_count_mismatch: str = "error",
    allow_nonfinite: bool = False,
    numeric_words: bool = False,
    vocab_path: str | os.PathLike[str] | None = None,
) -> tuple[Words, NDArray[np.float32], NDArray[np.int64] | None]:
    """Read a word2vec file.

    Parameters
    ----------
    path : path-like
        The file; gzip, bzip2, xz (and zstd, with the extra) are told by content.
    binary : bool, optional
        Default: told from the bytes of the first row.
    limit : int, optional
        Read the first `limit` rows only (the most frequent words, usually).
    encoding, errors : str
        Of the words. The default keeps bytes that are not UTF-8 as surrogate escapes and warns once; "strict" refuses
        them.
    duplicates : {"error", "first", "last"}
        What to do with a word that comes again.
    on_count_mismatch : {"error", "rows"}
        "rows": read the rows that are there, whatever the header announces.
    allow_nonfinite : bool
        Keep NaN and Inf instead of refusing them.
    numeric_words : bool
        Text: a row with too many numbers is a word that ends in a number ("New York 2") instead of an error.
    vocab_path : path-like, optional
        A file of "word count" lines for the counts.

    Returns
    -------
    words : Words
        A sequence of str over (blob, offsets) arrays.
    vectors : float32 array, (n, dim)
    counts : int64 array (n,) or None
        The format holds no counts; only with `vocab_path`.

    Raises
    ------
    FormatError
        With the row, the byte, and what to do.

    Examples
    --------
    >>> import tempfile, os
    >>> p = os.path.join(tempfile.mkdtemp(), "v.txt")
    >>> write(p, ["a", "b"], [[1, 2], [3, 4.5]])
    >>> words, vectors, counts = read(p)
    >>> list(words), vectors.tolist()
    (['a', 'b'], [[1.0, 2.0], [3.0, 4.5]])
    """
    check_options(duplicates, on_count_mismatch, limit)
    with Source(path) as source:
        start = source.read(BLOCK)
        rows, dim, skip = _header(start, path)
        if binary is None:
            binary = not row_is_text(source, start, skip, dim)
        name = "word2vec binary" if binary else "word2vec text"
        least = 4 * dim + 1 if binary else 2 * dim + 1  # bytes of a row: at least an empty word
        exact = on_count_mismatch == "error"
        size = source.size
        if size is not None:
            room = (size - skip + (0 if binary else 1)) // least
            if room < (rows if exact else 1):
                raise FormatError(
                    f"the header announces {rows:,} rows of {dim:,} numbers, at least {rows * least:,} bytes, but only "
                    f"{size - skip:,} follow: the file is cut off or its header wrong"
                    + ("; on_count_mismatch='rows' reads the rows that are there" if room else ""),
                    path=path,
                    format=name,
                    byte=skip,
                )
            rows_here = min(rows, room) if exact else room
        want = rows if exact else None
        if limit is not None:
            want = limit if want is None else min(want, limit)
        whole = exact and (limit is None or limit >= rows)
        reader = _text.Reader(
            dim,
            want,
            need_rows=exact,
            no_trailing=whole or (binary and limit is None),
            allow_nonfinite=allow_nonfinite,
            numeric_words=numeric_words,
            base=skip,
        )
        if size is not None and want is not None:
            reader.reserve(min(want, rows_here), 0)
        read_rows(source, reader, start[skip:], binary=binary, format=name, want=want)
        if reader.rows == 0:
            raise FormatError("no rows follow the header", path=path, format=name, byte=skip)
        words, vectors = finish(reader, path, name, encoding=encoding, errors=errors, duplicates=duplicates)
    counts = None if vocab_path is None else counts_from(vocab_path, words)
    return words, vectors, counts


def write(
    path: str | os.PathLike[str],
    words: Any,
    vectors: Any,
    counts: Any = None,
    *,
    binary: bool = False,
    allow_nonfinite: bool = False,
    vocab_path: str | os.PathLike[str] | None = None,
) -> None:
    """Write a word2vec file, atomically; names that end in .gz, .bz2 or .xz are compressed.

    Parameters
    ----------
    path : path-like
    words : Words, (blob, offsets) or sequence of str, bytes or int, n of them
    vectors : array, (n, dim)
        Written as float32: in binary bit for bit, in text as the shortest decimals that read back bit for bit.
    counts : array (n,), optional
        Written to `vocab_path`; the format itself has no place for them.
    binary : bool
    allow_nonfinite : bool
        Write NaN and Inf instead of refusing them.
    vocab_path : path-like, optional
        Also write "word count" lines there.

    Raises
    ------
    FormatError
        A word is empty or holds white space, occurs twice, or a value is not finite.
    OSError
        The file cannot be written; an old one is then unchanged.
    """
    if vocab_path is not None and counts is None:
        raise ValueError("vocab_path needs counts")
    write_rows(
        path,
        words,
        vectors,
        binary=binary,
        header=True,
        format="word2vec binary" if binary else "word2vec text",
        allow_nonfinite=allow_nonfinite,
    )
    if vocab_path is not None:
        from .rows import encode_words

        named = Words(*encode_words(words))
        numbers = np.asarray(counts).tolist()
        if len(numbers) != len(named):
            raise ValueError(f"{len(named):,} words and {len(numbers):,} counts")
        with atomic.write(vocab_path) as f:
            for i, count in enumerate(numbers):
                f.write(named.bytes_of(i) + b" %d\n" % int(count))
