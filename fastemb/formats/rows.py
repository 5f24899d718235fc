"""What the row formats (word2vec text and binary, GloVe) share: sources, the reading loop, words, and its checks."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import itertools
import lzma
import os
import re
import stat
import warnings
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from . import _text, atomic
from .errors import FormatError

__all__ = ["Source", "Words", "encode_words", "finish", "read_rows", "write_rows"]

BLOCK = 1 << 20
MAX_HEADER = 1024

_MAGIC = re.compile(  # long enough that no word of a text file is taken for one
    rb"(?P<gzip>\x1f\x8b\x08)|(?P<bzip2>BZh[1-9](?:1AY&SY|\x17rE8P\x90))|(?P<xz>\xfd7zXZ\0)|(?P<zstd>\x28\xb5\x2f\xfd)"
)


class Words(Sequence[str]):
    """The words of a file as bytes end to end; strings are made when asked for.

    Bytes that are not UTF-8 come out as surrogate escapes, which is reversible.

    Parameters
    ----------
    blob : uint8 array
        The words' UTF-8 bytes.
    offsets : int64 array, (n + 1,)
        Word i is ``blob[offsets[i]:offsets[i + 1]]``.

    Examples
    --------
    >>> import numpy as np
    >>> list(Words(np.frombuffer(b"abc", np.uint8), np.array([0, 1, 3])))
    ['a', 'bc']
    """

    __slots__ = ("blob", "offsets")

    def __init__(self, blob: NDArray[np.uint8], offsets: NDArray[np.int64]) -> None:
        self.blob, self.offsets = blob, offsets

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, i: int) -> str: ...
    @overload
    def __getitem__(self, i: slice) -> list[str]: ...
    def __getitem__(self, i):
        if isinstance(i, slice):
            return [self[j] for j in range(*i.indices(len(self)))]
        return self.bytes_of(i).decode("utf-8", "surrogateescape")

    def bytes_of(self, i: int) -> bytes:
        """Word i as bytes."""
        n = len(self)
        if not -n <= i < n:
            raise IndexError(f"word {i} of {n}")
        i += n if i < 0 else 0
        return self.blob[self.offsets[i] : self.offsets[i + 1]].tobytes()

    def __iter__(self) -> Iterator[str]:
        return iter(self.tolist())

    def tolist(self) -> list[str]:
        """All words as a list of strings."""
        data, at = self.blob.tobytes(), self.offsets.tolist()
        if data.isascii():
            text = data.decode("ascii")
            return [text[a:b] for a, b in itertools.pairwise(at)]
        return [data[a:b].decode("utf-8", "surrogateescape") for a, b in itertools.pairwise(at)]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Words):
            return np.array_equal(self.offsets, other.offsets) and np.array_equal(self.blob, other.blob)
        if isinstance(other, (list, tuple)):
            return self.tolist() == list(other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Words({len(self):,}: {', '.join(map(repr, self[:5]))}{', ...' if len(self) > 5 else ''})"


def encode_words(words: Any) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """(blob, offsets) of `Words`, of a (blob, offsets) pair of arrays, or of a sequence of str, bytes or int."""
    if hasattr(words, "blob") and hasattr(words, "offsets") and not getattr(words, "is_int", False):
        words = (words.blob, words.offsets)
    if isinstance(words, tuple) and len(words) == 2 and all(isinstance(a, np.ndarray) for a in words):
        blob, offsets = np.ascontiguousarray(words[0], np.uint8), np.ascontiguousarray(words[1], np.int64)
        if not len(offsets) or not _text.offsets_ok(offsets, len(blob)):
            raise ValueError("word offsets must start at 0, never fall, and end at the number of bytes")
        return blob, offsets
    parts: list[bytes] = []
    for i, w in enumerate(words):
        if isinstance(w, str):
            try:
                parts.append(w.encode("utf-8", "surrogateescape"))
            except UnicodeEncodeError as e:
                raise FormatError(f"word {w!r} cannot be written as UTF-8: {e.reason}", row=i + 1) from None
        elif isinstance(w, bytes):
            parts.append(w)
        elif isinstance(w, (int, np.integer)):
            parts.append(b"%d" % int(w))
        else:
            raise TypeError(f"words must be str, bytes or int; word {i} is {type(w).__name__}")
    offsets = np.zeros(len(parts) + 1, np.int64)
    np.cumsum([len(p) for p in parts], out=offsets[1:])
    return np.frombuffer(b"".join(parts), np.uint8), offsets


# ---------------------------------------------------------------------------------------------------------- sources


class Source:
    """A file to read from its start, decompressed if its first bytes say so."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path
        st = os.stat(path)
        if stat.S_ISDIR(st.st_mode):
            raise IsADirectoryError(21, "is a directory, not a vector file", os.fsdecode(path))
        if not stat.S_ISREG(st.st_mode):
            raise FormatError("not a regular file (a pipe or device); copy it to a file first", path=path)
        self._raw = open(path, "rb", buffering=0)
        self._file: Any = self._raw
        try:
            self.file_size = os.fstat(self._raw.fileno()).st_size
            head = self._raw.read(16) or b""
            self._raw.seek(0)
            match = _MAGIC.match(head)
            self.compression = match.lastgroup if match else None
            if self.compression:
                self._file = _decompressor(self.compression, self._raw, path)
        except BaseException:
            self._raw.close()
            raise

    @property
    def size(self) -> int | None:
        """Bytes that will come, None when only decompressing tells."""
        return None if self.compression else self.file_size

    def readinto(self, view: memoryview) -> int:
        try:
            return self._file.readinto(view) or 0
        except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as e:
            raise FormatError(f"the {self.compression} data is cut short or damaged: {e}", path=self.path) from e
        except OSError as e:
            if self.compression and e.errno is None:  # bz2 reports damage so
                raise FormatError(f"the {self.compression} data is damaged: {e}", path=self.path) from e
            raise

    def read(self, n: int) -> bytes:
        """n bytes, fewer only at the end."""
        buf = bytearray(n)
        view, done = memoryview(buf), 0
        while done < n:
            k = self.readinto(view[done:])
            if not k:
                break
            done += k
        return bytes(view[:done])

    def close(self) -> None:
        self._file.close()
        self._raw.close()

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _decompressor(kind: str, raw: io.FileIO, path: Any) -> Any:
    if kind == "gzip":
        return gzip.GzipFile(fileobj=raw, mode="rb")
    if kind == "bzip2":
        return bz2.BZ2File(raw)
    if kind == "xz":
        return lzma.LZMAFile(raw)
    try:
        try:
            from compression import zstd  # type: ignore[import-not-found]
        except ImportError:
            from backports import zstd  # type: ignore[import-not-found,no-redef]
    except ImportError:
        raise ImportError(
            f"{os.fsdecode(path)!r} is zstd-compressed: pip install fastemb[zstd], or unpack it with `zstd -d`"
        ) from None
    return zstd.ZstdFile(raw)


