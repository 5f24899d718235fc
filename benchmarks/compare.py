"""fastemb against its peers: same file, same hyperparameters, interleaved rounds, each run in a process of its own.

    python benchmarks/compare.py --corpus text.txt --rounds 5 --json out.json
    python benchmarks/compare.py --corpus text.txt --epochs 3 --seeds 1 2 3 --eval ../shared/data/eval --plot out.png

Prints a Markdown table: a line for each tool, algorithm, loss, dimension and number of workers, each figure the median
of the rounds with the lowest and highest behind it.

words/CPU s   corpus words that are in the vocabulary, times epochs, by the CPU seconds of the training part, all
              threads together. Median over all rounds.
x gensim      the same, relative to gensim's in the same round: a machine that is slow for a minute is slow for both
vocabulary    wall seconds to read the file, count and encode it, and set the first weights
training      wall seconds of all epochs
whole         vocabulary, training and saving, wall seconds; interpreter and imports are not in it. The `x gensim` after
              it is gensim's of the same round divided by it
peak MiB      highest resident memory up to the end of training, and in brackets what interpreter and imports took of it
scores        Spearman correlation of WordSim-353, SimLex-999, MEN; accuracy of Google's analogies among the 30,000 most
              frequent words; the mean over the seeds (--eval)

BLAS and OpenMP threads are set to 1, so that the workers asked for are all there is. gensim reads `corpus_file`, its
fastest way. fastText draws negatives from counts ** 0.5 (the others 0.75), has no lowest learning rate, and cuts lines
after 1,024 words, and its Python package takes no seed; its vocabulary and training are one call, so its vocabulary is
timed by a run of no epochs. The NumPy twin (one core; skip-gram with negative sampling only) trains on the first
`--twin-lines` lines, since it is slow: its rate is that of the sample, and it has no scores.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from tools import TOOLS, version

KEYS = ("tool", "algorithm", "loss", "dim", "workers", "simd")
SCORES = ("WordSim-353", "SimLex-999", "MEN", "Google")
NOTES = {
    "fasttext": "noise exponent 0.5, no min_alpha, lines cut after 1,024 words, one seed",
    "twin": "NumPy, batches of 256 centre words, first {twin_lines} lines only",
}


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--corpus", required=True, type=Path, help="plain text, one sentence a line")
    add("--lines", type=int, help="train on the first so many lines only")
    add("--tools", nargs="+", choices=list(TOOLS), default=list(TOOLS), help="those not installed are left out")
    add("--algorithm", nargs="+", choices=["skipgram", "cbow"], default=["skipgram"])
    add("--loss", nargs="+", choices=["ns", "hs"], default=["ns"])
    add("--dim", nargs="+", type=int, default=[100])
    add("--workers", nargs="+", type=int, default=[1])
    add(
        "--simd",
        nargs="+",
        default=[""],
        help="sets FASTEMB_SIMD: scalar, avx2, avx512, neon; fastemb runs once for each",
    )
    add("--rounds", type=int, default=1, help="each round runs everything once; seeds take turns")
    add("--seeds", nargs="+", type=int, default=[1])
    add("--epochs", type=int, default=1)
    add("--window", type=int, default=5)
    add("--negative", type=int, default=5)
    add("--sample", type=float, default=1e-3)
    add("--min-count", type=int, default=5)
    add("--alpha", type=float, default=0.025)
    add("--twin-lines", type=int, default=5000, help="lines of the sample that the NumPy twin trains on")
    add("--eval", type=Path, metavar="DIR", help="folder of the evaluation sets")
    add("--json", type=Path, metavar="FILE", help="every run and the table, for other programs")
    add("--plot", type=Path, metavar="FILE", help="speed against quality; needs matplotlib and --eval")
    args = parser.parse_args(argv)
    if args.plot and not args.eval:
        parser.error("--plot shows scores: it needs --eval DIR")
    if args.plot and importlib.util.find_spec("matplotlib") is None:
        parser.error("--plot needs matplotlib: pip install fastemb[plot]")
    if not args.corpus.is_file():
        parser.error(f"--corpus {args.corpus}: no such file")
    for name in ("rounds", "epochs", "window", "negative", "twin_lines", "min_count"):
        if getattr(args, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1, got {getattr(args, name)}")
    args.rounds = max(args.rounds, len(args.seeds))
    return args


def head(path: Path, lines: int | None, folder: str) -> Path:
    """The corpus, or a file of its first lines."""
    if lines is None:
        return path.resolve()
    out = Path(folder) / f"first-{lines}-{path.name}"
    with path.open("rb") as source, out.open("wb") as target:
        target.writelines(itertools.islice(source, lines))
    return out


def jobs(args: argparse.Namespace, tools: list[str], corpus: Path) -> list[dict]:
    """What one round runs, in order; tools change fastest, so that those to be compared run close to each other."""
    result = []
    for algorithm, loss, dim, workers in itertools.product(args.algorithm, args.loss, args.dim, args.workers):
        for tool in tools:
            if tool == "twin" and ((algorithm, loss) != ("skipgram", "ns") or workers != args.workers[0]):
                continue
            for simd in args.simd if tool == "fastemb" else [""]:
                result.append(
                    {
                        "tool": tool,
                        "algorithm": algorithm,
                        "loss": loss,
                        "dim": dim,
                        "workers": 1 if tool == "twin" else workers,
                        "simd": simd,
                        "corpus": str(corpus),
                        "window": args.window,
                        "negative": args.negative,
                        "sample": args.sample,
                        "min_count": args.min_count,
                        "alpha": args.alpha,
                        "epochs": args.epochs,
                        "twin_lines": args.twin_lines,
                    }
                )
    return result


def run_child(job: dict) -> dict:
    """One training in its own process; a failure becomes a result with "error"."""
    env = os.environ | {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    if job["simd"]:
        env["FASTEMB_SIMD"] = job["simd"]
    program = [sys.executable, str(Path(__file__).with_name("tools.py")), json.dumps(job)]
    done = subprocess.run(program, env=env, capture_output=True, text=True)
    if done.returncode == 0 and done.stdout.strip():
        return json.loads(done.stdout.strip().splitlines()[-1])
    last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return {"error": last}


def key(run: dict) -> tuple:
    return tuple(run[k] for k in KEYS)


def spread(values: Iterable[float], show: Callable[[float], str]) -> str:
    """Median [lowest-highest]."""
    values = list(values)
    if not values:
        return "-"
    middle = show(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} [{show(min(values))}-{show(max(values))}]"


def summarise(runs: list[dict], tools_order: list[str]) -> list[dict]:
    """A row for each configuration that ran, its figures as lists over the rounds."""
    rows = []
    for k in dict.fromkeys(key(r) for r in runs):
        mine = [r for r in runs if key(r) == k]
        good = [r for r in mine if "error" not in r]
        row = dict(zip(KEYS, k, strict=True)) | {"errors": [r["error"] for r in mine if "error" in r]}
        for name in (
            "words_per_cpu_second",
            "words_per_wall_second",
            "vocabulary_wall",
            "training_wall",
            "total_wall",
            "peak_mb",
            "imports_mb",
            "words",
            "types",
        ):
            row[name] = [r[name] for r in good]
        by_seed = {r["seed"]: r["scores"] for r in good if "scores" in r}
        row["scores"] = {n: [s[n][0] for s in by_seed.values() if n in s] for n in SCORES}
        pairs = [(r, g) for r in good for g in runs if same_settings(g, r)]
        row["ratio"] = [r["words_per_cpu_second"] / g["words_per_cpu_second"] for r, g in pairs]
        row["whole_ratio"] = [g["total_wall"] / r["total_wall"] for r, g in pairs if r["tool"] != "twin"]
        rows.append(row)
    return rows


def same_settings(gensim: dict, other: dict) -> bool:
    """Whether `gensim` is gensim's run of the same round and settings; the twin has one worker, whatever was asked."""
    names = ["round", "algorithm", "loss", "dim"] + ([] if other["tool"] == "twin" else ["workers"])
    return gensim["tool"] == "gensim" and "error" not in gensim and all(gensim[n] == other[n] for n in names)


