"""Files as byte streams (compression told by content), and gensim's reader classes."""

from __future__ import annotations

import io
import itertools
import os
import stat
from collections.abc import Iterator
from typing import Any, BinaryIO

__all__ = [
    "BrownCorpus",
    "LineSentence",
    "PathLineSentences",
    "Text8Corpus",
    "compression_of",
    "list_directory",
    "open_stream",
    "open_text",
]

BOM = b"\xef\xbb\xbf"
SEPARATORS = b" \t\n\v\f\r"
HEAD = 16  # bytes that tell a compression


def compression_of(head: bytes) -> str | None:
    """``"gz"``, ``"bz2"``, ``"xz"``, ``"zst"`` or None, from a file's first bytes (16 are enough)."""
    if head.startswith(b"\x1f\x8b\x08"):
        return "gz"
    # text may begin with "BZh"; a bzip2 stream goes on with a level and the magic of its first block (pi) or of its end
    # (sqrt pi)
    if head[:3] == b"BZh" and head[3:4] in b"123456789" and head[4:10] in (b"1AY&SY", b"\x17\x72\x45\x38\x50\x90"):
        return "bz2"
    if head.startswith(b"\xfd7zXZ\x00"):
        return "xz"
    if head.startswith(b"\x28\xb5\x2f\xfd") or (
        head[1:4] == b"\x2a\x4d\x18" and head[:1] >= b"\x50" and head[:1] <= b"\x5f"
    ):
        return "zst"
    return None


def _zstd() -> Any:
    try:
        from compression import zstd  # Python 3.14
    except ImportError:
        try:
            from backports import zstd
        except ImportError:
            raise ImportError(
                "reading .zst needs Python 3.14 or an extra package: pip install 'fastemb[zstd]'"
            ) from None
    return zstd


def decompressor(raw: Any, kind: str | None) -> Any:
    """A binary file object that gives the text of `raw`."""
    if kind == "gz":
        import gzip

        return gzip.GzipFile(fileobj=raw, mode="rb")
    if kind == "bz2":
        import bz2

        return bz2.BZ2File(raw)
    if kind == "xz":
        import lzma

        return lzma.LZMAFile(raw)
    if kind == "zst":
        return _zstd().ZstdFile(raw)
    return raw


def damage_errors() -> tuple[type[BaseException], ...]:
    """What the decompressors raise for a damaged or cut file."""
    import gzip
    import lzma
    import zlib

    errors: list[type[BaseException]] = [EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error]
    try:
        errors.append(_zstd().ZstdError)
    except ImportError:
        pass
    return tuple(errors)


class _Replayed(io.RawIOBase):
    """Bytes already taken from a stream, then the rest of it; lets a pipe be sniffed."""

    def __init__(self, head: bytes, rest: Any) -> None:
        self._head, self._rest = head, rest
        self._readinto = getattr(rest, "readinto1", None) or getattr(rest, "readinto", None)
        self.consumed = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        if self._head:
            n = min(len(view), len(self._head))
            view[:n] = self._head[:n]
            self._head = self._head[n:]
        elif self._readinto is not None:
            n = self._readinto(view) or 0
        else:
            data = self._rest.read(len(view))
            n = len(data or b"")
            view[:n] = data or b""
        self.consumed += n
        return n


def open_stream(raw: Any) -> tuple[Any, _Replayed]:
    """(file object giving text bytes, counter of the bytes taken from `raw`) of any binary file object, pipes too."""
    head = b""
    while len(head) < HEAD:
        more = raw.read(HEAD - len(head))
        if isinstance(more, str):
            raise TypeError("the corpus is a text file object; open it in binary mode ('rb')")
        if not more:
            break
        head += more
    counted = _Replayed(head, raw)
    kind = compression_of(head)
    return decompressor(io.BufferedReader(counted, 1 << 18), kind) if kind else counted, counted


def open_text(path: Any) -> BinaryIO:
    """A buffered binary reader of a file's text, decompressed, without its BOM. ``-`` is standard input."""
    import sys

    if path == "-":
        stream: Any = open_stream(sys.stdin.buffer)[0]
    else:
        stream = open_stream(open(path, "rb", buffering=0))[0]
    text = (
        stream
        if isinstance(stream, io.BufferedIOBase) and hasattr(stream, "peek")
        else io.BufferedReader(stream, 1 << 18)
    )
    if text.peek(3)[:3] == BOM:
        text.read(3)
    return text  # type: ignore[return-value]


def list_directory(path: str) -> list[str]:
    """The regular files of a directory, by name; hidden ones and subdirectories left out."""
    with os.scandir(path) as entries:
        return sorted(e.path for e in entries if not e.name.startswith(".") and e.is_file())


