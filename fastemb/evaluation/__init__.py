"""Benchmark tasks, one a file; each takes a matrix and the words of its rows."""

from fastemb.evaluation.analogy import AnalogyScores, evaluate_word_analogies, log_accuracy
from fastemb.evaluation.correlation import Correlation, pearson, spearman
from fastemb.evaluation.similarity import WordPairScores, evaluate_word_pairs, log_word_pairs, pair_cosines

__all__ = [
    "AnalogyScores",
    "Correlation",
    "WordPairScores",
    "evaluate_word_analogies",
    "evaluate_word_pairs",
    "log_accuracy",
    "log_word_pairs",
    "pair_cosines",
    "pearson",
    "spearman",
]
