"""Files of vectors: native, word2vec, and what else fastemb.formats knows."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import tempfile
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastemb.formats import FormatError, atomic, glove, native, read_any, word2vec
from fastemb.formats.rows import counts_from
from fastemb.vectors.native import pack, unpack
from fastemb.vectors.table import VectorTable

logger = logging.getLogger(__name__)

Path = str | os.PathLike[str]

EXPORTS = ("native", "word2vec", "word2vec-text", "glove")
_ENDINGS = {".safetensors": "native", ".bin": "word2vec", ".txt": "word2vec-text", ".vec": "word2vec-text"}
_PICKLING = {
    "separately",
    "sep_limit",
    "ignore",
    "pickle_protocol",
}  # gensim's options of save: there is no pickle here


def check_path(path: Any) -> Path:
    """The path, if there is a file; otherwise an error that says what there is."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"expected the path of a file, not {type(path).__name__}")
    name = os.fsdecode(path)
    if os.path.isdir(name):
        raise IsADirectoryError(errno.EISDIR, "this is a directory; name a file in it", name)
    if not os.path.exists(name):
        where = os.path.dirname(os.path.abspath(name))
        hint = "there is no such file" if os.path.isdir(where) else f"there is no directory {where!r}"
        raise FileNotFoundError(errno.ENOENT, hint, name)
    return path


