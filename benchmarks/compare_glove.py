"""fastemb's GloVe against Stanford's program: the same cells, one thread each, interleaved rounds, CPU seconds.

    python benchmarks/compare_glove.py --corpus text.txt --stanford GloVe/build --rounds 3
    python benchmarks/compare_glove.py --corpus text.txt --stanford GloVe/build --rounds 0 --seeds 1 2 3 --epochs 25 \
        --x-max 10 --eval ../shared/data/eval

`--stanford` is the folder with vocab_count, cooccur, shuffle and glove, built from the public repository with its own
Makefile. They make the vocabulary, the cells and their order once; fastemb trains on the same cells, exact to the unit
1 / lcm(1..window). The speed of an epoch is cells a CPU second: Stanford's `glove -iter 1` less a run of no epoch
(reading the vocabulary, first values, saving), fastemb's an epoch of a model that has trained one. Quality: the loss of
every epoch as each program reports it, and the scores of benchmarks/scores.py on w + w~.
"""

from __future__ import annotations

import argparse
import math
import re
import resource
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from scores import NAMES, evaluate

from fastemb import Cooccurrence, Glove, Vocabulary, show_config

CELL = np.dtype([("word", "<i4"), ("context", "<i4"), ("count", "<f8")])


def child_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def prepare(args: argparse.Namespace, folder: Path) -> Cooccurrence:
    """Stanford's vocabulary, cells and order in `folder`; the cells as counts."""
    build = args.stanford.resolve()
    for command, source, target in (
        ([build / "vocab_count", "-min-count", args.min_count, "-verbose", 0], args.corpus, "vocab"),
        ([build / "cooccur", "-memory", 4, "-vocab-file", "vocab", "-window-size", args.window, "-verbose", 0,
          "-overflow-file", "overflow"], args.corpus, "cells"),
        ([build / "shuffle", "-memory", 4, "-seed", 1, "-verbose", 0, "-temp-file", "temp"], folder / "cells", "order"),
    ):  # fmt: skip
        with open(source, "rb") as stdin, open(folder / target, "wb") as stdout:
            subprocess.run([str(c) for c in command], stdin=stdin, stdout=stdout, stderr=subprocess.DEVNULL,
                           cwd=folder, check=True)  # fmt: skip
    pairs = [line.split() for line in (folder / "vocab").read_text(errors="surrogateescape").splitlines()]
    cells = np.fromfile(folder / "cells", CELL)
    cells = cells[np.lexsort((cells["context"], cells["word"]))]
    scale = math.lcm(*range(1, args.window + 1))
    indptr = np.concatenate(([0], np.cumsum(np.bincount(cells["word"] - 1, minlength=len(pairs)))))
    vocabulary = Vocabulary([w for w, _ in pairs], [int(n) for _, n in pairs])
    data = np.rint(cells["count"] * scale).astype(np.int64)
    return Cooccurrence.from_csr(vocabulary, indptr, cells["context"] - 1, data, scale=scale, window=args.window)


def stanford(args: argparse.Namespace, folder: Path, epochs: int, seed: int) -> tuple[float, list[float]]:
    """CPU seconds and losses of a run; its vectors are in `folder`/vectors.txt."""
    command = [args.stanford.resolve() / "glove", "-threads", 1, "-input-file", "order", "-vocab-file", "vocab",
               "-save-file", "vectors", "-vector-size", args.dim, "-iter", epochs, "-x-max", args.x_max, "-seed",
               seed, "-eta", args.eta]  # fmt: skip
    before = child_seconds()
    done = subprocess.run([str(c) for c in command], cwd=folder, check=True, capture_output=True, text=True)
    return child_seconds() - before, [float(x) for x in re.findall(r"cost: ([\d.]+)", done.stderr)]


def stanford_vectors(folder: Path) -> tuple[list[str], np.ndarray]:
    lines = (folder / "vectors.txt").read_text(errors="surrogateescape").splitlines()[:-1]  # the last is <unk>
    rows = [line.split(" ") for line in lines]
    return [r[0] for r in rows], np.array([r[1:] for r in rows], np.float32)


