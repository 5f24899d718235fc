"""The file of co-occurrence counts: a native file (formats/native.py) of kind "Cooccurrence".

Tensors: ``indptr`` int64 (V + 1), ``indices`` int32 (nnz), ``data`` int64 (nnz), and the vocabulary as in every native
file: ``vocab_bytes`` and ``vocab_offsets`` or ``vocab_ints``, ``counts``. The JSON holds scale, window, symmetric,
weighting, sample, num_tokens.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from fastemb.formats import native
from fastemb.formats.errors import FormatError

from .vocabulary import Vocabulary

__all__ = ["damaged", "unpack", "write"]

KIND = "Cooccurrence"
VERSION = 1
HOW = ("window", "symmetric", "weighting", "sample", "num_tokens")


def write(path: str | os.PathLike[str], counts: Any, indices: Any, data: Any) -> None:
    """Writes a Cooccurrence, whose cells may be ``Streamed``."""
    v = counts.vocabulary
    tensors = {"indptr": counts.indptr, "indices": indices, "data": data, "counts": v.counts}
    if v.is_int:
        tensors["vocab_ints"] = v.int_keys
    else:
        tensors["vocab_bytes"], tensors["vocab_offsets"] = v.blob, v.offsets
    meta = {
        "format": "fastemb",
        "kind": KIND,
        "version": VERSION,
        "scale": counts.scale,
        "total": v.total,
        "config": {name: getattr(counts, name) for name in HOW},
    }
    native.write(path, tensors, meta)


def damaged(path: Any, what: str) -> FormatError:
    """The error for a file that is not what it claims to be."""
    return FormatError(
        f"{what}; the file is damaged or was not written by fastemb", path=path, format="co-occurrence counts"
    )


def unpack(
    tensors: dict[str, Any], meta: dict[str, Any], path: Any
) -> tuple[Vocabulary, tuple[np.ndarray, np.ndarray, np.ndarray], int, dict[str, Any]]:
    """(vocabulary, (indptr, indices, data), scale, how); not yet checked whether the arrays fit together."""
    if meta.get("kind") != KIND:
        raise FormatError(
            f"holds {meta.get('kind', 'something else')}, not co-occurrence counts: load it with fastemb.load()",
            path=path,
            format=native.FORMAT,
        )
    if meta.get("version") != VERSION:
        raise FormatError(
            f"version {meta.get('version')} of the counts, this fastemb reads version {VERSION}: update fastemb",
            path=path,
            format="co-occurrence counts",
        )
    try:
        vocabulary = Vocabulary.from_parts(
            tensors.get("vocab_bytes"),
            tensors.get("vocab_offsets"),
            tensors["counts"],
            int_keys=tensors.get("vocab_ints"),
            total=meta["total"],
        )
        arrays = (tensors["indptr"], tensors["indices"], tensors["data"])
        scale, how = meta["scale"], {name: meta["config"][name] for name in HOW}
    except KeyError as e:
        raise damaged(path, f"{e} is missing") from None
    except (TypeError, ValueError) as e:
        raise damaged(path, str(e)) from None
    if type(scale) is not int or not 1 <= scale < 2**63:
        raise damaged(path, f"the scale is {scale!r}")
    return vocabulary, arrays, scale, how
