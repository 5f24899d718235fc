"""word2vec files both ways between gensim and fastemb: the same words, the same bits."""

import warnings

import numpy as np
import pytest

from fastemb.formats import FormatError, glove, read_any, word2vec

gensim = pytest.importorskip("gensim", reason="gensim is not installed (pip install fastemb[bench])")

WORDS = ["the", "café", "a\u00a0b", "x\u2028y", "日本語", "3", "nan", "w" * 5000, *(f"w{i}" for i in range(992))]


def vectors(seed, dim=33):
    rng = np.random.default_rng(seed)
    if seed % 2:
        return (rng.standard_normal((len(WORDS), dim)) * 0.3).astype(np.float32)
    bits = rng.integers(0, 2**32, (len(WORDS), dim), dtype=np.uint64).astype(np.uint32)
    x = bits.view(np.float32)
    return np.where(np.isfinite(x), x, np.float32(0.1))


def same(words, got, want):
    return list(words) == WORDS and np.array_equal(got.view(np.uint32), want.view(np.uint32))


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("end", ["", ".gz"])
def test_both_ways(tmp_path, binary, seed, end):
    x = vectors(seed)
    word2vec.write(tmp_path / f"ours{end}", WORDS, x, binary=binary)
    kv = gensim.models.KeyedVectors.load_word2vec_format(str(tmp_path / f"ours{end}"), binary=binary)
    assert same(kv.index_to_key, kv.vectors, x)
    kv.save_word2vec_format(str(tmp_path / f"theirs{end}"), binary=binary)
    words, got, _ = read_any(tmp_path / f"theirs{end}")[1]
    assert same(words, got, x)


@pytest.mark.parametrize("seed", [0, 1])
def test_without_header(tmp_path, seed):
    x = vectors(seed)
    glove.write(tmp_path / "ours", WORDS, x)
    kv = gensim.models.KeyedVectors.load_word2vec_format(tmp_path / "ours", binary=False, no_header=True)
    assert same(kv.index_to_key, kv.vectors, x)
    kv.save_word2vec_format(tmp_path / "theirs", write_header=False)
    words, got, _ = read_any(tmp_path / "theirs")[1]
    assert same(words, got, x)


def test_binary_is_byte_for_byte(tmp_path):
    x = vectors(0)
    word2vec.write(tmp_path / "ours", WORDS, x, binary=True)
    kv = gensim.models.KeyedVectors.load_word2vec_format(tmp_path / "ours", binary=True)
    kv.save_word2vec_format(tmp_path / "theirs", binary=True)
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


def test_counts_file(tmp_path):
    words = WORDS[8:]  # gensim splits this file at white space of any kind
    x = vectors(1)[8:]
    counts = np.arange(len(words), 0, -1)
    word2vec.write(tmp_path / "v", words, x, counts, vocab_path=tmp_path / "c")
    kv = gensim.models.KeyedVectors.load_word2vec_format(str(tmp_path / "v"), fvocab=str(tmp_path / "c"))
    assert [kv.get_vecattr(w, "count") for w in words[:9]] == counts[:9].tolist()
    kv.save_word2vec_format(str(tmp_path / "v2"), fvocab=str(tmp_path / "c2"))
    assert np.array_equal(word2vec.read(tmp_path / "v2", vocab_path=tmp_path / "c2")[2], counts)


def test_a_trained_model(tmp_path):
    model = gensim.models.Word2Vec([list("abcdefg")] * 20, vector_size=7, min_count=1, epochs=1, workers=1)
    for binary in (False, True):
        model.wv.save_word2vec_format(tmp_path / "v", binary=binary)
        words, got, _ = read_any(tmp_path / "v")[1]
        assert list(words) == model.wv.index_to_key and np.array_equal(got, model.wv.vectors)
    model.wv.save(str(tmp_path / "kv"))
    model.save(str(tmp_path / "model"))
    for name in ("kv", "model"):
        with pytest.raises(FormatError, match="save_word2vec_format"):
            read_any(tmp_path / name)


def test_shared_files_load_as_in_gensim(shared_data):
    """Every file of the collection: the same words and bits as gensim reads, or a reason why not."""
    expected = {
        "finalfusion/analogy.bin": dict(binary=True),
        "finalfusion/similarity.bin": dict(binary=True),
        "finalfusion/similarity.txt": {},
        "finalfusion/similarity.nodims": dict(no_header=True),
        "finalfusion/utf8-incomplete.bin": dict(binary=True, unicode_errors="surrogateescape"),
        "finalfusion/utf8-incomplete.dims": dict(unicode_errors="surrogateescape"),
        "finalfusion/utf8-incomplete.txt": dict(no_header=True, unicode_errors="surrogateescape"),
        "gensim/crime-and-punishment.vec": {},
        "gensim/euclidean_vectors.bin": dict(binary=True),
        "gensim/lee_fasttext.vec": {},
        "gensim/test_glove.txt": dict(no_header=True),
        "magnitude/fasttext.vec": {},
        "magnitude/glove.txt": dict(no_header=True),
        "magnitude/word2vec.bin": dict(binary=True),
        "magnitude/word2vec.txt": {},
        "magnitude/zero.txt": {},
    }
    refused = {
        "fasttext/lid.176.ftz": "quantised fastText",
        "finalfusion/fasttext.bin": "fastText .bin",
        "finalfusion/quantized.fifu": "finalfusion file",
        "finalfusion/quantized_storage.bin": "no format that fastemb knows",
        "finalfusion/similarity.fifu": "finalfusion file",
        "gensim/cp852_fasttext.bin": "fastText .bin",
        "gensim/crime-and-punishment.bin": "fastText .bin",
        "gensim/lee_fasttext.bin": "fastText .bin",
        "gensim/lee_fasttext_new.bin": "fastText .bin",
        "gensim/non_ascii_fasttext.bin": "fastText .bin",
        "gensim/toy-model.bin": "fastText .bin",
    }
    root = shared_data / "vectors"
    seen = set()
    for path in sorted(root.glob("*/*")):
        name = path.relative_to(root).as_posix()
        seen.add(name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if name in refused:
                with pytest.raises(FormatError, match=refused[name]):
                    read_any(path)
                continue
            assert name in expected, f"{name}: a new file, say what should become of it"
            words, got, _ = read_any(path)[1]
        kv = gensim.models.KeyedVectors.load_word2vec_format(path, **expected[name])
        assert list(words) == kv.index_to_key and np.array_equal(got, kv.vectors), name
    assert seen >= set(expected) | set(refused)