class Files(VectorTable):
    """The methods of :class:`fastemb.KeyedVectors` that read and write files."""

    def save(self, fname: Path, **ignored: Any) -> None:
        """Write one native file with the vectors, the keys and all columns.

        It is written beside the old one and takes its place when it is whole.

        Parameters
        ----------
        fname : path
        **ignored
            gensim's options of pickling (``separately``, ``sep_limit``, ``ignore``, ``pickle_protocol``) mean nothing
            here.

        Raises
        ------
        OSError
            If the file cannot be written; an old one is then unchanged.
        """
        if ignored.keys() - _PICKLING:
            raise TypeError(f"save() got unexpected arguments: {', '.join(sorted(ignored.keys() - _PICKLING))}")
        tensors, meta = pack(self)
        native.write(fname, tensors, meta)

    @classmethod
    def load(cls, fname: Path, mmap: Any = None, **options: Any) -> Any:
        """Read vectors from a file of any format that :func:`fastemb.load` reads; of a whole model, its vectors.

        Parameters
        ----------
        fname : path
        mmap : bool or str
            True (or gensim's "r"): map a native file into memory instead of reading it.
        **options
            As for :func:`fastemb.load`.

        Returns
        -------
        KeyedVectors
        """
        kind, payload = read_any(check_path(fname), mmap=bool(mmap), **options)
        return unpack(cls, *payload) if kind == "native" else cls._from_rows(*payload)

    @classmethod
    def _from_rows(cls, words: Any, vectors: NDArray, counts: NDArray | None) -> Any:
        kv = cls.from_vocabulary(words, vectors)
        if counts is not None:
            kv.expandos["count"] = counts
        return kv

    def export(self, path: Path, format: str | None = None, **options: Any) -> None:
        """Write the vectors in a format of others.

        Parameters
        ----------
        path : path
        format : {"native", "word2vec", "word2vec-text", "glove"}, optional
            "word2vec" is its binary form. By default told by the ending of the name: .safetensors, .bin, .txt, .vec.
        **options
            Given to the writer of the format in ``fastemb.formats``.

        Raises
        ------
        ValueError
            For an unknown format, or keys that it cannot hold.
        OSError
            If the file cannot be written; an old one is then unchanged.
        """
        if format is None:
            format = _ENDINGS.get(os.path.splitext(os.fsdecode(path))[1].lower())
            if format is None:
                raise ValueError(
                    f"the name {os.fsdecode(path)!r} does not tell the format: pass format=, one of {EXPORTS}"
                )
        if format not in EXPORTS:
            raise ValueError(f"format must be one of {', '.join(EXPORTS)}, not {format!r}")
        if format == "native":
            tensors, meta = pack(self)
            native.write(path, tensors, meta, **options)
        elif format == "glove":
            glove.write(path, self._words(), self.vectors, **options)
        else:
            word2vec.write(path, self._words(), self.vectors, binary=format == "word2vec", **options)

    def _words(self) -> Any:
        """The keys as a writer of rows takes them."""
        if len(self.vectors) != len(self):
            raise ValueError(f"{len(self):,} keys but {len(self.vectors):,} vectors: call resize_vectors() first")
        return self._vocabulary if self._index_to_key is None else self._index_to_key

    # ---- word2vec, by gensim's names

    @classmethod
    def load_word2vec_format(
        cls,
        fname: Path,
        fvocab: Path | None = None,
        binary: bool | None = None,
        encoding: str = "utf8",
        unicode_errors: str = "strict",
        limit: int | None = None,
        datatype: DTypeLike = np.float32,
        no_header: bool = False,
    ) -> Any:
        """Read a file in word2vec's text or binary format.

        Parameters
        ----------
        fname : path
            gzip, bzip2, xz and zstd files are told by their content.
        fvocab : path, optional
            A file of "word count" lines; the counts become the column "count". Without it there is no such column
            (gensim makes one up).
        binary : bool, optional
            By default told from the first row.
        encoding : str
            Of the words.
        unicode_errors : str
            "strict" refuses words that are not in this encoding; "surrogateescape" keeps their bytes, "ignore" and
            "replace" lose some.
        limit : int, optional
            Read only the first so many rows: the most frequent words, in most files.
        datatype : dtype
            Of the vectors; float16 saves memory and makes queries slower.
        no_header : bool
            Text without a first line of sizes: the GloVe format.

        Returns
        -------
        KeyedVectors
            Of a word that is there twice the first vector, with a warning.

        Raises
        ------
        FormatError
            If the file is damaged or of another format; the message says where. A ``ValueError``.
        """
        options: dict[str, Any] = dict(
            limit=limit or None, encoding=encoding, errors=unicode_errors, duplicates="first"
        )
        check_path(fname)
        if no_header:
            if binary:
                raise NotImplementedError("no_header is for text files: a binary file without sizes cannot be read")
            words, vectors, counts = glove.read(fname, **options)
            if fvocab is not None:
                raise ValueError(
                    "fvocab goes with files of word2vec's format; with no_header, set the counts afterwards"
                )
        else:
            words, vectors, counts = word2vec.read(fname, binary=binary, **options)
            if fvocab is not None:  # its words are decoded as those of the vectors are
                counts = counts_from(fvocab, words, unicode_errors)
        return cls._from_rows(words, vectors.astype(datatype, copy=False), counts)

    def save_word2vec_format(
        self,
        fname: Path,
        fvocab: Path | None = None,
        binary: bool = False,
        total_vec: int | None = None,
        write_header: bool = True,
        prefix: str = "",
        append: bool = False,
        sort_attr: str = "count",
    ) -> None:
        """Write a file in word2vec's text or binary format.

        Parameters
        ----------
        fname : path
        fvocab : path, optional
            Also write "word value" lines of the column ``sort_attr`` there.
        binary : bool
        total_vec : int, optional
            The number of rows that the first line names, where more are going to be appended.
        write_header : bool
            Write the first line, of the number of rows and their size.
        prefix : str
            Put before each key.
        append : bool
            Append to what is in the file (and in ``fvocab``) already.
        sort_attr : str
            Write the rows in descending order of this column; in their own order where there is none.

        Raises
        ------
        ValueError
            For ``fvocab`` without that column, or keys that hold white space.
        OSError
            If the file cannot be written; an old one is then unchanged.
        """
        words, vectors = self._words(), self.vectors
        column = self.expandos.get(sort_attr)
        if column is None and fvocab is not None:
            raise ValueError(f"cannot write {os.fsdecode(fvocab)!r}: there is no column {sort_attr!r}")
        if column is not None:
            values = np.asarray(column)
            falling = bool((values[1:] <= values[:-1]).all()) if values.dtype.kind in "biuf" else False
            if not falling:  # nothing to copy for a vocabulary in its usual order
                order = np.array(sorted(range(len(values)), key=lambda row: -values[row]), dtype=np.int64)
                keys = self.index_to_key
                words, vectors, values = [keys[row] for row in order], vectors[order], values[order]
        if prefix:
            words = [f"{prefix}{word}" for word in words]
        if fvocab is not None:
            with atomic.write(fvocab) as out:
                if append and os.path.exists(fvocab):
                    with open(fvocab, "rb") as old:
                        shutil.copyfileobj(old, out)
                for word, value in zip(words, values.tolist(), strict=True):
                    out.write(f"{word} {value}\n".encode("utf-8", "surrogateescape"))
        if not append and write_header and total_vec in (None, len(self)):
            word2vec.write(fname, words, vectors, binary=binary)
        elif not append and not write_header and not binary:
            glove.write(fname, words, vectors)
        else:
            self._write_parts(fname, words, vectors, binary, total_vec, write_header, append)

    def _write_parts(
        self,
        fname: Path,
        words: Any,
        vectors: NDArray,
        binary: bool,
        total_vec: int | None,
        write_header: bool,
        append: bool,
    ) -> None:
        """Write rows behind another first line than theirs, or behind an old file; whole or not at all."""
        folder = os.path.dirname(os.path.abspath(os.fsdecode(fname)))
        if os.fsdecode(fname).endswith((".gz", ".bz2", ".xz")):
            raise ValueError(
                "append, total_vec and binary files without a first line cannot be compressed: choose another name"
            )
        atomic.check_writable(fname)
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            part = os.path.join(temporary, "rows")
            word2vec.write(part, words, vectors, binary=binary)
            with open(part, "rb") as rows, atomic.write(fname) as out:
                if append and os.path.exists(fname):
                    with open(fname, "rb") as old:
                        shutil.copyfileobj(old, out)
                rows.readline()
                if write_header:
                    out.write(b"%d %d\n" % (len(self) if total_vec is None else total_vec, self.vector_size))
                shutil.copyfileobj(rows, out)

    def intersect_word2vec_format(
        self,
        fname: Path,
        lockf: float = 0.0,
        binary: bool | None = None,
        encoding: str = "utf8",
        unicode_errors: str = "strict",
    ) -> int:
        """Take over the vectors of those words of a word2vec file that are keys here; add none.

        Parameters
        ----------
        fname : path
        lockf : float
            What training multiplies the changes of these rows with: 0 freezes them, 1 trains them on.
        binary : bool, optional
            By default told from the first row.
        encoding, unicode_errors : str
            As in :meth:`load_word2vec_format`.

        Returns
        -------
        int
            How many vectors were taken over; it is also logged.

        Raises
        ------
        ValueError
            If the file's vectors are of another size.
        """
        words, vectors, _ = word2vec.read(
            check_path(fname), binary=binary, encoding=encoding, errors=unicode_errors, duplicates="first"
        )
        if vectors.shape[1] != self.vector_size:
            raise FormatError(
                f"its vectors have {vectors.shape[1]} dimensions, these {self.vector_size}: none can be taken over",
                path=fname,
            )
        find = self.key_to_index.get
        rows = np.array([find(word, -1) for word in words], dtype=np.int64)
        known = rows >= 0
        if not self.vectors.flags.writeable:
            self.vectors = np.array(self.vectors, order="C")
        self.vectors[rows[known]] = vectors[known]
        self.vectors_lockf[rows[known]] = lockf
        self._vectors_changed()
        logger.info("took over %d of the %d vectors of %s, for %d keys", known.sum(), len(rows), fname, len(self))
        return int(known.sum())
