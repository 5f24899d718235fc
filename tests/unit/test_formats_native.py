"""The native file: what comes back, and that no damaged byte does."""

import json
import os
import struct
import zlib

import numpy as np
import pytest

from fastemb.formats import FormatError, Words, native, sniff
from fastemb.formats.rows import encode_words


def model(n=7, dim=3, words=None):
    rng = np.random.default_rng(0)
    blob, offsets = encode_words(words or [f"w{i}" for i in range(n)])
    return {
        "vectors": rng.standard_normal((n, dim), dtype=np.float32),
        "syn1neg": rng.standard_normal((n, dim), dtype=np.float32),
        "vocab_bytes": blob,
        "vocab_offsets": offsets,
        "counts": np.arange(n, 0, -1),
    }


META = {"format": "fastemb", "version": 1, "kind": "Word2Vec", "config": {"alpha": 0.025, "name": "é\n"}}


@pytest.fixture
def path(tmp_path):
    native.write(tmp_path / "m", model(), META)
    return tmp_path / "m"


@pytest.mark.parametrize("mmap", [False, True])
def test_round_trip(path, mmap):
    tensors, meta = native.read(path, mmap=mmap)
    assert meta == META and tensors.keys() == model().keys()
    for name, want in model().items():
        got = tensors[name]
        assert got.dtype == want.dtype and got.shape == want.shape and got.tobytes() == want.tobytes()
        assert got.flags.c_contiguous and got.flags.writeable is not mmap
    assert list(Words(tensors["vocab_bytes"], tensors["vocab_offsets"])) == [f"w{i}" for i in range(7)]


def test_every_safetensors_reader_reads_it(path):
    numpy = pytest.importorskip("safetensors.numpy")
    tensors = numpy.load_file(path)
    assert all(np.array_equal(tensors[k], v) for k, v in model().items())
    from safetensors import safe_open

    with safe_open(path, "np") as f:
        assert json.loads(f.metadata()["fastemb"]) == META


def test_a_header_length_that_begins_as_a_pickle_does(tmp_path):
    """Header lengths 0x..0280 to 0x..0580 are, as bytes, the first two of a pickle."""
    seen = set()
    for n in range(0, 1200, 8):
        native.write(tmp_path / "m", model(), {"x": "y" * n})
        seen.add((tmp_path / "m").read_bytes()[:2])
        assert sniff(tmp_path / "m") == "native"
    assert seen & {b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"}


@pytest.mark.parametrize("n", range(1, 20))
def test_vectors_are_aligned(tmp_path, n):
    native.write(tmp_path / "m", model(n, 5), {"x": "y" * n})
    assert native.read(tmp_path / "m", mmap=True)[0]["vectors"].ctypes.data % 64 == 0
    assert native.read(tmp_path / "m", mmap=True)[0]["counts"].ctypes.data % 8 == 0


def test_all_dtypes_and_shapes(tmp_path):
    tensors = {f"t{i}": np.arange(6).astype(t).reshape(2, 3) for i, t in enumerate("?bBhHiIlLqQefd")}
    tensors |= {
        "empty": np.zeros((0, 4), np.float32),
        "scalar": np.float64(3),
        "strided": np.arange(10)[::2],
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "big": np.arange(3, dtype=">i4"),
    }
    native.write(tmp_path / "m", tensors, {})
    for mmap in (False, True):
        back, _ = native.read(tmp_path / "m", mmap=mmap)
        assert all(np.array_equal(back[k], v) and back[k].shape == np.shape(v) for k, v in tensors.items())
    with pytest.raises(TypeError, match="complex"):
        native.write(tmp_path / "m", {"x": np.zeros(1, complex)}, {})


def test_empty_model(tmp_path):
    none = np.zeros(0, np.int64)
    native.write(tmp_path / "m", {"vectors": np.zeros((0, 5), np.float32), "vocab_ints": none}, {})
    assert native.read(tmp_path / "m")[0]["vectors"].shape == (0, 5)
    assert native.read(tmp_path / "m", mmap=True)[0]["vectors"].shape == (0, 5)


def refused(path, **options):
    try:
        native.read(path, **options)
    except FormatError as e:
        assert str(path) in str(e)
        return True
    return False


def test_every_flipped_bit_is_refused(path):
    good = path.read_bytes()
    with open(path, "r+b", buffering=0) as f:
        accepted = []
        for at in range(len(good)):
            for bit in range(8):
                os.pwrite(f.fileno(), bytes([good[at] ^ 1 << bit]), at)
                if not refused(path):
                    accepted.append((at, bit))
            os.pwrite(f.fileno(), good[at : at + 1], at)
    assert not accepted
    assert not refused(path)


def test_mapping_reads_no_matrix_and_refuses_all_else(path):
    good = path.read_bytes()
    tensors, _ = native.read(path, mmap=True)
    matrices = [good.index(tensors[k].tobytes()) for k in ("vectors", "syn1neg")]
    size = tensors["vectors"].nbytes
    for at in range(0, len(good), 3):
        path.write_bytes(good[:at] + bytes([good[at] ^ 64]) + good[at + 1 :])
        assert refused(path, mmap=True) != any(m <= at < m + size for m in matrices)


def test_every_truncation_is_refused(path):
    good = path.read_bytes()
    for length in range(len(good)):
        path.write_bytes(good[:length])
        assert refused(path) and refused(path, mmap=True)
    for extra in (b"\0", b" ", good):
        path.write_bytes(good + extra)
        assert refused(path) and refused(path, mmap=True)


def forge(path, change=None, tensors=None, meta="{}", text=None):
    """A file whose checksums all hold, but whose header a hostile writer made."""
    tensors = model() if tensors is None else tensors
    header, data = {}, b""
    for name, a in tensors.items():
        a = np.asarray(a)
        header[name] = {"dtype": {"f4": "F32", "i8": "I64", "u1": "U8"}[a.dtype.str[1:]], "shape": list(a.shape),
                        "data_offsets": [len(data), len(data) + a.nbytes]}  # fmt: skip
        data += a.tobytes()
    crcs = {k: f"{zlib.crc32(np.asarray(v).tobytes()):08x}" for k, v in tensors.items()}
    header["__metadata__"] = {
        "fastemb": meta,
        "fastemb.crc32": native._dump(crcs).decode(),
        "fastemb.header_crc32": "0" * 8,
    }
    if change:
        data = change(header, data) or data
    raw = native._dump(header)
    raw += b" " * (-len(raw) % 8)
    header["__metadata__"]["fastemb.header_crc32"] = f"{zlib.crc32(raw):08x}"
    raw = text or native._dump(header).ljust(len(raw))
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + data)


