"""The command line as a user meets it: subprocesses, exit codes, what is on stdout and what on stderr."""

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from fastemb import load
from fastemb.cli import common, found_text, make_parser, models, query, train, train_counts

COMMANDS = ("demo", "train", "vocab", "neighbors", "analogies", "vectors", "evaluate", "convert", "info")
# pytest may run beside a build in place: the subprocesses take the package that this process has
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONIOENCODING": "utf-8"}


def run(*args, code=0, cwd=None, **keywords):
    """Run the command line, check its exit code and that it shows no traceback; returns the completed process."""
    done = subprocess.run(
        [sys.executable, "-m", "fastemb", *map(str, args)],
        cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, timeout=100, **keywords,
    )  # fmt: skip
    assert done.returncode == code, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done


def in_process(capsys, *args):
    """Run the command line in this process, which is quicker; returns exit code, stdout, stderr."""
    from fastemb.cli import main

    code = main(list(map(str, args)))
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="module")
def corpus(directory) -> Path:
    rng = random.Random(3)
    animals, verbs, foods = (
        "cat dog bird horse".split(),
        "eats likes wants sees".split(),
        "fish bread grain grass".split(),
    )
    path = directory / "corpus.txt"
    with open(path, "w") as file:
        for _ in range(1500):
            file.write(f"the {rng.choice(animals)} {rng.choice(verbs)} the {rng.choice(foods)}\n")
    return path


@pytest.fixture(scope="module")
def model(directory, corpus) -> Path:
    path = directory / "model.safetensors"
    done = run("train", corpus, "-o", path, "--vector-size", 16, "--epochs", 2, "--sg", 1, "--workers", 1, "--json")
    summary = json.loads(done.stdout)
    assert summary["vocabulary"] == 13 and summary["words"] == 2 * 7500 and len(summary["history"]) == 2
    assert "13 words" in done.stderr and "words/s" in done.stderr and "saved to" in done.stderr
    return path


class TestParser:
    @pytest.mark.parametrize("command", COMMANDS)
    def test_help_has_examples(self, command, capsys):
        with pytest.raises(SystemExit) as end:
            make_parser().parse_args([command, "--help"])
        assert end.value.code == 0
        text = capsys.readouterr().out
        assert f"fastemb {command}" in text and "examples:" in text and "--json" in text

    def test_commands(self):
        done = run("--help")
        assert all(command in done.stdout for command in COMMANDS)
        assert run("--version").stdout.startswith("fastemb 0.")

    @pytest.mark.parametrize(
        ("args", "told"),
        [
            ([], "COMMAND"),
            (["nonsense"], "nonsense"),
            (["train", "corpus.txt"], "-o"),
            (["train", "c", "-o", "m", "--size", "5"], "did you mean --vector-size?"),
            (["train", "c", "-o", "m", "--windw", "5"], "did you mean --window?"),
            (["train", "c", "-o", "m", "--window", "five"], "--window"),
            (["train", "c", "-o", "m", "--vector", "5"], "did you mean --vector-size?"),  # no abbreviations
            (["train", "c", "-o", "m", "--max-memory", "lots"], "such as 500M"),
            (["evaluate", "m"], "SET"),
        ],
    )
    def test_wrong_usage(self, args, told, capsys):
        with pytest.raises(SystemExit) as end:
            make_parser().parse_args(args)
        assert end.value.code == 2
        assert told in capsys.readouterr().err

    @pytest.mark.parametrize("name", models.KINDS)
    def test_options_are_the_python_keywords(self, name):
        import inspect

        import fastemb

        kind = models.KINDS[name]
        classes = {"word2vec": fastemb.Word2Vec, "glove": fastemb.Glove}
        signature = inspect.signature(classes[name].__init__).parameters
        parser = make_parser()._subparsers._group_actions[0].choices["train"]
        own = {"help", "output", "format", "resume", "quiet", "json", "traceback", "model"}
        own |= {n for names in train_counts.KEYWORDS.values() for n in names}
        dests = {a.dest: a for a in parser._actions if a.option_strings}
        for dest in (*kind.options, "max_seconds", "checkpoint"):
            action = dests[dest]
            assert dest in signature, dest
            assert f"--{dest.replace('_', '-')}" in action.option_strings
            told = str(action.help).partition("(default: ")[2].partition(")")[0]
            general, _, glove = told.partition("; GloVe: ")
            told = glove if glove and name == "glove" else general
            default = signature[dest].default
            if told and isinstance(default, (int, float)) and not isinstance(default, bool):
                assert float(told) == default, dest
            elif told and isinstance(default, str):
                assert told == default, dest
        every = {option for other in models.KINDS.values() for option in other.options}
        assert every | {"max_seconds", "checkpoint"} == set(dests) - (own - every)

    def test_words_may_follow_options(self):
        args = make_parser().parse_args(["neighbors", "m", "-k", "3", "one", "-"])
        assert args.words == ["one", "-"]


