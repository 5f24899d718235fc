"""English text that is found on any machine with Python: the corpus of ``fastemb demo``.

Nobody should have to download anything to see word vectors. A Python installation carries some megabytes of real
prose: docstrings, comments and messages of the standard library and of the installed packages, their README files, the
language reference that ``help()`` shows; and most systems have more of it in ``/usr/share``. :func:`sources` lists
those files in a fixed order, :func:`sentences` cleans them. Standard library only, since it has to work anywhere; a
file that cannot be read is counted and passed over. Files are read, never imported or run.
"""

from __future__ import annotations

import bz2
import gzip
import os
import re
import signal
import site
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

SYSTEM_DIRECTORIES = (
    "/usr/share/doc",
    "/usr/share/common-licenses",
    "/usr/share/man/man1",
    "/usr/share/man/man2",
    "/usr/share/man/man3",
    "/usr/share/man/man5",
    "/usr/share/man/man7",
    "/usr/share/man/man8",
    "/usr/share/perl",
    "/usr/lib/python3",
)

_PROSE = (".txt", ".rst", ".md", ".pod", ".pm")
_PLAIN_NAMES = re.compile(
    r"^(README|NEWS|FAQ|HACKING|TODO|AUTHORS|LICENSE|COPYING|NOTICE|METADATA|[A-Z]+GPL[-.\d]*)(\.gz)?$"
)
# data that calls itself text; word lists; change logs are lists of names and numbers rather than prose
_SKIP_NAMES = re.compile(
    r"(changelog|copyright|requirements|entry_points|top_level|sources|record|words|wordlist)", re.I
)
_SKIP_DIRECTORIES = {
    "__pycache__",
    "lib2to3",
    "encodings",  # tables of characters
    "idle_test",
    "locale",
    "include",
    "lib-dynload",
    "node_modules",
    "testdata",
}

_FENCE = re.compile(r"```.*?```|<[^<>\n]{1,80}>|https?://\S+|\S+@\S+\.\w+", re.S)
_ROLE = re.compile(r":[a-z:]+:`~?([^`<]*)[^`]*`")
_DOTTED = re.compile(r"\b\w+(?:[._]\w+)+\b\(?\)?")  # a.b.c, snake_case: names, not words
_ROFF = re.compile(r"\\f[A-Z(]|\\[&e|]|^\.\S+ ?|^'\S+ ?|\\\(..|\\s[-+]?\d", re.M)
_POD = re.compile(r"^=\w+ ?|[A-Z]<+\s?|>", re.M)
_SENTENCE_END = re.compile(r"(?<=[a-z)\"'`\]]{2})[.!?](?=[\s\"')\]]|$)|[;:](?=\s)|\n\s*\n|\n\s*(?:[-*+]|\d+\.)\s")
_WORD = re.compile(r"[a-z]+(?:['’][a-z]+)?")
_TOKEN = re.compile(  # a comment, or a string in one of its four kinds of quotes
    r"""#([^\n]*)"""
    r"""|\"{3}([^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*)\"{3}|'{3}([^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*)'{3}"""
    r"""|"([^"\\\n]*(?:\\.[^"\\\n]*)*)"|'([^'\\\n]*(?:\\.[^'\\\n]*)*)'""",
    re.S,
)
_ESCAPE = re.compile(r"\\(.)", re.S)
_STRING_WORDS = re.compile(r"[A-Za-z]{2,} [a-z]+ [a-z]+")
MIN_WORDS = 4  # shorter pieces are headings, signatures, lists of names


@dataclass
class Found:
    """What a walk over the machine's text gave."""

    files: int = 0
    unreadable: int = 0
    bytes_read: int = 0
    sentences: int = 0
    duplicates: int = 0
    words: int = 0
    by_source: dict[str, int] = field(default_factory=dict)  # words from each kind of source


def sources(system: bool = True) -> list[tuple[str, str]]:
    """List the text files of this machine.

    Parameters
    ----------
    system : bool, default True
        Also look outside Python: documentation, licences, manual pages and Perl's pods under ``/usr/share``.

    Returns
    -------
    list of (kind, path)
        Sorted within each kind; kinds in the order standard library, installed packages, system.
    """
    paths = sysconfig.get_paths()
    library = [paths["stdlib"], paths["platstdlib"]]
    packages = [paths["purelib"], paths["platlib"]]
    try:
        packages += site.getsitepackages()
    except AttributeError:  # some embedded Pythons have no such function
        pass
    roots = [("standard library", library), ("installed packages", packages)]
    if system:
        roots.append(("system", list(SYSTEM_DIRECTORIES)))
    result: list[tuple[str, str]] = []
    seen: set[str] = set()
    for kind, directories in roots:
        for directory in directories:
            result += ((kind, path) for path in _walk(os.path.realpath(directory), seen, kind))
    return result


def _walk(directory: str, seen: set[str], kind: str) -> Iterator[str]:
    if directory in seen:
        return
    seen.add(directory)
    stack = [directory]
    while stack:
        here = stack.pop()
        try:
            entries = sorted(os.scandir(here), key=lambda e: e.name)
        except OSError:
            continue
        below = []
        for entry in entries:
            try:
                if entry.is_dir(follow_symlinks=False):
                    foreign = kind == "standard library" and entry.name in ("site-packages", "dist-packages")
                    if not foreign and entry.name not in _SKIP_DIRECTORIES:
                        below.append(entry.path)
                elif entry.is_file(follow_symlinks=False) and _wanted(entry.name):
                    yield entry.path
            except OSError:
                continue
        stack += [path for path in reversed(below) if path not in seen]
        seen.update(below)


