"""Levy and Goldberg 2014: skip-gram with k negatives factorises PMI - log k.

A small language with as many dimensions as words, so that the factorisation can be exact, noise words drawn by their
plain frequency and windows of one width, so that both sides count the same pairs. Converged, the products of word and
context vectors are PMI - log k on the pairs that were seen often enough to pin them down.
"""

import numpy as np
import pytest

from fastemb import PPMI, Cooccurrence, Word2Vec

WORDS = 40


def text(seed=0, sentences=4000, length=50):
    """Sentences of a Markov chain in which some words attract and some avoid each other."""
    rng = np.random.default_rng(seed)
    step = np.exp(1.2 * rng.standard_normal((WORDS, WORDS))) * (np.arange(1, WORDS + 1) ** -0.5)
    step = np.cumsum(step / step.sum(axis=1, keepdims=True), axis=1)
    step[:, -1] = 1.0
    state = rng.integers(0, WORDS, sentences)
    out = np.empty((sentences, length), np.int64)
    for t in range(length):
        out[:, t] = state
        state = (step[state] < rng.random(sentences)[:, None]).sum(axis=1)
    return out


@pytest.mark.parametrize("negative", [1, 5])
def test_skip_gram_factorises_shifted_pmi(negative):
    ids = text()
    model = Word2Vec(
        ids, sg=1, vector_size=48, window=2, shrink_windows=False, negative=negative, ns_exponent=1.0, sample=0,
        min_count=1, epochs=20, alpha=0.05, min_alpha=0.0005, seed=1, workers=1,
    )  # fmt: skip
    counts = Cooccurrence.count(ids, window=2, weighting="flat", min_count=1)
    words = counts.vocabulary.words
    assert words == model.wv.index_to_key
    pmi = PPMI(counts, 2, cds=1.0)
    row, column = np.repeat(np.arange(WORDS), np.diff(counts.indptr)), counts.indices
    often = counts.values() >= 100
    row, column = row[often], column[often]
    shifted = np.array([pmi.pmi(words[i], words[j]) for i, j in zip(row, column, strict=True)]) - np.log(negative)
    products = (model.wv.vectors @ model.syn1neg.T)[row, column]
    assert len(row) > 1000 and np.ptp(shifted) > 2
    assert np.corrcoef(products, shifted)[0, 1] > 0.9
    # not only in proportion: on average by the same number, log k included
    assert abs(products.mean() - shifted.mean()) < 0.25
