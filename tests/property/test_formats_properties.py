"""Whatever is written comes back; whatever bytes are read, the outcome is rows or a FormatError."""

import os
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fastemb.formats import FormatError, Words, glove, native, read_any, word2vec
from fastemb.formats.rows import encode_words

settings.register_profile(
    "formats", max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
FEW = settings.get_profile("formats")

any_word = st.binary(max_size=12).map(lambda b: b.decode("utf-8", "surrogateescape"))
row_word = (
    st.binary(min_size=1, max_size=12)
    .map(lambda b: b.translate(None, b" \t\n\v\f\r"))
    .filter(lambda b: b and not b.startswith(b"\xef\xbb\xbf"))
    .map(lambda b: b.decode("utf-8", "surrogateescape"))
)
floats = st.floats(width=32, allow_nan=False, allow_infinity=False)


def tables(words):
    """(words, vectors): unique words, any finite floats."""

    def with_rows(table):
        words, dim = table
        return st.tuples(st.just(words), hnp.arrays(np.float32, (len(words), dim), elements=floats))

    return st.tuples(st.lists(words, min_size=1, max_size=12, unique=True), st.integers(1, 6)).flatmap(with_rows)


def quiet_read(path, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_any(path, **options)


@FEW
@given(tables(any_word), st.lists(st.integers(0, 2**63 - 1), min_size=12, max_size=12), st.booleans())
def test_native_round_trip(tmp_path, table, counts, mmap):
    words, vectors = table
    blob, offsets = encode_words(words)
    tensors = {
        "vectors": vectors,
        "vocab_bytes": blob,
        "vocab_offsets": offsets,
        "counts": np.array(counts[: len(words)]),
    }
    native.write(tmp_path / "m", tensors, {"n": len(words)})
    back, meta = native.read(tmp_path / "m", mmap=mmap)
    assert meta == {"n": len(words)} and all(back[k].tobytes() == v.tobytes() for k, v in tensors.items())
    assert list(Words(back["vocab_bytes"], back["vocab_offsets"])) == words


@pytest.mark.parametrize("kind", ["text", "bin", "glove"])
@FEW
@given(table=tables(row_word))
@example(table=(["1"], np.array([[2]], np.float32)))
@example(table=(["1", "2"], np.array([[2], [3]], np.float32)))
def test_rows_round_trip(tmp_path, table, kind):
    words, vectors = table
    if kind == "glove":
        try:
            glove.write(tmp_path / "v", words, vectors)
        except FormatError as e:  # such a first word cannot be written without a header
            assert "compressed file" in str(e) and words[0].encode("utf-8", "surrogateescape")[:1] in b"\x1fB\xfd("
            return
    else:
        word2vec.write(tmp_path / "v", words, vectors, binary=kind == "bin")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = glove.read if kind == "glove" else word2vec.read
        got, x, _ = read(tmp_path / "v")
    assert list(got) == words and x.view(np.uint32).tolist() == vectors.view(np.uint32).tolist()


def outcome(path, data, **options):
    path.write_bytes(data)
    try:
        kind, payload = quiet_read(path, **options)
    except FormatError as e:
        assert len(str(e)) > 20
        return
    if kind == "native":
        assert payload[0].keys()
        return
    words, vectors, _ = payload
    assert len(words) == len(vectors) == len(set(words)) and np.isfinite(vectors).all() and vectors.size
    assert vectors.nbytes <= 4 * len(data) + 64


numbers = st.sampled_from([b"1", b"-2.5", b"3e4", b"nan", b"1e99", b"0x1", b"", b"abc", b"."])
line = st.tuples(
    st.sampled_from([b"w", b"New York", b"", b"\xff", b"5", b"\xef\xbb\xbfz"]), st.lists(numbers, max_size=4)
).map(lambda t: b" ".join([t[0], *t[1]]))
header = st.tuples(st.integers(-1, 5), st.integers(-1, 4)).map(lambda t: b"%d %d" % t)
texts = st.tuples(st.one_of(header, line), st.lists(line, max_size=5), st.sampled_from([b"\n", b"\r\n", b" \n"])).map(
    lambda t: t[2].join([t[0], *t[1], b""])
)


@FEW
@given(st.one_of(st.binary(max_size=200), texts, st.tuples(header, st.binary(max_size=80)).map(b"\n".join)), st.data())
def test_any_bytes(tmp_path, data, draw):
    options = draw.draw(
        st.fixed_dictionaries(
            {}, optional={"limit": st.integers(1, 3), "duplicates": st.sampled_from(["first", "last"])}
        )
    )
    try:
        outcome(tmp_path / "v", data, **options)
    except TypeError:  # a native header by chance, which takes no such options
        assert options and data[8:9] == b"{"


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seeds")
    words, vectors = ["a", "bc", "New", "é", "zz"], np.arange(15, dtype=np.float32).reshape(5, 3) / 7
    word2vec.write(folder / "t", words, vectors)
    word2vec.write(folder / "b", words, vectors, binary=True)
    word2vec.write(folder / "z.gz", words, vectors)
    glove.write(folder / "g", words, vectors)
    blob, offsets = encode_words(words)
    native.write(folder / "n", {"vectors": vectors, "vocab_bytes": blob, "vocab_offsets": offsets}, {})
    return [p.read_bytes() for p in sorted(folder.iterdir())]


@FEW
@given(
    st.integers(0, 4), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 3), st.integers(0, 255)), max_size=4)
)
def test_damaged_files(tmp_path, seeds, which, edits):
    data = bytearray(seeds[which])
    for at, how, byte in edits:
        at %= len(data) + 1
        if how == 0:
            data[at : at + 1] = bytes([byte])
        elif how == 1:
            data[at:at] = bytes([byte]) * (byte % 9)
        elif how == 2:
            del data[at : at + byte % 17]
        else:
            data[at:at] = data[:at][-(byte % 40) :]
    outcome(tmp_path / "v", bytes(data))
    assert os.listdir(tmp_path) == ["v"]
