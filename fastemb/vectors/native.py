"""KeyedVectors as the tensors and the description of a native file, and back.

Tensors: "vectors" (n, d); the keys as "vocab_bytes" (their UTF-8 end to end) with "vocab_offsets" (n + 1), or as
"vocab_ints" (n); "counts" (n); "lockf" (n) where set; every further column as "column:NAME". Columns of Python objects
go into the description.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastemb.formats import Words
from fastemb.formats.rows import encode_words

_COLUMN = "column:"


def pack(kv: Any) -> tuple[dict[str, NDArray], dict[str, Any]]:
    """Tensors and description of KeyedVectors.

    Parameters
    ----------
    kv : KeyedVectors

    Returns
    -------
    tensors : dict of str to ndarray
    meta : dict
        JSON-able.

    Raises
    ------
    TypeError
        If the keys are of mixed kinds, or a column holds what JSON cannot.
    ValueError
        If rows and keys differ in number (``resize_vectors`` mends that).
    """
    if len(kv.vectors) != len(kv):
        raise ValueError(f"{len(kv):,} keys but {len(kv.vectors):,} vectors: call resize_vectors() first")
    tensors: dict[str, NDArray] = {"vectors": np.ascontiguousarray(kv.vectors)}
    keys = kv.index_to_key
    kinds = {type(key) for key in keys}
    if kinds <= {str}:
        tensors["vocab_bytes"], tensors["vocab_offsets"] = encode_words(keys)
    elif kinds == {int}:
        tensors["vocab_ints"] = np.array(keys, dtype=np.int64)
    elif type(None) in kinds:
        raise ValueError(
            f"{sum(key is None for key in keys):,} of {len(keys):,} rows have no key: add them, or cut the table"
        )
    else:
        raise TypeError("a native file holds either strings or integers as keys, not both: convert them to strings")
    meta: dict[str, Any] = {
        "format": "fastemb",
        "version": 1,
        "kind": "KeyedVectors",
        "config": {"vector_size": kv.vector_size},
    }
    if kv.min_count is not None:
        meta["config"]["min_count"] = int(kv.min_count)
    for name, column in kv.expandos.items():
        column = np.ascontiguousarray(column)
        if name == "count" and column.dtype.kind in "iu" and not (column < 0).any():
            tensors["counts"] = column.astype(np.int64, copy=False)
            continue
        if column.dtype.kind in "biuf":
            tensors[_COLUMN + name] = column
            continue
        try:
            values = json.loads(json.dumps(column.tolist()))
        except TypeError as error:
            raise TypeError(f"the column {name!r} holds values that JSON cannot hold: {error}") from error
        meta.setdefault("columns", {})[name] = values
    lockf = kv._vectors_lockf
    if lockf is not None and len(lockf) == len(kv):
        tensors["lockf"] = lockf
    return tensors, meta


def unpack(cls: Any, tensors: dict[str, NDArray], meta: dict[str, Any]) -> Any:
    """KeyedVectors from tensors and description; the arrays are kept, not copied.

    Parameters
    ----------
    cls : type
        KeyedVectors or a class derived from it.
    tensors : dict of str to ndarray
        What else is in it (a model's other matrices) is left alone.
    meta : dict

    Returns
    -------
    KeyedVectors

    Raises
    ------
    ValueError
        If the tensors do not fit each other.
    """
    vectors = tensors.get("vectors")
    if vectors is None or vectors.ndim != 2:
        raise ValueError('there is no matrix "vectors" in this file: it holds something else than vectors of words')
    if "vocab_ints" in tensors:
        keys: Any = tensors["vocab_ints"].tolist()
    elif "vocab_offsets" in tensors and "vocab_bytes" in tensors:
        offsets, blob = tensors["vocab_offsets"], tensors["vocab_bytes"]
        if not len(offsets) or offsets[0] != 0 or offsets[-1] != len(blob) or (np.diff(offsets) < 0).any():
            raise ValueError("the table of words is damaged: its offsets do not rise from 0 to the number of its bytes")
        keys = Words(blob, offsets)
    else:
        raise ValueError("there are no keys in this file (vocab_bytes and vocab_offsets, or vocab_ints)")
    kv = cls.from_vocabulary(keys, vectors)
    columns = {("count" if name == "counts" else name.removeprefix(_COLUMN)): column for name, column in tensors.items()
               if name == "counts" or name.startswith(_COLUMN)}  # fmt: skip
    columns |= {name: _objects(values) for name, values in meta.get("columns", {}).items()}
    for name, column in columns.items():
        if len(column) != len(kv):
            raise ValueError(f"the column {name!r} has {len(column)} values for {len(kv)} rows")
        kv.expandos[name] = column
    if "lockf" in tensors:
        kv.vectors_lockf = tensors["lockf"]
    kv.min_count = meta.get("config", {}).get("min_count")
    return kv


def _objects(values: list[Any]) -> NDArray:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column
