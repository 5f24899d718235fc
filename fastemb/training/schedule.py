"""Learning-rate schedules and the cutting of a corpus into pieces of work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

PIECES_PER_WORKER = 16  # per epoch, so that the last piece of the slowest worker is at most ~1/16 of its share
MIN_PIECE = 8192  # tokens; shorter ones would be dominated by the claim of a piece
MAX_PIECE = 1 << 17  # tokens; ~20-50 ms of work and 512 kB of ids, so it stays in L2 and reacts to signals
MIN_HALO = 65536  # tokens of context on either side of a cut sentence


@dataclass(frozen=True)
class LinearSchedule:
    """Learning rate falling linearly over the whole run, by the position of a token in it.

    Parameters
    ----------
    start, end : float
        Rates at the first and after the last token of the run.
    epochs, tokens : int
        Length of the run: `epochs` passes over `tokens` tokens.
    """

    start: float
    end: float
    epochs: int
    tokens: int

    def at(self, epoch: int, position: int) -> float:
        """The rate at token `position` of `epoch` (counted from 0)."""
        done = (epoch * self.tokens + position) / max(1, self.epochs * self.tokens)
        return self.start + (self.end - self.start) * min(1.0, done)


class Piece(NamedTuple):
    """A run of tokens that one worker trains without coming back to Python."""

    begin: int  # the centre words are tokens begin:end
    end: int
    low: int  # tokens low:high are needed as context, low <= begin, end <= high
    high: int
    sentence: int  # the sentence that holds token `begin`


class Plan:
    """The pieces of one epoch, in order: whole sentences, except where a sentence is longer than a piece.

    A sentence that is cut is read with a halo of ``max(65536, 16 * window)`` tokens on either side of the piece
    (within the sentence), since subsampling lets a window reach over dropped words.

    Parameters
    ----------
    offsets : int64 array (S + 1,)
        Sentence ``s`` is tokens ``offsets[s]:offsets[s + 1]``.
    workers, window : int
        What the run will use.
    start : int, optional
        The first token to train: an epoch that was interrupted goes on from here.

    Examples
    --------
    >>> plan = Plan(np.array([0, 6000, 12000, 18000]), workers=1, window=5)
    >>> [tuple(plan.piece(i)[:2]) for i in range(len(plan))]
    [(0, 12000), (12000, 18000)]
    """

    def __init__(self, offsets: np.ndarray, *, workers: int, window: int, start: int = 0) -> None:
        self.offsets = offsets
        self.tokens = int(offsets[-1]) if len(offsets) else 0
        self.halo = max(MIN_HALO, 16 * window)
        self.size = min(MAX_PIECE, max(MIN_PIECE, self.tokens // (PIECES_PER_WORKER * workers)))
        targets = np.arange(self.size, self.tokens, self.size, dtype=np.int64)
        # the sentence that holds the last token before each target; its end is where the piece ends
        sentence = np.searchsorted(offsets, targets - 1, side="right") - 1
        begins, ends = offsets[sentence], offsets[sentence + 1]
        cuts = np.where(ends - begins > self.size, targets, ends)
        bounds = np.concatenate([cuts, [start, self.tokens]])
        self.bounds = np.unique(bounds[bounds >= start]).astype(np.int64)  # also sorts

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def piece(self, i: int) -> Piece:
        """Piece number `i`."""
        begin, end = int(self.bounds[i]), int(self.bounds[i + 1])
        first = int(np.searchsorted(self.offsets, begin, side="right")) - 1
        last = int(np.searchsorted(self.offsets, end - 1, side="right")) - 1
        low = max(int(self.offsets[first]), begin - self.halo)
        high = min(int(self.offsets[last + 1]), end + self.halo)
        return Piece(begin, end, low, high, first)

    @property
    def capacity(self) -> int:
        """Tokens a buffer must hold to take any piece with its halo."""
        if len(self) == 0:
            return 0
        begins, ends = self.bounds[:-1], self.bounds[1:]
        first = np.searchsorted(self.offsets, begins, side="right") - 1
        last = np.searchsorted(self.offsets, ends - 1, side="right") - 1
        low = np.maximum(self.offsets[first], begins - self.halo)
        high = np.minimum(self.offsets[last + 1], ends + self.halo)
        return int((high - low).max())
