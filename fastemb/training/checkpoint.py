"""Saving a model while it trains, and knowing the corpus again when training goes on."""

from __future__ import annotations

import logging
import os
import time
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from fastemb.formats import atomic

logger = logging.getLogger("fastemb")

SHARE = 0.05  # of the time of training, at most, goes into checkpoints between epochs
BLOCK, BLOCKS = 4096, 64  # tokens of a block, and blocks, that a corpus is known by


def corpus_identity(corpus: Any) -> int:
    """A checksum of the length, the sentences and evenly spaced blocks of a corpus: another text or vocabulary gives "
    "another one."""
    tokens, offsets = corpus.num_tokens, corpus.offsets
    crc = zlib.crc32(np.array([tokens, len(offsets), len(corpus.vocabulary)], np.int64).tobytes())
    for start in np.unique(np.linspace(0, max(0, tokens - BLOCK), BLOCKS).astype(np.int64)).tolist():
        end = min(tokens, start + BLOCK)
        crc = zlib.crc32(corpus.read(start, end, out=np.empty(end - start, np.int32)).tobytes(), crc)
    for start in np.unique(np.linspace(0, max(0, len(offsets) - BLOCK), BLOCKS).astype(np.int64)).tolist():
        crc = zlib.crc32(np.ascontiguousarray(offsets[start : start + BLOCK]).tobytes(), crc)
    return crc


class Checkpoint:
    """A file that always holds the model as it was not long ago.

    Parameters
    ----------
    path : path
        Overwritten as a whole or not at all.
    save : callable
        Writes the model there.
    need : int
        Bytes that the file will take.

    Raises
    ------
    OSError
        The path cannot be written, or the disk is too small: told now, not after hours.
    """

    def __init__(self, path: Any, save: Callable[[Any], None], need: int) -> None:
        self.path, self.save = os.fspath(path), save
        atomic.check_writable(self.path, need)
        self.written = time.monotonic()
        self.cost = 0.0

    def after_epoch(self) -> None:
        """Write the model, unless the last time is too near for what writing costs."""
        now = time.monotonic()
        if self.cost <= SHARE * (now - self.written):
            self.write()

    def write(self) -> None:
        """Write the model."""
        began = time.monotonic()
        self.save(self.path)
        self.written = time.monotonic()
        self.cost = self.written - began
        logger.info("checkpoint written to %s (%.1f s)", self.path, self.cost)

    def rescue(self) -> bool:
        """Write the model while an error is on its way to the user, which a failure here must not hide."""
        try:
            self.write()
        except Exception as error:
            logger.error("the checkpoint %s could not be written: %s", self.path, error)
            return False
        return True
