"""``fastemb cooc``: co-occurrence counts of a text, or the sum of several."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fastemb.cli.common import CommandError, add_command, note, number, rate, size, write_json
from fastemb.cli.train import VOCABULARY, add_vocabulary_options, check_output, keywords, memory, option, source_of

EXAMPLES = """\
  fastemb cooc corpus.txt.gz -o counts.safetensors
  fastemb cooc corpus.txt -o counts.safetensors --window 5 --weighting linear --max-memory 500M
  fastemb cooc part2.txt -o part2.safetensors --vocabulary words.tsv
  fastemb cooc --merge part1.safetensors part2.safetensors -o counts.safetensors

The file is read by fastemb.Cooccurrence.load, and GloVe, PPMI and LSA train on it.
"""

COUNTING = ("window", "weighting", "sample", "seed", "workers", "max_memory")


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "cooc",
        "count how often words stand near each other",
        "Count the co-occurrences of the words of a text, exactly, in as little memory as asked for, and save them.",
        EXAMPLES,
        run,
    )
    parser.add_argument(
        "corpus", metavar="CORPUS", nargs="+", help="text file, quoted glob, directory, or - for stdin; files of "
        "counts with --merge",
    )  # fmt: skip
    parser.set_defaults(overflow="corpus", verbose_messages=True)
    parser.add_argument("-o", "--output", metavar="FILE", required=True, help="where to save")
    parser.add_argument("--merge", action="store_true", help="add up files of counts, also of different vocabularies")
    group = parser.add_argument_group("counting")
    option(group, "--window", int, "N", "largest distance of a context word (default: 10)")
    group.add_argument("--left", action="store_true", help="contexts to the left only (default: on both sides)")
    group.add_argument(
        "--weighting",
        choices=("harmonic", "linear", "flat"),
        help="what a pair at distance d counts: 1/d, (N + 1 - d)/N or 1 (default: harmonic)",
    )
    option(group, "--sample", float, "X", "subsampling threshold of frequent words (default: 0, none)")
    option(group, "--seed", int, "N", "seed of the subsampling (default: 1)")
    words = parser.add_argument_group("vocabulary")
    add_vocabulary_options(words)
    words.add_argument(
        "--vocabulary", metavar="FILE", help="count these words: lines of a word, white space and its count, as "
        "`fastemb vocab` writes them",
    )  # fmt: skip
    run_group = parser.add_argument_group("run")
    option(run_group, "--workers", int, "N", "threads (default: every core); the counts do not depend on it")
    run_group.add_argument(
        "--max-memory", metavar="SIZE", type=memory, help="memory to use, such as 500M or 4G; what needs more goes to "
        "temporary files (TMPDIR)",
    )  # fmt: skip
    run_group.add_argument("-q", "--quiet", action="store_true", help="no progress and no summary on stderr")


def read_vocabulary(path: str) -> Any:
    """The Vocabulary in a file of words and counts."""
    from fastemb.corpus import Vocabulary

    words, counts = [], []
    with open(path, "rb") as file:
        for at, line in enumerate(file, 1):
            fields = line.rsplit(None, 1)
            if not fields:
                continue
            try:
                word, count = fields[0].rstrip(), int(fields[1])
            except (IndexError, ValueError):
                raise CommandError(f"{path}, line {at}: a word, white space and its count expected") from None
            words.append(word)
            counts.append(count)
    if not words:
        raise CommandError(f"{path} holds no words")
    return Vocabulary(words, counts)


@contextmanager
def progress_line(quiet: bool) -> Iterator[Callable[[dict[str, Any]], None] | None]:
    """A line on a terminal that tells how far the scan, the count and the merge are; nothing elsewhere."""
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    told = 0.0

    def report(found: dict[str, Any]) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told < 0.2:
            return
        told = now
        share = found.get("fraction")
        if share is None and found.get("total_bytes"):
            share = (found.get("bytes") or 0) / found["total_bytes"]
        parts = [
            found["phase"],
            "" if share is None else f"{100 * share:3.0f}%",
            f"{rate(found['words_per_s'])} words/s",
        ]
        if found.get("cells"):
            parts.append(f"{found['cells']:,} cells")
        sys.stderr.write("\r\x1b[K" + "  ".join(parts))
        sys.stderr.flush()

    try:
        yield report
    finally:
        if told:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def run(args: argparse.Namespace) -> int:
    """``fastemb cooc``."""
    from fastemb.corpus import Cooccurrence

    if args.output == "-":
        raise CommandError("counts cannot be written to stdout: name a file with -o")
    check_output(args.output, args.corpus)
    started = time.monotonic()
    options = keywords(args, COUNTING)
    if args.merge:
        given = [name for name in (*COUNTING[:4], *VOCABULARY) if getattr(args, name) is not None]
        if given or args.left:
            wrong = "left" if args.left else given[0].replace("_", "-")
            raise CommandError(f"--merge adds up files as they are: leave --{wrong} away")
        if args.vocabulary:
            options["vocabulary"] = read_vocabulary(args.vocabulary)
        counts = Cooccurrence.merge(*(Cooccurrence.load(path, mmap=True) for path in args.corpus), **options)
    else:
        options |= keywords(args, VOCABULARY)
        if args.vocabulary:
            options["vocabulary"] = read_vocabulary(args.vocabulary)
        with progress_line(args.quiet) as progress:
            counts = Cooccurrence.count(source_of(args.corpus), symmetric=not args.left, progress=progress, **options)
    counts.save(args.output)
    summary = {
        "vocabulary": len(counts.vocabulary),
        "cells": counts.nnz,
        "total": counts.total,
        "tokens": counts.num_tokens,
        "window": counts.window,
        "symmetric": counts.symmetric,
        "weighting": counts.weighting,
        "seconds": time.monotonic() - started,
        "output": args.output,
        "bytes": os.path.getsize(args.output),
    }
    if args.json:
        write_json(summary)
    if not args.quiet:
        note(
            f"{number(summary['cells'])} cells of {number(summary['vocabulary'])} words in {summary['seconds']:.1f} s; "
            f"saved to {args.output} ({size(summary['bytes'])})"
        )
    return 0