# ---------------------------------------------------------------------------------------------------------- reading

_WHAT = {
    "short-row": "the row has {found:,} numbers instead of {dim:,}",
    "long-row": "the row has {found:,} numbers instead of {dim:,}; if the word itself ends in a number (as in "
    "'New York 2'), pass numeric_words=True",
    "bad-number": "{token!r} is not a decimal number",
    "nonfinite": "{token} is not finite in float32; pass allow_nonfinite=True to keep such values",
    "blank-row": "an empty line among the rows; the file is damaged or was edited: remove the line",
    "no-numbers": "the first row holds no numbers after its word, so this is not a file of vectors",
    "cut-number": "the file ends without a line end and its last number has fewer decimals than the others: it looks "
    "cut off; get the file again (or, if it is complete, add a line end)",
    "eof-in-word": "the file ends inside a word; it is cut off, or the header names too many rows or a wrong dimension",
    "eof-in-vector": "the file ends inside a vector; it is cut off, or the header names too many rows or a wrong "
    "dimension",
    "trailing": "bytes after the last row that the header announces ({dim:,} numbers a row); the header is wrong or "
    "something was appended{hint}",
    "too-few": "the file ends after {found:,} rows but its header announces {want:,}: it is cut off or its header is "
    "wrong{hint}",
}


def read_rows(
    source: Source,
    reader: _text.Reader,
    start: bytes,
    *,
    binary: bool,
    format: str,
    want: int | None = None,
) -> None:
    """Feed the rest of `source`, after the bytes `start` that were read already, to the C reader."""
    buf = bytearray(max(BLOCK, 2 * len(start)))
    view = memoryview(buf)
    view[: len(start)] = start
    fill, eof = len(start), False
    while True:
        while fill < len(buf):  # short reads are normal for decompressors
            n = source.readinto(view[fill:])
            if not n:
                eof = True
                break
            fill += n
        used = reader.feed(view[:fill], eof, binary)
        if reader.error != "ok":
            raise _row_error(reader, view[:fill], used, source.path, format, binary, want)
        if eof or reader.finished:
            break
        rest = fill - used
        if rest == len(buf):  # one row is longer than the buffer
            bigger = bytearray(2 * len(buf))
            bigger[:rest] = buf
            buf, view = bigger, memoryview(bigger)
        elif used:
            view[:rest] = bytes(view[used:fill])
        fill = rest


