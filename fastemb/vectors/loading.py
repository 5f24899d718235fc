"""``load``: vectors or a model from any file that fastemb.formats can tell by its bytes.

A native file may hold a whole model, which only a higher floor can build. The classes there register themselves with
:func:`register`; this module knows nothing of them but the name of the module to import when such a file turns up
first.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from typing import Any

from fastemb.corpus import Cooccurrence
from fastemb.corpus.phrases import from_native as phrases_of
from fastemb.formats import read_any
from fastemb.vectors.files import check_path
from fastemb.vectors.keyedvectors import KeyedVectors
from fastemb.vectors.native import unpack

Loader = Callable[[dict[str, Any], dict[str, Any]], Any]

# kind -> the module whose import registers its loader
_HOMES = dict.fromkeys(("Word2Vec", "Glove", "PPMI", "LSA"), "fastemb.training")
_LOADERS: dict[str, Loader] = {
    "KeyedVectors": lambda tensors, meta: unpack(KeyedVectors, tensors, meta),
    "Cooccurrence": lambda tensors, meta: Cooccurrence._from_native(tensors, meta),
    "Phrases": phrases_of,
    "FrozenPhrases": phrases_of,
}


def register(kind: str, loader: Loader) -> None:
    """Name the function that builds an object of some kind from the tensors and the description of a native file.

    Parameters
    ----------
    kind : str
        As in the file's description, ``meta["kind"]``.
    loader : callable
        ``loader(tensors, meta)``.
    """
    _LOADERS[kind] = loader


def build(tensors: dict[str, Any], meta: dict[str, Any]) -> Any:
    """The object that a native file holds: KeyedVectors, or a model.

    Raises
    ------
    ValueError
        For a kind that this version does not know.
    """
    kind = meta.get("kind", "KeyedVectors")
    if kind not in _LOADERS and kind in _HOMES:
        import_module(_HOMES[kind])
    if kind not in _LOADERS:
        raise ValueError(
            f"the file holds a {kind!r}, which this version of fastemb does not know: a newer one wrote it"
        )
    return _LOADERS[kind](tensors, meta)


def load(path: str | os.PathLike[str], mmap: bool = False, **options: Any) -> Any:
    """Load vectors or a model from a file of any format, told by its bytes, not by its name.

    Parameters
    ----------
    path : path
        A native file, word2vec text or binary (compressed or not), or GloVe text.
    mmap : bool
        Map a native file into memory instead of reading it: it is there at once, processes share it, and its vectors
        are read-only. Their checksum is then not verified.
    **options
        Given to the reader of the format in ``fastemb.formats``: for word2vec and GloVe among others ``limit`` (read
        only the first so many rows), ``duplicates="first"``, ``on_count_mismatch="rows"``, ``allow_nonfinite=True``.

    Returns
    -------
    KeyedVectors, or Word2Vec where the file holds a whole model, or Phrases

    Raises
    ------
    FormatError
        If the file is damaged or of a format that is not read; the message says which it looks like, where it breaks
        and what to do. A ``ValueError``.
    FileNotFoundError, IsADirectoryError

    Examples
    --------
    >>> import os, tempfile
    >>> from fastemb import KeyedVectors, load
    >>> path = os.path.join(tempfile.mkdtemp(), "v.safetensors")
    >>> kv = KeyedVectors(2)
    >>> kv.add_vectors(["a", "b"], [[1, 2], [3, 4]])
    >>> kv.save(path)
    >>> load(path, mmap=True)["b"].tolist()
    [3.0, 4.0]
    """
    kind, payload = read_any(check_path(path), mmap=mmap, **options)
    if kind == "native":
        return build(*payload)
    return KeyedVectors._from_rows(*payload)
