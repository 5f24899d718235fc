"""``fastemb demo``: the newcomer's first minute, from the text on this machine to neighbours and analogies."""

from __future__ import annotations

import argparse
import os
import platform
import random
import sys
import tempfile
import time
from typing import Any

from fastemb.cli.common import add_command, note, rate, size, write, write_json

EXAMPLES = """\
  fastemb demo
  fastemb demo -o demo.safetensors      keep the model, then: fastemb neighbors demo.safetensors
  fastemb demo --text text.txt          keep the text it found

Nothing is downloaded, and files are only read: the documentation and comments of Python's standard library and of the
installed packages, then manual pages and documentation of the system where there are any.
"""

MAX_WORDS = 1_200_000  # reading more takes longer than it is worth in a first minute
# words trained in all, by instruction set, so that the training takes some 10 s on two cores
BUDGET = {"scalar": 4_000_000, "neon": 12_000_000, "avx2": 14_000_000, "avx512": 18_000_000}
READING = 50_000  # words a second that one core of such a machine reads; a slower or busier one trains less
MAX_SECONDS = 25.0  # and whatever happens, no longer than this


NEIGHBORS_OF = ("error", "month", "left", "socket", "float", "width", "directory", "thread", "remove", "true")
ANALOGIES = (
    ("file", "files", "directory", "directories"),
    ("class", "classes", "method", "methods"),
    ("is", "are", "was", "were"),
    ("set", "sets", "return", "returns"),
    ("add", "added", "remove", "removed"),
    ("read", "reading", "write", "writing"),
    ("minimum", "maximum", "lower", "upper"),
    ("first", "last", "start", "end"),
    ("read", "write", "input", "output"),
    ("true", "false", "success", "failure"),
    ("one", "two", "three", "four"),
    ("create", "creates", "raise", "raises"),
)


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "demo",
        "see it work, on text found on this machine",
        "Train word vectors on English text found on this machine and show what they know. Takes less than a minute.",
        EXAMPLES,
        run,
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="save the model")
    parser.add_argument("--text", metavar="FILE", help="save the text: a corpus for `fastemb train`")
    parser.add_argument(
        "--max-words", metavar="N", type=int, default=MAX_WORDS, help="read at most so many words (default: 1200000)"
    )
    parser.add_argument("--epochs", metavar="N", type=int, help="passes over the text (default: by its length)")
    parser.add_argument("--seed", metavar="N", type=int, default=1, help="seed of the training (default: 1)")
    parser.add_argument("--workers", metavar="N", type=int, help="threads (default: every core)")


def run(args: argparse.Namespace) -> int:
    """``fastemb demo``."""
    from fastemb.formats import atomic

    for path in (args.output, args.text):
        if path:
            atomic.check_writable(path, 0)
    started = time.monotonic()
    say = (lambda text="": None) if args.json else write
    lines, found, reading = find_text(args)
    if not lines:
        raise ValueError(
            "no text was found on this machine: neither the standard library's source nor any documentation"
        )

    import fastemb

    machine = describe_machine(fastemb)
    say(f"fastemb {fastemb.__version__} on {machine['text']}")
    say()
    parts = ", ".join(f"{kind} {words:,}" for kind, words in found.by_source.items())
    say(f"Text      {found.words:,} words in {found.sentences:,} sentences from {found.files:,} files of this machine")
    say(f"          ({parts}), read in {reading:.1f} s")

    speed = found.words / max(reading, 1e-3) / readers()
    model, training = train(args, lines, found.words, machine["simd"], speed)
    words, seconds = sum(epoch["words"] for epoch in model.history), training["train"]
    speed = words / seconds if seconds else 0.0
    say(
        f"Training  skip-gram, {model.vector_size} dimensions, {len(model.wv):,} different words, "
        f"{len(model.history)} epochs:"
    )
    say(
        f"          {words:,} words in {seconds:.1f} s, {rate(speed)} words/s; vocabulary and ids took "
        f"{training['scan']:.2f} s"
    )
    say(
        f"          loss {model.history[0]['loss']:.3f} in the first epoch, {model.history[-1]['loss']:.3f} in the last"
    )

    say()
    say("Nearest words (cosine similarity)")
    neighbours = {}
    for word in NEIGHBORS_OF:
        if word in model.wv:
            neighbours[word] = model.wv.most_similar(word, topn=6)
            say(f"  {word:<9} " + "  ".join(f"{other} {score:.2f}" for other, score in neighbours[word]))
    say()
    say("Analogies (the three best answers; * is the expected one)")
    answers = []
    for a, b, c, expected in ANALOGIES:
        if not all(word in model.wv for word in (a, b, c, expected)):
            continue
        best = [word for word, _ in model.wv.most_similar(positive=[b, c], negative=[a], topn=3)]
        answers.append({"question": [a, b, c], "expected": expected, "answers": best})
        shown = ", ".join(word + "*" * (word == expected) for word in best)
        question = f"{a} is to {b} as {c} is to"
        say(f"  {question:<42} {shown}")
    right = sum(answer["answers"][0] == answer["expected"] for answer in answers)
    say(f"  {right} of {len(answers)} right at the first answer, among {len(model.wv):,} words")

    if args.output:
        model.save(args.output)
    whole = time.monotonic() - started
    say()
    say(
        f"All of that took {whole:.1f} s."
        + (f" The model is in {args.output} ({size(os.path.getsize(args.output))})." if args.output else "")
    )
    say()
    say("Your own text, one sentence a line (plain, .gz, .bz2, .xz or .zst):")
    say("  fastemb train corpus.txt -o model.safetensors --algorithm skipgram")
    say("  fastemb neighbors model.safetensors")
    say('In Python:  from fastemb import Word2Vec; model = Word2Vec("corpus.txt", sg=1); model.wv.most_similar("word")')
    if args.json:
        write_json(
            {
                "machine": machine,
                "text": found,
                "reading_seconds": reading,
                "words": words,
                "vocabulary": len(model.wv),
                "train_seconds": seconds,
                "words_per_s": speed,
                "history": list(model.history),
                "neighbors": neighbours,
                "analogies": answers,
                "correct": right,
                "seconds": whole,
            }
        )
    return 0


