"""``fastemb train --model ppmi`` and ``--model lsa``: the models that decompose counts."""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import Any

from fastemb.cli.common import CommandError, format_of, note, number, size, write_json
from fastemb.cli.files_of_training import check_output, save, source_of
from fastemb.cli.files_of_training import keywords as keywords_of

SHARED = (
    "vector_size", "min_count", "max_vocab_size", "max_final_vocab", "sorted_vocab", "seed", "workers", "eig",
    "oversampling", "power_iterations", "weighting", "cache", "max_memory",
)  # fmt: skip
KEYWORDS = {
    "ppmi": (*SHARED, "window", "sample", "cds", "shift", "combine"),
    "lsa": (*SHARED, "unit"),
}
# what steers the command and not the model
COMMON = {"corpus", "output", "format", "quiet", "model", "json", "traceback"}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that word2vec does not have."""
    group = parser.add_argument_group("ppmi, lsa and GloVe (--model)")

    def option(name: str, kind: Any, metavar: str, text: str) -> None:
        group.add_argument(name, type=kind, metavar=metavar, help=text)

    option("--weighting", str, "NAME", "ppmi, GloVe: linear, harmonic or flat weights of distances (default: linear; "
           "GloVe: harmonic); lsa: log-entropy, tf-idf, log, count or binary (default: log-entropy)")  # fmt: skip
    option("--cds", float, "X", "ppmi: exponent of the contexts' counts (default: 0.75)")
    option("--shift", float, "K", "ppmi: subtract log K (default: 1)")
    option("--combine", str, "NAME", "ppmi, GloVe: word, sum (w+c) or context; GloVe: also "
           "concat (default: word; GloVe: sum)")
    option("--eig", float, "X", "power of the singular values in the vectors (default: ppmi 0.5, lsa 1)")
    option("--unit", str, "NAME", "lsa: a document is a line or a file (default: line)")
    option("--oversampling", int, "N", "further random directions of the decomposition (default: 10)")
    option("--power-iterations", int, "N", "accuracy of the decomposition (default: 5)")


def refuse_foreign(args: argparse.Namespace, model: str, keywords: tuple[str, ...]) -> None:
    """``CommandError`` for an option that was given and means nothing to this model."""
    defaults = args.command_parser.parse_args(["corpus", "-o", "out"])
    own = {*keywords, *COMMON}
    for name, value in vars(args).items():
        if name not in own and value != getattr(defaults, name, value):
            option = "--" + name.replace("_", "-")
            raise CommandError(f"{option} means nothing to --model {model}: leave it away")


def run(args: argparse.Namespace) -> int:
    """``fastemb train --model ppmi|lsa``."""
    import fastemb

    keywords = KEYWORDS[args.model]
    refuse_foreign(args, args.model, keywords)
    wanted = format_of(args.output, args.format)
    if args.output == "-" and wanted in ("native", "word2vec") and sys.stdout.isatty():
        raise CommandError(
            f"a terminal cannot show the format {wanted}: redirect stdout, or add --format word2vec-text"
        )
    given = keywords_of(args, keywords)
    make: Any = {"ppmi": fastemb.PPMI, "lsa": fastemb.LSA}[args.model]
    make(**given)  # checks the parameters
    check_output(args.output, args.corpus)
    began = time.monotonic()
    model = make(source_of(args.corpus), progress=False if args.quiet else None, **given)
    trained = time.monotonic() - began
    save(model, args.output, wanted)
    summary = {
        "model": args.model,
        "vocabulary": len(model.wv),
        "vector_size": model.vector_size,
        "singular_values": [float(model.singular_values[0]), float(model.singular_values[-1])],
        "phase_seconds": model.seconds,
        "seconds": time.monotonic() - began,
        "output": args.output,
        "format": wanted,
        "bytes": os.path.getsize(args.output) if args.output != "-" else None,
    }
    if args.model == "lsa":
        summary["documents"] = model.num_documents
    else:
        summary["cells"] = model.cooccurrence.nnz
    if args.json and args.output != "-":
        write_json(summary)
    if not args.quiet:
        unit = "documents" if args.model == "lsa" else "cells"
        phases = ", ".join(f"{name} {seconds:.1f}" for name, seconds in model.seconds.items())
        words = number(len(model.wv))
        note(f"{args.model}: {words} words, {number(summary[unit])} {unit}; {trained:.1f} s ({phases})")
        where = "stdout" if args.output == "-" else args.output
        bytes_ = f", {size(summary['bytes'])}" if summary["bytes"] is not None else ""
        note(f"saved to {where} ({wanted}{'' if wanted == 'native' else ', vectors only'}{bytes_})")
    return 0
