"""Words close to one that is not there, and the error that names them."""

from __future__ import annotations

import difflib
import string
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Any

_SCANNED = 200_000  # words looked through, the first ones: the most frequent in a sorted vocabulary
_COMPARED = 400  # words compared letter by letter
_LONGEST = 40  # longer words are not spelled wrong, they are something else


class UnknownKeyError(KeyError):
    """A key that the vectors do not hold: a ``KeyError`` whose message is shown without quotes around it."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


def close_words(word: str, keys: Sequence[Any], row_of: Callable[[str], int], limit: int = 3) -> list[str]:
    """Up to ``limit`` keys that the word may have been meant to be, likeliest first.

    First other forms of the same letters (case, surrounding white space, Unicode composition), then everything one edit
    away (Damerau's four kinds), most frequent first, then the most similar of the words with the same beginning or end
    and about the same length. Looks at a bounded number of words, so that an error costs milliseconds with any
    vocabulary.

    Parameters
    ----------
    word : str
    keys : sequence
        All keys; integers among them are passed over.
    row_of : callable
        Row of a key, -1 if it is none.
    limit : int

    Returns
    -------
    list of str

    Examples
    --------
    >>> table = {"paris": 0, "london": 1, "lisbon": 2}
    >>> close_words("Pariss", list(table), lambda w: table.get(w, -1))
    ['paris']
    """
    if not word or len(word) > _LONGEST:
        return []
    stripped = word.strip()
    forms: tuple[str, ...] = (stripped, stripped.lower(), stripped.capitalize(), stripped.upper(), stripped.casefold())
    forms += tuple(unicodedata.normalize(form, w) for form in ("NFC", "NFD") for w in forms[:2])
    found = [w for w in dict.fromkeys(forms) if row_of(w) >= 0]
    if len(found) < limit:
        letters = set(string.ascii_lowercase).union(*(k for k in keys[:500] if isinstance(k, str)), stripped)
        rows = {w: row_of(w) for base in dict.fromkeys(forms[:2]) for w in _one_edit(base, letters)}
        found += sorted((w for w, row in rows.items() if row >= 0 and w not in found), key=rows.__getitem__)
    if len(found) < limit:
        found += _similar(stripped.lower(), keys, set(found), limit - len(found))
    return found[:limit]


def _one_edit(word: str, letters: Iterable[str]) -> set[str]:
    splits = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    edits = {a + b[1:] for a, b in splits if b}
    edits |= {a + b[1] + b[0] + b[2:] for a, b in splits if len(b) > 1}
    for letter in letters:
        edits |= {a + letter + b for a, b in splits}
        edits |= {a + letter + b[1:] for a, b in splits if b}
    return edits - {word, ""}


def _similar(word: str, keys: Sequence[Any], known: set[str], limit: int) -> list[str]:
    if len(word) < 3:
        return []
    slack = max(2, len(word) // 4)
    lengths = range(len(word) - slack, len(word) + slack + 1)
    head, tail = word[: 2 if len(word) < 6 else 3], word[-3:]
    candidates = []
    for key in keys[:_SCANNED]:
        if isinstance(key, str) and (key.startswith(head) or key.endswith(tail)) and len(key) in lengths:
            if key not in known:
                candidates.append(key)
                if len(candidates) == _COMPARED:
                    break
    return difflib.get_close_matches(word, candidates, n=limit, cutoff=0.75)


def unknown_key(
    key: Any, keys: Sequence[Any], row_of: Callable[[Any], int], dropped_count: int | None, min_count: int | None
) -> UnknownKeyError:
    """The error for a key that is not there: what is wrong, and what may have been meant.

    Parameters
    ----------
    key : object
    keys : sequence
    row_of : callable
    dropped_count : int or None
        How often the corpus had the word, where that is known.
    min_count : int or None
    """
    message = f"{key!r} is not in the vocabulary of {len(keys):,} keys"
    if dropped_count:
        rare = min_count is not None and dropped_count < min_count
        message += f"; its count was {dropped_count:,}, " + (
            f"min_count is {min_count:,}" if rare else "too few to be kept"
        )
    if isinstance(key, str):
        close = close_words(key, keys, row_of)
        if close:
            *others, last = map(repr, close)
            message += "; did you mean " + (", ".join(others) + " or " if others else "") + last + "?"
        elif key.strip().lstrip("-").isdecimal() and row_of(int(key)) >= 0:
            message += f"; the keys are integers: did you mean {int(key)} without quotes?"
    elif row_of(str(key)) >= 0:
        message += f"; did you mean the string {str(key)!r}?"
    elif 0 <= key < len(keys):
        message += f"; integers are keys, never positions: row {key} is vectors[{key}], its key index_to_key[{key}]"
    return UnknownKeyError(message)
