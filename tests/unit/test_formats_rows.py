"""word2vec and GloVe files: what loads, what is refused and where, options, compression, memory."""

import bz2
import contextlib
import gzip
import lzma
import re
import struct
import subprocess
import sys
import tracemalloc
import warnings

import numpy as np
import pytest

from fastemb.formats import FormatError, Words, glove, read_any, sniff, word2vec

WORDS = ["the", "é", "a\u00a0b", "x\u2028y", "3", "-1e5", "nan", "z" * 5000]
VECTORS = np.array([[0.5, -1.25, 3], [1e-7, 2, -3.5e10]] * 4, np.float32)


def text(words, rows, header=True):
    head = b"%d %d\n" % (len(words), len(rows[0])) if header else b""
    return head + b"".join(
        w.encode() + b" " + " ".join(map(repr, map(float, r))).encode() + b"\n"
        for w, r in zip(words, rows, strict=True)
    )


def binary(words, rows, newline=b"\n"):
    return b"%d %d\n" % (len(words), len(rows[0])) + b"".join(
        w.encode() + b" " + struct.pack(f"<{len(r)}f", *r) + newline for w, r in zip(words, rows, strict=True)
    )


ROWS = VECTORS.tolist()
GOOD = {
    "text": text(WORDS, ROWS),
    "bin": binary(WORDS, ROWS, b""),
    "bin-c": binary(WORDS, ROWS),
    "glove": text(WORDS, ROWS, False),
}


@pytest.fixture
def load(tmp_path):
    def load(data, warns=None, **options):
        (tmp_path / "v").write_bytes(data)
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            _, (words, vectors, _) = read_any(tmp_path / "v", **options)
        assert len(seen) == (warns is not None), [str(w.message) for w in seen]
        assert warns is None or re.search(warns, str(seen[0].message)), str(seen[0].message)
        return list(words), vectors

    return load


def same(got, words=WORDS, vectors=VECTORS):
    return got[0] == words and got[1].dtype == np.float32 and np.array_equal(got[1], vectors)


