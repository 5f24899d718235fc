"""A whole Word2Vec model in one safetensors file, with what is needed to go on training; no pickle."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np

from fastemb.corpus import Vocabulary
from fastemb.formats import FormatError, native
from fastemb.training.config import Word2VecConfig
from fastemb.training.word2vec_job import OUTPUTS, output_rows

KIND = "Word2Vec"
TENSORS = {"syn1neg": "syn1neg", "syn1": "syn1hs"}  # attribute of the model -> tensor of the file


def save(model: Any, path: Any) -> None:
    """Write `model` to `path`, atomically. The same model gives the same bytes: times are not written."""
    if not len(model.wv):
        raise RuntimeError("an empty model cannot be saved: build the vocabulary first")
    vocabulary = model._synced_vocabulary()
    config = model._config()
    tensors: dict[str, np.ndarray] = {"vectors": np.ascontiguousarray(model.wv.vectors, dtype=np.float32)}
    if vocabulary.is_int:
        tensors["vocab_ints"] = vocabulary.int_keys
    else:
        tensors["vocab_bytes"], tensors["vocab_offsets"] = vocabulary.blob, vocabulary.offsets
    tensors["counts"] = vocabulary.counts
    for objective in config.objectives:
        name = OUTPUTS[objective]
        tensors[TENSORS[name]] = np.ascontiguousarray(getattr(model, name), dtype=np.float32)
    lockf = model._lockf()
    if lockf is not None:
        tensors["lockf"] = lockf
    history = [{k: v for k, v in entry.items() if k not in ("seconds", "words_per_s")} for entry in model.history]
    for entry in history:
        if not math.isfinite(entry["loss"]):
            entry["loss"] = None
    meta = {
        "format": "fastemb",
        "version": 1,
        "kind": KIND,
        "config": config.to_dict() | {"workers": model._requested_workers()},
        "training": {
            "train_count": model.train_count,
            "epochs_trained": model._epochs_trained,
            "corpus_count": model.corpus_count,
            "corpus_total_words": model.corpus_total_words,
            "min_alpha_yet_reached": model.min_alpha_yet_reached,
            "effective_min_count": model.effective_min_count,
            "comment": model.comment if isinstance(model.comment, str) else None,
            "total_words": vocabulary.total,
            "history": history,
            "run": model._run,
        },
    }
    native.write(path, tensors, meta)


def load(cls: type, path: Any, mmap: bool = False) -> Any:
    """The model that :func:`save` wrote to `path`."""
    return from_native(cls, *native.read(path, mmap=mmap), name=os.fspath(path), mmap=mmap)


def from_native(
    cls: type, tensors: dict[str, np.ndarray], meta: dict[str, Any], *, name: Any = "the file", mmap: bool = False
) -> Any:
    """A model of the tensors and metadata of a native file."""
    if meta.get("kind") != KIND:
        raise FormatError(
            f"{name!s} holds a {meta.get('kind', 'KeyedVectors')!s}, not a whole {KIND}: open it with fastemb.load()"
        )
    try:
        config = Word2VecConfig(**meta["config"])
        training = dict(meta["training"])
        if "vocab_ints" in tensors:
            parts: dict[str, Any] = {"int_keys": tensors["vocab_ints"]}
        else:
            parts = {}
        blob, offsets = tensors.get("vocab_bytes"), tensors.get("vocab_offsets")
        vocabulary = Vocabulary.from_parts(blob, offsets, tensors["counts"], total=training["total_words"], **parts)
        shape = (len(vocabulary), config.vector_size)
        vectors = _checked(tensors["vectors"], shape, "vectors")
        outputs = {}
        for objective in config.objectives:
            attribute = OUTPUTS[objective]
            tensor = tensors[TENSORS[attribute]]
            outputs[attribute] = _checked(tensor, (output_rows(objective, shape[0]), shape[1]), TENSORS[attribute])
        lockf = tensors.get("lockf")
        if lockf is not None:
            _checked(lockf, shape[:1], "lockf")
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{name!s} is no Word2Vec model that this version can read: {error!s}") from error
    model = cls(**config.to_dict(), comment=training["comment"])
    model._set_vocabulary(vocabulary, vectors if mmap else _writable(vectors))
    for attribute, tensor in outputs.items():
        setattr(model, attribute, tensor if mmap else _writable(tensor))
    if lockf is not None:
        model.wv.vectors_lockf = np.array(lockf)
    for entry in training["history"]:
        loss = math.nan if entry["loss"] is None else entry["loss"]
        model.history.append(entry | {"loss": loss, "seconds": None, "words_per_s": None})
    model.train_count = training["train_count"]
    model._epochs_trained = training["epochs_trained"]
    model.corpus_count = training["corpus_count"]
    model.corpus_total_words = training["corpus_total_words"]
    model.min_alpha_yet_reached = training["min_alpha_yet_reached"]
    model.effective_min_count = training["effective_min_count"]
    model._run = training["run"]
    return model


def _checked(tensor: np.ndarray, shape: tuple[int, ...], name: str) -> np.ndarray:
    if tensor.shape != shape or tensor.dtype != np.float32:
        raise ValueError(f"{name} has shape {tensor.shape} and type {tensor.dtype}, expected {shape} and float32")
    return tensor


def _writable(tensor: np.ndarray) -> np.ndarray:
    return tensor if tensor.flags.writeable else tensor.copy()
