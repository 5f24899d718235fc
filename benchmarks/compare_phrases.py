"""Phrases beside gensim's: learning, applying, and a second pass, interleaved, each in a fresh process, in CPU seconds.

    python benchmarks/compare_phrases.py --corpus text.txt [--rounds 3] [--connectors] [--workers 1]

Both tools read the same file with the same settings; gensim's sentences are iterated once (for s in phrases[source]),
ours are encoded into a Corpus. The phrases found are compared: same phrases, same scores, bit for bit.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import subprocess
import sys
import time

STEPS = ("learn", "export", "apply", "apply frozen")


def run(tool: str, corpus: str, connectors: bool, workers: int) -> dict:
    """One tool, once: CPU seconds by step."""
    if tool == "gensim":
        from gensim.models.phrases import ENGLISH_CONNECTOR_WORDS, Phrases
        from gensim.models.word2vec import LineSentence

        source, options = LineSentence(corpus), {}

        def consume(phrases) -> int:
            return sum(len(sentence) for sentence in phrases[source])
    else:
        from fastemb import ENGLISH_CONNECTOR_WORDS, LineSentence, Phrases

        source, options = LineSentence(corpus), {"workers": workers}

        def consume(phrases) -> int:
            return phrases.corpus(source, min_count=1, workers=workers).num_tokens

    seconds, last = {}, time.process_time()

    def lap(name: str) -> None:
        nonlocal last
        now = time.process_time()
        seconds[name], last = now - last, now

    if connectors:
        options["connector_words"] = ENGLISH_CONNECTOR_WORDS
    phrases = Phrases(source, **options)
    lap("learn")
    exported = phrases.export_phrases()
    lap("export")
    tokens = consume(phrases)
    lap("apply")
    frozen = phrases.freeze()
    last = time.process_time()
    consume(frozen)
    lap("apply frozen")
    digest = hashlib.sha256(json.dumps(sorted(exported.items())).encode()).hexdigest()
    same = {
        "vocabulary": len(phrases.vocab), "words": phrases.corpus_word_count, "phrases": len(exported),
        "tokens": tokens, "scores": digest[:16],
    }  # fmt: skip
    return {"seconds": seconds, "same": same}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--connectors", action="store_true", help="with ENGLISH_CONNECTOR_WORDS")
    parser.add_argument("--tool", choices=("gensim", "fastemb"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.tool:
        print(json.dumps(run(args.tool, args.corpus, args.connectors, args.workers)))
        return
    found: dict[str, list[dict]] = {"gensim": [], "fastemb": []}
    for _ in range(args.rounds):
        for tool, runs in found.items():
            done = subprocess.run(
                [sys.executable, *sys.argv, "--tool", tool], capture_output=True, text=True, check=True
            )
            runs.append(json.loads(done.stdout.splitlines()[-1]))
    same = {json.dumps(r["same"], sort_keys=True) for runs in found.values() for r in runs}
    print("same results:" if len(same) == 1 else "DIFFERENT RESULTS:", *sorted(same))
    for step in STEPS:
        gensim, ours = ([r["seconds"][step] for r in found[tool]] for tool in found)
        ratios = [a / b for a, b in zip(gensim, ours, strict=True)]
        print(
            f"{step:13} gensim {statistics.median(gensim):8.2f} s   fastemb {statistics.median(ours):7.3f} s   "
            f"x {statistics.median(ratios):6.1f} ({min(ratios):.1f}-{max(ratios):.1f})"
        )


if __name__ == "__main__":
    main()
