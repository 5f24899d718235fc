"""Saving and loading: nothing lost, nothing half-written, and errors that say what to do."""

import os

import numpy as np
import pytest

import fastemb
from fastemb import KeyedVectors, load
from fastemb.formats import FormatError, native
from fastemb.vectors import loading

WORDS = ["the", "two words", "", "ďábel", "bytes\udcff", "tab\there"]
MATRIX = np.random.default_rng(0).standard_normal((6, 5)).astype(np.float32)


@pytest.fixture()
def kv():
    kv = KeyedVectors(5)
    kv.add_vectors(WORDS, MATRIX)
    for i, word in enumerate(WORDS):
        kv.set_vecattr(word, "count", 60 - i)
    return kv


@pytest.mark.parametrize("mmap", [False, True])
def test_native_round_trip(kv, tmp_path, mmap):
    path = tmp_path / "v.safetensors"
    kv.set_vecattr("the", "label", "an article")
    kv.set_vecattr("the", "share", 0.5)
    kv.min_count = 3
    kv.vectors_lockf[1] = 0.0
    kv.save(path)
    assert os.listdir(tmp_path) == ["v.safetensors"]
    for again in (load(path, mmap=mmap), KeyedVectors.load(path, mmap="r" if mmap else None)):
        assert type(again) is KeyedVectors and again.index_to_key == WORDS
        np.testing.assert_array_equal(again.vectors, MATRIX)
        assert again.vectors.dtype == np.float32 and again.vectors.flags.c_contiguous
        assert type(again.vectors) is np.ndarray
        assert again.get_vecattr("ďábel", "count") == 57 and again.get_vecattr("the", "label") == "an article"
        assert again.get_vecattr("the", "share") == 0.5 and again.min_count == 3
        assert again.vectors_lockf.tolist() == [1, 0, 1, 1, 1, 1]
        assert again.most_similar("the") == kv.most_similar("the")
        again.set_vecattr("the", "count", 99)
        again["the"] = np.ones(5)  # copies mapped vectors to memory
        assert again["the"].tolist() == [1] * 5 and load(path).get_vecattr("the", "count") == 60
    load(path).save(path)  # over itself
    assert load(path).index_to_key == WORDS


def test_a_mapped_file_can_be_saved_over(kv, tmp_path):
    path = tmp_path / "v.safetensors"
    kv.save(path)
    mapped = load(path, mmap=True)
    mapped.add_vector("new", np.ones(5))
    mapped.save(path)
    np.testing.assert_array_equal(mapped["two words"], MATRIX[1])
    assert len(load(path)) == 7


def test_integer_keys(tmp_path):
    path = tmp_path / "v.safetensors"
    kv = KeyedVectors.from_vocabulary([7, -3, 2**40], np.eye(3))
    kv.save(path)
    assert load(path).index_to_key == [7, -3, 2**40] and load(path)[-3].tolist() == [0, 1, 0]
    kv.export(tmp_path / "v.txt")
    assert load(tmp_path / "v.txt").index_to_key == ["7", "-3", str(2**40)]


def test_what_a_native_file_cannot_hold(kv, tmp_path):
    path = tmp_path / "v.safetensors"
    kv.save(path)
    before = path.read_bytes()
    mixed = KeyedVectors.from_vocabulary(["a", 1], np.eye(2))
    with pytest.raises(TypeError, match="not both: convert them to strings"):
        mixed.save(path)
    with pytest.raises(ValueError, match="2 of 2 rows have no key"):
        KeyedVectors(2, 2).save(path)
    kv.index_to_key.append("seventh")
    with pytest.raises(ValueError, match="7 keys but 6 vectors: call resize_vectors"):
        kv.save(path)
    kv.index_to_key.pop()
    kv.set_vecattr("the", "object", object())
    with pytest.raises(TypeError, match="column 'object' holds values that JSON cannot hold"):
        kv.save(path)
    with pytest.raises(TypeError, match="unexpected arguments: wrong"):
        kv.save(path, wrong=1)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["v.safetensors"]