def _row_error(reader, view, used, path, format, binary, want) -> FormatError:
    kind = reader.error
    row, byte, found = reader.where
    token = ""
    if kind in ("bad-number", "nonfinite"):
        token = "a value" if binary else ""
        if not binary:
            at = byte - (reader.base - used)
            raw = bytes(view[at : at + min(found, 60)])
            token = raw.decode("utf-8", "replace") + ("..." if found > 60 else "")
    hint = "; on_count_mismatch='rows' reads the rows that are there" if kind in ("trailing", "too-few") else ""
    message = _WHAT[kind].format(found=found, dim=reader.dim, token=token, want=want or 0, hint=hint)
    return FormatError(message, path=path, format=format, row=None if kind == "trailing" else row, byte=byte)


def finish(
    reader: _text.Reader,
    path: Any,
    format: str,
    *,
    encoding: str = "utf-8",
    errors: str = "surrogateescape",
    duplicates: str = "error",
) -> tuple[Words, NDArray[np.float32]]:
    """Words and vectors of a reader that has everything: encoding, duplicate words, one warning for each oddity."""
    blob, offsets, vectors = reader.result()
    if reader.no_final_newline:
        warnings.warn(
            f"{os.fsdecode(path)!r} has no line end after its last row; if it was cut off there, the last number may "
            "be wrong",
            stacklevel=4,
        )
    if encoding.lower().replace("_", "-") not in ("utf-8", "utf8"):
        blob, offsets = _recode(blob, offsets, encoding, errors, path, format)
    else:
        bad, first = _text.count_invalid_utf8(blob, offsets)
        if bad and errors == "surrogateescape":
            warnings.warn(
                f"{os.fsdecode(path)!r}: {bad:,} of {len(offsets) - 1:,} words are not UTF-8 (first: row "
                f"{first + 1:,}, {Words(blob, offsets).bytes_of(first)!r}); their bytes are kept as surrogate escapes. "
                "If the file has another encoding, name it: encoding=...",
                stacklevel=4,
            )
        elif bad:
            blob, offsets = _recode(blob, offsets, "utf-8", errors, path, format)
    count, first_of = _text.duplicates(blob, offsets)
    if count:
        at = int(np.flatnonzero(first_of >= 0)[0])
        word = Words(blob, offsets)[at]
        if duplicates == "error":
            raise FormatError(
                f"the word {word!r} was already in row {int(first_of[at]) + 1:,} ({count:,} repeated words in all); "
                "pass duplicates='first' or 'last' to keep one of them",
                path=path,
                format=format,
                row=at + 1,
            )
        if duplicates == "last":
            for i in np.flatnonzero(first_of >= 0).tolist():
                vectors[first_of[i]] = vectors[i]
        keep = np.flatnonzero(first_of < 0)
        lengths = np.diff(offsets)
        blob = blob[np.repeat(first_of < 0, lengths)]
        offsets = np.concatenate(([0], np.cumsum(lengths[keep])))
        vectors = vectors[keep]
        warnings.warn(
            f"{os.fsdecode(path)!r}: {count:,} rows repeat a word (first: {word!r}, row {at + 1:,}); kept the "
            f"{duplicates} of each",
            stacklevel=4,
        )
    return Words(blob, offsets), vectors


def _recode(blob, offsets, encoding, errors, path, format):
    data, at, parts = blob.tobytes(), offsets.tolist(), []
    for i, (a, b) in enumerate(itertools.pairwise(at)):
        try:
            parts.append(data[a:b].decode(encoding, errors))
        except UnicodeDecodeError as e:
            raise FormatError(
                f"the word {data[a:b][:60]!r} is not {encoding}: {e.reason} at its byte {e.start}; pass encoding=..., "
                "or errors='surrogateescape' to keep the bytes",
                path=path,
                format=format,
                row=i + 1,
            ) from None
    return encode_words(parts)


def check_options(duplicates: str, on_count_mismatch: str, limit: int | None) -> None:
    """Refuse option values that mean nothing."""
    if duplicates not in ("error", "first", "last"):
        raise ValueError(f"duplicates must be 'error', 'first' or 'last', not {duplicates!r}")
    if on_count_mismatch not in ("error", "rows"):
        raise ValueError(f"on_count_mismatch must be 'error' or 'rows', not {on_count_mismatch!r}")
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, not {limit!r}")


