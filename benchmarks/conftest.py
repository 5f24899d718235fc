"""Made-up text with the word frequencies of real text, so that the benchmarks need no data.

    python -m pytest benchmarks/bench_kernels.py benchmarks/bench_corpus.py benchmarks/bench_queries.py \\
        --benchmark-enable --benchmark-timer=time.process_time --benchmark-sort=name

The timer is the CPU clock: on a busy machine the wall clock says little. `extra_info` of each holds the rate in words a
second (`--benchmark-json` keeps it). FASTEMB_BENCH_CORPUS=file takes the text of bench_corpus.py from a file.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

TYPES, SENTENCE = 35_000, 100


def zipf(tokens: int, seed: int = 1) -> np.ndarray:
    """Ids by falling frequency; Mandelbrot's law with the constants of English."""
    p = 1 / (np.arange(TYPES) + 2.7)
    return np.random.default_rng(seed).choice(TYPES, tokens, p=p / p.sum()).astype(np.int32)


@pytest.fixture(scope="session")
def ids() -> SimpleNamespace:
    """100,000 words in sentences of 100."""
    words = zipf(100_000)
    counts = np.sort(np.bincount(words, minlength=TYPES) + 5)[::-1].astype(np.int64)
    return SimpleNamespace(words=words, offsets=np.arange(0, len(words) + 1, SENTENCE, dtype=np.int64), counts=counts)


@pytest.fixture(scope="session")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a million words of text, a sentence a line."""
    if os.environ.get("FASTEMB_BENCH_CORPUS"):
        return Path(os.environ["FASTEMB_BENCH_CORPUS"])
    letters = np.array(list("etaoinshrdlu"))
    rng = np.random.default_rng(2)
    spelling = ["".join(rng.choice(letters, rng.integers(2, 11))) + str(i) for i in range(TYPES)]
    path = tmp_path_factory.mktemp("text") / "zipf.txt"
    with path.open("w", encoding="utf-8") as f:
        for line in zipf(500_000, seed=3).reshape(-1, SENTENCE):
            f.write(" ".join(spelling[i] for i in line) + "\n")
    return path