def test_gensims_options_of_save_are_taken(tmp_path):
    kv = KeyedVectors.from_vocabulary(["a"], np.eye(1))
    kv.save(tmp_path / "v", separately=None, sep_limit=10, ignore=(), pickle_protocol=4)
    assert len(load(tmp_path / "v")) == 1


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_types(tmp_path, dtype):
    kv = KeyedVectors.from_vocabulary(["a", "b"], np.array([[1, 0.1], [0.3, 1]], dtype))
    kv.save(tmp_path / "v")
    again = load(tmp_path / "v")
    assert again.vectors.dtype == dtype and again.most_similar("a") == kv.most_similar("a")


@pytest.mark.parametrize(
    ("name", "format"),
    [("v.safetensors", None), ("v.bin", None), ("v.txt", None), ("v.vec", None), ("x", "native"), ("x", "word2vec"),
     ("x", "word2vec-text"), ("x", "glove"), ("x.gz", "word2vec-text"), ("x.txt", "word2vec")],
)  # fmt: skip
def test_export(tmp_path, name, format):
    kv = KeyedVectors.from_vocabulary(["one", "zwei", "trois", "čtyři"], MATRIX[:4])
    kv.export(tmp_path / name, format=format)
    again = load(tmp_path / name)
    assert again.index_to_key == kv.index_to_key
    np.testing.assert_array_equal(again.vectors, kv.vectors)


def test_export_says_what_it_can(kv, tmp_path):
    with pytest.raises(ValueError, match="does not tell the format: pass format="):
        kv.export(tmp_path / "vectors")
    with pytest.raises(ValueError, match="format must be one of native, word2vec"):
        kv.export(tmp_path / "v.bin", format="fast-text")
    with pytest.raises(FormatError, match=r"two words.*native format, which holds any word"):
        kv.export(tmp_path / "v.txt")
    assert os.listdir(tmp_path) == []


def test_compressed_parts_are_refused(tmp_path):
    kv = KeyedVectors.from_vocabulary(["a"], np.eye(1))
    with pytest.raises(ValueError, match="cannot be compressed"):
        kv.save_word2vec_format(tmp_path / "v.gz", append=True)
    with pytest.raises(ValueError, match="no column 'count'"):
        kv.save_word2vec_format(tmp_path / "v", fvocab=tmp_path / "vocab")
    assert os.listdir(tmp_path) == []


