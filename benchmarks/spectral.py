"""PPMI + SVD: fastemb against scipy.sparse + scikit-learn, from text to vectors.

    python benchmarks/spectral.py --corpus text.txt --vocabulary 50000 --dim 300 --rounds 2 --eval DIR

Both get the same counts (a Python loop would take minutes: its rate is measured on the first `--count-words` words and
told), the same oversampling and power iterations, float32, one thread of CPU time. The rounds are interleaved; CPU
seconds. What is compared besides the time: singular values against scipy's `svds` (`--exact`), the angle between the
leading subspaces, and scores.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, os.getcwd())  # a fastemb built in place


def scipy_ppmi(counts, cds: float):
    """The PPMI matrix as one writes it with scipy.sparse."""
    from scipy.sparse import csr_matrix

    n = counts.to_scipy(np.float32)
    rows = np.asarray(n.sum(axis=1, dtype=np.float64)).ravel()
    columns = np.asarray(n.sum(axis=0, dtype=np.float64)).ravel() ** cds
    coo = n.tocoo()
    values = np.log(coo.data * columns.sum() / (rows[coo.row] * columns[coo.col]))
    keep = values > 0
    return csr_matrix((values[keep].astype(np.float32), (coo.row[keep], coo.col[keep])), shape=n.shape)


def python_rate(path: str, words: set[str], window: int, limit: int) -> float:
    """Words a CPU second of the counting loop in plain Python."""
    cells: Counter = Counter()
    done, began = 0, time.process_time()
    with open(path, encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            tokens = [w for w in line.split() if w in words]
            for i, word in enumerate(tokens):
                for j in range(max(0, i - window), i):
                    weight = (window + 1 - (i - j)) / window
                    cells[word, tokens[j]] += weight
                    cells[tokens[j], word] += weight
            done += len(tokens)
            if done >= limit:
                break
    return done / (time.process_time() - began)


def angle(a: np.ndarray, b: np.ndarray) -> float:
    """Largest principal angle between two column spaces."""
    a, b = np.linalg.qr(a.astype(np.float64))[0], np.linalg.qr(b.astype(np.float64))[0]
    return float(np.arccos(np.clip(np.linalg.svd(a.T @ b, compute_uv=False).min(), 0, 1)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--vocabulary", type=int, default=50_000)
    parser.add_argument("--dim", type=int, default=300)
    parser.add_argument("--window", type=int, default=5)
    parser.add_argument("--power-iterations", type=int, default=4)
    parser.add_argument("--oversampling", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--count-words", type=int, default=200_000)
    parser.add_argument("--exact", action="store_true", help="compare both with scipy.sparse.linalg.svds")
    parser.add_argument("--eval", type=Path)
    args = parser.parse_args()

    from sklearn.utils.extmath import randomized_svd

    from fastemb import PPMI, Cooccurrence
    from fastemb.geometry.svd import truncated_svd

    began = time.process_time()
    counts = Cooccurrence.count(
        args.corpus, window=args.window, weighting="linear", min_count=1, max_final_vocab=args.vocabulary, workers=1
    )
    count_cpu = time.process_time() - began
    rate = python_rate(args.corpus, set(counts.vocabulary.words), args.window, args.count_words)
    python_cpu = counts.num_tokens / rate
    print(json.dumps({"cells": counts.nnz, "count_cpu": count_cpu, "python_count_cpu_extrapolated": python_cpu}))
    options = dict(oversampling=args.oversampling, power_iterations=args.power_iterations)
    ratios, model, vectors = [], None, None
    for _ in range(args.rounds):
        began = time.process_time()
        model = PPMI(counts, args.dim, workers=1, progress=False, **options)
        ours = time.process_time() - began
        began = time.process_time()
        matrix = scipy_ppmi(counts, 0.75)
        built = time.process_time() - began
        u, s, _ = randomized_svd(
            matrix, args.dim, n_oversamples=args.oversampling, n_iter=args.power_iterations, random_state=1
        )
        vectors = u * np.sqrt(s)
        theirs = time.process_time() - began
        ratios.append(theirs / ours)
        print(json.dumps({
            "fastemb_cpu": ours, "phases": model.seconds, "sklearn_cpu": theirs, "of_that_ppmi": built,
            "ratio": theirs / ours, "ratio_with_counting": (theirs + python_cpu) / (ours + count_cpu),
            "values_differ_by": float(np.abs(model.singular_values / s - 1).max()),
        }), flush=True)  # fmt: skip
    print("median ratio from counts to vectors:", float(np.median(ratios)))
    if args.eval:
        from scores import evaluate

        for name, found in (("fastemb", model.wv.vectors), ("sklearn", vectors)):
            print(name, json.dumps(evaluate(args.eval, counts.vocabulary.words, found)))
    if args.exact:
        from scipy.sparse.linalg import svds

        exact_u, exact_s, _ = svds(scipy_ppmi(counts, 0.75).astype(np.float64), k=args.dim, random_state=1)
        exact_u, exact_s = exact_u[:, ::-1], exact_s[::-1]
        left, values, _ = truncated_svd(model.matrix(), args.dim, **options)
        for name, a, b in (("fastemb", left, values), ("sklearn", u, s)):
            print(name, json.dumps({
                "values off by": float(np.abs(b / exact_s - 1).max()),
                "leading 100 off by": float(np.abs(b / exact_s - 1)[:100].max()),
                "angle of the leading 100": angle(a[:, :100], exact_u[:, :100]),
            }))  # fmt: skip


if __name__ == "__main__":
    main()
