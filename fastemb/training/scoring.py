"""What a trained word2vec model says about text: likely centre words, and the likelihood of sentences."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from fastemb.training import _engine

logger = logging.getLogger("fastemb")


def _log_sigmoid(x: np.ndarray) -> np.ndarray:
    return -np.logaddexp(0, -x)


def predict_output_word(model: Any, context_words: Sequence[Any], topn: int | None) -> list[tuple[Any, float]] | None:
    """See :meth:`fastemb.Word2Vec.predict_output_word`."""
    if not model.negative:
        raise RuntimeError(
            "predict_output_word needs the output vectors of negative sampling: train the model with negative > 0"
        )
    if not len(model.wv) or not hasattr(model, "syn1neg"):
        raise RuntimeError("there are no output vectors yet: build the vocabulary and train the model first")
    if isinstance(context_words, str):
        raise TypeError(f"context_words_list must be a list of words, got the string {context_words!r}")
    known = [model.wv.get_index(word) for word in context_words if word in model.wv]
    if not known:
        logger.warning("All the input context words are out-of-vocabulary for the current model.")
        return None
    hidden = model.wv.vectors[known].sum(axis=0)
    if model.cbow_mean:
        hidden /= len(known)
    logits = (model.syn1neg @ hidden).astype(np.float64)
    probabilities = np.exp(logits - logits.max())
    probabilities /= probabilities.sum()
    n = len(probabilities) if topn is None else min(topn, len(probabilities))
    best = np.argpartition(-probabilities, n - 1)[:n] if 0 < n < len(probabilities) else np.arange(n)
    best = best[np.argsort(-probabilities[best], kind="stable")]
    return [(model.wv.index_to_key[i], float(probabilities[i])) for i in best]


def score(model: Any, sentences: Iterable[Sequence[Any]], total_sentences: int) -> np.ndarray:
    """See :meth:`fastemb.Word2Vec.score`."""
    if not len(model.wv):
        raise RuntimeError("you must first build vocabulary before scoring new data")
    if not model.hs:
        raise RuntimeError("score() is defined for hierarchical softmax: train the model with hs=1 and negative=0")
    tree = _engine.huffman(np.maximum(model.counts, 1))
    signs = 1.0 - 2.0 * tree.codes
    scores: list[float] = []
    for sentence in sentences:
        if len(scores) >= total_sentences:
            logger.warning("score() ends after %d sentences: set a higher total_sentences", total_sentences)
            break
        if isinstance(sentence, str):
            raise ValueError(f"each sentence must be a list of words, got the string {sentence!r:.60}")
        scores.append(_score_sentence(model, [model.wv.get_index(w) for w in sentence if w in model.wv], tree, signs))
    return np.array(scores, dtype=np.float32)


def _score_sentence(model: Any, words: list[int], tree: Any, signs: np.ndarray) -> float:
    vectors = model.wv.vectors[words].astype(np.float64)
    total = 0.0
    for i, word in enumerate(words):
        low, high = max(0, i - model.window), min(len(words), i + model.window + 1)
        context = np.concatenate([vectors[low:i], vectors[i + 1 : high]])
        if not len(context):
            continue
        if not model.sg:
            context = context.sum(axis=0, keepdims=True) / (len(context) if model.cbow_mean else 1)
        path = slice(tree.offsets[word], tree.offsets[word + 1])
        logits = context @ model.syn1[tree.points[path]].T.astype(np.float64)
        total += float(_log_sigmoid(signs[path] * logits).sum())
    return total