@pytest.mark.parametrize("kind", GOOD)
def test_control(load, kind):
    words, vectors = load(GOOD[kind])
    assert same((words, vectors)) and vectors.flags.c_contiguous and vectors.flags.writeable


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("kind", GOOD)
def test_compressed_told_by_content(load, tmp_path, kind, pack):
    data = pack(GOOD[kind])
    assert same(load(data))
    for cut in (len(data) // 2, len(data) - 3):
        with pytest.raises(FormatError, match="damaged"):
            load(data[:cut])


@pytest.mark.parametrize("end", ["gz", "bz2", "xz"])
def test_compressed_by_ending(tmp_path, end):
    path = tmp_path / f"v.{end}"
    for write in (lambda: word2vec.write(path, WORDS, VECTORS), lambda: glove.write(path, WORDS, VECTORS)):
        write()
        first = path.read_bytes()
        assert first[:2] in (b"\x1f\x8b", b"BZ", b"\xfd7")
        assert same(read_any(path)[1][:2])
        write()
        assert path.read_bytes() == first  # no time stamp


HEADERS = [
    "1000000 3", "2000000000 300", "9223372036854775807 2", "8 2000000000", "8 4611686018427387905", "9" * 23 + " 3",
    "-8 3", "8 -3", "8 0", "0 3", "9 3", "7 3", "8 2", "8 4", "abc def", "8", "", "8 3 7", "5e1 3", "0x8 3", "8 3.0",
    "1" * 5000 + " 3", "5" * 10_000_000,
]  # fmt: skip


@pytest.mark.parametrize("header", HEADERS, ids=lambda h: h[:30])
@pytest.mark.parametrize("kind", ["text", "bin", "bin-c"])
def test_wrong_header(load, kind, header):
    with pytest.raises(FormatError):
        load(header.encode() + b"\n" + GOOD[kind].partition(b"\n")[2])


@pytest.mark.parametrize("kind", ["bin", "bin-c", "text", "glove"])
def test_every_truncation(load, kind):
    """Refused, but where the bytes do not tell: then it warns, or these are whole rows of a format without a count."""
    words = ["ab", "cd", "ef"]
    rows = [[1.25, -2.5], [0.75, 4.0], [8.5, 16.25]]
    make = {
        "text": text,
        "glove": lambda w, r: text(w, r, False),
        "bin": lambda w, r: binary(w, r, b""),
        "bin-c": binary,
    }
    data = make[kind](words, rows)
    for n in range(len(data)):
        part = data[:n]
        if kind == "glove" and part.endswith(b"\n"):
            assert load(part)[0] == words[: part.count(b"\n")]
            continue
        with contextlib.suppress(FormatError):
            load(part, warns="no line end")  # the last number is cut, or the last line end only
            assert kind in ("text", "glove")


def test_cut_last_number_of_equal_decimals(load):
    data = b"".join(b"w%d 0.123456 -0.654321\n" % i for i in range(9))
    for cut in range(2, 8):
        with pytest.raises(FormatError, match=r"row 9.*cut off"):
            load(data[:-cut])
    load(data[:-1], warns="no line end")


@pytest.mark.parametrize("kind", ["text", "bin", "bin-c"])
@pytest.mark.parametrize("extra", [b"\xff" * 1024, b"x", b"more 1 2 3\n"])
def test_trailing_bytes(load, kind, extra):
    with pytest.raises(FormatError, match=r"after the last row|cut off|wrong"):
        load(GOOD[kind] + extra)


def test_doubled(load):
    for kind in GOOD:
        with pytest.raises(FormatError):
            load(GOOD[kind] + GOOD[kind])


def replace_row(row, kind="text"):
    lines = GOOD[kind].split(b"\n")
    lines[5 - (kind == "glove")] = row
    return b"\n".join(lines)


BAD_ROWS = {
    "nan": (b"w 1 nan 3", "nan is not finite", 4),
    "inf": (b"w 1 -inf 3", "-inf is not finite", 4),
    "1e999": (b"w 1 1e999 3", "1e999 is not finite", 4),
    "-1e39": (b"w 1 2 -1e39", "-1e39 is not finite", 6),
    "hex": (b"w 1 0x1p3 3", "'0x1p3' is not a decimal number", 4),
    "comma": (b"w 1 0,5 3", "'0,5' is not a decimal number", 4),
    "underscore": (b"w 1 1_0 3", "'1_0' is not", 4),
    "junk": (b"w 1 abc 3", "'abc' is not", 4),
    "short": (b"w 1 2", "2 numbers instead of 3", 0),
    "empty number": (b"w 1  3", "2 numbers instead of 3", 0),
    "word only": (b"w", "0 numbers instead of 3", 0),
    "long": (b"w 1 2 3 4", "4 numbers instead of 3", 4),
    "blank": (b"", "empty line", 0),
}


@pytest.mark.parametrize("case", BAD_ROWS)
@pytest.mark.parametrize("kind", ["text", "glove"])
def test_bad_row_is_named(load, kind, case):
    row, message, at = BAD_ROWS[case]
    data = replace_row(row, kind)
    with pytest.raises(FormatError, match=message) as e:
        load(data)
    start = sum(len(line) + 1 for line in data.split(b"\n")[: 5 - (kind == "glove")])
    assert e.value.row == 5 and e.value.byte == start + at


@pytest.mark.parametrize(
    ("row", "word"),
    [(b"New York 1 2 3", "New York"), (b". . . 1 2 3", ". . ."), (b"a\tb 1 2 3", "a\tb"), (b"w\t1\t2\t3", "w"),
     (b"w 1  2 3 ", "w"), (b"w 1 2 3\r", "w"), (b" 1 2 3", ""), (b"\x00 1 2 3", "\x00"), (b"w\x0b 1 2 3", "w\x0b")],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["text", "glove"])
def test_odd_row_is_right(load, kind, row, word):
    words, vectors = load(replace_row(row, kind))
    assert words[4] == word and vectors[4].tolist() == [1, 2, 3]


def test_word_that_ends_in_a_number(load):
    with pytest.raises(FormatError, match="numeric_words=True"):
        load(replace_row(b"New York 2 1 2 3"))
    assert load(replace_row(b"New York 2 1 2 3"), numeric_words=True)[0][4] == "New York 2"


def test_first_row_with_spaces_sets_the_dimension(load):
    words, vectors = load(b"New York 1 2 3\nx 4 5 6\n")
    assert words == ["New York", "x"] and vectors.shape == (2, 3)


@pytest.mark.parametrize("data", [GOOD["text"], GOOD["glove"]], ids=["text", "glove"])
def test_byte_order_mark_crlf_and_blank_end(load, data):
    assert same(load(b"\xef\xbb\xbf" + data))
    assert same(load(data.replace(b"\n", b"\r\n")))
    assert same(load(data + b"\n \r\n"))
    load(data[:-1], warns="no line end")


def test_nonfinite_on_request(load):
    data = replace_row(b"w 1 nan -inf")
    assert np.isnan(load(data, allow_nonfinite=True)[1][4, 1])
    rows = [list(r) for r in ROWS]
    rows[2][1] = float("nan")
    with pytest.raises(FormatError) as e:
        load(binary(WORDS, rows))
    assert e.value.row == 3
    assert np.isnan(load(binary(WORDS, rows), allow_nonfinite=True)[1][2, 1])


@pytest.mark.parametrize("make", [text, binary, lambda w, r: text(w, r, False)])
def test_duplicates(load, make):
    data = make(["a", "b", "a", "c", "b", "a"], [[i, -i] for i in range(6)])
    with pytest.raises(FormatError, match="already in row 1") as e:
        load(data)
    assert e.value.row == 3
    for keep, numbers in (("first", [0, 1, 3]), ("last", [5, 4, 3])):
        words, vectors = load(data, duplicates=keep, warns=f"3 rows repeat a word .*kept the {keep} of each")
        assert words == ["a", "b", "c"] and vectors[:, 0].tolist() == numbers
    with pytest.raises(ValueError, match="duplicates must be"):
        load(data, duplicates="maybe")


@pytest.mark.parametrize("kind", ["text", "bin", "bin-c"])
def test_count_mismatch_on_request(load, kind):
    rest = GOOD[kind].partition(b"\n")[2]
    for count in (b"99 3\n", b"5 3\n"):
        with pytest.raises(FormatError, match="on_count_mismatch='rows'"):
            load(count + rest)
        assert same(load(count + rest, on_count_mismatch="rows"))


@pytest.mark.parametrize("kind", GOOD)
def test_limit(load, kind):
    assert same(load(GOOD[kind], limit=3), WORDS[:3], VECTORS[:3])
    assert same(load(GOOD[kind], limit=8)) and same(load(GOOD[kind], limit=800))
    with pytest.raises(ValueError, match="limit"):
        load(GOOD[kind], limit=0)


def test_limit_reads_no_further(load):
    """Damage behind the limit is not looked at."""
    assert load(GOOD["text"] + b"junk", limit=3)[0] == WORDS[:3]
    assert load(GOOD["bin"] + b"junk", limit=3)[0] == WORDS[:3]


@pytest.mark.parametrize("kind", ["text", "bin", "glove"])
def test_bytes_that_are_not_utf8(load, kind):
    data = GOOD[kind].replace("é".encode(), b"\xe9")
    words, _ = load(data, warns=r"1 of 8 words are not UTF-8 \(first: row 2")
    assert words[1].encode("utf-8", "surrogateescape") == b"\xe9"
    with pytest.raises(FormatError, match=r"row 2.*not utf-8") as e:
        load(data, errors="strict")
    assert e.value.row == 2
    assert load(data, errors="replace")[0][1] == "\ufffd"
    if kind != "bin":  # whose other words are UTF-8
        assert load(data, encoding="latin-1")[0][1] == "é"


def test_replacing_may_make_duplicates(load):
    data = text(["a", "b"], [[1], [2]]).replace(b"a ", b"\xff ").replace(b"b ", b"\xfe ")
    with pytest.raises(FormatError, match="already in row 1"):
        load(data, errors="replace")


def test_long_rows_and_words(load):
    words = ["a" * 3_000_000, "b", "c" * 1_500_000]
    rows = np.random.default_rng(0).standard_normal((3, 100_000)).astype(np.float32)
    for data in (text(words, rows), binary(words, rows), binary(words, rows, b""), text(words, rows, False)):
        assert same(load(data), words, rows)


@pytest.mark.parametrize("binary_", [False, True])
def test_blocks_of_any_length(tmp_path, monkeypatch, binary_):
    """Rows cut by block ends at every place: with tiny blocks, and sources that give a few bytes at a time."""
    from fastemb.formats import rows as module

    word2vec.write(tmp_path / "v", WORDS, VECTORS, binary=binary_)
    real = module.Source.readinto
    for size in (1, 2, 3, 7, 64, 1000):
        monkeypatch.setattr(module.Source, "readinto", lambda self, view, size=size: real(self, view[:size]))
        for block in (1, 5, 100, 1 << 20):
            monkeypatch.setattr(module, "BLOCK", block)
            assert same(read_any(tmp_path / "v")[1][:2])


def test_counts_beside_the_vectors(tmp_path):
    word2vec.write(tmp_path / "v", WORDS, VECTORS, range(8), vocab_path=tmp_path / "c")
    assert word2vec.read(tmp_path / "v", vocab_path=tmp_path / "c")[2].tolist() == list(range(8))
    (tmp_path / "c").write_bytes(b"the 5\n")
    with pytest.raises(FormatError, match="7 words of the vectors have no count"):
        word2vec.read(tmp_path / "v", vocab_path=tmp_path / "c")
    (tmp_path / "c").write_bytes(b"the many\n")
    with pytest.raises(FormatError, match="line 1"):
        word2vec.read(tmp_path / "v", vocab_path=tmp_path / "c")


WRITERS = {
    "text": lambda p, w, v, **o: word2vec.write(p, w, v, **o),
    "bin": lambda p, w, v, **o: word2vec.write(p, w, v, binary=True, **o),
    "glove": lambda p, w, v, **o: glove.write(p, w, v, **o),
}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize(
    ("word", "why"), [("New York", "white space"), ("a\tb", "white space"), ("a\n", "white space"),
                      ("a\x0b", "white space"), ("", "is empty"), ("the", "occurs twice"), ("\ud800", "UTF-8")]
)  # fmt: skip
def test_words_that_do_not_fit(tmp_path, kind, word, why):
    (tmp_path / "v").write_bytes(b"old")
    with pytest.raises(FormatError, match=why) as e:
        WRITERS[kind](tmp_path / "v", ["the", "a", word], VECTORS[:3])
    assert e.value.row == 3 and (tmp_path / "v").read_bytes() == b"old"


@pytest.mark.parametrize("kind", WRITERS)
def test_write_checks(tmp_path, kind):
    write = WRITERS[kind]
    bad = VECTORS.copy()
    bad[6, 2] = np.nan
    with pytest.raises(FormatError, match="NaN or Inf") as e:
        write(tmp_path / "v", WORDS, bad)
    assert e.value.row == 7
    write(tmp_path / "v", WORDS, bad, allow_nonfinite=True)
    assert np.isnan(read_any(tmp_path / "v", allow_nonfinite=True)[1][1][6, 2])
    with pytest.raises(ValueError, match="8 words need vectors"):
        write(tmp_path / "v", WORDS, VECTORS[:5])
    with pytest.raises(ValueError, match="cannot hold 0 words"):
        write(tmp_path / "v", [], np.zeros((0, 3)))
    with pytest.raises(TypeError, match="float"):
        write(tmp_path / "v", [1.5], [[1.0]])
    write(tmp_path / "v", [5, 7], np.ones((2, 2), np.float64))
    assert list(read_any(tmp_path / "v")[1][0]) == ["5", "7"]
    write(tmp_path / "v", Words(np.frombuffer(b"ab", np.uint8), np.array([0, 1, 2])), np.asfortranarray(VECTORS[:2]))
    assert np.array_equal(read_any(tmp_path / "v")[1][1], VECTORS[:2])


@pytest.mark.parametrize("word", ["\ufeffa", "\udcfd7zXZ\0", "\x1f\udc8b\x08", "BZh91AY&SY", "(\udcb5/\udcfd"])
def test_glove_cannot_begin_as_another_file_does(tmp_path, word):
    with pytest.raises(FormatError, match="byte order mark or a compressed file"):
        glove.write(tmp_path / "v", [word, "x"], [[1.0], [2.0]])
    glove.write(tmp_path / "v", ["x", word], [[1.0], [2.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert list(glove.read(tmp_path / "v")[0]) == ["x", word]
        word2vec.write(tmp_path / "v", [word], [[1.0]])
        assert list(word2vec.read(tmp_path / "v")[0]) == [word]


def test_words_is_a_sequence():
    words = Words(np.frombuffer("aé\ud7ff".encode(), np.uint8), np.array([0, 1, 3, 6]))
    assert len(words) == 3 and words[-1] == "\ud7ff" and words[:2] == ["a", "é"] and words == ["a", "é", "\ud7ff"]
    assert "é" in words and words.index("é") == 1 and words == Words(words.blob, words.offsets) and words != ["a"]
    with pytest.raises(IndexError):
        words[3]
    assert repr(words) == "Words(3: 'a', 'é', '\\ud7ff')"


def test_no_memory_before_the_size_is_checked(load):
    tracemalloc.start()
    for head in (b"26000000 10\n", b"8 2000000000\n", b"1000000000 1000000000\n"):
        for kind in ("text", "bin"):
            with pytest.raises(FormatError):
                load(head + GOOD[kind].partition(b"\n")[2])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss in kB")
@pytest.mark.parametrize("kind", ["text", "bin", "gz"])
def test_peak_memory_is_the_result(tmp_path, kind):
    n, d = 20_000, 100  # 8 MB
    vectors = np.random.default_rng(0).standard_normal((n, d), dtype=np.float32).round(2)
    word2vec.write(tmp_path / f"v.{kind}", range(n), vectors, binary=kind != "text")
    code = (
        "import sys, resource; from fastemb.formats import read_any\n"
        "r = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "a = r(); x = read_any(sys.argv[1]); print(r() - a)"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, tmp_path / f"v.{kind}"], capture_output=True, text=True, check=True
    )
    assert int(out.stdout) / 1024 < 4 * n * d / 2**20 + 16


def test_a_header_cannot_bomb_a_compressed_stream(load):
    """The size of a compressed file says nothing, so memory must follow the rows that really come."""
    for head in (b"9000000000000 3\n", b"8 900000000000\n", b"9000000000 900000000\n"):
        for kind in ("text", "bin"):
            with pytest.raises(FormatError):
                load(gzip.compress(head + GOOD[kind].partition(b"\n")[2]))


def test_sniff(tmp_path):
    from fastemb.formats import native

    native.write(tmp_path / "native", {"vectors": VECTORS}, {})
    cases = {
        (tmp_path / "native").read_bytes(): "native",
        b"": "empty",
        GOOD["text"]: "word2vec-text",
        GOOD["bin"]: "word2vec",
        GOOD["bin-c"]: "word2vec",
        GOOD["glove"]: "glove",
        b"\xef\xbb\xbf" + GOOD["text"]: "word2vec-text",
        gzip.compress(GOOD["glove"]): "glove",
        b"2 2\nNew York 1 2\nx 3 4\n": "word2vec-text",
        b"2 1\na abcd\nb efgh\n": "word2vec-text",
        b"1 2\n" + "é".encode("latin-1") + b" 1 2\n": "word2vec-text",
        b"1 2\nzero " + bytes(8): "word2vec",
        b"1 1\n" + b"a" * 3_000_000 + b" " + bytes(4): "word2vec",
        b"1 1\n" + b"a" * 3_000_000 + b" 1\n": "word2vec-text",
        b"PK\x03\x04" + bytes(100): "zip",
        b"\x80\x04\x95" + bytes(100): "pickle",
        b"\x93NUMPY\x01\x00" + bytes(100): "npy",
        b"FiFu" + bytes(100): "finalfusion",
        b"hello world\nthis is text\n": "text",
        bytes(4096): "unknown",
        b"\x00\x01": "unknown",
        struct.pack("<Q", 20) + b'{"a":1}'.ljust(20): "safetensors",
    }
    for data, want in cases.items():
        (tmp_path / "v").write_bytes(data)
        assert sniff(tmp_path / "v") == want, data[:40]
        if want not in ("native", "word2vec", "word2vec-text", "glove"):
            with pytest.raises(FormatError) as e:
                read_any(tmp_path / "v")
            assert len(str(e.value)) > 30


def test_what_is_no_file(tmp_path):
    import os

    with pytest.raises(FileNotFoundError):
        read_any(tmp_path / "no")
    with pytest.raises(IsADirectoryError):
        read_any(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "fifo")
        with pytest.raises(FormatError, match="pipe"):
            read_any(tmp_path / "fifo")
        with pytest.raises(FormatError, match="regular"):
            read_any("/dev/null")


def test_mmap_only_natively(tmp_path):
    (tmp_path / "v").write_bytes(GOOD["text"])
    with pytest.raises(FormatError, match="only the native format"):
        read_any(tmp_path / "v", mmap=True)
