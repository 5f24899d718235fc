"""``fastemb convert`` and ``fastemb info``: files of vectors."""

from __future__ import annotations

import argparse
import os
from typing import Any

from fastemb.cli.common import (
    FORMATS,
    CommandError,
    add_command,
    add_load_options,
    format_of,
    load_vectors,
    note,
    number,
    size,
    table,
    write,
    write_json,
)

CONVERT_EXAMPLES = """\
  fastemb convert model.safetensors vectors.bin
  fastemb convert vectors.bin.gz vectors.safetensors
  fastemb convert glove.6B.100d.txt vectors.vec --restrict-vocab 100000
  fastemb convert model.safetensors vectors.tsv --format word2vec-text
"""

INFO_EXAMPLES = """\
  fastemb info model.safetensors
  fastemb info vectors.bin --json
"""


def add_parser(commands: Any) -> None:
    """Add the two commands."""
    parser = add_command(
        commands,
        "convert",
        "convert a file of vectors",
        "Convert vectors between the native, word2vec (binary and text) and GloVe formats; what is read is told "
        "from its bytes.",
        CONVERT_EXAMPLES,
        run_convert,
    )
    add_load_options(parser)
    parser.add_argument("output", metavar="OUTPUT", help="file to write")
    parser.add_argument(
        "--format", choices=FORMATS, help="format to write; by default told by the suffix, as for `fastemb train`"
    )
    parser.add_argument("--restrict-vocab", metavar="N", type=int, help="only the first (most frequent) N words")

    parser = add_command(
        commands,
        "info",
        "tell what a file holds",
        "Tell the format of a file, its words and dimensions, and how it was trained.",
        INFO_EXAMPLES,
        run_info,
    )
    add_load_options(parser)


def run_convert(args: argparse.Namespace) -> int:
    """``fastemb convert``."""
    from fastemb import KeyedVectors
    from fastemb.formats import atomic

    if args.restrict_vocab is not None and args.restrict_vocab < 1:
        raise CommandError(f"--restrict-vocab must be at least 1, got {args.restrict_vocab}")
    if args.output == "-":
        raise CommandError("convert writes to a file; `fastemb vectors FILE` prints vectors on stdout")
    wanted = format_of(args.output, args.format)
    atomic.check_writable(args.output, 0)
    vectors = load_vectors(args.file)
    if args.restrict_vocab is not None and args.restrict_vocab < len(vectors):
        n = args.restrict_vocab
        cut = KeyedVectors(vectors.vector_size)
        cut.add_vectors(vectors.index_to_key[:n], vectors.vectors[:n])
        if "count" in vectors.expandos:
            for word in vectors.index_to_key[:n]:
                cut.set_vecattr(word, "count", vectors.get_vecattr(word, "count"))
        vectors = cut
    if wanted == "native":
        vectors.save(args.output)
    else:
        vectors.export(args.output, format=wanted)
    result = {"words": len(vectors), "vector_size": vectors.vector_size, "output": args.output, "format": wanted}
    result["bytes"] = os.path.getsize(args.output)
    if args.json:
        write_json(result)
    else:
        note(
            f"{len(vectors):,} words of {vectors.vector_size} dimensions to {args.output} "
            f"({wanted}, {size(result['bytes'])})"
        )
    return 0


def run_info(args: argparse.Namespace) -> int:
    """``fastemb info``."""
    import fastemb
    from fastemb.formats import sniff

    kind = sniff(args.file)
    loaded = fastemb.load(args.file)
    vectors = getattr(loaded, "wv", loaded)
    info: dict[str, Any] = {
        "file": args.file,
        "bytes": os.path.getsize(args.file),
        "format": kind,
        "kind": type(loaded).__name__,
        "words": len(vectors),
        "vector_size": vectors.vector_size,
        "dtype": str(vectors.vectors.dtype),
        "first_words": vectors.index_to_key[:10],
    }
    if "count" in vectors.expandos and len(vectors):
        counts = vectors.expandos["count"]
        info["count"] = {"sum": int(counts.sum()), "largest": int(counts.max()), "smallest": int(counts.min())}
    if hasattr(loaded, "train"):
        from fastemb.training import Word2VecConfig

        info["config"] = {name: getattr(loaded, name) for name in Word2VecConfig.names()}
        info["corpus"] = {"sentences": loaded.corpus_count, "words": loaded.corpus_total_words}
    if getattr(loaded, "history", None):
        info["history"] = list(loaded.history)
    if args.json:
        write_json(info)
        return 0
    write(f"{args.file}: {kind}, {info['kind']}, {size(info['bytes'])}")
    write(f"{len(vectors):,} words of {vectors.vector_size} dimensions, {info['dtype']}")
    if "count" in info:
        counts = info["count"]
        write(
            f"counts: {number(counts['sum'])} words in all, from {number(counts['largest'])} to "
            f"{number(counts['smallest'])} a word"
        )
    if vectors.index_to_key:
        write("first words: " + " ".join(map(str, info["first_words"])))
    if "config" in info:
        write(
            "trained with: "
            + ", ".join(f"{name}={value}" for name, value in info["config"].items() if value is not None)
        )
    if "corpus" in info:
        write(f"corpus: {number(info['corpus']['words'])} words in {number(info['corpus']['sentences'])} sentences")
    if "history" in info:
        rows = [
            (e["epoch"], e["words"], float(e["loss"]), f"{e['alpha']:.5f}", "cut short" * e.get("partial", False))
            for e in info["history"]
        ]
        for line in table(rows, ("epoch", "words", "loss", "alpha", "")):
            write(line)
    return 0