class TestTrain:
    def test_deterministic_and_whole(self, model, corpus, tmp_path, capsys):
        again = tmp_path / "again.safetensors"
        options = ("--vector-size", 16, "--epochs", 2, "--sg", 1, "--workers", 1, "-q")
        code, out, err = in_process(capsys, "train", corpus, "-o", again, *options)
        assert (code, out, err) == (0, "", "")
        assert again.read_bytes() == model.read_bytes()
        loaded = load(again)
        assert loaded.sg == 1 and loaded.wv.vectors.shape == (13, 16)

    def test_stdin_and_formats(self, corpus, tmp_path):
        with open(corpus) as file:
            run("train", "-", "-o", tmp_path / "v.vec", "--vector-size", 5, "--epochs", 1, "-q", stdin=file)
        assert (tmp_path / "v.vec").read_text().splitlines()[0] == "13 5"

    def test_stdout(self, corpus, tmp_path):
        done = run(
            "train",
            corpus,
            "-o",
            "-",
            "--format",
            "word2vec-text",
            "--vector-size",
            5,
            "--epochs",
            1,
            "--algorithm",
            "cbow",
        )
        lines = done.stdout.splitlines()
        assert lines[0] == "13 5" and len(lines) == 14 and "words/s" in done.stderr

    def test_several_and_compressed(self, corpus, tmp_path, capsys):
        packed = tmp_path / "packed.bin"  # told by content, not by name
        packed.write_bytes(gzip.compress(corpus.read_bytes()))
        code, out, _ = in_process(
            capsys, "train", corpus, packed, "-o", tmp_path / "m", "--epochs", 1, "--vector-size", 4, "--json", "-q"
        )
        assert code == 0 and json.loads(out)["words"] == 15000

    @pytest.mark.parametrize(
        ("options", "told"),
        [
            (("--window", 0), "window=0"),
            (("--alpha", "nan"), "alpha=nan"),
            (("--min-count", 10**6), "min_count"),
            (("--algorithm", "skipgram", "--sg", 0), "contradicts"),
            (("--init", "nosuch.bin"), "nosuch.bin"),
        ],
    )
    def test_bad_parameters(self, options, told, corpus, tmp_path, capsys):
        code, out, err = in_process(capsys, "train", corpus, "-o", tmp_path / "m", *options)
        assert code == 1 and told in err and not out
        assert len([line for line in err.splitlines() if "error" in line]) == 1
        assert not (tmp_path / "m").exists()

    def test_missing_corpus(self, tmp_path):
        done = run("train", "nosuch.txt", "-o", tmp_path / "m", code=1)
        assert "nosuch.txt" in done.stderr and done.stderr.count("\n") == 1

    def test_output_is_checked_first(self, corpus, tmp_path, capsys):
        bad = [corpus, tmp_path, tmp_path / "no" / "such" / "m", "/dev/null"]
        link = tmp_path / "link.txt"
        link.symlink_to(corpus)
        for target in [*bad, link]:
            before = corpus.read_bytes()
            started = time.monotonic()
            code, _, err = in_process(capsys, "train", corpus, "-o", target)
            assert code == 1 and "error" in err
            assert "corpus read" not in err and time.monotonic() - started < 1
            assert corpus.read_bytes() == before
        code, _, err = in_process(capsys, "train", corpus.parent / "*.txt", "-o", corpus)
        assert code == 1 and "the corpus" in err

    @pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_interrupted_run_is_saved_and_resumed(self, number, code, corpus, tmp_path):
        target = tmp_path / "m.safetensors"
        command = [
            sys.executable,
            "-m",
            "fastemb",
            "train",
            corpus,
            "-o",
            target,
            "--epochs",
            "200000",
            "--vector-size",
            "20",
        ]
        heard = {"preexec_fn": lambda: signal.signal(number, signal.SIG_DFL)}  # a job in the background ignores SIGINT
        process = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True, **heard)
        for line in process.stderr:  # the vocabulary is there, training begins
            if line.startswith("vocabulary"):
                break
        time.sleep(1.0)
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
        assert process.returncode == code and "interrupted" in err and "Traceback" not in err
        interrupted = load(target)
        assert 0 < sum(epoch["words"] for epoch in interrupted.history) < 200000 * 7500
        assert np.isfinite(interrupted.wv.vectors).all()
        if number == signal.SIGINT:
            done = run("train", corpus, "-o", target, "--resume", "--max-seconds", 0.3, "--json")
            summary = json.loads(done.stdout)
            assert 0 < summary["words"] < sum(epoch["words"] for epoch in summary["history"])
            assert "--window" in run("train", corpus, "-o", target, "--resume", "--window", 5, code=1).stderr

    def test_checkpoint_may_be_the_output(self, model, corpus, tmp_path, capsys):
        target = tmp_path / "m"
        options = ("--vector-size", 16, "--epochs", 2, "--sg", 1, "--workers", 1, "-q", "--checkpoint", target)
        assert in_process(capsys, "train", corpus, "-o", target, *options)[0] == 0
        assert target.read_bytes() == model.read_bytes()
        code, _, err = in_process(capsys, "train", corpus, "-o", target, "--checkpoint", corpus)
        assert code == 1 and "the corpus" in err

    def test_resume_needs_a_model(self, corpus, tmp_path, capsys):
        code, _, err = in_process(capsys, "train", corpus, "-o", tmp_path / "none", "--resume")
        assert code == 1 and "none" in err

    def test_init_and_freeze(self, model, corpus, tmp_path, capsys):
        target = tmp_path / "m"
        options = ("--init", model, "--freeze", "init", "--vector-size", 16, "--epochs", 1, "-q")
        assert in_process(capsys, "train", corpus, "-o", target, *options)[0] == 0
        np.testing.assert_array_equal(load(target).wv["cat"], load(model).wv["cat"])

    def test_cache(self, corpus, tmp_path, capsys):
        options = ("--cache", tmp_path / "ids", "--vector-size", 4, "--epochs", 1, "--workers", 1, "-q")
        for name in ("a", "b"):
            assert in_process(capsys, "train", corpus, "-o", tmp_path / name, *options)[0] == 0
            assert (tmp_path / "ids").exists()
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()

    def test_sizes(self):
        assert [train.memory(text) for text in ("1000", "2k", "1.5M", "4G")] == [1000, 2048, 3 << 19, 4 << 30]


