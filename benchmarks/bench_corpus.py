"""Reading: tokenising, counting, encoding, from files and from Python objects, and the standard library beside it."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from fastemb.corpus import Corpus, Vocabulary, scan
from fastemb.corpus._corpus import SLACK, Encoder, scan_versions


def rate(benchmark, words: int) -> None:
    if benchmark.stats:
        benchmark.extra_info["M words/s"] = round(words / benchmark.stats["median"] / 1e6, 2)


@pytest.fixture(scope="module")
def sentences(text):
    return [line.split() for line in text.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("version", scan_versions())
def test_tokenising_a_block(benchmark, text, version):
    """The C core alone: a block of a megabyte tokenised, hashed and counted, by every tokeniser of this machine."""
    data = np.frombuffer(text.read_bytes()[: 1 << 20] + b"\n" + bytes(SLACK), np.uint8)
    encoder = Encoder(version=version)
    ids, _, _ = benchmark.pedantic(encoder.text, (data, 0, len(data) - SLACK), rounds=30, warmup_rounds=2, iterations=2)
    rate(benchmark, len(ids))


@pytest.mark.parametrize("workers", [1, 2])
def test_encoding_a_file(benchmark, text, workers):
    corpus = benchmark.pedantic(Corpus, (str(text),), dict(workers=workers), rounds=5, warmup_rounds=1)
    rate(benchmark, corpus.report.tokens_read)


def test_encoding_to_a_cache_file(benchmark, text):
    corpus = benchmark.pedantic(Corpus, (str(text),), dict(workers=1, cache="auto", max_memory=0), rounds=5)
    rate(benchmark, corpus.report.tokens_read)


def test_reusing_a_cache_file(benchmark, text, tmp_path):
    Corpus(str(text), cache=tmp_path / "ids")
    corpus = benchmark.pedantic(Corpus, (str(text),), dict(cache=tmp_path / "ids"), rounds=5)
    rate(benchmark, corpus.report.tokens_read)


def test_counting_a_file(benchmark, text):
    _, report = benchmark.pedantic(scan, (str(text),), dict(workers=1), rounds=5, warmup_rounds=1)
    rate(benchmark, report.tokens_read)


def test_encoding_a_gzip_file(benchmark, text, tmp_path):
    """zlib's inflate is the limit here; it runs in its own thread."""
    (tmp_path / "t.gz").write_bytes(gzip.compress(text.read_bytes()))
    corpus = benchmark.pedantic(Corpus, (tmp_path / "t.gz",), dict(workers=1), rounds=3)
    rate(benchmark, corpus.report.tokens_read)


@pytest.mark.parametrize("kind", ["list", "generator", "strings"])
def test_encoding_python_objects(benchmark, sentences, kind):
    lines = [" ".join(s) for s in sentences]

    def encode():
        if kind == "strings":
            return Corpus(lines, tokenizer="whitespace", workers=1)
        return Corpus(sentences if kind == "list" else (s for s in sentences), workers=1)

    corpus = benchmark.pedantic(encode, rounds=5)
    rate(benchmark, corpus.report.tokens_read)


@pytest.mark.parametrize("kind", ["flat", "arrays", "ints"])
def test_encoding_ids(benchmark, kind):
    rng = np.random.default_rng(1)
    flat, offsets = (rng.zipf(1.3, 1_000_000) % 100_003).astype(np.int64), np.arange(0, 1_000_001, 50)
    arrays = np.split(flat, offsets[1:-1])
    source = {"flat": (flat, offsets), "arrays": arrays, "ints": [a.tolist() for a in arrays]}[kind]
    corpus = benchmark.pedantic(Corpus, (source,), dict(workers=1), rounds=5)
    rate(benchmark, corpus.report.tokens_read)


def test_looking_words_up(benchmark, text):
    vocabulary: Vocabulary = scan(str(text), min_count=1).vocabulary
    words = vocabulary.words * 3
    benchmark.pedantic(vocabulary.ids, (words,), rounds=5, warmup_rounds=1)
    rate(benchmark, len(words))


def test_counting_in_python(benchmark, text):
    """What the standard library does with the same text, for comparison."""
    from collections import Counter

    def count():
        with text.open(encoding="utf-8") as f:
            return Counter(word for line in f for word in line.split())

    rate(benchmark, benchmark.pedantic(count, rounds=3).total())
