"""What a corpus argument may be, and what it may not."""

import bz2
import gzip
import io
import lzma
import os
import pathlib
import subprocess
import sys
import threading

import numpy as np
import pytest

from fastemb.corpus import (
    RULE_DISCARD,
    RULE_KEEP,
    BrownCorpus,
    Corpus,
    CorpusNotFoundError,
    LineSentence,
    PathLineSentences,
    Text8Corpus,
    Vocabulary,
    scan,
)

TEXT = b"the cat sat\non the mat\n\nthe end"
WORDS = [["the", "cat", "sat"], ["on", "the", "mat"], ["the", "end"]]


def sentences(corpus):
    return list(corpus)


@pytest.fixture
def path(tmp_path):
    p = tmp_path / "a.txt"
    p.write_bytes(TEXT)
    return p


def test_paths_of_every_kind(path, tmp_path):
    for source in (
        path,
        str(path),
        os.fsencode(path),
        [path],
        [str(path)],
        str(tmp_path / "*.txt"),
        tmp_path,
        open(path, "rb"),
    ):
        corpus = Corpus(source, min_count=1)
        assert sentences(corpus) == WORDS, source
        assert corpus.report.empty_sentences == 1 and corpus.report.bytes_read == len(TEXT)
    assert corpus.offsets.tolist() == [0, 3, 6, 8] and corpus.ids.dtype == np.int32 and corpus.offsets.dtype == np.int64


def test_several_files_in_order(tmp_path):
    for i, name in enumerate(["c", "a", "b"]):
        (tmp_path / name).write_text(f"w{i} {name}")  # no line end: a file's end ends its sentence
    (tmp_path / ".hidden").write_text("hidden")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "deep").write_text("deep")
    (tmp_path / "empty").write_text("")
    assert sentences(Corpus(tmp_path, min_count=1)) == [["w1", "a"], ["w2", "b"], ["w0", "c"]]
    assert sentences(Corpus([tmp_path / "c", tmp_path / "a"], min_count=1, workers=3)) == [["w0", "c"], ["w1", "a"]]
    assert sentences(Corpus(str(tmp_path / "**"), min_count=1)) == [["w1", "a"], ["w2", "b"], ["w0", "c"], ["deep"]]
    assert sentences(Corpus(PathLineSentences(tmp_path), min_count=1)) == [["w1", "a"], ["w2", "b"], ["w0", "c"]]


def compressed(tmp_path):
    cases = {"a.gz": gzip.compress(TEXT), "a.bz2": bz2.compress(TEXT), "a.xz": lzma.compress(TEXT)}
    cases["two-members"] = gzip.compress(TEXT[:10]) + gzip.compress(TEXT[10:])
    try:
        from fastemb.corpus.readers import _zstd

        cases["a.zst"] = _zstd().compress(TEXT)
    except ImportError:
        pass
    for name, data in cases.items():
        p = tmp_path / name
        p.write_bytes(data)
        yield p


def test_compression_is_told_by_content(tmp_path):
    files = list(compressed(tmp_path))
    for p in files:
        plain_name = p.rename(tmp_path / (p.stem + "-" + p.suffix[1:]))
        for source in (plain_name, open(plain_name, "rb"), LineSentence(plain_name)):
            for block in (1, 5, 1 << 20):
                assert sentences(Corpus(source, min_count=1, _block=block)) == WORDS, p
                if hasattr(source, "seek"):
                    source.seek(0)
        assert list(LineSentence(plain_name)) == WORDS
    many = [q for q in sorted(tmp_path.iterdir()) for _ in range(5)]
    assert sentences(Corpus(many, min_count=1, workers=3, _block=4)) == WORDS * len(many)
    vocabulary, report = scan(many, min_count=1, workers=3)
    assert report.tokens_read == 8 * len(many) and vocabulary.counts[0] == 3 * len(many)


def test_compressed_and_plain_files_mixed(tmp_path):
    rng = np.random.default_rng(0)
    files, expected = [], []
    for i in range(9):
        lines = [[f"w{j}" for j in rng.integers(0, 50, rng.integers(0, 9))] for _ in range(200)]
        text = "\n".join(" ".join(line) for line in lines).encode()
        files.append(tmp_path / f"f{i}")
        files[-1].write_bytes([text, gzip.compress(text), lzma.compress(text)][i % 3])
        expected += [line for line in lines if line]
    for workers in (1, 2, 7):
        assert sentences(Corpus(files, min_count=1, workers=workers, _block=256)) == expected


