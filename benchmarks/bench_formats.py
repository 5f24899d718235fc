"""Files of vectors: reading and writing each format, single numbers, and gensim on the same file where it is installed.

    python -m pytest benchmarks/bench_formats.py --benchmark-enable --benchmark-timer=time.process_time

20,000 words of 100 numbers (8 MB as float32). `extra_info` holds MB of the file a CPU second.
"""

from __future__ import annotations

import os

import numpy as np
import pytest

from fastemb.formats import _text, glove, native, read_any, word2vec
from fastemb.formats.rows import encode_words

N, DIM = 20_000, 100
ROUNDS = dict(rounds=5, warmup_rounds=1)


def rate(benchmark, nbytes: int) -> None:
    if benchmark.stats:
        benchmark.extra_info["MB/s"] = round(nbytes / benchmark.stats["median"] / 1e6)


@pytest.fixture(scope="module")
def table():
    vectors = np.random.default_rng(0).standard_normal((N, DIM), dtype=np.float32) * np.float32(0.3)
    return [f"word{i}" for i in range(N)], vectors


def write_native(path, words, vectors):
    blob, offsets = encode_words(words)
    native.write(path, {"vectors": vectors, "vocab_bytes": blob, "vocab_offsets": offsets}, {})


def write_six_decimals(path, words, vectors):
    """As word2vec.c and GloVe print numbers."""
    with open(path, "wb") as f:
        f.write(b"%d %d\n" % vectors.shape)
        for word, row in zip(words, vectors.tolist(), strict=True):
            f.write(word.encode() + b" " + b" ".join(b"%.6f" % x for x in row) + b"\n")


WRITERS = {
    "native": write_native,
    "word2vec-bin": lambda p, w, v: word2vec.write(p, w, v, binary=True),
    "word2vec-text": lambda p, w, v: word2vec.write(p, w, v),
    "glove": lambda p, w, v: glove.write(p, w, v),
    "six-decimals": write_six_decimals,
}


@pytest.fixture(scope="module")
def files(table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("vectors")
    for name, write in WRITERS.items():
        write(folder / name, *table)
    return folder


@pytest.mark.parametrize("name", WRITERS)
def test_read(benchmark, files, name):
    benchmark.pedantic(read_any, (files / name,), **ROUNDS)
    rate(benchmark, os.path.getsize(files / name))


def test_map_native(benchmark, files):
    benchmark.pedantic(native.read, (files / "native",), dict(mmap=True), **ROUNDS)


@pytest.mark.parametrize("name", [n for n in WRITERS if n != "six-decimals"])
def test_write(benchmark, table, files, tmp_path, name):
    benchmark.pedantic(WRITERS[name], (tmp_path / "v", *table), **ROUNDS)
    rate(benchmark, os.path.getsize(files / name))


@pytest.mark.parametrize("binary", [False, True])
def test_gensim_read(benchmark, files, binary):
    models = pytest.importorskip("gensim.models", reason="gensim is not installed")
    path = files / ("word2vec-bin" if binary else "word2vec-text")
    benchmark.pedantic(models.KeyedVectors.load_word2vec_format, (str(path),), dict(binary=binary), rounds=2)
    rate(benchmark, os.path.getsize(path))


@pytest.mark.parametrize("binary", [False, True])
def test_gensim_write(benchmark, files, tmp_path, binary):
    models = pytest.importorskip("gensim.models", reason="gensim is not installed")
    path = files / ("word2vec-bin" if binary else "word2vec-text")
    kv = models.KeyedVectors.load_word2vec_format(str(path), binary=binary)
    benchmark.pedantic(kv.save_word2vec_format, (str(tmp_path / "v"),), dict(binary=binary), rounds=2)
    rate(benchmark, os.path.getsize(path))


@pytest.mark.parametrize("kind", ["shortest", "six-decimals", "float64"])
def test_numbers(benchmark, table, kind):
    """The number reader alone."""
    x = table[1][:2000].ravel()
    if kind == "shortest":
        text = " ".join(map(str, x))
    else:
        text = " ".join(map("{:.6f}".format if kind == "six-decimals" else repr, x.astype(float).tolist()))
    data = text.encode()
    benchmark.pedantic(_text.parse_floats, (data,), **ROUNDS)
    rate(benchmark, len(data))
