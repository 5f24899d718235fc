"""Co-occurrence counting against its peers: same file, same vocabulary, same window, interleaved, CPU seconds.

    python benchmarks/cooccur.py --corpus text.txt --stanford GloVe/build --rounds 3
    python benchmarks/cooccur.py --corpus small.txt --peers scipy twin --rounds 1

fastemb    `fastemb cooc --vocabulary`, one worker: reads the text, counts, writes the file (interpreter start included)
fastemb 1G the same with --max-memory 1G
stanford   `cooccur` of github.com/stanfordnlp/GloVe, built with its own Makefile, its default memory (4 GB): reads the
           text, counts, writes its file. The vocabulary is `vocab_count`'s, given to both
scipy      Python's str.split and dict, pairs collected with NumPy, added up by scipy.sparse.coo_matrix
twin       fastemb.reference: one pair after the other

The counts are compared cell by cell with those of Stanford's file and of scipy.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

SCIPY = """
import sys
import numpy as np
from scipy.sparse import coo_matrix
text, vocabulary, window, out = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
ids = {line.split()[0]: i for i, line in enumerate(open(vocabulary, encoding="utf-8", errors="surrogateescape"))}
v, total = len(ids), None
rows, columns, weights, held = [], [], [], 0
def flush():
    global total, rows, columns, weights, held
    m = coo_matrix((np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))), shape=(v, v)).tocsr()
    total = m if total is None else total + m
    rows, columns, weights, held = [], [], [], 0
for line in open(text, encoding="utf-8", errors="surrogateescape"):
    s = np.array([ids[w] for w in line.split() if w in ids], np.int32)
    for d in range(1, min(window, len(s) - 1) + 1):
        a, b = s[d:], s[:-d]
        rows += (a, b); columns += (b, a); weights.append(np.full(2 * len(a), 1.0 / d)); held += 2 * len(a)
    if held > 20_000_000:
        flush()
flush()
total.sort_indices()
np.savez(out, indptr=total.indptr, indices=total.indices, data=total.data)
"""
TWIN = """
import sys
from fastemb import Corpus
from fastemb.cli.cooc import read_vocabulary
from fastemb.reference.cooccurrence import cooccurrences
corpus = Corpus(sys.argv[1], vocabulary=read_vocabulary(sys.argv[2]))
ids, ends = corpus.ids.tolist(), corpus.offsets.tolist()
cooccurrences([ids[a:b] for a, b in zip(ends, ends[1:])], len(corpus.vocabulary), window=int(sys.argv[3]))
"""


def cpu(command: list[str], **how: object) -> float:
    """CPU seconds of a process, the system's included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, **how)  # type: ignore[call-overload]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def difference(path: Path, name: str, other: Path) -> str:
    """How the peer's counts differ from ours, in words."""
    from fastemb import Cooccurrence

    c = Cooccurrence.load(path, mmap=True)
    rows = np.repeat(np.arange(c.shape[0], dtype=np.int32), np.diff(c.indptr))
    if name == "stanford":
        theirs = np.fromfile(other, np.dtype([("i", "<i4"), ("j", "<i4"), ("x", "<f8")]))
        i, j, x = theirs["i"] - 1, theirs["j"] - 1, theirs["x"]
    else:
        with np.load(other) as f:
            i = np.repeat(np.arange(c.shape[0]), np.diff(f["indptr"]))
            j, x = f["indices"], f["data"]
    if len(x) != c.nnz or not (np.array_equal(i, rows) and np.array_equal(j, c.indices)):
        return f"DIFFERENT CELLS: {c.nnz:,} here, {len(x):,} there"
    return f"{c.nnz:,} cells each, largest relative difference {np.max(np.abs(x / c.values() - 1)):.1e}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True, type=Path)
    parser.add_argument("--stanford", type=Path, help="the folder of vocab_count and cooccur")
    parser.add_argument("--peers", nargs="*", choices=["scipy", "twin"], default=[])
    parser.add_argument("--window", type=int, default=10)
    parser.add_argument("--min-count", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    window, text = str(args.window), str(args.corpus.resolve())
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        vocabulary = here / "vocabulary"
        if args.stanford:
            with open(text, "rb") as source, open(vocabulary, "wb") as out:
                command = [str(args.stanford / "vocab_count"), "-min-count", str(args.min_count), "-verbose", "0"]
                subprocess.run(command, stdin=source, stdout=out, check=True, stderr=subprocess.DEVNULL)
        else:
            command = [sys.executable, "-m", "fastemb", "vocab", text, "-q", "-o", str(vocabulary)]
            subprocess.run([*command, "--min-count", str(args.min_count)], check=True)
        ours = [sys.executable, "-m", "fastemb", "cooc", text, "--vocabulary", str(vocabulary), "--window", window]
        ours += ["--workers", "1", "-q", "-o"]
        tools = {
            "fastemb": lambda: cpu([*ours, str(here / "a")]),
            "fastemb 1G": lambda: cpu([*ours, str(here / "b"), "--max-memory", "1G"]),
        }
        if args.stanford:
            theirs = [str((args.stanford / "cooccur").resolve()), "-verbose", "0", "-window-size", window]
            theirs += ["-vocab-file", str(vocabulary), "-overflow-file", str(here / "overflow")]

            def stanford() -> float:
                with open(text, "rb") as source, open(here / "stanford", "wb") as out:
                    return cpu(theirs, stdin=source, stdout=out, stderr=subprocess.DEVNULL)

            tools["stanford"] = stanford
        for name, code in (("scipy", SCIPY), ("twin", TWIN)):
            if name in args.peers:
                command = [sys.executable, "-c", code, text, str(vocabulary), window, str(here / "scipy.npz")]
                tools[name] = lambda command=command: cpu(command)
        seconds: dict[str, list[float]] = {name: [] for name in tools}
        for _ in range(args.rounds):
            for name, run in tools.items():
                seconds[name].append(run())
        print("| | CPU s | x fastemb's time |\n|---|--:|--:|")
        for name, s in seconds.items():
            ratios = [x / y for x, y in zip(s, seconds["fastemb"], strict=True)]
            spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
            print(f"| {name} | {statistics.median(s):.2f} ({min(s):.2f}-{max(s):.2f}) | {spread} |")
        same = (here / "a").read_bytes() == (here / "b").read_bytes()
        print(f"\nwith --max-memory: {'the same file' if same else 'ANOTHER FILE'}")
        if args.stanford:
            print("stanford:", difference(here / "a", "stanford", here / "stanford"))
        if "scipy" in args.peers:
            print("scipy:", difference(here / "a", "scipy", here / "scipy.npz"))


if __name__ == "__main__":
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    main()
