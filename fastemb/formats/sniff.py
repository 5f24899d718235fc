"""Which format is this file? Told from its bytes, never from its name."""

from __future__ import annotations

import os
import re
import struct
from typing import Any

from . import _text, glove, native, word2vec
from .errors import FormatError
from .looks import far_row, is_texty, row_is_text
from .rows import Source

__all__ = ["read_any", "sniff"]

_HEADERISH = re.compile(rb"[ \t]*[+-]?\d+[ \t]+[+-]?\d+[ \t\r]*(?:\n|$)")
_FASTTEXT_MAGIC = 793712314

_ARCHIVES = (
    (b"PK\x03\x04", "zip"),
    (b"\x93NUMPY", "npy"),
    (b"\x80\x02", "pickle"),
    (b"\x80\x03", "pickle"),
    (b"\x80\x04", "pickle"),
    (b"\x80\x05", "pickle"),
    (b"FiFu\0\0\0\0", "finalfusion"),
    (b"SQLite format 3\0", "sqlite"),
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"PAR1\x15", "parquet"),
    (b"ARROW1\0\0", "arrow"),
    (b"%PDF-", "pdf"),
    (b"\x7fELF", "program"),
)

_ADVICE = {
    "empty": "the file is empty",
    "safetensors": "a safetensors file that fastemb did not write: it holds no vocabulary that fastemb knows. Read it "
    "with the safetensors package and build KeyedVectors from its arrays",
    "fasttext": "a fastText .bin model, which fastemb does not read yet. The words' vectors without subwords are in "
    "the .vec file beside it; or write one: f = fasttext.load_model(path), then f.get_words() and "
    "f.get_word_vector(word)",
    "fasttext-supervised": "a supervised fastText model (a classifier), which fastemb does not read. Its word vectors "
    "can be written with `fasttext print-word-vectors`",
    "fasttext-quantized": "a quantised fastText model (.ftz), which fastemb does not read yet. Use the .bin or .vec it "
    "was made from, or write vectors with `fasttext print-word-vectors`",
    "floret": "a floret .bin model (fastText's magic, two more header fields), which fastemb does not read yet. Write "
    "its words' vectors as text: model.get_words() and model.get_word_vector(word)",
    "pickle": "a Python pickle (gensim's save(), joblib, torch): loading one can run any code, so fastemb never does. "
    "In the program that wrote it: model.wv.save_word2vec_format('vectors.bin', binary=True), and load that",
    "zip": "a zip archive: unpack it (`unzip`) and load the file in it",
    "npy": "a NumPy .npy array, which holds no words: np.load it and build KeyedVectors from it and your word list",
    "finalfusion": "a finalfusion file, which fastemb does not read. `finalfusion convert -f finalfusion -t word2vec` "
    "makes one that it reads",
    "sqlite": "an SQLite database (magnitude?), which fastemb does not read. Export it to word2vec text",
    "hdf5": "an HDF5 file, which fastemb does not read. Export it to word2vec text",
    "parquet": "a Parquet file, which fastemb does not read. Export it to word2vec text",
    "arrow": "an Arrow file, which fastemb does not read. Export it to word2vec text",
    "pdf": "a PDF document, not a vector file",
    "program": "a program, not a vector file",
    "text": "text, but not rows of a word and its numbers: neither word2vec nor GloVe text. To train on text: "
    "fastemb.Word2Vec(path)",
    "unknown": "no format that fastemb knows. It reads its own safetensors files, word2vec text and binary, and GloVe "
    "text",
}


def _fasttext_kind(data: bytes) -> str | None:
    """fastText's magic and structure; floret has the same magic and version and two more integers after maxn."""
    if len(data) < 8 or struct.unpack_from("<i", data)[0] != _FASTTEXT_MAGIC:
        return _old_fasttext(data)
    if len(data) >= 84:
        args = struct.unpack_from("<12i", data, 8)
        (t,) = struct.unpack_from("<d", data, 56)
        if not 0 < t <= 1:
            (t2,) = struct.unpack_from("<d", data, 64)
            return "floret" if 0 < t2 <= 1 else "fasttext"
        # words without subwords are plain floats; a quantised model says so behind its dictionary
        _, _, labels, _, pruned = struct.unpack_from("<iiiqq", data, 64)
        if args[7] == 3 or labels > 0:
            return "fasttext-quantized" if pruned >= 0 else "fasttext-supervised"
    return "fasttext"