@pytest.mark.parametrize("cut", [20, -3, -12])
def test_damaged_compressed_files(tmp_path, cut):
    data = os.urandom(3000).hex().encode()
    for name, packed in (("a.gz", gzip.compress(data)), ("a.bz2", bz2.compress(data)), ("a.xz", lzma.compress(data))):
        (tmp_path / name).write_bytes(packed[:cut])
        with pytest.raises(ValueError, match=f"{name}.*damaged or cut"):
            Corpus(tmp_path / name, min_count=1)
        flipped = bytearray(packed)
        flipped[len(flipped) // 2] ^= 0x10
        (tmp_path / name).write_bytes(flipped)
        with pytest.raises(ValueError, match="damaged or cut"):
            Corpus([tmp_path / name] * 3, min_count=1, workers=2)


def test_zstd_missing_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "compression", None)
    monkeypatch.setitem(sys.modules, "backports", None)
    (tmp_path / "a").write_bytes(b"\x28\xb5\x2f\xfd" + b"x" * 20)
    with pytest.raises(ImportError, match=r"fastemb\[zstd\]"):
        Corpus(tmp_path / "a", min_count=1)


def test_text_that_only_looks_compressed(tmp_path):
    (tmp_path / "a").write_text("BZh9 is how such files begin")
    assert len(Corpus(tmp_path / "a", min_count=1).vocabulary) == 6


def test_standard_input_and_pipes(tmp_path):
    code = "from fastemb.corpus import Corpus; print([list(s) for s in Corpus('-', min_count=1)])"
    for data in (TEXT, gzip.compress(TEXT)):
        out = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=True, cwd=root())
        assert eval(out.stdout) == WORDS


