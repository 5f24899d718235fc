"""What the commands share: their parser, tables, JSON, reading words, error texts."""

from __future__ import annotations

import argparse
import difflib
import json
import logging
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any, NoReturn

FORMATS = ("native", "word2vec", "word2vec-text", "glove")
# what the end of a file's name says; everything else is native
SUFFIXES = {
    ".bin": "word2vec",
    ".txt": "word2vec-text",
    ".vec": "word2vec-text",
    ".w2v": "word2vec-text",
    ".glove": "glove",
}


class CommandError(Exception):
    """An error of the run that the command explains itself."""


class Parser(argparse.ArgumentParser):
    """An argument parser that takes no abbreviations and tells an unknown option's likely name."""

    def __init__(self, **keywords: Any) -> None:
        keywords.setdefault("allow_abbrev", False)
        super().__init__(**keywords)

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """Parse; what is left over ends with a usage error that names the option that was probably meant."""
        parsed, rest = self.parse_known_args(args, namespace)
        command = getattr(parsed, "command_parser", self)
        more = getattr(parsed, "overflow", None)
        if rest and more and all(word == "-" or not word.startswith("-") for word in rest):
            # argparse ends a list of positional arguments at the first option; `neighbors FILE -k 5 paris` is fine too
            getattr(parsed, more).extend(rest)
        elif rest:
            command.error(command.explain_unknown(rest))
        return parsed

    def explain_unknown(self, rest: Sequence[str]) -> str:
        """Say which arguments are unknown and what they may have been."""
        known = [option for action in self._actions for option in action.option_strings]
        parts = []
        for argument in rest:
            if not argument.startswith("-") or argument == "-":
                parts.append(argument)
                continue
            name = argument.split("=")[0]
            renamed = "--" + _renamed(name.lstrip("-")).replace("_", "-")
            close = [renamed] if renamed in known else difflib.get_close_matches(name, known, 1)
            parts.append(f"{argument} (did you mean {close[0]}?)" if close else argument)
        return "unrecognized arguments: " + ", ".join(parts)

    def error(self, message: str) -> NoReturn:
        """Print the usage and `message`; exit with code 2."""
        self.print_usage(sys.stderr)
        self.exit(2, f"{self.prog}: error: {message}\n")


def _renamed(name: str) -> str:
    from fastemb.training.config import RENAMED

    return RENAMED.get(name, RENAMED.get(name.replace("-", "_"), ""))


def add_command(
    commands: Any, name: str, summary: str, description: str, examples: str, run: Any
) -> argparse.ArgumentParser:
    """Add the parser of one command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog="examples:\n" + examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run, command_parser=parser)
    return parser


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """The options that every command has."""
    group = parser.add_argument_group("output")
    group.add_argument("--json", action="store_true", help="print the result as JSON")
    group.add_argument("--traceback", action="store_true", help="show where an error comes from")


def add_load_options(parser: argparse.ArgumentParser) -> None:
    """The positional FILE that holds vectors."""
    parser.add_argument(
        "file", metavar="FILE", help="vectors or model, of any format that fastemb reads; told from its bytes"
    )


def load_vectors(path: str) -> Any:
    """The KeyedVectors in `path`, be it vectors or a model."""
    import fastemb

    if path == "-":
        raise CommandError("vectors cannot be read from stdin: give the name of a file")
    loaded = fastemb.load(path)
    return getattr(loaded, "wv", loaded)


def format_of(path: str, wanted: str | None) -> str:
    """The format to write `path` in: the one asked for, else the one its suffix means."""
    return wanted or SUFFIXES.get(os.path.splitext(path)[1].lower(), "native")


def read_words(names: Sequence[str], stream: IO[str] | None = None) -> Iterator[str]:
    """The words given as arguments; a ``-`` among them stands for the lines of stdin."""
    for name in names:
        if name == "-":
            for line in stream or sys.stdin:
                if line.strip():
                    yield line.strip()
        else:
            yield name


def key(vectors: Any, word: str) -> Any:
    """`word` as a key of `vectors`: an int where the keys are ints."""
    first = next(iter(vectors.index_to_key), None)
    if isinstance(first, int):
        try:
            return int(word)
        except ValueError:
            raise CommandError(f"the keys of these vectors are integers, got {word!r}") from None
    return word


def one_line(error: BaseException) -> str:
    """The message of `error` in one line that can be printed anywhere."""
    if isinstance(error, KeyError) and error.args:
        text = str(error.args[0])
    elif isinstance(error, OSError) and error.strerror and error.filename is not None:
        name = error.filename if isinstance(error.filename, int) else os.fsdecode(error.filename)
        text = f"{name}: {error.strerror}"
    else:
        text = str(error) or type(error).__name__
    return printable(" ".join(text.split()))


def printable(text: str) -> str:
    """`text` with what stderr cannot show (surrogates of invalid UTF-8, an ASCII terminal) escaped."""
    encoding = sys.stderr.encoding or "ascii"
    return text.encode(encoding, "backslashreplace").decode(encoding, "replace")


def write(text: str = "") -> None:
    """Print a line of data on stdout; words that are no valid UTF-8 come out as the bytes they were."""
    try:
        print(text)
    except UnicodeEncodeError:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape") + b"\n")


def write_json(value: Any) -> None:
    """Print `value` as JSON on stdout, NumPy numbers included."""
    print(json.dumps(value, indent=1, default=_plain, ensure_ascii=True))


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):  # NumPy numbers and arrays
        return value.tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "__dataclass_fields__"):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    return str(value)


def note(text: str = "") -> None:
    """Print a message for people on stderr, over what is left of a progress line."""
    clear = "\r\x1b[K" if sys.stderr.isatty() else ""
    print(clear + printable(text), file=sys.stderr, flush=True)


class _Messages(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        note(("warning: " if record.levelno >= logging.WARNING else "") + self.format(record))


def show_messages(level: int = logging.WARNING) -> None:
    """Let what the library logs appear on stderr, from `level` on."""
    logger = logging.getLogger("fastemb")
    logger.setLevel(level)
    if not any(isinstance(handler, _Messages) for handler in logger.handlers):
        logger.addHandler(_Messages())


def table(rows: Iterable[Sequence[Any]], header: Sequence[str] = ()) -> list[str]:
    """Lines of a table; numbers to the right, text to the left."""
    cells = [list(header)] if header else []
    numeric: list[bool] = []
    for row in rows:
        numeric = numeric or [isinstance(value, (int, float)) for value in row]
        cells.append([number(value) for value in row])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    numeric = numeric or [False] * len(widths)
    return [
        "  ".join(c.rjust(w) if n else c.ljust(w) for c, w, n in zip(row, widths, numeric, strict=True)).rstrip()
        for row in cells
    ]


def number(value: Any) -> str:
    """`value` for people: thousands separated, four digits behind the point."""
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


def size(count: float) -> str:
    """`count` bytes for people."""
    unit = "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if count < 1000:
            break
        count, unit = count / 1000, larger
    return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"


def rate(count: float) -> str:
    """`count` (words a second) for people: ``"2.31 M"``."""
    return f"{count / 1e6:.2f} M" if count >= 1e6 else f"{count / 1e3:.0f} k" if count >= 1e4 else f"{count:.0f}"


def width() -> int:
    """Columns of the terminal."""
    return shutil.get_terminal_size((100, 24)).columns
