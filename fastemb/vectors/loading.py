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

from fastemb.vectors.keyedvectors import KeyedVectors
from fastemb.vectors.native import unpack

Loader = Callable[[dict[str, Any], dict[str, Any]], Any]

_HOMES = {"Word2Vec": "fastemb.training"}  # kind -> the module whose import registers its loader
_LOADERS: dict[str, Loader] = {"KeyedVectors": lambda tensors, meta: unpack(KeyedVectors, tensors, meta)}


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
    """Load vectors or a model from a file of any format, told by its bytes."""
    from fastemb import formats

    if formats.sniff(path) == "native":
        return build(*formats.native.read(path, mmap=mmap))
    raise NotImplementedError