def root():
    return pathlib.Path(__file__).resolve().parents[2]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_named_pipe(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    def write():
        with open(fifo, "wb") as f:
            for i in range(0, len(TEXT), 5):
                f.write(TEXT[i : i + 5])
                f.flush()

    writer = threading.Thread(target=write)
    writer.start()
    assert sentences(Corpus(fifo, min_count=1)) == WORDS
    writer.join()


class Once:
    """A file object with nothing but read()."""

    def __init__(self, data):
        self._f = io.BytesIO(data)

    def read(self, n=-1):
        return self._f.read(min(n, 3) if n > 0 else n)


def test_file_objects():
    assert sentences(Corpus(io.BytesIO(TEXT), min_count=1)) == WORDS
    assert sentences(Corpus(Once(TEXT), min_count=1)) == WORDS
    assert sentences(Corpus(Once(gzip.compress(TEXT)), min_count=1)) == WORDS
    with pytest.raises(TypeError, match="binary mode"):
        Corpus(io.StringIO("a b"), min_count=1)


def test_giant_line_and_giant_word(tmp_path):
    p = tmp_path / "c"
    words = ["a", "b", "c", "d"] * 250_000
    p.write_text(" ".join(words))
    for workers in (1, 2):
        corpus = Corpus(p, workers=workers)
        assert corpus.num_tokens == 1_000_000 and corpus.offsets.tolist() == [0, 1_000_000]
    big = b"y" * (5 << 20)
    p.write_bytes(b"x " + b"w" * 100_000 + b" x\n" + big + b" x " + big)
    corpus = Corpus(p, min_count=1, workers=2)
    assert corpus.vocabulary.words == ["x", big.decode(), "w" * 100_000] and corpus.ids.tolist() == [0, 2, 0, 1, 0, 1]
    assert corpus.vocabulary.id("y" * (5 << 20)) == 1
    assert Corpus(io.BytesIO(p.read_bytes()), min_count=1).ids.tolist() == [0, 2, 0, 1, 0, 1]


def test_strings_with_a_tokenizer(path):
    texts = ["The  Cat", "", "sat\non the\tmat"]
    expected = [["The", "Cat"], ["sat", "on", "the", "mat"]]
    assert sentences(Corpus(texts, tokenizer="whitespace", min_count=1)) == expected
    assert sentences(Corpus(iter(texts), tokenizer="whitespace", min_count=1, _block=1)) == expected
    assert sentences(Corpus(texts, tokenizer=str.split, min_count=1)) == expected
    assert sentences(Corpus(path, tokenizer=lambda s: s.upper().split(), min_count=1))[0] == ["THE", "CAT", "SAT"]
    with pytest.raises(TypeError, match="item 1 is 3"):
        Corpus(["a", 3], tokenizer="whitespace", min_count=1)
    with pytest.raises(ValueError, match="tokenizer must be"):
        Corpus(["a"], tokenizer="spaces")


def test_numpy_sources():
    grid = np.array([[1, 2, 3], [3, 2, -1]], np.int16)
    assert sentences(Corpus(grid, min_count=1)) == grid.tolist()
    assert sentences(Corpus(np.array([["a", "b"], ["b", "c"]]), min_count=1)) == [["a", "b"], ["b", "c"]]
    assert sentences(Corpus([np.array(["a", "b"])], min_count=1)) == [["a", "b"]]
    assert sentences(Corpus([[np.int64(1), np.uint8(2)], [3]], min_count=1)) == [[1, 2], [3]]
    assert sentences(Corpus((np.arange(5), np.array([0, 2, 2, 5])), min_count=1)) == [[0, 1], [2, 3, 4]]
    with pytest.raises(ValueError, match="offsets must ascend"):
        Corpus((np.arange(5), np.array([1, 2])), min_count=1)
    with pytest.raises(ValueError, match="1 dimension"):
        Corpus(np.arange(5), min_count=1)
    with pytest.raises(ValueError, match="64"):
        Corpus([np.array([2**64 - 1], np.uint64)], min_count=1)


@pytest.mark.parametrize("source", [None, 3, 2.5, {"a": 1}, {"a"}, object()])
def test_no_corpus_at_all(source):
    with pytest.raises(TypeError, match="expected a path"):
        Corpus(source)


@pytest.mark.parametrize(
    "source, message",
    [
        ("these are words", "token lists"),
        ("/no/such/file.txt", "no file or directory"),
        ("x" * 5000, "no file"),
        ("nul\0byte", "no file"),
        (["a sentence", "another"], 'tokenizer="whitespace"'),
    ],
)
def test_strings_that_name_no_file(source, message):
    with pytest.raises(ValueError, match=message) as info:
        Corpus(source)
    assert isinstance(info.value, CorpusNotFoundError) and isinstance(info.value, FileNotFoundError)


def test_bad_sentences_and_tokens():
    with pytest.raises(ValueError, match=r"sentence 1 is 'b c'.*tokenizer="):
        Corpus([["a"], "b c"])
    with pytest.raises(TypeError, match="sentence 2 is None"):
        Corpus([["a"], ["b"], None])
    with pytest.raises(TypeError, match=r"sentence 0, token 1 is 2\.5"):
        Corpus([["a", 2.5]])
    with pytest.raises(TypeError, match=r"sentence 1, token 0 is 3.*after strings"):
        Corpus([["a"], [3]])
    with pytest.raises(TypeError, match=r"sentence 0, token 1 is 'a'.*after integers"):
        Corpus([[1, "a"]])
    with pytest.raises(TypeError, match="sentence 40000, token 0"):  # another batch
        Corpus(([["a"]] * 40_000) + [[1]], _block=1000)
    with pytest.raises(ValueError, match="does not fit"):
        Corpus([[2**63]])


def test_empty_and_too_rare(tmp_path, path):
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "blank").write_bytes(b" \n\n \r\n")
    for source in (tmp_path / "empty", tmp_path / "blank", [], [[]], iter([]), os.devnull, np.zeros((0, 3), int)):
        with pytest.raises(ValueError, match="is empty"):
            Corpus(source)
    with pytest.raises(
        ValueError,
        match=r"reaches min_count=5: 8 tokens read .* 6 different words.*'the', occurs 3 times; lower min_count to 3",
    ):
        Corpus(path)
    with pytest.raises(ValueError, match="holds no files"):
        (tmp_path / "folder").mkdir()
        Corpus(tmp_path / "folder")


@pytest.mark.parametrize(
    "options, name",
    [
        (dict(min_count=-1), "min_count"),
        (dict(min_count=1.5), "min_count"),
        (dict(max_final_vocab=0), "max_final_vocab"),
        (dict(max_vocab_size=0), "max_vocab_size"),
        (dict(trim_rule=3), "trim_rule"),
        (dict(workers=0), "workers"),
        (dict(workers=-2), "workers"),
        (dict(max_memory=-1), "max_memory"),
    ],
)
def test_bad_options_are_named_before_any_work(options, name):
    with pytest.raises(ValueError, match=name):
        Corpus(iter(lambda: pytest.fail("was read"), None), **options)


def test_cuts(path):
    assert Corpus(path, min_count=1, max_final_vocab=2).vocabulary.words == ["the", "cat"]
    assert Corpus(path, min_count=1, max_vocab_size=3).vocabulary.words == ["the", "cat", "end"]
    assert Corpus(path, min_count=2, keep=["mat", "absent"]).vocabulary.words == ["the", "mat"]
    assert Corpus(path, min_count=1, max_final_vocab=2, keep=["sat"]).vocabulary.words == ["the", "sat"]
    rule = {"the": RULE_DISCARD, "end": RULE_KEEP}
    assert Corpus(path, min_count=2, trim_rule=lambda w, c, m: rule.get(w, 0)).vocabulary.words == ["end"]
    assert Corpus(path, min_count=1, sorted_vocab=False, workers=3, _block=3).vocabulary.words == [
        "the",
        "cat",
        "sat",
        "on",
        "mat",
        "end",
    ]
    with pytest.raises(ValueError, match="trim_rule returned 'yes'"):
        Corpus(path, min_count=1, trim_rule=lambda *a: "yes")
    with pytest.raises(ZeroDivisionError):
        Corpus(path, min_count=1, trim_rule=lambda *a: 1 / 0)


