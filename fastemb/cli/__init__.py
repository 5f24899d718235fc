"""The command line: ``fastemb COMMAND ...``.

Each module here adds one command or a few related ones: ``add_parser(commands)``, and a function that gets the parsed
arguments and returns an exit code. Nothing is computed in this package, it only parses, calls the library, and prints:
results on stdout, progress and messages on stderr.

Exit codes: 0 all went well; 1 an error in the data or the run, told in one line; 2 a wrong command line; 130 and 143
interrupted; 141 the reader of stdout went away.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence

from fastemb.cli.common import CommandError, Parser, add_common_options, one_line, show_messages

__all__ = ["main", "make_parser"]

EXPECTED = (
    CommandError,
    ValueError,
    TypeError,
    LookupError,
    OSError,
    MemoryError,
    ArithmeticError,
    ImportError,
    EOFError,
)

DESCRIPTION = """\
Word vectors: train them on text, ask them, score them, convert them.

  fastemb demo                                    see it work, on text found on this machine
  fastemb train corpus.txt.gz -o model.safetensors
  fastemb neighbors model.safetensors paris
"""


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    from fastemb import __version__
    from fastemb.cli import cooc, demo, evaluate, files, phrases, query, train

    parser = Parser(prog="fastemb", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", action="version", version=f"fastemb {__version__}")
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", title="commands", parser_class=Parser,
        description="`fastemb COMMAND --help` tells the options of a command, with examples."
    )  # fmt: skip
    for module in (demo, train, cooc, phrases, query, evaluate, files):
        module.add_parser(commands)
    for command in commands.choices.values():
        add_common_options(command)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process when not given.

    Returns
    -------
    int
        The exit code: 0, 1, 130 or 141. A wrong command line raises ``SystemExit(2)``, as argparse does.
    """
    parser = make_parser()
    args = parser.parse_args(argv)
    show_messages(logging.INFO if getattr(args, "verbose_messages", False) and not args.quiet else logging.WARNING)
    try:
        code = int(args.run(args) or 0)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt as error:
        print(f"fastemb {args.command}: interrupted", file=sys.stderr)
        return getattr(error, "exit_code", 130)
    except BrokenPipeError:
        # whoever reads stdout has seen enough; point it elsewhere so that the interpreter's last flush has no complaint
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + getattr(signal, "SIGPIPE", 13)
    except Exception as error:
        if args.traceback:
            raise
        if isinstance(error, EXPECTED):
            print(f"fastemb {args.command}: error: {one_line(error)}", file=sys.stderr)
        else:
            kind = type(error).__name__
            print(f"fastemb {args.command}: {kind}: {one_line(error)} (--traceback shows where)", file=sys.stderr)
        return 1
