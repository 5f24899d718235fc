"""The models that ``fastemb train`` trains in epochs: which options are theirs, what they read, what they count."""

from __future__ import annotations

import os
import struct
from typing import Any

VOCABULARY = ("min_count", "max_final_vocab", "max_vocab_size", "sorted_vocab")


class Word2VecKind:
    """``--model word2vec``."""

    unit, rate = "words", "alpha"
    options = (
        "algorithm", "loss", "sg", "hs", "vector_size", "window", "negative", "ns_exponent", "cbow_mean",
        "shrink_windows", "epochs", "alpha", "min_alpha", "sample", "seed", "workers", "init", "freeze", "cache",
        "max_memory", *VOCABULARY,
    )  # fmt: skip

    def make(self, keywords: dict[str, Any]) -> Any:
        """A model of these parameters, without words."""
        from fastemb import Word2Vec

        return Word2Vec(**keywords)

    def prepare(self, model: Any, source: Any, resume: bool, progress: Any) -> Any:
        """Read the corpus; what ``model.train`` is to be given."""
        if resume:
            return source
        model.build_vocab(source, progress=progress)
        return None

    def estimate(self, model: Any, words: int) -> int:
        """Bytes of a native file, roughly."""
        return words * model.vector_size * 4 * (1 + bool(model.hs) + bool(model.negative))


class GloveKind:
    """``--model glove``."""

    unit, rate = "cells", "eta"
    options = (
        "vector_size", "window", "epochs", "sample", "seed", "workers", "init", "cache", "max_memory", "x_max",
        "exponent", "eta", "symmetric", "weighting", "combine", "grad_clip", "min_count", "max_final_vocab",
    )  # fmt: skip

    def make(self, keywords: dict[str, Any]) -> Any:
        """A model of these parameters, without words."""
        from fastemb import Glove

        return Glove(**keywords)

    def prepare(self, model: Any, source: Any, resume: bool, progress: Any) -> Any:
        """Count the corpus, or open the counts; what ``model.train`` is to be given."""
        from fastemb import Cooccurrence

        if isinstance(source, str) and is_counts(source):
            return Cooccurrence.load(source, mmap=True)
        return model.count(source, progress=progress)

    def estimate(self, model: Any, words: int) -> int:
        """Bytes of a native file, roughly."""
        return words * (model.vector_size + 1) * 4 * 6


KINDS: dict[str, Any] = {"word2vec": Word2VecKind(), "glove": GloveKind()}


def kind_of(model: Any) -> Any:
    """What trains a model that was loaded."""
    return KINDS[type(model).__name__.lower()]


def is_counts(path: str) -> bool:
    """Whether a file holds co-occurrence counts; told from its header."""
    try:
        if not os.path.isfile(path):
            return False
        with open(path, "rb") as file:
            lead = file.read(8)
            if len(lead) < 8:
                return False
            (length,) = struct.unpack("<Q", lead)
            if not 2 <= length <= 1 << 24:
                return False
            header = file.read(length)
    except OSError:
        return False
    return header[:1] == b"{" and b"__metadata__" in header and b"Cooccurrence" in header