class TestVocab:
    def test_table(self, corpus, capsys, tmp_path):
        code, out, err = in_process(capsys, "vocab", corpus)
        assert code == 0 and out.splitlines()[0] == "the\t3000" and len(out.splitlines()) == 13
        assert "7,500 tokens" in err
        in_process(capsys, "vocab", corpus, "-o", tmp_path / "v.tsv", "-q")
        assert (tmp_path / "v.tsv").read_text() == out

    def test_json_and_cut(self, corpus, capsys):
        code, out, _ = in_process(capsys, "vocab", corpus, "--min-count", 1000, "--json", "-q")
        found = json.loads(out)
        assert code == 0 and found["words"] == {"the": 3000} and found["report"]["tokens_read"] == 7500

    def test_bytes_survive(self, tmp_path):
        (tmp_path / "c.txt").write_bytes(b"caf\xe9 caf\xe9 \xc3\xa9t\xc3\xa9\n")
        command = [sys.executable, "-m", "fastemb", "vocab", tmp_path / "c.txt", "--min-count", "1"]
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, check=True)
        assert set(done.stdout.splitlines()) == {b"caf\xe9\t2", b"\xc3\xa9t\xc3\xa9\t1"}
        assert b"not valid UTF-8" in done.stderr

    def test_reader_goes_away(self, tmp_path):
        path = tmp_path / "many.txt"
        path.write_text(" ".join(f"word{i}" for i in range(200_000)))
        command = f"{sys.executable} -m fastemb vocab {path} --min-count 1 -q | head -1; exit ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", command], env=ENVIRONMENT, capture_output=True, text=True)
        assert done.stdout.count("\n") == 1 and done.stderr == "" and done.returncode == 141