def is_stream(mode: int) -> bool:
    """True for pipes, sockets and devices: read once, in order."""
    return not stat.S_ISREG(mode)


def _split(line: bytes) -> list[str]:
    return [w.decode("utf-8", "surrogateescape") for w in line.split()]


def _pieces(words: list[str], size: int | None) -> Iterator[list[str]]:
    if size is None:
        if words:
            yield words
    else:
        for i in range(0, len(words), size):
            yield words[i : i + size]


def _check_length(value: int | None) -> int | None:
    if value is not None and (isinstance(value, bool) or not hasattr(value, "__index__") or value < 1):
        raise ValueError(f"max_sentence_length must be None or an integer of at least 1, got {value!r}")
    return None if value is None else int(value)


class LineSentence:
    """One sentence a line, words separated by ASCII white space; gensim's class of that name.

    Parameters
    ----------
    source : path or binary file object
        Text, plain or gz/bz2/xz/zst.
    max_sentence_length : int, optional
        Longer lines become several sentences of at most that many words; nothing is dropped. gensim cuts at 10,000 by
        default, here the default is no limit.
    limit : int, optional
        Read only that many lines.

    Notes
    -----
    Iterating gives lists of ``str``. Handed to ``Corpus`` or a model, a reader of a path is not iterated: the file is
    read in C, with the same result. Only ASCII white space separates; gensim's ``str.split`` also splits at U+00A0 and
    the like.
    """

    newline_ends = True

    def __init__(self, source: Any, max_sentence_length: int | None = None, limit: int | None = None) -> None:
        self.source = source
        self.max_sentence_length = _check_length(max_sentence_length)
        self.limit = limit

    def _paths(self) -> list[Any]:
        return [self.source]

    def _lines(self) -> Iterator[bytes]:
        for path in self._paths():
            if hasattr(path, "read"):
                if hasattr(path, "seek") and path.seekable():
                    path.seek(0)
                yield from path
            else:
                with open_text(path) as text:
                    yield from text

    def __iter__(self) -> Iterator[list[str]]:
        for line in itertools.islice(self._lines(), self.limit):
            yield from _pieces(_split(line), self.max_sentence_length)


class PathLineSentences(LineSentence):
    """``LineSentence`` over a file or all files of a directory, in the order of their names; hidden files and
    subdirectories are left out."""

    def _paths(self) -> list[Any]:
        path = os.fspath(self.source)
        if os.path.isdir(path):
            return list_directory(path)
        if not os.path.isfile(path):
            raise ValueError(f"{path!r} is neither a file nor a directory")
        return [path]

    @property
    def input_files(self) -> list[str]:
        """The files that are read, in order."""
        return self._paths()


class Text8Corpus:
    """A text whose line ends mean nothing (text8 has none), cut into sentences of ``max_sentence_length`` words.

    10,000 words as in gensim; the last sentence is what is left.
    """

    newline_ends = False
    limit = None

    def __init__(self, fname: Any, max_sentence_length: int = 10_000) -> None:
        self.source = self.fname = fname
        self.max_sentence_length = _check_length(max_sentence_length)

    def _paths(self) -> list[Any]:
        return [self.fname]

    def __iter__(self) -> Iterator[list[str]]:
        sentence: list[str] = []
        rest = b""
        size = self.max_sentence_length or 10_000
        with open_text(self.fname) as text:
            while True:
                block = text.read(1 << 16)
                data = rest + block
                if block:
                    cut = max(data.rfind(bytes([c])) for c in SEPARATORS) + 1
                    data, rest = data[:cut], data[cut:]
                sentence += _split(data)
                while len(sentence) >= size:
                    yield sentence[:size]
                    sentence = sentence[size:]
                if not block:
                    break
        if sentence:
            yield sentence


class BrownCorpus:
    """The Brown corpus as NLTK ships it (``word/TAG`` tokens): lower-cased words with two-letter tags, no punctuation.

    The rules are gensim's: a token is kept when it has one slash and the first two characters of its tag are letters.
    """

    def __init__(self, dirname: Any) -> None:
        self.dirname = dirname

    def __iter__(self) -> Iterator[list[str]]:
        for path in list_directory(os.fspath(self.dirname)):
            with open_text(path) as text:
                for line in text:
                    pairs = [t.split("/") for t in _split(line)]
                    words = [f"{p[0].lower()}/{p[1][:2]}" for p in pairs if len(p) == 2 and p[1][:2].isalpha()]
                    if words:
                        yield words
