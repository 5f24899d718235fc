"""The README does what it says: its Python examples run, its commands parse, its links lead somewhere."""

import gzip
import os
import random
import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = {lang: re.findall(rf"^```{lang}\n(.*?)^```", README, re.M | re.S) for lang in ("python", "bash")}


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    """A directory with the files that the examples name."""
    directory = tmp_path_factory.mktemp("readme")
    words = "paris london king queen man woman a whole sentence rome is the city of".split()
    rng = random.Random(1)
    lines = [" ".join(rng.choices(words, k=12)) for _ in range(400)]
    with gzip.open(directory / "corpus.txt.gz", "wt") as file:
        file.write("\n".join(lines) + "\n")
    (directory / "lines.txt").write_text("\n".join(lines[:50]) + "\n")
    (directory / "more.txt").write_text("new words for the old king\n" * 20)
    (directory / "wordsim353.tsv").write_text("king\tqueen\t8.5\nparis\tlondon\t7\nman\tcity\t1\n")
    (directory / "vectors.txt").write_text("2 3\nking 1 0 0\nqueen 0 1 0\n")
    return directory


@pytest.mark.parametrize("number", range(len(BLOCKS["python"])))
def test_python_examples_run(number, workshop, monkeypatch):
    monkeypatch.chdir(workshop)
    names: dict = {}
    exec(compile(BLOCKS["python"][number], f"README.md, Python block {number + 1}", "exec"), names)
    if "kv" in names:
        assert names["m"].wv.vectors.shape[1] == names["kv"].vector_size == 200
        assert len(names["m"].history) == 5
        assert (workshop / "vectors.bin").stat().st_size > 800 * len(names["kv"])


def test_reader_of_the_formats_page(workshop, monkeypatch):
    """The page has all it takes to write a reader of the native file."""
    import numpy as np

    from fastemb import Word2Vec

    monkeypatch.chdir(workshop)
    model = Word2Vec("corpus.txt.gz", vector_size=7, epochs=1)
    model.save("model.safetensors")
    names: dict = {}
    exec(re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "formats.md").read_text(), re.M | re.S)[0], names)
    assert names["words"] == model.wv.index_to_key
    np.testing.assert_array_equal(names["vectors"], model.wv.vectors)


def test_there_are_examples():
    assert len(BLOCKS["python"]) >= 2


@pytest.mark.parametrize(
    "line", [line for block in BLOCKS["bash"] for line in block.splitlines() if line.startswith("fastemb ")]
)
def test_commands_parse(line):
    from fastemb.cli import make_parser

    command = re.split(r"\s+[|#]", line)[0]
    make_parser().parse_args(shlex.split(command, comments=True)[1:])


def test_commands_of_the_build_are_marked():
    """.ci/run takes the two commands from the README itself."""
    marked = re.findall(r"<!-- command: (\w+) -->\n```bash\n(.*)\n```", README)
    assert [name for name, _ in marked] == ["demo", "test"]
    assert all(command.startswith("python3 -m venv .venv && ") for _, command in marked)


def test_links_lead_somewhere():
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    broken = []
    for page in pages:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if not target.startswith(("http:", "https:")) and not os.path.exists(page.parent / target):
                broken.append(f"{page.name}: {target}")
    assert not broken