def speed(args: argparse.Namespace, folder: Path, counts: Cooccurrence) -> None:
    simd = show_config("dicts")["simd"]
    print(f"| cells/CPU s, dim {args.dim} | Stanford | fastemb ({simd}) | ratio |\n|---|--:|--:|--:|")
    ratios = []
    for number in range(args.rounds):
        idle, _ = stanford(args, folder, 0, 1)
        theirs = counts.nnz / (stanford(args, folder, 1, 1)[0] - idle)
        marks: list[float] = []

        class Clock:
            def on_epoch_begin(self, model: Glove, marks: list[float] = marks) -> None:
                marks.append(time.process_time())

            on_epoch_end = on_epoch_begin

        Glove(vector_size=args.dim, x_max=args.x_max, eta=args.eta, workers=1, progress=False).train(
            counts, epochs=3, callbacks=[Clock()]
        )
        ours = counts.nnz / statistics.median(b - a for a, b in zip(marks[2::2], marks[3::2], strict=True))
        ratios.append(ours / theirs)
        print(f"| round {number + 1} | {theirs / 1e6:.3f} M | {ours / 1e6:.1f} M | {ratios[-1]:.1f} |", flush=True)
    print(f"| median | | | {statistics.median(ratios):.1f} ({min(ratios):.1f}-{max(ratios):.1f}) |\n")


def quality(args: argparse.Namespace, folder: Path, counts: Cooccurrence) -> None:
    print(f"| x_max {args.x_max:g} | seed | loss after 15 | after {args.epochs} | " + " | ".join(NAMES) + " | CPU s |")
    print("|---|--:|--:|--:|" + "--:|" * (len(NAMES) + 1))
    found: dict[str, list[list[float]]] = {"Stanford": [], "fastemb": []}
    for seed in args.seeds:
        for tool in args.tools:
            if tool == "Stanford":
                seconds, losses = stanford(args, folder, args.epochs, seed)
                words, vectors = stanford_vectors(folder)
            else:
                began = time.process_time()
                model = Glove(counts, vector_size=args.dim, x_max=args.x_max, eta=args.eta, epochs=args.epochs,
                              seed=seed, workers=1, progress=False)  # fmt: skip
                seconds, losses = time.process_time() - began, [h["loss"] for h in model.history]
                words, vectors = model.wv.index_to_key, model.wv.vectors
            scores = evaluate(args.eval, words, vectors)
            row = [losses[min(14, args.epochs - 1)], losses[-1], *(scores[n][0] for n in NAMES if n in scores)]
            found[tool].append(row)
            print(f"| {tool} | {seed} | " + " | ".join(f"{x:.4f}" for x in row) + f" | {seconds:.0f} |", flush=True)
    for tool, rows in found.items():
        if rows:
            print(f"| {tool} | mean | " + " | ".join(f"{x:.4f}" for x in np.mean(rows, axis=0)) + " | |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--corpus", required=True, type=Path, help="plain text, one sentence a line")
    add("--stanford", required=True, type=Path, metavar="DIR", help="folder of Stanford's built programs")
    add("--rounds", type=int, default=3, help="of the speed comparison; 0 for none")
    add("--seeds", nargs="*", type=int, default=[], help="of the quality comparison")
    add("--tools", nargs="+", choices=["Stanford", "fastemb"], default=["Stanford", "fastemb"], help="of the quality")
    add("--eval", type=Path, metavar="DIR", help="folder of the evaluation sets")
    add("--dim", type=int, default=100)
    add("--window", type=int, default=10)
    add("--min-count", type=int, default=5)
    add("--x-max", type=float, default=10)
    add("--eta", type=float, default=0.05)
    add("--epochs", type=int, default=25)
    args = parser.parse_args()
    if args.seeds and args.eval is None:
        parser.error("--seeds compares scores: it needs --eval DIR")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        args.corpus = args.corpus.resolve()
        counts = prepare(args, folder)
        print(f"{counts!r}\n", flush=True)
        if args.rounds:
            speed(args, folder, counts)
        if args.seeds:
            quality(args, folder, counts)


if __name__ == "__main__":
    main()
