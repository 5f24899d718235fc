"""Text in, text out: lines with phrases joined, block by block, in C."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ._corpus import encode_word
from ._phrases import TextMatcher
from .memory import resolve_workers
from .ordered import ordered
from .readers import damage_errors, open_text
from .sources import expand

__all__ = ["join_text"]

BLOCK = 1 << 22  # bytes of text a task, more where a line is longer


def _text_matcher(model: Any) -> TextMatcher:
    if any(c in model.delimiter for c in " \t\n\v\f\r"):
        raise ValueError(
            f"the delimiter {model.delimiter!r} is white space, which in a text would take the phrases apart again"
        )
    matcher, index, phrases = model._token_matcher()
    growth = len(encode_word(model.delimiter)) - 1
    return TextMatcher(matcher, [encode_word(w) for w in index], [encode_word(p) for p in phrases], growth)


def _blocks(paths: Sequence[str], block: int) -> Iterator[np.ndarray]:
    """The text of the files in pieces of whole lines; a last line without a line end gets one."""
    damage: tuple[type[BaseException], ...] = (*damage_errors(), OSError)
    for path in paths:
        with open_text(path) as text:
            rest = b""
            try:
                while piece := text.read(block):
                    cut = piece.rfind(b"\n") + 1
                    if cut:
                        yield np.frombuffer(rest + piece[:cut], np.uint8)
                        rest = piece[cut:]
                    else:
                        rest += piece
            except damage as error:
                if isinstance(error, OSError) and error.errno is not None:
                    raise
                raise ValueError(f"{path!r}: damaged or cut compressed file ({error})") from error
            if rest:
                yield np.frombuffer(rest + b"\n", np.uint8)


def join_text(
    models: Sequence[Any], source: Any, file: Any, *, workers: int | None = None, progress: Any = None
) -> dict[str, int]:
    """Write text with its phrases joined to a binary file.

    Parameters
    ----------
    models : sequence of Phrases or FrozenPhrases
        Applied one after the other: bigrams, then trigrams.
    source : path, glob, directory, ``"-"``, or list of those
        Text, plain or compressed. Lines stay lines, empty ones too; words are separated by one space.
    file : binary file object
    workers : int, optional
    progress : callable, optional
        Called now and then with ``dict(phase="join", tokens=, phrases=)``.

    Returns
    -------
    dict
        ``tokens`` read, ``phrases`` joined.

    Examples
    --------
    >>> import io, os, tempfile
    >>> from fastemb import Phrases
    >>> path = os.path.join(tempfile.mkdtemp(), "text")
    >>> _ = open(path, "w").write("new york\\n\\nnew  york city\\n")
    >>> out = io.BytesIO()
    >>> join_text([Phrases(path, min_count=1, threshold=0.5)], path, out)
    {'tokens': 5, 'phrases': 2}
    >>> out.getvalue()
    b'new_york\\n\\nnew_york city\\n'
    """
    for model in models:
        if model._customised():
            raise TypeError(f"{model} decides by its own score_candidate(), which text is not joined by")
    matchers = [_text_matcher(model) for model in models]
    names = source if isinstance(source, (list, tuple)) else [source]
    paths = [path for name in names for path in expand(name)]

    def one(text: Any) -> tuple[Any, int, int]:
        tokens = joined = 0
        for i, matcher in enumerate(matchers):
            text, read, found = matcher.text(text)
            tokens, joined = (read if i == 0 else tokens), joined + found
        return text, tokens, joined

    tokens = joined = 0
    for text, read, found in ordered(one, _blocks(paths, BLOCK), resolve_workers(workers)):
        file.write(text)
        tokens, joined = tokens + read, joined + found
        if progress is not None:
            progress({"phase": "join", "tokens": tokens, "phrases": joined})
    return {"tokens": tokens, "phrases": joined}