def test_given_vocabulary(path):
    v = Vocabulary(["mat", "the", "dog"], [1, 1, 1])
    corpus = Corpus(path, vocabulary=v)
    assert corpus.vocabulary is v and corpus.ids.tolist() == [1, 1, 0, 1] and corpus.offsets.tolist() == [0, 1, 3, 4]
    assert corpus.report.tokens_oov == 4 and corpus.report.types_dropped == 4 and corpus.report.sentences_dropped == 0
    with pytest.raises(ValueError, match="in the given vocabulary"):
        Corpus(path, vocabulary=Vocabulary(["dog"], [1]))
    with pytest.raises(TypeError, match=r"strings.*integers"):
        Corpus(path, vocabulary=Vocabulary([1], [1]))


def test_count_report_and_dropped_words(path):
    vocabulary, report = scan(path, min_count=2)
    assert vocabulary.words == ["the"] and report.most_frequent == ("the", 3) and report.types_dropped == 5

    assert vocabulary.raw_counts("cat") == 1 and vocabulary.raw_counts("dog") == 0
    assert Corpus.count(path) == Corpus(path, min_count=1).vocabulary
    assert "8 tokens" in str(report)


def test_progress(tmp_path):
    p = tmp_path / "c"
    p.write_bytes(b"a b c d e f\n" * 200_000)
    seen = []
    main = threading.get_ident()

    def progress(d):
        assert threading.get_ident() == main
        seen.append(d)

    Corpus(p, progress=progress, workers=1)
    assert seen[-1]["bytes"] == seen[-1]["total_bytes"] == p.stat().st_size and seen[-1]["tokens"] == 1_200_000
    assert all(d["phase"] == "scan" and d["words_per_s"] >= 0 for d in seen)
    Corpus([["a"] * 10] * 10, progress=progress)
    assert seen[-1]["total_bytes"] is None and seen[-1]["tokens"] == 100


def test_readers_iterate_as_gensim(tmp_path):
    gensim = pytest.importorskip("gensim.models.word2vec")
    p = tmp_path / "c.txt"
    p.write_text("the quick  brown fox\n\njumps over ünïcödé\r\n" * 40 + "last line", encoding="utf-8")
    for limit in (None, 7):
        for length in (2, 3, 10_000):
            ours, theirs = (
                m.LineSentence(str(p), max_sentence_length=length, limit=limit)
                for m in (sys.modules["fastemb.corpus"], gensim)
            )
            theirs = [s for s in theirs if s]
            assert [s for s in ours if s] == theirs
            assert sentences(Corpus(ours, min_count=1, _block=17)) == theirs
    assert (
        list(Text8Corpus(p, 9))
        == list(gensim.Text8Corpus(str(p), 9))
        == sentences(Corpus(Text8Corpus(p, 9), min_count=1, _block=5))
    )
    assert list(PathLineSentences(tmp_path)) == [s for s in gensim.PathLineSentences(str(tmp_path)) if s]
    brown = tmp_path / "brown"
    brown.mkdir()
    (brown / "ca01").write_text("\n\tThe/at Fulton/np-tl ``/`` and/or/cc said/vbd ./.\n\n x/1a\n")
    assert (
        list(BrownCorpus(brown))
        == list(gensim.BrownCorpus(str(brown)))
        == sentences(Corpus(BrownCorpus(brown), min_count=1))
    )


def test_reader_cuts_never_drop(tmp_path):
    p = tmp_path / "c"
    p.write_text("a b c d e\nf g\n")
    corpus = Corpus(LineSentence(p, max_sentence_length=2), min_count=1)
    assert sentences(corpus) == [["a", "b"], ["c", "d"], ["e"], ["f", "g"]] == list(LineSentence(p, 2))
    assert corpus.report.sentences_split == 2 and corpus.report.sentences == 2
    assert sentences(Corpus(LineSentence(open(p, "rb"), limit=1), min_count=1)) == [["a", "b", "c", "d", "e"]]
    with pytest.raises(ValueError, match="max_sentence_length"):
        LineSentence(p, max_sentence_length=0)