def _old_fasttext(data: bytes) -> str | None:
    """fastText before its magic: 12 small integers, t, then the dictionary's sizes."""
    if len(data) < 80:
        return None
    args = struct.unpack_from("<12i", data)
    (t,) = struct.unpack_from("<d", data, 48)
    size, words, labels, tokens = struct.unpack_from("<iiiq", data, 56)
    small = (
        all(0 <= a < 2**31 - 1 for a in args)
        and 0 < args[0] < 100_000
        and args[6] in (1, 2, 3)
        and args[7] in (1, 2, 3)
    )
    return "fasttext" if small and 0 < t <= 1 and size == words + labels > 0 and tokens > 0 else None


def _sniff(source: Source) -> str:
    data = source.read(1 << 16)
    if not data:
        return "empty"
    # before the magics: a header of 0x..05_80 bytes begins as a pickle does
    if data[8:9] == b"{" and len(data) > 9:
        (length,) = struct.unpack_from("<Q", data)
        if 2 <= length <= 100_000_000:
            head = data[8 : 8 + length]
            return "native" if b'"__metadata__":{"fastemb' in head or b'"fastemb.crc32"' in head else "safetensors"
    for magic, name in _ARCHIVES:
        if data.startswith(magic):
            return name
    kind = _fasttext_kind(data)
    if kind:
        return kind
    body = data[3:] if data.startswith(b"\xef\xbb\xbf") else data
    skip = len(data) - len(body)
    match = _HEADERISH.match(body)
    if match:
        try:
            dim = int(body[: match.end()].split()[1])
        except ValueError:  # more digits than Python converts
            dim = 1
        return "word2vec-text" if row_is_text(source, data, skip + match.end(), max(1, dim)) else "word2vec"
    if len(data) == 1 << 16 and source.size is not None and not any(c in body for c in b" \t\n"):
        body = far_row(source, 0)  # a very long first word
    line, newline, _ = body.partition(b"\n")
    fields = line.split()
    if not newline and len(body) >= 1 << 16:
        fields = fields[:-1]  # cut in two
    # a line that ends in a number may have words that are not UTF-8; binary data does not end in two
    texty = is_texty(body)
    if len(fields) > (1 if texty else 2) and all(_text.parse_float(f) is not None for f in fields[1:][-2:]):
        return "glove"
    return "text" if texty else "unknown"


def sniff(path: str | os.PathLike[str]) -> str:
    """Tell the format of a file from its bytes; of a compressed file, the format of what is in it.

    Returns
    -------
    str
        "native", "word2vec" (binary), "word2vec-text" (also fastText's .vec), "glove": :func:`read_any` reads these.
        "safetensors", "fasttext", "fasttext-supervised", "fasttext-quantized", "floret", "pickle", "npy", "zip",
        "finalfusion", "sqlite", "hdf5", "parquet", "arrow", "pdf", "program", "text", "empty", "unknown": it says why
        not.

    Examples
    --------
    >>> import tempfile, os
    >>> p = os.path.join(tempfile.mkdtemp(), "v")
    >>> _ = open(p, "wb").write(b"2 3\\na 1 2 3\\nb 4 5 6\\n")
    >>> sniff(p)
    'word2vec-text'
    """
    with Source(path) as source:
        return _sniff(source)


def read_any(path: str | os.PathLike[str], mmap: bool = False, **options: Any) -> tuple[str, Any]:
    """Read a file of any known format.

    Parameters
    ----------
    path : path-like
    mmap : bool
        Native files only: map instead of reading.
    **options
        Given to the reader: `native.read`, `word2vec.read` or `glove.read`.

    Returns
    -------
    kind : str
        What :func:`sniff` says.
    payload
        "native": (tensors, meta). Others: (words, vectors, counts or None).

    Raises
    ------
    FormatError
        Damaged, or a format that fastemb does not read: which, and what to do.
    """
    with Source(path) as source:
        kind, compression = _sniff(source), source.compression
    if kind == "native":
        if compression:
            raise FormatError(
                f"unpack it first ({compression}): a model file is read as it is", path=path, format=native.FORMAT
            )
        return kind, native.read(path, mmap=mmap, **options)
    if kind not in ("word2vec", "word2vec-text", "glove"):
        raise FormatError(_ADVICE[kind], path=path, format=None if kind in ("unknown", "empty", "text") else kind)
    if mmap:
        raise FormatError(
            "only the native format can be memory-mapped; load it without mmap and save it natively first",
            path=path,
            format=kind,
        )
    if kind == "glove":
        return kind, glove.read(path, **options)
    return kind, word2vec.read(path, binary=kind == "word2vec", **options)
