"""Golden files, which gensim 4.4 wrote (tests/golden/make_formats_golden.py): every bit and every word."""

from pathlib import Path

import numpy as np
import pytest

from fastemb.formats import glove, read_any, sniff, word2vec

GOLDEN = Path(__file__).resolve().parent.parent / "golden"


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "formats_golden.npz") as f:
        return f["words"].tobytes().decode().split("\n"), f["bits"]


FILES = {
    "formats_gensim.txt": "word2vec-text",
    "formats_gensim.bin": "word2vec",
    "formats_word2vec_c.bin": "word2vec",
    "formats_gensim.glove": "glove",
}


@pytest.mark.parametrize("name", FILES)
def test_read(golden, name):
    words, bits = golden
    assert sniff(GOLDEN / name) == FILES[name]
    kind, (got, vectors, counts) = read_any(GOLDEN / name)
    assert kind == FILES[name] and list(got) == words and counts is None
    assert np.array_equal(vectors.view(np.uint32), bits)


@pytest.mark.parametrize("name", ["formats_gensim.txt", "formats_gensim.bin", "formats_gensim.glove"])
def test_write(golden, name, tmp_path):
    """Binary byte for byte; text may choose another shortest decimal layout (NumPy's changed over the years)."""
    words, bits = golden
    vectors = bits.view(np.float32)
    write = glove.write if name.endswith("glove") else word2vec.write
    options = {"binary": True} if name.endswith("bin") else {}
    write(tmp_path / "v", words, vectors, **options)
    ours, theirs = (tmp_path / "v").read_bytes(), (GOLDEN / name).read_bytes()
    if name.endswith("bin"):
        assert ours == theirs
    else:
        a, b = ours.split(b"\n"), theirs.split(b"\n")
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert x.split(b" ")[0] == y.split(b" ")[0]
            assert list(map(float, x.split(b" ")[1:])) == list(map(float, y.split(b" ")[1:]))