def readers() -> int:
    """Processes that read."""
    from fastemb.training.config import cpu_count

    return min(4, cpu_count())


def find_text(args: argparse.Namespace) -> tuple[list[str], Any, float]:
    """Read the text of this machine: its sentences in a fixed, shuffled order, the counts, the seconds."""
    from fastemb.cli import found_text

    started = time.monotonic()
    found = found_text.Found()
    live = sys.stderr.isatty()
    files = found_text.sources()
    if not live:
        note(f"Reading the documentation in up to {len(files):,} files of this machine ...")

    def show(found: Any) -> None:
        share = min(1.0, max(found.words / args.max_words, found.files / max(1, len(files))))
        bar = "#" * round(20 * share)
        sys.stderr.write(f"\rread {100 * share:4.0f}%|{bar:<20}| {found.files:,} files, {found.words:,} words ")
        sys.stderr.flush()

    lines = list(
        found_text.sentences(
            files,
            max_words=args.max_words,
            workers=readers(),
            found=found,
            progress=show if live else None,
        )
    )
    if live:
        sys.stderr.write("\r" + " " * 79 + "\r")
    # texts on one subject lie together in the files; in mixed order the falling learning rate treats all of them alike
    random.Random(1).shuffle(lines)
    return lines, found, time.monotonic() - started


def train(
    args: argparse.Namespace, lines: list[str], words: int, simd: str, speed: float
) -> tuple[Any, dict[str, float]]:
    """Train a model on the sentences, by way of a file as a user would; returns it and the seconds."""
    from fastemb import Word2Vec

    budget = BUDGET.get(simd, BUDGET["scalar"]) * min(1.0, speed / READING)
    epochs = args.epochs or max(4, min(30, round(budget / words)))
    if not sys.stderr.isatty():
        note(f"Training {epochs} epochs on {words:,} words ...")
    with tempfile.TemporaryDirectory(prefix="fastemb-demo-") as directory:
        path = args.text or os.path.join(directory, "text.txt")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)
        started = time.monotonic()
        model = Word2Vec(
            sg=1,
            vector_size=100,
            window=10,
            negative=5,
            min_count=10,
            alpha=0.05,
            epochs=epochs,
            seed=args.seed,
            workers=args.workers,
        )
        progress = True if sys.stderr.isatty() else False
        model.build_vocab(path, progress=progress)
        scanned = time.monotonic()
        model.train(progress=progress, max_seconds=MAX_SECONDS)
        return model, {"scan": scanned - started, "train": time.monotonic() - scanned}


def describe_machine(fastemb: Any) -> dict[str, Any]:
    """The CPU, its cores, and the instruction set in use."""
    config = fastemb.show_config("dicts")
    model = platform.machine()
    try:
        with open("/proc/cpuinfo") as file:
            model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), model)
    except OSError:
        pass
    cores = f"{config['workers']} core{'s' * (config['workers'] != 1)}"
    text = f"{model}, {cores}, instruction set {config['simd']}; Python {config['python']}"
    return {"cpu": model, **config, "text": text}
