"""Small made-up text for the tests of Word2Vec: topics whose words keep together, with Zipf's frequencies."""

import numpy as np


def topics(sentences=2000, topics=8, words=30, length=12, seed=0):
    """Token lists; word ``t3w5`` is word 5 of topic 3, and a sentence is about one topic."""
    rng = np.random.default_rng(seed)
    share = 1.0 / np.arange(1, words + 1)
    share /= share.sum()
    topic = rng.integers(topics, size=sentences)
    word = rng.choice(words, size=(sentences, length), p=share)
    return [[f"t{t}w{w}" for w in row] for t, row in zip(topic.tolist(), word.tolist(), strict=True)]


def write(path, sentences):
    """The token lists as a text file."""
    path.write_text("".join(" ".join(s) + "\n" for s in sentences), encoding="utf-8")
    return path


def separation(wv, topics=8, words=5):
    """Mean similarity within a topic minus between topics, of the most frequent words."""
    vectors = np.array([[wv.get_vector(f"t{t}w{w}", norm=True) for w in range(words)] for t in range(topics)])
    flat = vectors.reshape(topics * words, -1)
    similar = flat @ flat.T
    same = np.kron(np.eye(topics), np.ones((words, words))).astype(bool)
    return float(similar[same].mean() - similar[~same].mean())
