"""Make the golden word2vec files beside this script: `python tests/golden/make_formats_golden.py` (needs gensim 4.4).

formats_golden.npz     the vectors, as bits, and the words' bytes
formats_gensim.txt     gensim's save_word2vec_format(binary=False)
formats_gensim.bin     gensim's save_word2vec_format(binary=True): no line feed behind a row
formats_gensim.glove   gensim's save_word2vec_format(write_header=False)
formats_word2vec_c.bin the same with a line feed behind each row, as word2vec.c writes it
"""

from pathlib import Path

import numpy as np
from gensim.models import KeyedVectors

HERE = Path(__file__).resolve().parent


def main():
    rng = np.random.default_rng(20261121)
    words = [
        "the",
        "café",
        "a\u00a0b",
        "\u3000",
        "x\u2028y",
        "日本",
        "3",
        "-1e5",
        "nan",
        "a.b",
        "\u00e9\u0301",
        "w" * 300,
    ]
    words += [f"word{i}" for i in range(28)]
    dim = 12
    vectors = rng.standard_normal((len(words), dim)).astype(np.float32)
    vectors[1] = np.array([0, -0.0, 1, -1, 0.5, 1e-4, 9.9999997e-5, 1e5, 999999, 1e6, 1e7, 16777216], np.float32)
    vectors[2] = np.array([1e-45, -1e-45, 1.17549435e-38, 3.4028235e38, -3.4028235e38, 1e16, 1e15, 1e-10, 1e10, 2**-24,
                           1 / 3, 0.1], np.float32)  # fmt: skip
    bits = rng.integers(0, 2**32, (10, dim), dtype=np.uint64).astype(np.uint32)
    random_bits = bits.view(np.float32)
    vectors[3:13] = np.where(np.isfinite(random_bits), random_bits, 1)
    kv = KeyedVectors(dim)
    kv.add_vectors(words, vectors)
    kv.save_word2vec_format(HERE / "formats_gensim.txt")
    kv.save_word2vec_format(HERE / "formats_gensim.bin", binary=True)
    kv.save_word2vec_format(HERE / "formats_gensim.glove", write_header=False)
    with open(HERE / "formats_word2vec_c.bin", "wb") as f:
        f.write(b"%d %d\n" % vectors.shape)
        for word, row in zip(words, vectors, strict=True):
            f.write(word.encode() + b" " + row.tobytes() + b"\n")
    blob = np.frombuffer("\n".join(words).encode(), np.uint8)
    np.savez_compressed(HERE / "formats_golden.npz", bits=vectors.view(np.uint32), words=blob)


if __name__ == "__main__":
    main()