def _wanted(name: str) -> bool:
    if _SKIP_NAMES.search(name):
        return False
    stem = name[:-3] if name.endswith(".gz") else name
    return stem.endswith((".py", *_PROSE)) or bool(_PLAIN_NAMES.match(name)) or bool(re.search(r"\.[1-8][a-z]*$", stem))


def _read(path: str, limit: int = 4 << 20) -> str:
    """The file's first `limit` bytes as text."""
    opener = gzip.open if path.endswith(".gz") else bz2.open if path.endswith(".bz2") else open
    with opener(path, "rb") as file:
        return file.read(limit).decode("utf-8", "replace")  # type: ignore[no-any-return]


def python_prose(source: str) -> Iterator[str]:
    """Yield the comments and the prose strings (docstrings, help texts, messages) of a Python source text, in order.

    A regular expression tells strings from comments, several times faster than a parser and indifferent to the
    version of the language. Neighbours with only white space between them, such as the lines of a comment, are one
    piece.
    """
    block: list[str] = []
    end = 0
    for match in _TOKEN.finditer(source):
        if block and not source[end : match.start()].isspace():
            yield "".join(block)
            block = []
        end = match.end()
        comment, *strings = match.groups()
        if comment is not None:
            if not comment.startswith(("!", " -*-", " type:", " noqa", ":", " pylint:", " pragma:")):
                block.append(comment.lstrip("#") + "\n")
        else:
            text = next(string for string in strings if string is not None)
            if _STRING_WORDS.search(text):
                block.append(_ESCAPE.sub(lambda m: "\n" if m[1] == "n" else m[1] if m[1] in "'\"" else " ", text))
    if block:
        yield "".join(block)


def prose(path: str) -> Iterator[str]:
    """Yield the prose of a file, in pieces, markup removed as far as its kind is known by the name."""
    text = _read(path)
    name = path[:-3] if path.endswith(".gz") else path
    if name.endswith(".py"):
        yield from python_prose(text)
    elif re.search(r"\.[1-8][a-z]*$", name):
        yield _ROFF.sub(
            "", "\n".join(line for line in text.splitlines() if not line.startswith(('.\\"', "'\\\"", ".TH")))
        )
    elif name.endswith((".pod", ".pm")):
        for piece in re.findall(r"^=(?:head|item|over|pod|encoding|begin).*?(?=^=cut|\Z)", text, re.M | re.S):
            yield _POD.sub("", piece)
    else:
        yield text


def clean(text: str) -> Iterator[str]:
    """Yield the sentences of a text: lower-case words separated by one space.

    Lines that are code (doctest prompts, options, tables) go, names with dots or underscores go, and so does what is
    shorter than `MIN_WORDS` words.
    """
    text = _FENCE.sub(" ", _ROLE.sub(r"\1", text))
    kept = [
        line for line in text.splitlines() if not line.lstrip().startswith((">>>", "...", "$ ", "% ", "|", "import "))
    ]
    for piece in _SENTENCE_END.split("\n".join(kept)):
        words = _WORD.findall(_DOTTED.sub(" ", piece).lower())
        if len(words) >= MIN_WORDS and 2 * sum(map(len, words)) > len(piece.split()) + len("".join(piece.split())):
            yield " ".join(words).replace("’", "'")


def read(files: Sequence[tuple[str, str]]) -> list[tuple[str, int, list[str]]]:
    """Kind, size and sentences of each file; the size is -1 where it could not be read."""
    result = []
    for kind, path in files:
        try:
            pieces = [sentence for piece in prose(path) for sentence in clean(piece)]
            result.append((kind, os.path.getsize(path), pieces))
        except (OSError, EOFError, ValueError, MemoryError):
            result.append((kind, -1, []))
    return result


def sentences(
    files: Sequence[tuple[str, str]],
    *,
    max_words: int | None = None,
    workers: int = 1,
    found: Found | None = None,
    progress: Callable[[Found], None] | None = None,
) -> Iterator[str]:
    """Yield each distinct sentence of `files` once, in the order of the files, for any number of workers.

    Parameters
    ----------
    files : sequence of (kind, path)
        From :func:`sources`.
    max_words : int, optional
        Stop after the file that brings the total to this many words.
    workers : int, default 1
        Processes that read. Where processes cannot be had, one does it.
    found : Found, optional
        Filled with what was read.
    progress : callable, optional
        Called with `found` now and then.
    """
    found = Found() if found is None else found
    seen: set[str] = set()
    batches = _parallel(files, workers) if workers > 1 else map(read, _batches(files))
    try:
        for batch in batches:
            for kind, size, pieces in batch:
                if max_words is not None and found.words >= max_words:
                    return
                found.files += 1
                found.unreadable += size < 0
                found.bytes_read += max(0, size)
                for sentence in pieces:
                    if sentence in seen:  # copies of a file, licences, recurring phrases
                        found.duplicates += 1
                        continue
                    seen.add(sentence)
                    words = sentence.count(" ") + 1
                    found.sentences += 1
                    found.words += words
                    found.by_source[kind] = found.by_source.get(kind, 0) + words
                    yield sentence
            if progress is not None:
                progress(found)
    finally:
        if hasattr(batches, "close"):
            batches.close()  # ends the processes of an early return


def _batches(files: Sequence[tuple[str, str]], length: int = 16) -> Iterator[Sequence[tuple[str, str]]]:
    return (files[i : i + length] for i in range(0, len(files), length))


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle


def _parallel(files: Sequence[tuple[str, str]], workers: int) -> Iterator[list[tuple[str, int, list[str]]]]:
    """The batches, read by `workers` processes, in order."""
    try:
        from multiprocessing import Pool

        pool = Pool(workers, _ignore_interrupts)
    except (ImportError, OSError):  # a Python or a system without semaphores
        yield from map(read, _batches(files))
        return
    with pool:
        yield from pool.imap(read, _batches(files))
