"""``fastemb phrases learn|apply|export``."""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import Any

from fastemb.cli.common import CommandError, Parser, add_command, add_common_options, note, rate, write, write_json
from fastemb.cli.train import check_output, option, source_of

EXAMPLES = """\
  fastemb phrases learn corpus.txt.gz -o bigrams
  fastemb phrases apply corpus.txt.gz -m bigrams -o joined.txt
  fastemb phrases export bigrams | head
"""

LEARN_EXAMPLES = """\
  fastemb phrases learn corpus.txt -o bigrams
  fastemb phrases learn corpus.txt -o bigrams --scoring npmi --threshold 0.5 --connector-words english
  fastemb phrases learn corpus.txt -m bigrams -o trigrams         on the text with bigrams joined
"""

APPLY_EXAMPLES = """\
  fastemb phrases apply corpus.txt -m bigrams -o joined.txt
  fastemb phrases apply corpus.txt -m bigrams -m trigrams | fastemb train - -o model.safetensors
"""

EXPORT_EXAMPLES = """\
  fastemb phrases export bigrams | head
  fastemb phrases export bigrams --json -o phrases.json
"""


def add_parser(commands: Any) -> None:
    """Add the command with its three actions."""
    parser = add_command(
        commands,
        "phrases",
        "find the phrases of a text and join them",
        "Find the phrases (collocations) of a text, such as new_york, and join them into one word.",
        EXAMPLES,
        None,
    )
    actions = parser.add_subparsers(
        dest="action", required=True, metavar="ACTION", title="actions", parser_class=Parser
    )

    learn = add_command(
        actions,
        "learn",
        "count words and pairs, save them",
        "Count the words and pairs of a text and save the counts: the phrases are those that score above a threshold.",
        LEARN_EXAMPLES,
        run_learn,
    )
    add_corpus(learn)
    learn.add_argument("-o", "--output", metavar="FILE", required=True, help="where to save")
    add_models(learn, "join the phrases of FILE first; may be repeated")
    option(learn, "--min-count", float, "N", "pairs that occur less often are no phrases (default: 5)")
    option(learn, "--threshold", float, "X", "score from which a pair is a phrase (default: 10; npmi 0.5; pmi 3)")
    learn.add_argument("--scoring", choices=("default", "npmi", "pmi"), help="how pairs are scored (default: default)")
    option(learn, "--delimiter", str, "TEXT", "what joins the words (default: _)")
    option(learn, "--max-vocab-size", int, "N", "drop the rarest words and pairs beyond so many (default: no limit)")
    learn.add_argument(
        "--connector-words",
        metavar="WORDS",
        help="words that may stand inside a phrase: 'english', or the name of a file of them (default: none)",
    )
    learn.add_argument(
        "--freeze", action="store_true", help="save the phrases only: small, but no more text can be added"
    )

    apply = add_command(
        actions,
        "apply",
        "write a text with its phrases joined",
        "Write a text with its phrases joined; lines stay lines.",
        APPLY_EXAMPLES,
        run_apply,
    )
    add_corpus(apply)
    add_models(apply, "the phrases, from `learn`; may be repeated: bigrams, then trigrams", required=True)
    apply.add_argument("-o", "--output", metavar="FILE", default="-", help="where to write (default: - for stdout)")

    export = add_command(
        actions,
        "export",
        "list the phrases with their scores",
        "List the phrases: one a line, a tab, its score; the highest score first.",
        EXPORT_EXAMPLES,
        run_export,
    )
    export.add_argument("file", metavar="FILE", help="from `learn`")
    export.add_argument("-o", "--output", metavar="FILE", default="-", help="where to write (default: - for stdout)")
    for command in actions.choices.values():
        add_common_options(command)


def add_corpus(parser: argparse.ArgumentParser) -> None:
    """What text to read, and how."""
    parser.add_argument("corpus", metavar="CORPUS", nargs="+", help="text file, quoted glob, directory, or - for stdin")
    parser.set_defaults(overflow="corpus", verbose_messages=True)
    option(parser, "--workers", int, "N", "threads (default: every core)")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress and no summary on stderr")


def add_models(parser: argparse.ArgumentParser, text: str, required: bool = False) -> None:
    """Phrases learned before."""
    parser.add_argument(
        "-m", "--model", metavar="FILE", action="append", default=[] if not required else None, required=required,
        dest="models", help=text,
    )  # fmt: skip


def load_phrases(path: str) -> Any:
    """The Phrases or FrozenPhrases in a file."""
    from fastemb import Phrases

    return Phrases.load(path)