def test_forged_control(tmp_path):
    forge(tmp_path / "m")
    assert native.read(tmp_path / "m")[0]["counts"][0] == 7


def test_mapping_a_file_whose_tensors_are_not_aligned(tmp_path):
    for shift in range(1, 8):
        forge(tmp_path / "m", tensors={"pad": np.zeros(shift, np.uint8)} | model())
        tensors, _ = native.read(tmp_path / "m", mmap=True)
        assert all(t.flags.aligned and np.array_equal(t, model()[k]) for k, t in tensors.items() if k != "pad")


def test_mapping_beyond_4_gib(tmp_path):
    """A sparse file: offsets and sizes are 64-bit, and mapping reads nothing of the matrix."""
    n = (1 << 32) // 4 + 10
    tensors = {k: v for k, v in model(8).items() if k in ("vocab_bytes", "vocab_offsets", "vectors")}  # aligned so

    def change(header, data):
        start = header["syn1neg"]["data_offsets"][0]
        header["syn1neg"] |= {"shape": [n, 1], "data_offsets": [start, start + 4 * n]}

    forge(tmp_path / "m", change, tensors | {"syn1neg": np.zeros((1, 1), np.float32)})
    os.truncate(tmp_path / "m", (tmp_path / "m").stat().st_size + 4 * (n - 1))
    assert native.read(tmp_path / "m", mmap=True)[0]["syn1neg"].shape == (n, 1)
    os.truncate(tmp_path / "m", (tmp_path / "m").stat().st_size - 1)
    assert refused(tmp_path / "m", mmap=True)


def set_(name, key, value):
    def change(header, data):
        header[name][key] = value

    return change


HUGE = 2**62
FORGED = {
    "negative size": set_("vectors", "shape", [-7, -3]),
    "huge size": set_("vectors", "shape", [HUGE, 4]),
    "many dimensions": set_("vectors", "shape", [1] * 100),
    "float size": set_("vectors", "shape", [7.0, 3]),
    "bool size": set_("vectors", "shape", [True, 3]),
    "wrong size": set_("vectors", "shape", [7, 4]),
    "unknown dtype": set_("vectors", "dtype", "F31"),
    "dtype is a list": set_("vectors", "dtype", ["F32"]),
    "overlap": set_("syn1neg", "data_offsets", [0, 84]),
    "negative offset": set_("vectors", "data_offsets", [-84, 0]),
    "huge offset": set_("vectors", "data_offsets", [HUGE, HUGE + 84]),
    "hole": lambda h, d: d[:84] + b"\0" * 8 + d[84:],
    "no metadata": lambda h, d: h["__metadata__"].pop("fastemb.crc32") and None,
    "unknown key": set_("vectors", "stride", 1),
    "missing tensor": lambda h, d: h.pop("counts") and None,
    "metadata is no text": set_("__metadata__", "fastemb", {}),
    "metadata is no JSON": set_("__metadata__", "fastemb", "{"),
    "metadata is a list": set_("__metadata__", "fastemb", "[]"),
}


