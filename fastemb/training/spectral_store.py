"""PPMI and LSA models as one native file each; no pickle.

Tensors: those of KeyedVectors, and

PPMI
    singular_values float64 (k,); with counts: count_indptr int64 (V + 1,), count_indices int32 (nnz,), count_data
    int64 (nnz,).
LSA
    singular_values float64 (k,); global_weights float64 (V,); fold float32 (V, k), the left singular vectors, where the
    word vectors do not tell them; documents float32 (n, k).
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from fastemb.corpus import Cooccurrence, Vocabulary
from fastemb.formats import FormatError, native
from fastemb.training.spectral_config import LSAConfig, PPMIConfig
from fastemb.vectors import KeyedVectors

PPMI_KIND, LSA_KIND = "PPMI", "LSA"
COUNTS = ("indptr", "indices", "data")
HOW = ("window", "symmetric", "weighting", "sample", "num_tokens")


def _words(vocabulary: Vocabulary) -> dict[str, np.ndarray]:
    if vocabulary.is_int:
        return {"vocab_ints": vocabulary.int_keys, "counts": vocabulary.counts}
    return {"vocab_bytes": vocabulary.blob, "vocab_offsets": vocabulary.offsets, "counts": vocabulary.counts}


def _vocabulary(tensors: dict[str, np.ndarray], total: int) -> Vocabulary:
    return Vocabulary.from_parts(
        tensors.get("vocab_bytes"),
        tensors.get("vocab_offsets"),
        tensors["counts"],
        int_keys=tensors.get("vocab_ints"),
        total=total,
    )


def _own_vocabulary(model: Any) -> Vocabulary:
    """The words of the vectors, whose counts are theirs."""
    vocabulary = model.wv._vocabulary
    if isinstance(vocabulary, Vocabulary) and model.wv._index_to_key is None:
        return vocabulary
    counts = model.wv.expandos.get("count")
    return Vocabulary(model.wv.index_to_key, None if counts is None else np.asarray(counts))


def _write(model: Any, path: Any, kind: str, tensors: dict[str, np.ndarray], more: dict[str, Any]) -> None:
    if not len(model.wv):
        raise RuntimeError("an empty model cannot be saved: give it a corpus first")
    vocabulary = _own_vocabulary(model)
    tensors = tensors | _words(vocabulary)
    tensors["vectors"] = np.ascontiguousarray(model.wv.vectors, dtype=np.float32)
    tensors["singular_values"] = model.singular_values
    meta = {"format": "fastemb", "version": 1, "kind": kind, "config": model.config.to_dict()}
    native.write(path, tensors, meta | {"total": vocabulary.total} | more)


def save_ppmi(model: Any, path: Any, counts: bool) -> None:
    """Write a PPMI model."""
    tensors: dict[str, np.ndarray] = {}
    more: dict[str, Any] = {}
    c = model.cooccurrence
    if counts and c is not None:
        tensors = {f"count_{name}": getattr(c, name) for name in COUNTS}
        more["counts"] = {"scale": c.scale} | {name: getattr(c, name) for name in HOW}
    _write(model, path, PPMI_KIND, tensors, more)


def save_lsa(model: Any, path: Any) -> None:
    """Write an LSA model."""
    tensors = {"global_weights": model.global_weights, "documents": model.document_vectors, "fold": model._fold}
    _write(model, path, LSA_KIND, tensors, {"num_documents": model.num_documents})


def load(cls: type, path: Any, mmap: bool = False) -> Any:
    """The model in a file."""
    tensors, meta = native.read(path, mmap=mmap)
    return from_native(cls, tensors, meta, name=os.fspath(path))


def from_native(cls: Any, tensors: dict[str, np.ndarray], meta: dict[str, Any], *, name: Any = "the file") -> Any:
    """A model of the tensors and metadata of a native file; ``FormatError`` where they do not fit."""
    kind = LSA_KIND if cls.__name__ == LSA_KIND else PPMI_KIND
    if meta.get("kind") != kind:
        raise FormatError(
            f"{name!s} holds a {meta.get('kind', 'KeyedVectors')!s}, not a {kind}: open it with fastemb.load()"
        )
    try:
        model = cls.__new__(cls)
        config = (LSAConfig if kind == LSA_KIND else PPMIConfig)(**meta["config"])
        vocabulary = _vocabulary(tensors, meta["total"])
        shape = (len(vocabulary), config.vector_size)
        model.config = config
        model.singular_values = _checked(tensors, "singular_values", shape[1:], np.float64)
        model.wv = KeyedVectors.from_vocabulary(vocabulary, _checked(tensors, "vectors", shape, np.float32))
        model.seconds = {}
        if kind == PPMI_KIND:
            model.cooccurrence, model._pmi = None, None
            if "counts" in meta:
                how = dict(meta["counts"])
                parts: dict[str, Any] = {part: tensors[f"count_{part}"] for part in COUNTS}
                model.cooccurrence = Cooccurrence.from_csr(vocabulary, **parts, **how)
        else:
            model.num_documents = int(meta["num_documents"])
            model.global_weights = _checked(tensors, "global_weights", shape[:1], np.float64)
            model._fold = _checked(tensors, "fold", shape, np.float32)
            documents = (len(tensors["documents"]), shape[1])
            model.document_vectors = _checked(tensors, "documents", documents, np.float32)
            if documents[0] not in (0, model.num_documents):
                raise ValueError(f"{documents[0]} document vectors of {model.num_documents} documents")
        return model
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{name!s} is no {kind} model that this version can read: {error!s}") from error


def _checked(tensors: dict[str, np.ndarray], name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    tensor = tensors[name]
    if tensor.shape != shape or tensor.dtype != dtype:
        raise ValueError(
            f"{name} has shape {tensor.shape} and type {tensor.dtype}, expected {shape} and {np.dtype(dtype)}"
        )
    return tensor
