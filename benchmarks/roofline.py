"""This core's arithmetic limit for skip-gram with negative sampling, and which share of it a measured rate is.

    python benchmarks/roofline.py [--dim 100 300] [--rate 5.1e6 1.65e6]

Compiles and runs roofline.c (GFLOP/s of fused multiply-adds on the CPU clock), then divides by the work of a word.

Work of a centre-context pair with K negatives: each of the 1 + K outputs costs a dot product and two rank-1 updates of
d multiply-adds (6 d FLOP), and the pair's own row one addition of d: (6 (1 + K) + 1) d, 37 d for K = 5. Pairs a word
(4.26 for window 5 and sample 1e-3 on the encyclopaedia text of the benchmarks) depend on subsampling and window:
`--pairs-per-word` takes another figure. Additions to the outputs' rows, sigmoids, sampling and memory come on top, so
the limit cannot be reached; half of it is a good mark.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

PAIRS_PER_WORD = 4.26


def measure() -> dict[str, float]:
    """GFLOP/s by instruction set, {} where there is no C compiler."""
    source = Path(__file__).with_name("roofline.c")
    compiler = os.environ.get("CC", "cc")
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "roofline"
        try:
            subprocess.run([compiler, "-O2", "-o", str(program), str(source)], check=True)
        except (FileNotFoundError, subprocess.CalledProcessError) as error:
            print(f"no roofline: {compiler} failed ({error}); set CC to a C compiler", file=sys.stderr)
            return {}
        return json.loads(subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout)


def flop_per_word(dim: int, negative: int = 5, pairs_per_word: float = PAIRS_PER_WORD) -> float:
    """Arithmetic of one corpus word in skip-gram with negative sampling."""
    return pairs_per_word * (6 * (1 + negative) + 1) * dim


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dim", type=int, nargs="+", default=[100, 300])
    parser.add_argument("--negative", type=int, default=5)
    parser.add_argument("--pairs-per-word", type=float, default=PAIRS_PER_WORD)
    parser.add_argument("--rate", type=float, nargs="*", default=[], help="measured words/s of each dim, for the share")
    args = parser.parse_args()
    if args.rate and len(args.rate) != len(args.dim):
        parser.error(f"--rate needs one figure for each --dim ({len(args.dim)}), got {len(args.rate)}")
    peaks = measure()
    print("| instruction set | GFLOP/s | " + " | ".join(f"limit at dim {d}, M words/s" for d in args.dim) + " |")
    print("|---|--:|" + "--:|" * len(args.dim))
    for name, peak in peaks.items():
        cells = []
        for i, d in enumerate(args.dim):
            limit = peak * 1e9 / flop_per_word(d, args.negative, args.pairs_per_word)
            share = f" ({args.rate[i] / limit:.0%} reached)" if args.rate else ""
            cells.append(f"{limit / 1e6:.1f}{share}")
        print(f"| {name} | {peak:.0f} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