def table(rows: list[dict], args: argparse.Namespace) -> str:
    """The rows as Markdown."""
    several_losses = len(args.loss) > 1 or args.loss != ["ns"]
    columns = ["tool", "model", "dim", "workers", "M words/CPU s", "x gensim", "vocabulary s", "training s", "whole s"]
    columns += ["x gensim", "peak MiB (imports)"] + (list(SCORES) if args.eval else [])
    lines = ["| " + " | ".join(columns) + " |", "|---|---|" + "--:|" * (len(columns) - 2)]
    for row in rows:
        cells = [
            row["tool"] + (f" ({row['simd']})" if row["simd"] else "") + ("*" if row["tool"] in NOTES else ""),
            row["algorithm"] + (f"/{row['loss']}" if several_losses else ""),
            str(row["dim"]),
            str(row["workers"]),
        ]
        if row["errors"] and not row["words"]:
            cells += [f"failed: {row['errors'][0]}"] + ["-"] * (len(columns) - len(cells) - 1)
        else:
            imports = f" ({statistics.median(row['imports_mb']):.0f})"
            cells += [
                spread((v / 1e6 for v in row["words_per_cpu_second"]), lambda v: f"{v:.3g}"),
                spread(row["ratio"], lambda v: f"{v:.3g}"),
                spread(row["vocabulary_wall"], lambda v: f"{v:.2f}"),
                spread(row["training_wall"], lambda v: f"{v:.2f}"),
                spread(row["total_wall"], lambda v: f"{v:.2f}"),
                spread(row["whole_ratio"], lambda v: f"{v:.3g}"),
                spread(row["peak_mb"], lambda v: f"{v:.0f}") + imports,
            ]
            for name in SCORES if args.eval else ():
                values = row["scores"][name]
                mean = f"{statistics.mean(values):.3f}" if values else "-"
                cells.append(mean + (f" [{min(values):.3f}-{max(values):.3f}]" if len(values) > 1 else ""))
        lines.append("| " + " | ".join(cells) + " |")
    notes = [
        f"\\* {t}: {NOTES[t].format(twin_lines=args.twin_lines)}"
        for t in dict.fromkeys(r["tool"] for r in rows)
        if t in NOTES
    ]
    return "\n".join([*lines, "", *notes]) if notes else "\n".join(lines)


