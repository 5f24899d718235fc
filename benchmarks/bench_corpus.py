"""Reading: counting the vocabulary, encoding to ids, from a file and from Python lists."""

from __future__ import annotations

import pytest

from fastemb.corpus import Corpus, scan


def rate(benchmark, corpus) -> None:
    if benchmark.stats:
        benchmark.extra_info["M words/s"] = round(corpus.report.tokens_read / benchmark.stats["median"] / 1e6, 2)


@pytest.mark.parametrize("workers", [1, 2])
def test_encoding_a_file(benchmark, text, workers):
    corpus = benchmark.pedantic(Corpus, (str(text),), dict(workers=workers), rounds=5, warmup_rounds=1)
    rate(benchmark, corpus)


def test_counting_a_file(benchmark, text):
    benchmark.pedantic(scan, (str(text),), dict(workers=1), rounds=5, warmup_rounds=1)


def test_encoding_lists(benchmark, text):
    sentences = [line.split() for line in text.read_text(encoding="utf-8").splitlines()]
    corpus = benchmark.pedantic(Corpus, (sentences,), dict(workers=1), rounds=3)
    rate(benchmark, corpus)


def test_counting_in_python(benchmark, text):
    """What the standard library does with the same text, for comparison."""
    from collections import Counter

    def count():
        with text.open(encoding="utf-8") as f:
            return Counter(word for line in f for word in line.split())

    benchmark.pedantic(count, rounds=3)