class TestQueries:
    def test_neighbors(self, model, capsys):
        code, out, _ = in_process(capsys, "neighbors", model, "cat", "-k", 3)
        assert code == 0 and len(out.splitlines()) == 3 and len(out.split()) == 6
        code, out, _ = in_process(capsys, "neighbors", model, "cat", "dog", "--json", "-k", 2)
        found = json.loads(out)
        assert code == 0 and list(found) == ["cat", "dog"] and len(found["cat"]) == 2
        wv = load(model).wv
        assert [word for word, _ in found["cat"]] == [word for word, _ in wv.most_similar("cat", topn=2)]

    def test_unknown_word(self, model, capsys):
        code, out, err = in_process(capsys, "neighbors", model, "cat", "cats")
        assert code == 1 and out.startswith("cat:") and "'cats'" in err and "cat" in err and err.count("\n") == 1

    def test_signs(self, model, capsys):
        code, out, _ = in_process(
            capsys, "neighbors", model, "--positive", "dog", "eats", "--negative", "cat", "-k", 2, "--json"
        )
        assert code == 0 and list(json.loads(out)) == ["dog eats -cat"]
        assert in_process(capsys, "neighbors", model, "cat", "--positive", "dog")[0] == 1
        assert in_process(capsys, "neighbors", model, "cat", "-k", 0)[0] == 1

    def test_prompt(self, model):
        done = run("neighbors", model, "-k", 2, input="cat\n\nnosuch\ndog - cat + bird\n")
        assert len(done.stdout.strip().split("\n\n")) >= 2 and "nosuch" in done.stderr

    def test_words_from_stdin(self, model):
        done = run("neighbors", model, "-", "-k", 1, "--json", input="cat\ndog\n")
        assert list(json.loads(done.stdout)) == ["cat", "dog"]

    def test_expressions(self):
        known = {"state-of-the-art", "-", "king"}
        assert query.signed("king - man + woman", known) == (["king", "woman"], ["man"])
        assert query.signed("king -man", known) == (["king"], ["man"])
        assert query.signed("state-of-the-art", known) == (["state-of-the-art"], [])
        assert query.signed("-", known) == (["-"], [])

    def test_analogies(self, model, capsys):
        code, out, _ = in_process(capsys, "analogies", model, "cat", "eats", "dog", "-k", 2)
        assert code == 0 and len(out.splitlines()) == 2
        assert not {"cat", "eats", "dog"} & set(out.split())
        assert in_process(capsys, "analogies", model, "cat", "eats")[0] == 1
        done = run("analogies", model, "-", "--json", input="cat eats dog\ncat eats\n", code=1)
        assert list(json.loads(done.stdout)) == ["cat eats dog"] and "three words" in done.stderr

    def test_vectors(self, model, capsys):
        code, out, _ = in_process(capsys, "vectors", model, "cat")
        word, *numbers = out.split()
        assert code == 0 and word == "cat"
        np.testing.assert_array_equal(
            np.array(numbers, np.float32), load(model).wv["cat"]
        )  # digits enough to read back
        assert len(in_process(capsys, "vectors", model)[1].splitlines()) == 13
        code, out, err = in_process(capsys, "vectors", model, "cat", "nosuch", "--norm", "--json")
        assert code == 1 and "nosuch" in err
        assert np.linalg.norm(json.loads(out)["cat"]) == pytest.approx(1, abs=1e-6)

    def test_int_keys(self, tmp_path, capsys):
        from fastemb import Word2Vec

        Word2Vec([[10, 20, 30, 40]] * 30, min_count=1, vector_size=4, epochs=1).save(tmp_path / "ints")
        code, out, _ = in_process(capsys, "neighbors", tmp_path / "ints", 20, "-k", 1)
        assert code == 0 and out.split()[0] in ("10", "30", "40")
        code, _, err = in_process(capsys, "neighbors", tmp_path / "ints", "twenty")
        assert code == 1 and "integers" in err