@pytest.mark.filterwarnings("ignore:.*repeat a word")
def test_load_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        load(tmp_path / "nothing.bin")
    with pytest.raises(FileNotFoundError, match="no directory"):
        load(tmp_path / "nowhere" / "v.bin")
    with pytest.raises(IsADirectoryError, match="name a file in it"):
        load(tmp_path)
    with pytest.raises(TypeError, match="path of a file, not list"):
        load(["v.bin"])
    for name, content, message in (
        ("empty", b"", "empty"),
        ("pickle", b"\x80\x04\x95" + bytes(50), "pickle"),
        ("text", b"some words\nand more\n", "text"),
        ("short", b"3 2\na 1 2\nb 3 4\n", "3 rows"),
        ("twice", b"2 2\na 1 2\na 3 4\n", "'a'"),
        ("nan", b"1 2\na nan 1\n", "nan"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message) as error:
            load(path)
        assert isinstance(error.value, FormatError) and name in str(error.value)
    assert load(tmp_path / "twice", duplicates="first")["a"].tolist() == [1, 2]
    assert KeyedVectors.load_word2vec_format(tmp_path / "twice")["a"].tolist() == [1, 2]


@pytest.mark.filterwarnings("ignore:.*UTF-8")
def test_loading_words_that_are_not_utf8(tmp_path):
    path = tmp_path / "v.txt"
    path.write_bytes(b"2 2\na\xff 1.0 2.0\nb 3.0 4.0\n")
    with pytest.raises(ValueError, match="utf"):
        KeyedVectors.load_word2vec_format(path)
    kv = KeyedVectors.load_word2vec_format(path, unicode_errors="surrogateescape")
    assert kv.index_to_key == ["a\udcff", "b"]
    assert KeyedVectors.load_word2vec_format(path, encoding="latin-1").index_to_key == ["aÿ", "b"]
    kv.export(tmp_path / "again.txt")
    assert (tmp_path / "again.txt").read_bytes() == path.read_bytes()


def test_fvocab_of_words_that_are_not_utf8(tmp_path):
    (tmp_path / "v").write_bytes(b"2 1\na\xe3\x81 1\nb 3\n")
    (tmp_path / "vocab").write_bytes(b"b 7\na\xe3\x81 9\n")
    for errors, word in (("ignore", "a"), ("replace", "a\ufffd"), ("surrogateescape", "a\udce3\udc81")):
        kv = KeyedVectors.load_word2vec_format(tmp_path / "v", fvocab=tmp_path / "vocab", unicode_errors=errors)
        assert kv.get_vecattr(word, "count") == 9


def test_fvocab(tmp_path):
    (tmp_path / "v").write_text("2 2\na 1 2\nb 3 4\n")
    (tmp_path / "vocab").write_text("b 7\na 9\n")
    kv = KeyedVectors.load_word2vec_format(tmp_path / "v", fvocab=tmp_path / "vocab")
    assert kv.expandos["count"].tolist() == [9, 7]
    assert "count" not in KeyedVectors.load_word2vec_format(tmp_path / "v").expandos  # none is made up
    with pytest.raises(ValueError, match="fvocab"):
        KeyedVectors.load_word2vec_format(tmp_path / "v", fvocab=tmp_path / "vocab", no_header=True)
    with pytest.raises(NotImplementedError, match="text files"):
        KeyedVectors.load_word2vec_format(tmp_path / "v", binary=True, no_header=True)


def test_models_are_built_by_those_who_know_them(tmp_path, monkeypatch):
    path = tmp_path / "m"
    tensors, meta = fastemb.vectors.native.pack(KeyedVectors.from_vocabulary(["a"], np.eye(1)))
    native.write(path, tensors, meta | {"kind": "Oracle"})
    with pytest.raises(ValueError, match="'Oracle', which this version of fastemb does not know"):
        load(path)
    monkeypatch.setattr(loading, "_LOADERS", dict(loading._LOADERS))
    loading.register("Oracle", lambda tensors, meta: ("built", meta["kind"], sorted(tensors)))
    assert load(path) == ("built", "Oracle", ["vectors", "vocab_bytes", "vocab_offsets"])
    assert KeyedVectors.load(path)["a"].tolist() == [1.0]  # the vectors of a model alone


def test_a_native_file_of_something_else(tmp_path):
    native.write(tmp_path / "m", {"other": np.ones(3, np.float32)}, {"kind": "KeyedVectors"})
    with pytest.raises(ValueError, match='no matrix "vectors"'):
        load(tmp_path / "m")
    native.write(tmp_path / "m", {"vectors": np.ones((1, 1), np.float32)}, {"kind": "KeyedVectors"})
    with pytest.raises(ValueError, match="no keys in this file"):
        load(tmp_path / "m")


def test_files_of_others(shared_data):
    folder = shared_data / "vectors"
    for name, dim in (
        ("gensim/euclidean_vectors.bin", None),
        ("finalfusion/similarity.bin", 100),
        ("finalfusion/similarity.txt", 100),
        ("finalfusion/similarity.nodims", 100),
        ("magnitude/word2vec.txt", None),
        ("magnitude/word2vec.bin", None),
        ("magnitude/glove.txt", None),
    ):
        kv = load(folder / name)
        assert len(kv) > 1 and len(kv.vectors) == len(kv) and (dim is None or kv.vector_size == dim), name
        assert len(kv.most_similar(kv.index_to_key[0], topn=2)) >= 1