def connector_words(given: str | None) -> frozenset[str]:
    """The set that an argument names."""
    from fastemb import ENGLISH_CONNECTOR_WORDS

    if given is None:
        return frozenset()
    if given == "english":
        return ENGLISH_CONNECTOR_WORDS
    if not os.path.exists(given):
        raise CommandError(
            f"--connector-words takes 'english' or the name of a file of words; there is no file {given}"
        )
    with open(given, encoding="utf-8", errors="surrogateescape") as file:
        return frozenset(file.read().split())


def run_learn(args: argparse.Namespace) -> int:
    """``fastemb phrases learn``."""
    from fastemb import Phrases
    from fastemb.corpus.phrased import PhrasedSentences
    from fastemb.training.progress import scan_progress

    check_output(args.output, args.corpus)
    threshold = args.threshold
    if threshold is None:
        threshold = {"npmi": 0.5, "pmi": 3.0}.get(args.scoring, 10.0)
    keywords = {
        name: getattr(args, name) for name in ("min_count", "scoring", "delimiter", "max_vocab_size", "workers")
    }
    phrases = Phrases(
        threshold=threshold,
        connector_words=connector_words(args.connector_words),
        **{name: value for name, value in keywords.items() if value is not None},
    )
    source = source_of(args.corpus)
    for path in args.models:
        source = PhrasedSentences(load_phrases(path), source)
    started = time.monotonic()
    with scan_progress(False if args.quiet else None) as report:
        phrases.add_vocab(source, progress=_scan_only(report))
    if not phrases.corpus_word_count:
        raise CommandError("the corpus is empty: no words in it")
    found = phrases.export_phrases()
    (phrases.freeze() if args.freeze else phrases).save(args.output)
    seconds = time.monotonic() - started
    summary = {
        "tokens": phrases.corpus_word_count,
        "vocabulary": len(phrases.vocab),
        "phrases": len(found),
        "best": list(found.items())[:10],
        "pruned_entries": phrases.pruned_entries,
        "pruned_occurrences": phrases.pruned_occurrences,
        "seconds": seconds,
        "output": args.output,
        "bytes": os.path.getsize(args.output),
    }
    if args.json:
        write_json(summary)
    if not args.quiet:
        note(
            f"{summary['tokens']:,} tokens, {summary['vocabulary']:,} words and pairs, {summary['phrases']:,} phrases; "
            f"{seconds:.1f} s, {rate(summary['tokens'] / max(seconds, 1e-9))} words/s; saved to {args.output}"
        )
    return 0


def _scan_only(report: Any) -> Any:
    """Progress of reading; counting pairs takes less."""
    return None if report is None else lambda found: report(found) if found["phase"] == "scan" else None


def run_apply(args: argparse.Namespace) -> int:
    """``fastemb phrases apply``."""
    from fastemb.corpus.phrased_text import join_text
    from fastemb.formats import atomic

    check_output(args.output, args.corpus)
    if args.json and args.output == "-":
        raise CommandError("--json prints a summary on stdout, where the text goes: add -o FILE")
    models = [load_phrases(path) for path in args.models]
    started = time.monotonic()
    source = source_of(args.corpus)
    if args.output == "-":
        summary: dict[str, Any] = dict(join_text(models, source, sys.stdout.buffer, workers=args.workers))
        sys.stdout.buffer.flush()
    else:
        with atomic.write(args.output) as file:
            summary = dict(join_text(models, source, file, workers=args.workers))
    seconds = time.monotonic() - started
    summary |= {"seconds": seconds, "output": args.output}
    if args.json:
        write_json(summary)
    if not args.quiet:
        note(
            f"{summary['tokens']:,} tokens, {summary['phrases']:,} phrases joined; {seconds:.1f} s, "
            f"{rate(summary['tokens'] / max(seconds, 1e-9))} words/s"
        )
    return 0


def run_export(args: argparse.Namespace) -> int:
    """``fastemb phrases export``."""
    import json

    from fastemb.formats import atomic

    check_output(args.output, [args.file])
    model = load_phrases(args.file)
    found = model.phrasegrams if hasattr(model, "phrasegrams") else model.export_phrases()
    if args.output == "-":
        if args.json:
            write_json(found)
        else:
            for phrase, score in found.items():
                write(f"{phrase}\t{score!r}")
        return 0
    with atomic.write(args.output) as file:
        if args.json:
            file.write(json.dumps(found, indent=1).encode())
        else:
            for phrase, score in found.items():
                file.write(f"{phrase}\t{score!r}\n".encode("utf-8", "surrogateescape"))
    return 0