class TestFiles:
    @pytest.mark.parametrize(
        ("name", "kind"), [("v.bin", "word2vec"), ("v.vec", "word2vec-text"), ("v.glove", "glove")]
    )
    def test_convert_there_and_back(self, name, kind, model, tmp_path, capsys):
        there, back = tmp_path / name, tmp_path / "back.safetensors"
        code, out, err = in_process(capsys, "convert", model, there)
        assert code == 0 and not out and kind in err
        assert json.loads(in_process(capsys, "info", there, "--json")[1])["format"] == kind
        assert in_process(capsys, "convert", there, back, "--json")[0] == 0
        np.testing.assert_array_equal(load(back).vectors, load(model).wv.vectors)

    def test_convert_cuts(self, model, tmp_path, capsys):
        assert in_process(capsys, "convert", model, tmp_path / "v", "--format", "glove", "--restrict-vocab", 3)[0] == 0
        assert len((tmp_path / "v").read_text().splitlines()) == 3
        assert in_process(capsys, "convert", model, tmp_path / "w", "--restrict-vocab", 3)[0] == 0
        assert load(tmp_path / "w").get_vecattr("the", "count") == 3000

    def test_info(self, model, capsys):
        code, out, _ = in_process(capsys, "info", model)
        assert code == 0
        for part in ("native", "Word2Vec", "13 words of 16 dimensions", "epochs=2", "epoch", "7,500"):
            assert part in out
        found = json.loads(in_process(capsys, "info", model, "--json")[1])
        assert found["config"]["vector_size"] == 16 and len(found["history"]) == 2 and found["count"]["largest"] == 3000

    def test_wrong_files(self, model, corpus, tmp_path, capsys):
        damaged = tmp_path / "damaged.safetensors"
        content = bytearray(model.read_bytes())
        content[-100] ^= 1
        damaged.write_bytes(content)
        (tmp_path / "empty").write_bytes(b"")
        for path, told in [(damaged, "damaged"), (corpus, "text"), (tmp_path / "empty", "empty"), ("nosuch", "nosuch")]:
            for command in ("info", "neighbors"):
                code, _, err = in_process(capsys, command, path, *["cat"] * (command == "neighbors"))
                assert code == 1 and told in err and err.count("\n") == 1, err

    def test_traceback_on_request(self, capsys):
        with pytest.raises(FileNotFoundError):
            in_process(capsys, "info", "nosuch", "--traceback")


