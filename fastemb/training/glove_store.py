"""A whole Glove model in one safetensors file, with what is needed to go on training; no pickle.

``vectors`` is the matrix of ``model.wv``. The rows that are trained, and the sums of squares of AdaGrad, are float32
matrices of d + 1 columns, the bias in the last: ``glove_words``, ``glove_contexts``, ``glove_words_squares``,
``glove_contexts_squares``.
"""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np

from fastemb.corpus import Vocabulary
from fastemb.formats import FormatError, native
from fastemb.training import glove_job
from fastemb.training.glove_config import GloveConfig

KIND = "Glove"
TIMES = ("seconds", "cells_per_s")


def save(model: Any, path: Any) -> None:
    """Write `model` to `path`, atomically. The same model gives the same bytes: times are not written."""
    if not len(model.wv):
        raise RuntimeError("an empty model cannot be saved: train it first")
    vocabulary = model._vocabulary
    tensors: dict[str, np.ndarray] = {"vectors": np.ascontiguousarray(model.wv.vectors, dtype=np.float32)}
    if vocabulary.is_int:
        tensors["vocab_ints"] = vocabulary.int_keys
    else:
        tensors["vocab_bytes"], tensors["vocab_offsets"] = vocabulary.blob, vocabulary.offsets
    tensors["counts"] = vocabulary.counts
    for name, table, columns in _parts(model):
        tensors[name] = table[:, columns]
    history = [{k: v for k, v in entry.items() if k not in TIMES} for entry in model.history]
    for entry in history:
        if not math.isfinite(entry["loss"]):
            entry["loss"] = None
    meta = {
        "format": "fastemb",
        "version": 1,
        "kind": KIND,
        "config": model._config().to_dict() | {"workers": model._requested_workers()},
        "training": {
            "epochs_trained": model.epochs_trained,
            "total_words": vocabulary.total,
            "history": history,
            "run": model._run,
        },
    }
    native.write(path, tensors, meta)


def _parts(model: Any) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Name, table and columns of the four matrices that are trained."""
    dim, stride = model.vector_size, model._words.shape[1] // 2
    word, context = (np.append(np.arange(dim), bias) for bias in (dim, dim + 1))
    return [
        ("glove_words", model._words, word),
        ("glove_contexts", model._contexts, context),
        ("glove_words_squares", model._words, stride + word),
        ("glove_contexts_squares", model._contexts, stride + context),
    ]


def load(cls: type, path: Any) -> Any:
    """The model that :func:`save` wrote to `path`."""
    return from_native(cls, *native.read(path), name=os.fspath(path))


def from_native(cls: type, tensors: dict[str, np.ndarray], meta: dict[str, Any], *, name: Any = "the file") -> Any:
    """A model of the tensors and metadata of a native file."""
    if meta.get("kind") != KIND:
        raise FormatError(
            f"{name!s} holds a {meta.get('kind', 'KeyedVectors')!s}, not a whole {KIND}: open it with fastemb.load()"
        )
    try:
        config = GloveConfig(**meta["config"])
        training = dict(meta["training"])
        parts = {"int_keys": tensors["vocab_ints"]} if "vocab_ints" in tensors else {}
        blob, offsets = tensors.get("vocab_bytes"), tensors.get("vocab_offsets")
        vocabulary = Vocabulary.from_parts(blob, offsets, tensors["counts"], total=training["total_words"], **parts)
        model = cls(**config.to_dict())
        model._set_vocabulary(vocabulary)
        for key, table, columns in _parts(model):
            tensor = tensors[key]
            if tensor.shape != (len(vocabulary), len(columns)) or tensor.dtype != np.float32:
                raise ValueError(f"{key} has shape {tensor.shape} and type {tensor.dtype}")
            if key.endswith("squares") and not (tensor > 0).all():
                raise ValueError(f"{key} holds sums of squares that are not positive")
            table[:, columns] = tensor
        if tensors["vectors"].shape != model.wv.vectors.shape:
            raise ValueError(f"vectors has shape {tensors['vectors'].shape}, expected {model.wv.vectors.shape}")
        model.wv.vectors = np.array(tensors["vectors"], dtype=np.float32)
        for entry in training["history"]:
            loss = math.nan if entry["loss"] is None else entry["loss"]
            model.history.append(entry | {"loss": loss} | dict.fromkeys(TIMES))
        model.epochs_trained = int(training["epochs_trained"])
        model._run = training["run"]
        model._untrained = False
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{name!s} is no Glove model that this version can read: {error!s}") from error
    return model


def size(words: int, dim: int) -> int:
    """Bytes of a file, roughly."""
    return words * (4 * (5 * dim + 4) + 24) + glove_job.allocate(0, dim).nbytes
