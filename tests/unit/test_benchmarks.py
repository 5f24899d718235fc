"""The comparison runner works, and judges vectors as it says."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import compare  # noqa: E402
import scores  # noqa: E402


def test_ranks_and_spearman_with_ties():
    np.testing.assert_array_equal(scores.ranks(np.array([3.0, 1, 3, 2])), [2.5, 0, 2.5, 1])
    assert scores.spearman(np.array([1.0, 2, 3, 10]), np.array([2.0, 3, 5, 100])) == pytest.approx(1)
    # by hand: ranks 0 1.5 1.5 3 and 3 2 1 0; covariance -4.5, variances 4.5 and 5
    assert scores.spearman(np.array([1.0, 2, 2, 3]), np.array([9.0, 8, 7, 6])) == pytest.approx(-4.5 / np.sqrt(4.5 * 5))


def test_evaluation_of_made_vectors(tmp_path):
    words = ["man", "woman", "king", "queen", "apple"]
    vectors = np.array([[1, 0, 0], [1, 1, 0], [1, 0, 1], [1, 1, 1], [-1, 0, 0]], dtype=np.float32)
    (tmp_path / "en_ws353.tsv").write_text("man\tKing\t9\nman\tapple\t1\nking\tqueen\t9.5\nman\tunknown\t3\n")
    (tmp_path / "en_google.txt").write_text(": family\nman woman king queen\nman king woman apple\nman x king queen\n")
    found = scores.evaluate(tmp_path, words, vectors)
    assert found == {"WordSim-353": (pytest.approx(1), 3), "Google": (0.5, 2)}


def test_comparison_end_to_end(tmp_path):
    rng = np.random.default_rng(1)
    text = tmp_path / "text.txt"
    text.write_text("".join(" ".join(f"w{i}" for i in line) + "\n" for line in rng.integers(0, 50, (300, 20))))
    out = tmp_path / "out.json"
    options = ["--corpus", text, "--tools", "fastemb", "twin", "--dim", "8", "16", "--rounds", "2", "--seeds", "1", "2"]
    options += ["--lines", "250", "--twin-lines", "100", "--json", out]
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "compare.py", *options], capture_output=True, text=True, cwd=BENCHMARKS.parent
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(out.read_text())
    assert [(r["tool"], r["dim"], r["words"]) for r in document["rows"]] == [
        ("fastemb", 8, [5000, 5000]),
        ("twin", 8, [2000, 2000]),
        ("fastemb", 16, [5000, 5000]),
        ("twin", 16, [2000, 2000]),
    ]
    for run in document["runs"]:
        assert run["training_cpu"] > 0 and run["peak_mb"] > run["imports_mb"] * 0.99
    assert sum(line.startswith("| ") for line in done.stdout.splitlines()) == 5


def test_a_failing_tool_is_told_and_the_others_go_on(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("too few words\n")
    options = ["--corpus", text, "--tools", "fastemb"]
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "compare.py", *options], capture_output=True, text=True, cwd=BENCHMARKS.parent
    )
    assert done.returncode == 1
    assert "failed: ValueError" in done.stdout


@pytest.mark.parametrize("bad", [["--rounds", "0"], ["--plot", "x.png"], ["--corpus", "no such file"]])
def test_wrong_options_are_refused_before_any_work(bad, tmp_path, capsys):
    text = tmp_path / "text.txt"
    text.write_text("a\n")
    with pytest.raises(SystemExit):
        compare.arguments(["--corpus", str(text), *bad])
    assert "error:" in capsys.readouterr().err