class TestEvaluate:
    def test_kinds_are_told_by_content(self, model, tmp_path, capsys):
        pairs, questions, other = tmp_path / "a.txt", tmp_path / "b.tsv", tmp_path / "c.txt"
        pairs.write_text("# comment\ncat\tdog\t9\ncat\tfish\t3\ndog\tbread\t2\ncat\tunicorn\t5\n")
        questions.write_text(": animals\ncat eats dog eats\ncat eats dog likes\n: none\ncat x dog y\n")
        other.write_text("just some words that are no set\n")
        code, out, _ = in_process(capsys, "evaluate", model, pairs, questions, "--sections")
        assert code == 0 and "pairs" in out and "analogies" in out and "animals" in out
        found = json.loads(in_process(capsys, "evaluate", model, pairs, questions, "--json")[1])
        assert [(f["kind"], f["items"], f["unknown"]) for f in found] == [("pairs", 3, 1), ("analogies", 2, 1)]
        expected = load(model).wv.evaluate_word_pairs(str(pairs))
        assert found[0]["spearman"] == expected[1][0]
        code, _, err = in_process(capsys, "evaluate", model, other)
        assert code == 1 and "no set" in err
        code, _, err = in_process(capsys, "evaluate", model, tmp_path)
        assert code == 1 and "directory" in err

    def test_real_sets(self, model, shared_data, capsys):
        kinds = {path.name: common_kind(path) for path in sorted((shared_data / "eval").iterdir())}
        assert kinds["en_ws353.tsv"] == kinds["de_simlex999.tsv"] == "pairs"
        assert kinds["en_google.txt"] == kinds["de_devmount-syntactic.txt"] == "analogies"


def common_kind(path):
    from fastemb.cli.evaluate import kind_of

    return kind_of(str(path))[0]


class TestFoundText:
    def test_python_prose(self):
        source = (
            '"""Module docstring with words."""\n'
            "# first line of a comment\n# and the second\n"
            "x = 'it''s'  # trailing words\n"
            'raise ValueError("the value is wrong, "\n    "give another one")\n'
            "y = 'no # comment in here'\n"
            "z = r'''raw \\' text that goes on'''\n"
        )
        pieces = list(found_text.python_prose(source))
        assert "Module docstring with words." in pieces[0]
        assert any("first line of a comment\n and the second" in piece for piece in pieces)
        assert any("the value is wrong, give another one" in piece for piece in pieces)
        assert any("no # comment in here" in piece for piece in pieces)
        assert any("raw ' text that goes on" in piece for piece in pieces)

    def test_clean(self):
        text = (
            "The first sentence, in short.  A second one is here:\n>>> code = 1\nsee :func:`os.path.join` for it all."
        )
        assert list(found_text.clean(text)) == ["the first sentence in short", "a second one is here"]

    def test_standard_library_is_enough(self):
        found = found_text.Found()
        files = [file for file in found_text.sources(system=False) if file[0] == "standard library"]
        lines = list(found_text.sentences(files, max_words=200_000, found=found))
        assert found.words >= 200_000, "a bare Python has more than that"
        assert len(lines) == found.sentences == len(set(lines))
        assert sum(line.count(" ") + 1 for line in lines) == found.words
        assert files == sorted(files, key=lambda file: file[0])

    def test_order_is_the_same_for_any_number_of_readers(self):
        files = found_text.sources(system=False)[:60]
        assert list(found_text.sentences(files)) == list(found_text.sentences(files, workers=2))

    def test_unreadable_files_are_counted(self, tmp_path):
        (tmp_path / "bad.txt.gz").write_bytes(b"no gzip at all")
        (tmp_path / "good.md").write_text("This is a sentence of seven words here.")
        found = found_text.Found()
        files = [("x", str(tmp_path / name)) for name in ("bad.txt.gz", "gone.txt", "good.md")]
        assert list(found_text.sentences(files, found=found)) == ["this is a sentence of seven words here"]
        assert (found.files, found.unreadable, found.words) == (3, 2, 8)


