"""Files of vectors: native, word2vec, and what else fastemb.formats knows."""

from __future__ import annotations

import logging
import os
from typing import Any

from fastemb.vectors.native import pack, unpack
from fastemb.vectors.table import VectorTable

logger = logging.getLogger(__name__)

Path = str | os.PathLike[str]


class Files(VectorTable):
    """The methods of :class:`fastemb.KeyedVectors` that read and write files."""

    def save(self, fname: Path) -> None:
        """Write a native file: one safetensors file with the vectors, keys and columns. The old file stays whole until
        the new one is."""
        from fastemb.formats import native

        tensors, meta = pack(self)
        native.write(fname, tensors, meta)

    @classmethod
    def load(cls, fname: Path, mmap: Any = False) -> Any:
        """Read a native file."""
        from fastemb.formats import native

        tensors, meta = native.read(fname, mmap=bool(mmap))
        return unpack(cls, tensors, meta)
