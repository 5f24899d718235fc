"""``fastemb train --model ppmi|lsa`` as a user meets it."""

import json

import numpy as np
import pytest

from fastemb import LSA, PPMI, load
from fastemb.cli import main


def call(capsys, *args):
    code = main([str(a) for a in args])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def corpus(tmp_path):
    rng = np.random.default_rng(0)
    words = np.array([f"w{i}" for i in range(60)])
    path = tmp_path / "corpus.txt"
    path.write_text("\n".join(" ".join(words[(rng.zipf(1.3, 20) - 1) % 60]) for _ in range(300)))
    return path


def test_ppmi(capsys, corpus, tmp_path):
    out = tmp_path / "m.safetensors"
    options = ("--vector-size", 8, "--window", 3, "--cds", 0.5, "--shift", 1.5, "--combine", "sum", "--eig", 0)
    code, stdout, err = call(capsys, "train", corpus, "-o", out, "--model", "ppmi", *options, "--json")
    assert code == 0 and "cells" in err
    summary = json.loads(stdout)
    assert summary["model"] == "ppmi" and summary["format"] == "native"
    model = load(out)
    same = PPMI(str(corpus), 8, 3, cds=0.5, shift=1.5, combine="sum", eig=0)
    assert isinstance(model, PPMI) and np.array_equal(model.wv.vectors, same.wv.vectors)
    assert model.cooccurrence.nnz == summary["cells"]
    assert call(capsys, "neighbors", out, "w1", "-k", "2")[0] == 0


def test_lsa(capsys, corpus, tmp_path):
    out = tmp_path / "m.safetensors"
    options = ("--vector-size", 5, "--weighting", "tf-idf", "--min-count", 3, "-q")
    assert call(capsys, "train", corpus, "-o", out, "--model", "lsa", *options) == (0, "", "")
    model, same = load(out), LSA(str(corpus), 5, "tf-idf", 3)
    assert isinstance(model, LSA) and np.array_equal(model.document_vectors, same.document_vectors)
    vectors = tmp_path / "v.txt"
    assert call(capsys, "train", corpus, "-o", vectors, "--model", "lsa", *options)[0] == 0
    np.testing.assert_allclose(load(vectors).vectors, model.wv.vectors, rtol=1e-5)


def test_options_of_other_models(capsys, corpus, tmp_path):
    out = tmp_path / "m"
    for options, message in (
        (("--model", "ppmi", "--epochs", "3"), "--epochs means nothing to --model ppmi"),
        (("--model", "lsa", "--window", "3"), "--window means nothing to --model lsa"),
        (("--cds", "0.5"), "--cds means nothing to --model word2vec"),
        (("--model", "ppmi", "--shift", "0"), "shift=0.0 is out of range"),
        (("--model", "ppmi", "--vector-size", "5000"), "vector_size=5000 is out of range"),
    ):
        code, _, err = call(capsys, "train", corpus, "-o", out, *options)
        assert code == 1 and message in err, err
        assert not out.exists()
