"""``fastemb evaluate``: score vectors on sets of word pairs and of analogies."""

from __future__ import annotations

import argparse
import os
from typing import Any

from fastemb.cli.common import (
    CommandError,
    add_command,
    add_load_options,
    load_vectors,
    note,
    one_line,
    table,
    write,
    write_json,
)

EXAMPLES = """\
  fastemb evaluate model.safetensors wordsim353.tsv simlex999.tsv questions-words.txt
  fastemb evaluate vectors.bin questions-words.txt --sections --restrict-vocab 30000
  fastemb evaluate model.safetensors sets/*.tsv --json

Each set's kind is told from its content: word pairs are lines of two words and a human score (TSV), scored by
Spearman's and Pearson's correlation of score and cosine; analogies are lines of four words, in sections that begin with
a line `: name`, scored by the share answered right. Pairs and questions with an unknown word are left out, and counted.
"""


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "evaluate",
        "score vectors on word pairs and analogies",
        "Score vectors on sets of word pairs (similarity) and of analogies.",
        EXAMPLES,
        run,
    )
    add_load_options(parser)
    parser.add_argument("sets", metavar="SET", nargs="+", help="file of word pairs or of analogies")
    parser.set_defaults(overflow="sets")
    parser.add_argument(
        "--restrict-vocab",
        metavar="N",
        type=int,
        default=300_000,
        help="only the first (most frequent) N words are known, and answers; 0 for all (default: 300000)",
    )
    parser.add_argument(
        "--case-insensitive",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="ignore upper and lower case (default: yes)",
    )
    parser.add_argument(
        "--dummy4unknown",
        action="store_true",
        help="what has an unknown word counts as wrong instead of being left out",
    )
    parser.add_argument(
        "--similarity-function",
        choices=("most_similar", "most_similar_cosmul"),
        default="most_similar",
        help="analogies by 3CosAdd (default) or 3CosMul",
    )
    parser.add_argument("--sections", action="store_true", help="also each section of the analogies")


def kind_of(path: str) -> tuple[str, str | None]:
    """``("analogies", None)`` or ``("pairs", delimiter)``, by the first lines of a set.

    Raises
    ------
    CommandError
        If they look like neither.
    """
    from fastemb.evaluation.sources import numbered_lines

    if os.path.isdir(path):
        raise CommandError(f"{path} is a directory: name the sets in it")
    first = ""
    try:
        for count, (number, line) in enumerate(numbered_lines(path)):
            first = first or f"line {number}: {line[:60]!r}"
            if line.startswith(":") or len(line.split()) == 4:
                return "analogies", None
            for delimiter in ("\t", ",", ";", None):
                fields = line.split(delimiter)
                if len(fields) >= 3 and _is_number(fields[2]):
                    return "pairs", delimiter
            if count > 20:  # a header may come first
                break
    except UnicodeDecodeError as error:
        raise CommandError(f"{path} is no text in UTF-8: {error}") from None
    raise CommandError(
        f"{path} is no set of word pairs (word, tab, word, tab, score) nor of analogies (four words a line)"
        + (f"; {first}" if first else "; it is empty")
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def run(args: argparse.Namespace) -> int:
    """``fastemb evaluate``."""
    kinds = [(path, *kind_of(path)) for path in args.sets]  # a wrong name is told before a large file is loaded
    vectors = load_vectors(args.file)
    results = []
    failed = False
    for path, kind, delimiter in kinds:
        name = os.path.splitext(os.path.basename(path))[0]
        options = dict(
            restrict_vocab=args.restrict_vocab or None,
            case_insensitive=args.case_insensitive,
            dummy4unknown=args.dummy4unknown,
        )
        try:
            if kind == "pairs":
                scores = vectors.evaluate_word_pairs(path, delimiter=delimiter, **options)
                results.append(pairs_result(name, scores))
            else:
                scores = vectors.evaluate_word_analogies(path, similarity_function=args.similarity_function, **options)
                results.append(analogies_result(name, scores))
        except ValueError as error:
            failed = True
            note(f"fastemb evaluate: error: {one_line(error)}")
    if args.json:
        write_json(results)
        return int(failed)
    rows = []
    for result in results:
        if result["kind"] == "pairs":
            rows.append(
                (
                    result["set"],
                    "pairs",
                    result["items"],
                    result["unknown"],
                    f"{result['spearman']:.4f}",
                    f"{result['pearson']:.4f}",
                    "",
                )
            )
            continue
        rows.append(
            (result["set"], "analogies", result["items"], result["unknown"], "", "", f"{result['accuracy']:.4f}")
        )
        if args.sections:
            for section in result["sections"]:
                share = f"{section['accuracy']:.4f}" if section["items"] else "-"
                rows.append((f"  {section['section']}", "", section["items"], "", "", "", share))
    if rows:
        for line in table(rows, ("set", "kind", "scored", "unknown", "spearman", "pearson", "accuracy")):
            write(line)
    return int(failed)


def pairs_result(name: str, scores: Any) -> dict[str, Any]:
    """The figures of a set of word pairs; `scores` is what ``evaluate_word_pairs`` returns."""
    return {
        "set": name,
        "kind": "pairs",
        "items": scores.num_pairs,
        "unknown": scores.num_oov,
        "invalid_lines": scores.num_invalid,
        "spearman": float(scores.spearman[0]),
        "spearman_pvalue": float(scores.spearman[1]),
        "pearson": float(scores.pearson[0]),
        "pearson_pvalue": float(scores.pearson[1]),
        "oov_ratio": float(scores.oov_ratio),
    }


def analogies_result(name: str, scores: Any) -> dict[str, Any]:
    """The figures of a set of analogies; `scores` is what ``evaluate_word_analogies`` returns."""
    sections = []
    for section in scores.sections[:-1]:  # the last one is the total
        correct, items = len(section["correct"]), len(section["correct"]) + len(section["incorrect"])
        sections.append(
            {
                "section": section["section"],
                "items": items,
                "correct": correct,
                "accuracy": correct / items if items else None,
            }
        )
    return {
        "set": name,
        "kind": "analogies",
        "items": scores.num_answered,
        "unknown": scores.num_oov,
        "invalid_lines": scores.num_invalid,
        "correct": scores.num_correct,
        "accuracy": float(scores.score),
        "sections": sections,
    }