# ---------------------------------------------------------------------------------------------------------- writing


def write_rows(
    path: Any,
    words: Any,
    vectors: Any,
    *,
    binary: bool,
    header: bool,
    format: str,
    allow_nonfinite: bool,
) -> None:
    """Check everything, then write the whole file atomically."""
    blob, offsets = encode_words(words)
    n = len(offsets) - 1
    vectors = np.asanyarray(vectors)
    if vectors.ndim != 2 or len(vectors) != n:
        raise ValueError(f"{n:,} words need vectors of shape ({n}, d), not {vectors.shape}")
    dim = vectors.shape[1]
    if n == 0 or dim == 0:
        raise ValueError(f"{format} cannot hold {n} words of {dim} numbers; the native format can")
    at = _text.unfit(blob, offsets)
    if at >= 0:
        word = Words(blob, offsets)[at]
        raise FormatError(
            f"{format} cannot hold the word {word!r}: it "
            + ("is empty" if word == "" else "holds white space, which separates words from numbers there")
            + ". Replace such words (for instance ' ' by '_'), or save in the native format, which holds any word",
            path=path,
            row=at + 1,
        )
    first = Words(blob, offsets).bytes_of(0)
    if not header and (first.startswith(b"\xef\xbb\xbf") or _MAGIC.match(first)):
        raise FormatError(
            f"the first word, {first!r}, begins as a byte order mark or a compressed file does, and readers of a "
            "format without header would take it for that; reorder the words or save in the native format",
            path=path,
            row=1,
        )
    count, first_of = _text.duplicates(blob, offsets)
    if count:
        i = int(np.flatnonzero(first_of >= 0)[0])
        raise FormatError(f"the word {Words(blob, offsets)[i]!r} occurs twice", path=path, row=i + 1)
    step = max(1, min(n, (1 << 18) // dim))
    if not allow_nonfinite:
        for lo in range(0, n, step):
            block = np.ascontiguousarray(vectors[lo : lo + step], np.float32)
            bad = _text.first_nonfinite(block.reshape(-1))
            if bad >= 0:
                row = lo + bad // dim
                raise FormatError(
                    f"the vector of {Words(blob, offsets)[row]!r} holds NaN or Inf; pass allow_nonfinite=True to write "
                    "it",
                    path=path,
                    row=row + 1,
                )
    size = int(offsets[-1]) + n * (1 + 4 * dim)
    compressed = os.fsdecode(path).endswith((".gz", ".bz2", ".xz"))
    atomic.check_writable(path, size if binary and not compressed else 0)
    with atomic.write(path) as raw, _compressor(path, raw) as out:
        if header:
            out.write(b"%d %d\n" % (n, dim))
        for lo in range(0, n, step):
            hi = min(n, lo + step)
            block = np.ascontiguousarray(vectors[lo:hi], np.float32)
            out.write(_text.print_rows(block, blob, offsets, lo, hi, binary))


@contextlib.contextmanager
def _compressor(path: Any, raw: Any) -> Iterator[Any]:
    """By the ending of the name, as gensim does."""
    name = os.fsdecode(path)
    if name.endswith(".gz"):
        out: Any = gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=0)
    elif name.endswith(".bz2"):
        out = bz2.BZ2File(raw, "wb")
    elif name.endswith(".xz"):
        out = lzma.LZMAFile(raw, "wb")
    else:
        yield raw
        return
    with out:
        yield out


def counts_from(path: Any, words: Iterable[str], errors: str = "surrogateescape") -> NDArray[np.int64]:
    """Counts of `words` from a file of "word count" lines, as word2vec's -save-vocab and gensim's fvocab write it."""
    table: dict[str, int] = {}
    with Source(path) as source:
        data = b""
        while chunk := source.read(BLOCK):
            data += chunk
    for i, line in enumerate(data.split(b"\n")):
        line = line.rstrip(b"\r")
        if not line:
            continue
        word, _, count = line.rpartition(b" ")
        if not count.isdigit():
            raise FormatError(f"line {i + 1} is not 'word count': {line[:60]!r}", path=path, format="vocabulary")
        table[word.decode("utf-8", errors)] = int(count)
    words = list(words)
    missing = [w for w in words if w not in table]
    if missing:
        raise FormatError(
            f"{len(missing):,} words of the vectors have no count there, for instance {missing[0]!r}",
            path=path,
            format="vocabulary",
        )
    return np.array([table[w] for w in words], np.int64)
