"""``fastemb neighbors``, ``analogies`` and ``vectors``: ask vectors in a file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from typing import Any

from fastemb.cli.common import (
    CommandError,
    add_command,
    add_load_options,
    key,
    load_vectors,
    note,
    one_line,
    read_words,
    table,
    write,
    write_json,
)

NEIGHBORS_EXAMPLES = """\
  fastemb neighbors model.safetensors paris london -k 5
  fastemb neighbors model.safetensors --positive king woman --negative man
  fastemb neighbors model.safetensors                     a prompt: one word a line, or king - man + woman
  cut -f1 words.tsv | fastemb neighbors vectors.bin - --json
"""

ANALOGIES_EXAMPLES = """\
  fastemb analogies model.safetensors man king woman      man is to king as woman is to ...
  fastemb analogies model.safetensors                     a prompt: three words a line
  fastemb analogies model.safetensors - --json < triples.txt
"""

VECTORS_EXAMPLES = """\
  fastemb vectors model.safetensors paris london
  fastemb vectors model.safetensors - < words.txt > vectors.txt
  fastemb vectors model.safetensors                       every word: the vectors as text, without a header
"""


def add_parser(commands: Any) -> None:
    """Add the three commands."""
    parser = add_command(
        commands,
        "neighbors",
        "the words nearest to a word",
        "Print the nearest words by cosine similarity. Without words: a prompt.",
        NEIGHBORS_EXAMPLES,
        run_neighbors,
    )
    add_load_options(parser)
    parser.add_argument("words", metavar="WORD", nargs="*", help="word; - reads words from stdin, one a line")
    parser.set_defaults(overflow="words")
    parser.add_argument("--positive", metavar="WORD", nargs="+", default=[], help="words to be near to, together")
    parser.add_argument("--negative", metavar="WORD", nargs="+", default=[], help="words to be far from")
    add_search_options(parser)

    parser = add_command(
        commands,
        "analogies",
        "A is to B as C is to ...",
        "Answer analogies: the words nearest to B - A + C. Without words: a prompt.",
        ANALOGIES_EXAMPLES,
        run_analogies,
    )
    add_load_options(parser)
    parser.add_argument(
        "words", metavar="WORD", nargs="*", help="three words, or six, ...; - reads three words a line from stdin"
    )
    parser.set_defaults(overflow="words")
    add_search_options(parser)

    parser = add_command(
        commands,
        "vectors",
        "print vectors as text",
        "Print a line for each word: the word and its numbers, separated by spaces. Without words: all of them.",
        VECTORS_EXAMPLES,
        run_vectors,
    )
    add_load_options(parser)
    parser.add_argument("words", metavar="WORD", nargs="*", help="word; - reads words from stdin, one a line")
    parser.set_defaults(overflow="words")
    parser.add_argument("--norm", action="store_true", help="scaled to length 1")


def add_search_options(parser: argparse.ArgumentParser) -> None:
    """How many neighbours, among which words."""
    parser.add_argument("-k", "--topn", metavar="N", type=int, default=10, help="how many words (default: 10)")
    parser.add_argument(
        "--restrict-vocab", metavar="N", type=int, help="look among the first (most frequent) N words only"
    )


def run_neighbors(args: argparse.Namespace) -> int:
    """``fastemb neighbors``."""
    check_topn(args)
    vectors = load_vectors(args.file)

    def ask(positive: list[str], negative: list[str]) -> list[tuple[Any, float]]:
        return neighbours(vectors, positive, negative, args)

    if args.positive or args.negative:
        if args.words:
            raise CommandError("give words, or --positive and --negative, not both")
        answer(
            " ".join([*args.positive, *("-" + word for word in args.negative)]),
            ask(args.positive, args.negative),
            args.json,
        )
        return 0
    if not args.words:
        return prompt(vectors, args, "word, or king - man + woman", lambda line: ask(*signed(line, vectors)))
    return each(read_words(args.words), lambda word: ask([word], []), args.json)


def run_analogies(args: argparse.Namespace) -> int:
    """``fastemb analogies``."""
    check_topn(args)
    if args.words != ["-"] and len(args.words) % 3:
        raise CommandError(f"an analogy takes three words, A B C for `A is to B as C is to ...`; got {len(args.words)}")
    vectors = load_vectors(args.file)

    def ask(line: str) -> list[tuple[Any, float]]:
        words = line.split()
        if len(words) != 3:
            raise ValueError(f"an analogy takes three words, got {len(words)}: {line.strip()}")
        return neighbours(vectors, words[1:], words[:1], args)

    if not args.words:
        return prompt(vectors, args, "three words, A B C for `A is to B as C is to ...`", ask)
    if args.words == ["-"]:
        lines: Iterable[str] = read_words(args.words)
    else:
        lines = [" ".join(args.words[i : i + 3]) for i in range(0, len(args.words), 3)]
    return each(lines, ask, args.json)


def run_vectors(args: argparse.Namespace) -> int:
    """``fastemb vectors``."""
    vectors = load_vectors(args.file)
    words: Iterable[Any] = (
        (key(vectors, word) for word in read_words(args.words)) if args.words else vectors.index_to_key
    )
    missing = 0
    result = {}
    for word in words:
        try:
            row = vectors.get_vector(word, norm=args.norm)
        except KeyError as error:
            missing += 1
            note(f"fastemb vectors: {one_line(error)}")
            continue
        if args.json:
            result[str(word)] = row.tolist()
        else:
            write(f"{word} " + " ".join(map(format_float, row)))
    if args.json:
        write_json(result)
    return 1 if missing else 0


def format_float(value: Any) -> str:
    """The shortest text that reads back as the same float32."""
    return str(value)


def check_topn(args: argparse.Namespace) -> None:
    if args.topn < 1:
        raise CommandError(f"-k must be at least 1, got {args.topn}")


def neighbours(
    vectors: Any, positive: list[str], negative: list[str], args: argparse.Namespace
) -> list[tuple[Any, float]]:
    """The words most similar to `positive` and least to `negative`."""
    return list(
        vectors.most_similar(
            positive=[key(vectors, word) for word in positive],
            negative=[key(vectors, word) for word in negative],
            topn=args.topn,
            restrict_vocab=args.restrict_vocab,
        )
    )


def signed(line: str, vectors: Any) -> tuple[list[str], list[str]]:
    """Words of ``king - man + woman``; a word that has such signs itself is taken as it is."""
    if line in vectors:
        return [line], []
    positive: list[str] = []
    negative: list[str] = []
    target = positive
    for part in line.split():
        if part in "+-":
            target = negative if part == "-" else positive
        elif part[0] == "-" and part not in vectors:
            negative.append(part[1:])
        else:
            target.append(part.lstrip("+") if part not in vectors else part)
            target = positive
    return positive, negative


def answer(question: str, found: list[tuple[Any, float]], as_json: bool, heading: bool = False) -> None:
    """Print the neighbours of one question."""
    if as_json:
        write_json({question: [[word, score] for word, score in found]})
        return
    if heading:
        write(f"{question}:")
    for line in table((word, float(score)) for word, score in found):
        write(("  " if heading else "") + line)


def each(questions: Iterable[str], ask: Callable[[str], list[tuple[Any, float]]], as_json: bool) -> int:
    """Answer several questions; an unknown word is told on stderr and makes the exit code 1, the others answered."""
    failed = False
    answers: dict[str, Any] = {}
    questions = list(questions) if not isinstance(questions, list) else questions
    for question in questions:
        try:
            found = ask(question)
        except (KeyError, ValueError) as error:
            failed = True
            note(f"fastemb: error: {one_line(error)}")
            continue
        if as_json:
            answers[question] = [[word, score] for word, score in found]
        else:
            answer(question, found, False, heading=len(questions) > 1)
    if as_json:
        write_json(answers)
    return 1 if failed else 0


def prompt(vectors: Any, args: argparse.Namespace, what: str, ask: Callable[[str], list[tuple[Any, float]]]) -> int:
    """Ask and answer until the end of the input; errors are told and the prompt goes on."""
    if args.json:
        raise CommandError("--json needs words: give them as arguments, or - to read them from stdin")
    interactive = sys.stdin.isatty()
    if interactive:
        try:
            import readline  # noqa: F401 - gives input() its line editing
        except ImportError:
            pass
        note(f"{len(vectors):,} words of {vectors.vector_size} dimensions; {what}; Ctrl-D ends")
    while True:
        try:
            line = input("> " if interactive else "").strip()
        except EOFError:
            if interactive:
                note()
            return 0
        if not line:
            continue
        try:
            answer(line, ask(line), False)
        except (KeyError, ValueError, CommandError) as error:
            note(one_line(error))
        if not interactive:
            write()
        sys.stdout.flush()