@pytest.mark.parametrize("case", FORGED)
def test_forged_header(tmp_path, case):
    forge(tmp_path / "m", FORGED[case])
    assert refused(tmp_path / "m") and refused(tmp_path / "m", mmap=True)


@pytest.mark.parametrize(
    "text", [b"[" * 100_000, b"{}", b"[]", b"{", b'{"a":NaN}', b'{"a":1,"a":1}', b"{\xff}", b"1" * 50_000]
)
def test_header_that_is_no_header(tmp_path, text):
    forge(tmp_path / "m", text=text)
    assert refused(tmp_path / "m")


def changed(**tensors):
    return {k: v for k, v in (model() | tensors).items() if v is not None}


VALUES = {
    "offsets fall": changed(vocab_offsets=np.array([0, 2, 1, 6, 8, 10, 12, 14])),
    "offsets begin late": changed(vocab_offsets=np.array([1, 2, 4, 6, 8, 10, 12, 14])),
    "offsets leave the bytes": changed(vocab_offsets=np.array([0, 2, 4, 6, 8, 10, 12, 99])),
    "offsets end early": changed(vocab_offsets=np.array([0, 2, 4, 6, 8, 10, 12, 13])),
    "one offset too few": changed(vocab_offsets=np.array([0, 2, 4, 6, 8, 10, 14])),
    "no offsets": changed(vocab_offsets=np.zeros(0, np.int64)),
    "words repeat": changed(vocab_bytes=np.frombuffer(b"w0w1w2w3w4w5w0", np.uint8)),
    "words without offsets": changed(vocab_offsets=None),
    "two vocabularies": changed(vocab_ints=np.arange(7)),
    "integers repeat": changed(vocab_bytes=None, vocab_offsets=None, vocab_ints=np.zeros(7, np.int64)),
    "too few integers": changed(vocab_bytes=None, vocab_offsets=None, vocab_ints=np.arange(6)),
    "negative count": changed(counts=np.arange(-1, 6)),
    "too few counts": changed(counts=np.arange(6)),
    "counts are floats": changed(counts=np.zeros(7, np.float32)),
    "vectors are integers": changed(vectors=np.zeros((7, 3), np.int64)),
    "vectors have one dimension": changed(vectors=np.zeros(7, np.float32)),
    "NaN": changed(vectors=np.full((7, 3), np.nan, np.float32)),
    "Inf in the second matrix": changed(syn1neg=np.full((7, 3), np.inf, np.float32)),
}


@pytest.mark.parametrize("case", VALUES)
def test_values_are_checked(tmp_path, case):
    forge(tmp_path / "m", tensors=VALUES[case])
    assert refused(tmp_path / "m")
    if case not in ("NaN", "Inf in the second matrix"):
        assert refused(tmp_path / "m", mmap=True)
    with pytest.raises(FormatError):
        native.write(tmp_path / "w", VALUES[case], {})
    assert not (tmp_path / "w").exists()


def test_nonfinite_on_request(tmp_path):
    native.write(tmp_path / "m", VALUES["NaN"], {}, allow_nonfinite=True)
    assert refused(tmp_path / "m")
    assert np.isnan(native.read(tmp_path / "m", allow_nonfinite=True)[0]["vectors"]).all()


def test_users_columns_may_hold_nan(tmp_path):
    native.write(tmp_path / "m", model() | {"column:age": np.full(7, np.nan)}, {})
    assert np.isnan(native.read(tmp_path / "m")[0]["column:age"]).all()


def test_foreign_safetensors_is_named(tmp_path):
    numpy = pytest.importorskip("safetensors.numpy")
    numpy.save_file({"embeddings": np.zeros((3, 4), np.float32)}, tmp_path / "m")
    with pytest.raises(FormatError, match=r"fastemb did not write \(tensors: embeddings\)"):
        native.read(tmp_path / "m")


def test_any_bytes_are_words(tmp_path):
    words = ["a b", "", "\udcff", "\n", "\0", "é", "x" * 100_000]
    native.write(tmp_path / "m", model(words=words), {})
    tensors, _ = native.read(tmp_path / "m")
    assert list(Words(tensors["vocab_bytes"], tensors["vocab_offsets"])) == words


@pytest.mark.slow
def test_more_than_4_gib(tmp_path):
    n = (1 << 32) // 4 // 1024 + 10
    if os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize < 3 * n * 4096:
        pytest.skip("needs 13 GB of disk")
    vectors = np.zeros((n, 1024), np.float32)
    vectors[-1] = 7
    native.write(tmp_path / "m", {"vectors": vectors, "vocab_ints": np.arange(n)}, {})
    assert native.read(tmp_path / "m", mmap=True)[0]["vectors"][-1, 5] == 7
    with open(tmp_path / "m", "r+b") as f:
        f.seek(-8 * n, 2)
        f.write(b"\1")
    assert refused(tmp_path / "m")
