"""What all models answer alike when they are taken for their vectors."""

from __future__ import annotations

from typing import Any

from fastemb.vectors import KeyedVectors


class Face:
    """A model is not its vectors: these are at ``.wv``, and the errors say so."""

    def __getitem__(self, key: Any) -> Any:
        raise TypeError(f"a {type(self).__name__} is not subscriptable: use model.wv[{key!r}]")

    def __contains__(self, key: Any) -> bool:
        raise TypeError(f"use {key!r} in model.wv")

    __iter__ = None

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and hasattr(KeyedVectors, name):
            raise AttributeError(f"{type(self).__name__} has no {name!r}: use model.wv.{name}")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