class TestDemo:
    def test_runs(self, tmp_path):
        target, text = tmp_path / "demo.safetensors", tmp_path / "text.txt"
        done = run("demo", "--max-words", 60_000, "--epochs", 1, "-o", target, "--text", text)
        assert "Nearest words" in done.stdout and "fastemb train" in done.stdout and "instruction set" in done.stdout
        assert len(load(target).wv) > 100 and text.stat().st_size > 200_000

    def test_json(self):
        found = json.loads(run("demo", "--max-words", 30_000, "--epochs", 1, "--json").stdout)
        assert found["words_per_s"] > 0 and found["machine"]["simd"] and found["text"]["words"] >= 30_000


class TestHelpers:
    def test_table(self):
        lines = common.table([("a", 1234, 0.5), ("long", 5, 12.25)], ("word", "n", "x"))
        assert lines == ["word      n        x", "a     1,234   0.5000", "long      5  12.2500"]

    def test_one_line(self):
        assert common.one_line(KeyError("a\n  b")) == "a b"
        assert common.one_line(FileNotFoundError(2, "No such file", "x")) == "x: No such file"
        assert common.one_line(MemoryError()) == "MemoryError"

    def test_units(self):
        assert (common.size(5), common.size(2.8e6), common.rate(2.31e6), common.rate(93_400)) == (
            "5 B", "2.8 MB", "2.31 M", "93 k",
        )  # fmt: skip


class TestGlove:
    """``fastemb train --model glove``."""

    def test_from_text_and_from_counts(self, corpus, directory, capsys):
        options = ("--model", "glove", "--min-count", 1, "--vector-size", 6, "--epochs", 3, "--x-max", 10)
        text, counted = directory / "g1.safetensors", directory / "g2.safetensors"
        code, out, err = in_process(capsys, "train", corpus, "-o", text, *options)
        assert code == 0 and not out and "cells" in err and "eta" in err
        assert in_process(capsys, "cooc", corpus, "-o", directory / "counts", "--min-count", 1)[0] == 0
        code, out, _ = in_process(capsys, "train", directory / "counts", "-o", counted, *options, "--json", "-q")
        assert code == 0
        assert text.read_bytes() == counted.read_bytes()
        summary = json.loads(out)
        assert summary["cells"] == 3 * summary["history"][0]["cells"] and summary["cells_per_s"] > 0
        model = load(text)
        assert type(model).__name__ == "Glove" and len(model.history) == 3

    def test_resume(self, corpus, directory, capsys):
        path = directory / "g3.safetensors"
        options = ("--model", "glove", "--min-count", 1, "--vector-size", 6, "--epochs", 3000)
        assert in_process(capsys, "train", corpus, "-o", path, *options, "--max-seconds", 0.2)[0] == 0
        first = len(load(path).history)
        assert first < 3000
        code, _, err = in_process(capsys, "train", corpus, "-o", path, "--resume", "--max-seconds", 0.2)
        assert code == 0 and "cells" in err
        assert len(load(path).history) > first

    @pytest.mark.parametrize("option", ["--negative", "--alpha", "--hs", "--sorted-vocab"])
    def test_options_of_the_other_model(self, corpus, directory, option):
        done = run("train", corpus, "-o", directory / "no", "--model", "glove", option, 1, code=1)
        assert f"{option} means nothing to --model glove" in done.stderr

    def test_text_output(self, corpus, directory, capsys):
        path = directory / "v.glove"
        code, *_ = in_process(capsys, "train", corpus, "-o", path, "--model", "glove", "--min-count", 1, "--epochs", 1)
        assert code == 0
        assert len(path.read_text().splitlines()[0].split(" ")) == 101  # as Stanford's program writes it
