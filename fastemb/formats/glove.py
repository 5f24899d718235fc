"""GloVe text: rows of a word and its numbers, separated by single spaces, and no header."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _text
from .errors import FormatError
from .rows import BLOCK, Source, Words, check_options, finish, read_rows, write_rows

__all__ = ["read", "write"]


def read(
    path: str | os.PathLike[str],
    limit: int | None = None,
    *,
    encoding: str = "utf-8",
    errors: str = "surrogateescape",
    duplicates: str = "error",
    allow_nonfinite: bool = False,
    numeric_words: bool = False,
) -> tuple[Words, NDArray[np.float32], None]:
    """Read a GloVe text file.

    The first row says how many numbers a row has; all rows must have as many. A file that was cut at the end of a row
    cannot be told from a whole one, since the format has no count.

    Parameters
    ----------
    path : path-like
        The file; gzip, bzip2, xz (and zstd, with the extra) are told by content.
    limit : int, optional
        Read the first `limit` rows only.
    encoding, errors, duplicates, allow_nonfinite, numeric_words
        As for :func:`fastemb.formats.word2vec.read`.

    Returns
    -------
    words : Words
    vectors : float32 array, (n, dim)
    counts : None

    Raises
    ------
    FormatError
        With the row, the byte, and what to do.

    Examples
    --------
    >>> import tempfile, os
    >>> p = os.path.join(tempfile.mkdtemp(), "glove.txt")
    >>> write(p, ["a", "b"], [[1, 2], [3, 4.5]])
    >>> read(p)[1].tolist()
    [[1.0, 2.0], [3.0, 4.5]]
    """
    check_options(duplicates, "error", limit)
    with Source(path) as source:
        start = source.read(BLOCK)
        skip = 3 if start.startswith(b"\xef\xbb\xbf") else 0
        reader = _text.Reader(0, limit, allow_nonfinite=allow_nonfinite, numeric_words=numeric_words, base=skip)
        try:
            read_rows(source, reader, start[skip:], binary=False, format="GloVe text")
        except FormatError as e:
            fields = start[skip : skip + 100].split(b"\n")[0].split()
            if len(fields) == 2 and all(f.isdigit() for f in fields):
                e.args = (f"{e.args[0]} (the first line looks like a word2vec header: read it with word2vec.read)",)
            raise
        if reader.rows == 0:
            raise FormatError("the file is empty", path=path, format="GloVe text")
        if reader.rows == 1 and reader.no_final_newline:
            raise FormatError(
                "a single row without a line end: it looks cut off; get the file again (or, if it is complete, add a "
                "line end)",
                path=path,
                format="GloVe text",
                row=1,
            )
        words, vectors = finish(reader, path, "GloVe text", encoding=encoding, errors=errors, duplicates=duplicates)
    return words, vectors, None


def write(
    path: str | os.PathLike[str], words: Any, vectors: Any, counts: Any = None, *, allow_nonfinite: bool = False
) -> None:
    """Write a GloVe text file, atomically; names that end in .gz, .bz2 or .xz are compressed.

    Parameters
    ----------
    path : path-like
    words : Words, (blob, offsets) or sequence of str, bytes or int, n of them
    vectors : array, (n, dim)
        Written as the shortest decimals that read back as the same float32.
    counts
        Ignored: the format has no place for them.
    allow_nonfinite : bool

    Raises
    ------
    FormatError
        A word is empty or holds white space, occurs twice, or a value is not finite.
    OSError
        The file cannot be written; an old one is then unchanged.
    """
    write_rows(path, words, vectors, binary=False, header=False, format="GloVe text", allow_nonfinite=allow_nonfinite)
