"""``fastemb train`` and ``fastemb vocab``: from text to a model, or to its words and counts."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from typing import Any

from fastemb.cli import train_counts
from fastemb.cli.common import (
    FORMATS,
    CommandError,
    add_command,
    format_of,
    note,
    number,
    rate,
    size,
    table,
    write,
    write_json,
)
from fastemb.cli.files_of_training import check_output, keywords, save, source_of
from fastemb.cli.models import KINDS, VOCABULARY, kind_of

TRAIN_EXAMPLES = """\
  fastemb train corpus.txt -o model.safetensors
  fastemb train 'news/*.txt.gz' more.txt -o news.safetensors --algorithm skipgram --vector-size 300 --epochs 3
  zcat corpus.gz | fastemb train - -o vectors.bin --window 10 --min-count 20
  fastemb train corpus.txt -o glove.safetensors --model glove --x-max 10
  fastemb train counts.safetensors -o glove.safetensors --model glove   # counts of `fastemb cooc`
  fastemb train corpus.txt -o - --format word2vec-text | head -3
  fastemb train corpus.txt -o ppmi.safetensors --model ppmi --vector-size 300
  fastemb train 'reports/*.txt' -o topics.safetensors --model lsa --unit file

The corpus is text with one sentence a line and words between white space; gzip, bzip2, xz and zstd are told from the
content, a directory stands for the files in it, - for stdin. Ctrl-C ends the training and saves the model as it is.
"""

VOCAB_EXAMPLES = """\
  fastemb vocab corpus.txt.gz | head
  fastemb vocab corpus.txt --min-count 100 -o words.tsv
  fastemb vocab corpus.txt --json
"""


def add_parser(commands: Any) -> None:
    """Add the two commands."""
    parser = add_command(
        commands,
        "train",
        "train word vectors on text",
        "Train vectors on text and save the model.",
        TRAIN_EXAMPLES,
        run_train,
    )
    parser.add_argument("corpus", metavar="CORPUS", nargs="+", help="text file, quoted glob, directory, or - for stdin")
    parser.set_defaults(overflow="corpus", verbose_messages=True)
    parser.add_argument("-o", "--output", metavar="FILE", required=True, help="where to save; - is stdout")
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="format to save in; by default told by the suffix: .bin word2vec, .txt and .vec word2vec-text, "
        ".glove glove, else native, which alone holds the whole model",
    )
    parser.add_argument(
        "--model", choices=(*KINDS, *train_counts.KEYWORDS), help="what to train (default: word2vec)"
    )
    both = parser.add_argument_group("vectors")
    option(both, "--vector-size", int, "N", "dimensions of the vectors (default: 100)")
    option(both, "--window", int, "N", "largest distance between a word and its context (default: 5; GloVe: 10)")
    model = parser.add_argument_group("word2vec")
    model.add_argument("--algorithm", choices=("skipgram", "cbow"), help="(default: cbow)")
    model.add_argument("--loss", choices=("ns", "hs"), help="negative sampling or hierarchical softmax (default: ns)")
    model.add_argument("--sg", type=int, choices=(0, 1), help="1 is --algorithm skipgram, gensim's spelling")
    model.add_argument("--hs", type=int, choices=(0, 1), help="1 trains hierarchical softmax, gensim's spelling")
    option(model, "--negative", int, "N", "noise words, 5 to 20 are usual (default: 5)")
    option(model, "--ns-exponent", float, "X", "exponent of the noise distribution, of any sign (default: 0.75)")
    option(model, "--cbow-mean", int, "0|1", "CBOW takes the mean (1) or the sum (0) of the context (default: 1)")
    model.add_argument(
        "--shrink-windows",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="draw each window from 1..N (default: yes)",
    )
    option(model, "--alpha", float, "X", "learning rate at the start (default: 0.025)")
    option(model, "--min-alpha", float, "X", "learning rate at the end (default: 0.0001)")
    model.add_argument("--freeze", choices=("init",), help="never change the rows taken from --init")
    glove = parser.add_argument_group("GloVe")
    option(glove, "--x-max", float, "X", "counts from here on have full weight; 10 suits small corpora (default: 100)")
    option(glove, "--exponent", float, "X", "exponent of the weights of smaller counts (default: 0.75)")
    option(glove, "--eta", float, "X", "learning rate (default: 0.05)")
    option(glove, "--grad-clip", float, "X", "largest size of a weighted error in a step (default: 100)")
    glove.add_argument(
        "--symmetric",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="contexts on both sides of a word, or to its left only (default: both)",
    )
    words = parser.add_argument_group("vocabulary")
    add_vocabulary_options(words)
    run = parser.add_argument_group("training")
    option(run, "--epochs", int, "N", "passes over the corpus or its counts (default: 5; GloVe: 25)")
    option(run, "--sample", float, "X", "subsampling threshold of frequent words, 0 is none (default: 0.001; GloVe: 0)")
    option(run, "--seed", int, "N", "seed of all randomness (default: 1)")
    option(run, "--workers", int, "N", "threads (default: every core)")
    option(run, "--max-seconds", float, "S", "stop training after this time")
    run.add_argument(
        "--init", metavar="FILE", help="start from the vectors in FILE, of any format, for the words they share"
    )
    run.add_argument(
        "--resume", action="store_true", help="finish the interrupted run saved in the output file, with its parameters"
    )
    run.add_argument(
        "--checkpoint",
        metavar="FILE",
        help="save the model there after epochs; may be the output file, from which --resume goes on after a crash",
    )
    run.add_argument(
        "--cache", metavar="FILE", help="keep the corpus as ids in FILE, which a later run on the same corpus reuses"
    )
    run.add_argument("--max-memory", metavar="SIZE", type=memory, help="memory for ids and weights, such as 500M or 4G")
    run.add_argument("-q", "--quiet", action="store_true", help="no progress and no summary on stderr")
    train_counts.add_options(parser)

    parser = add_command(
        commands,
        "vocab",
        "count the words of a text",
        "Count the words of a text: one line a word, a tab, its count; the most frequent first.",
        VOCAB_EXAMPLES,
        run_vocab,
    )
    parser.add_argument("corpus", metavar="CORPUS", nargs="+", help="text file, quoted glob, directory, or - for stdin")
    parser.set_defaults(overflow="corpus", verbose_messages=True)
    parser.add_argument("-o", "--output", metavar="FILE", default="-", help="where to write (default: - for stdout)")
    add_vocabulary_options(parser)
    option(parser, "--workers", int, "N", "threads (default: every core)")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress and no summary on stderr")


def option(group: Any, name: str, kind: Any, metavar: str, text: str) -> None:
    """Add an option that keeps the library's default when it is not given."""
    group.add_argument(name, type=kind, metavar=metavar, help=text)


