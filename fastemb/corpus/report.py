"""What reading a corpus came to, and the errors reading it can end in."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CorpusChangedError", "CorpusNotFoundError", "CorpusReport", "EmptyCorpusError"]


class EmptyCorpusError(ValueError):
    """There is not one token in the corpus."""


class CorpusNotFoundError(FileNotFoundError, ValueError):
    """A string given as corpus names no file, directory or glob match. Both a ``ValueError`` and a
    ``FileNotFoundError``."""


class CorpusChangedError(OSError):
    """A corpus or cache file changed (size, modification time or content) between or during reads."""


@dataclass(frozen=True)
class CorpusReport:
    """Every token that was read is accounted for here.

    ``tokens_read == tokens_kept + tokens_oov``; ``types`` counts the different words read, ``types_dropped`` those of
    them that are not in the vocabulary. ``bytes_read`` is bytes of text after decompression (0 for Python objects).
    ``sentences`` counts sentences with at least one token, of which ``sentences_dropped`` had no word of the
    vocabulary; ``sentences_split`` is how many extra sentences a ``max_sentence_length`` of the reader made.
    """

    bytes_read: int = 0
    sentences: int = 0
    empty_sentences: int = 0
    sentences_dropped: int = 0
    sentences_split: int = 0
    tokens_read: int = 0
    tokens_kept: int = 0
    tokens_oov: int = 0
    types: int = 0
    types_dropped: int = 0
    invalid_utf8_tokens: int = 0
    seconds: float = 0.0
    most_frequent: tuple[str | int, int] | None = None
    files: int = 0

    def __str__(self) -> str:
        rate = self.tokens_read / self.seconds / 1e6 if self.seconds > 0 else 0.0
        text = (
            f"{self.tokens_read:,} tokens in {self.sentences:,} sentences, {self.types:,} different words, "
            f"{self.types - self.types_dropped:,} kept ({self.tokens_kept:,} tokens, {self.tokens_oov:,} out of "
            f"vocabulary); {self.seconds:.2f} s, {rate:.1f} M words/s"
        )
        if self.invalid_utf8_tokens:
            text += f"; {self.invalid_utf8_tokens:,} tokens are not valid UTF-8"
        return text