def warnings(rows: list[dict]) -> list[str]:
    """What a reader of the table must know: runs that failed, and tools that did not count the same words."""
    found = []
    for row in rows:
        if row["errors"]:
            name = " ".join(str(row[k]) for k in KEYS if row[k])
            found.append(f"{name}: {len(row['errors'])} run(s) failed: {row['errors'][0]}")
    counted = {r["tool"]: r["words"][0] for r in rows if r["words"] and r["tool"] != "twin"}
    if len(set(counted.values())) > 1:
        found.append(f"the tools count different numbers of corpus words: {counted}")
    return found


def cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def plot(rows: list[dict], path: Path) -> None:
    """Speed against each score: a panel a set, a mark a row."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib import ticker

    names = [n for n in SCORES if any(r["scores"][n] for r in rows)]
    if not names:
        raise SystemExit("--plot: no run has scores; are the evaluation sets in --eval DIR?")
    tools = list(dict.fromkeys((r["tool"], r["simd"]) for r in rows))
    shapes = dict(zip(dict.fromkeys((r["algorithm"], r["loss"], r["dim"]) for r in rows), "osD^vP*X", strict=False))
    figure, axes = plt.subplots(1, len(names), figsize=(3.6 * len(names), 3.8), squeeze=False, layout="constrained")
    for ax, name in zip(axes[0], names, strict=True):
        for row in rows:
            scores, speeds = row["scores"][name], [v / 1e6 for v in row["words_per_cpu_second"]]
            if not scores:
                continue
            x, y = statistics.median(speeds), statistics.mean(scores)
            shape = (row["algorithm"], row["loss"], row["dim"])
            ax.errorbar(
                x,
                y,
                xerr=[[x - min(speeds)], [max(speeds) - x]],
                yerr=[[y - min(scores)], [max(scores) - y]],
                fmt=shapes.get(shape, "o"),
                color=f"C{tools.index((row['tool'], row['simd']))}",
                fillstyle="full" if row["workers"] == 1 else "none",
                capsize=2,
            )
        ax.set(xscale="log", xlabel="M words a CPU second", title=name)
        ax.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter(ticker.NullFormatter())
        ax.grid(alpha=0.3)
    axes[0][0].set_ylabel("score")
    handles = [
        plt.Line2D([], [], marker="o", linestyle="", color=f"C{i}", label=f"{t} {s}".strip())
        for i, (t, s) in enumerate(tools)
        if any(r["tool"] == t and any(r["scores"].values()) for r in rows)
    ]
    handles += [
        plt.Line2D([], [], marker=m, linestyle="", color="grey", label=" ".join(map(str, k))) for k, m in shapes.items()
    ]
    if any(r["workers"] > 1 for r in rows):
        handles.append(plt.Line2D([], [], marker="o", linestyle="", color="grey", fillstyle="none", label="2+ workers"))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 6), frameon=False)
    figure.savefig(path, dpi=150)


def main() -> int:
    args = arguments()
    sys.path.insert(0, os.getcwd())
    versions = {t: version(t) for t in args.tools}
    missing = [t for t, v in versions.items() if v is None]
    if missing:
        print(f"not installed, left out: {', '.join(missing)} (pip install fastemb[bench])", file=sys.stderr)
    tools = [t for t in args.tools if t not in missing]
    runs, begin = [], time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        plan = jobs(args, tools, head(args.corpus, args.lines, folder))
        for number in range(args.rounds):
            seed = args.seeds[number % len(args.seeds)]
            for i, job in enumerate(plan):
                judged = args.eval is not None and number < len(args.seeds)  # the same seed again has the same scores
                job = job | {"seed": seed, "round": number, "eval": str(args.eval.resolve()) if judged else None}
                result = run_child(job)
                runs.append({k: v for k, v in job.items() if k not in ("corpus", "eval")} | result)
                rate = result.get("words_per_cpu_second")
                told = f"{rate / 1e6:.3f} M words/CPU s" if rate else f"failed: {result['error']}"
                print(
                    f"round {number + 1}/{args.rounds}, {i + 1}/{len(plan)}: {' '.join(map(str, key(job)))}: {told}",
                    file=sys.stderr,
                )
    rows = summarise(runs, tools)
    size = f"{args.lines:,} lines of " if args.lines else ""
    used = ", ".join(f"{t} {versions[t]}" + (" (NumPy)" if t == "twin" else "") for t in tools)
    print(f"{size}{args.corpus.name}, window {args.window}, negative {args.negative}, sample {args.sample:g}, ", end="")
    print(f"min_count {args.min_count}, alpha {args.alpha:g}, {args.epochs} epoch(s), {args.rounds} round(s), ", end="")
    print(f"seeds {' '.join(map(str, args.seeds))}; {cpu_name()}; Python {platform.python_version()}; {used}.\n")
    print(table(rows, args))
    problems = warnings(rows)
    for line in problems:
        print(f"\nNOTE: {line}")
    if args.json:
        machine = {"cpu": cpu_name(), "cores": os.cpu_count(), "system": platform.platform(), "versions": versions}
        settings = {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items()}
        document = {"machine": machine, "settings": settings, "seconds": time.perf_counter() - begin, "rows": rows}
        args.json.write_text(json.dumps(document | {"runs": runs, "notes": problems}, indent=1) + "\n")
    if args.plot:
        plot(rows, args.plot)
    return 1 if any(r["errors"] for r in rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())