def add_vocabulary_options(group: Any) -> None:
    """The options that decide which words there are."""
    option(group, "--min-count", int, "N", "drop words that occur less often (default: 5)")
    option(group, "--max-final-vocab", int, "N", "keep at most so many words, raising --min-count as needed")
    option(
        group,
        "--max-vocab-size",
        int,
        "N",
        "only the N most frequent words are candidates",
    )
    option(group, "--sorted-vocab", int, "0|1", "order words by frequency (1) or first appearance (0) (default: 1)")


def memory(text: str) -> int:
    """Bytes of ``"500M"``, ``"4G"``, ``"1000000"``; powers of 1024."""
    units = {"K": 10, "M": 20, "G": 30, "T": 40}
    number, unit = (text[:-1], text[-1].upper()) if text[-1:].upper() in units else (text, "")
    try:
        return int(float(number) * (1 << units.get(unit, 0)))
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 500M or 4G") from None


class Terminated(KeyboardInterrupt):
    """SIGTERM, treated like Ctrl-C: the model is saved."""

    exit_code = 143


def _terminate(signum: int, frame: Any) -> None:
    raise Terminated


def run_train(args: argparse.Namespace) -> int:
    """``fastemb train``."""
    if args.model in train_counts.KEYWORDS:
        return train_counts.run(args)
    name = args.model or "word2vec"
    kind = KINDS[name]
    known = {option for other in KINDS.values() for option in other.options} if args.resume else kind.options
    train_counts.refuse_foreign(args, name, (*known, "resume", "checkpoint", "max_seconds"))
    wanted = "native" if args.resume and args.format is None else format_of(args.output, args.format)
    if args.output == "-" and wanted in ("native", "word2vec") and sys.stdout.isatty():
        raise CommandError(
            f"a terminal cannot show the format {wanted}: redirect stdout, or add --format word2vec-text"
        )
    source = source_of(args.corpus)
    progress: Any = False if args.quiet else None
    model = resumed(args) if args.resume else kind.make(keywords(args, kind.options))  # checks the parameters
    kind = kind_of(model)
    check_output(args.output, args.corpus)
    if args.checkpoint:
        check_output(args.checkpoint, args.corpus)

    started = time.monotonic()
    say = (lambda text="": None) if args.quiet else note
    previous = signal.signal(signal.SIGTERM, _terminate) if hasattr(signal, "SIGTERM") else None
    interrupted: KeyboardInterrupt | None = None
    try:
        data = kind.prepare(model, source, args.resume, progress)
        words = len(getattr(data, "vocabulary", model.wv))
        if not args.resume:
            say(f"vocabulary: {words:,} words")
        scanned = time.monotonic()
        before = sum(epoch[kind.unit] for epoch in model.history)
        if args.output != "-":
            check_output(args.output, args.corpus, estimate(model, kind, words, wanted))
        try:
            model.train(
                data,
                progress=progress,
                resume=args.resume,
                **keywords(args, ("max_seconds", "checkpoint")),
            )
        except KeyboardInterrupt as error:
            interrupted = error
        trained = time.monotonic()
        save(model, args.output, wanted)
    finally:
        if previous is not None:
            signal.signal(signal.SIGTERM, previous)
    history = list(model.history)
    done = sum(epoch[kind.unit] for epoch in history) - before  # a resumed run had some
    summary = {
        "vocabulary": len(model.wv),
        "vector_size": model.vector_size,
        kind.unit: done,
        "scan_seconds": scanned - started,
        "train_seconds": trained - scanned,
        "seconds": time.monotonic() - started,
        f"{kind.unit}_per_s": done / max(trained - scanned, 1e-9),
        "history": history,
        "output": args.output,
        "format": wanted,
        "bytes": os.path.getsize(args.output) if args.output != "-" else None,
        "interrupted": interrupted is not None,
    }
    if args.json and args.output != "-":
        write_json(summary)
    for line in summary_lines(summary, kind):
        say(line)
    if interrupted is not None:
        where = "stdout" if args.output == "-" else args.output
        note(f"fastemb train: interrupted; the model as trained so far is saved to {where}")
        return getattr(interrupted, "exit_code", 130)
    return 0


def resumed(args: argparse.Namespace) -> Any:
    """The model in the output file, whose run is to be finished."""
    import fastemb

    options = {name: None for kind in KINDS.values() for name in kind.options}
    given = [name for name in ("model", *options) if getattr(args, name) is not None]
    if given:
        raise CommandError(
            f"--resume takes the parameters of the saved model: leave --{given[0].replace('_', '-')} away"
        )
    if args.output == "-" or not os.path.exists(args.output):
        raise CommandError(f"--resume finishes the run saved in the output file, and {args.output} is none")
    model = fastemb.load(args.output)
    if not hasattr(model, "train"):
        raise CommandError(f"{args.output} holds vectors only: training goes on from a whole model, the native format")
    return model


def estimate(model: Any, kind: Any, words: int, wanted: str) -> int:
    """Bytes that saving `model` will need, roughly."""
    if wanted == "native":
        return kind.estimate(model, words) + 24 * words
    return words * model.vector_size * (12 if wanted in ("word2vec-text", "glove") else 4) + 24 * words


def summary_lines(summary: dict[str, Any], kind: Any) -> list[str]:
    """The summary for people."""
    unit = kind.unit
    rows = [
        (
            e["epoch"],
            e[unit],
            float(e["loss"]),
            f"{e[kind.rate]:.5f}",
            f"{e['seconds'] or 0:.1f}",
            rate(e[f"{unit}_per_s"] or 0),
            "cut short" * e.get("partial", False),
        )
        for e in summary["history"]
    ]
    lines = table(rows, ("epoch", unit, "loss", kind.rate, "seconds", f"{unit}/s", "")) if rows else []
    lines.append(
        f"trained {number(summary[unit])} {unit} in {summary['train_seconds']:.1f} s: "
        f"{rate(summary[f'{unit}_per_s'])} {unit}/s; {summary['seconds']:.1f} s in all"
    )
    where = "stdout" if summary["output"] == "-" else summary["output"]
    whole = "" if summary["format"] == "native" else ", vectors only"
    bytes_ = f", {size(summary['bytes'])}" if summary["bytes"] is not None else ""
    lines.append(f"saved to {where} ({summary['format']}{whole}{bytes_})")
    return lines


def run_vocab(args: argparse.Namespace) -> int:
    """``fastemb vocab``."""
    from fastemb.corpus import scan
    from fastemb.training.progress import scan_progress

    source = source_of(args.corpus)
    check_output(args.output, args.corpus)
    vocabulary, report = scan(
        source, progress=scan_progress(False if args.quiet else None), **keywords(args, (*VOCABULARY, "workers"))
    )
    rows = zip(vocabulary.words, vocabulary.counts.tolist(), strict=True)
    if args.json:
        write_json({"words": dict(rows) if not vocabulary.is_int else [list(row) for row in rows], "report": report})
    elif args.output == "-":
        for word, count in rows:
            write(f"{word}\t{count}")
    if args.output != "-":
        from fastemb.formats import atomic

        with atomic.write(args.output) as file:
            for word, count in zip(vocabulary.words, vocabulary.counts.tolist(), strict=True):
                file.write(f"{word}\t{count}\n".encode("utf-8", "surrogateescape"))
    return 0
