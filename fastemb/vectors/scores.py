"""Benchmarks of a table of vectors: word pairs, analogies, word mover's distance."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastemb import evaluation
from fastemb.vectors.table import VectorTable

logger = logging.getLogger(__name__)


class Scores(VectorTable):
    """The evaluation methods of :class:`fastemb.KeyedVectors`."""

    def evaluate_word_pairs(
        self,
        pairs: Any,
        delimiter: str | None = "\t",
        encoding: str = "utf8",
        restrict_vocab: int | None = 300_000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
    ) -> evaluation.WordPairScores:
        """Correlation of the cosines with human judgements of similarity.

        Parameters
        ----------
        pairs : path, open file, or iterable of lines or (word, word, score) tuples
            Two words and a number a line; empty lines and lines that begin with ``#`` are skipped. Compressed files are
            understood.
        delimiter : str or None
            Between the fields; None for any white space.
        encoding : str
        restrict_vocab : int or None
            Words further down than this count as unknown.
        case_insensitive : bool
            Compare upper-case forms; of several words with one form the first (most frequent) counts.
        dummy4unknown : bool
            Give pairs with an unknown word the similarity 0 instead of leaving them out.

        Returns
        -------
        (pearson, spearman, oov_ratio)
            Two pairs (statistic, two-sided p-value), and the percentage of pairs with an unknown word. The triple also
            has the attributes ``num_pairs``, ``num_oov`` and ``num_invalid``.

        Raises
        ------
        ValueError
            If no pair is left to judge; the message says why.

        Examples
        --------
        >>> from fastemb import KeyedVectors
        >>> kv = KeyedVectors(2)
        >>> kv.add_vectors(["cup", "mug", "car"], [[1.0, 0.1], [1.0, 0.0], [0.0, 1.0]])
        >>> pairs = [("cup", "mug", 9.5), ("cup", "car", 2.0), ("mug", "car", 1.0), ("cup", "jug", 9)]
        >>> scores = kv.evaluate_word_pairs(pairs)
        >>> scores.spearman.statistic, scores.num_oov
        (1.0, 1)
        """
        return evaluation.evaluate_word_pairs(
            pairs,
            self.index_to_key,
            self.vectors,
            delimiter=delimiter,
            encoding=encoding,
            restrict_vocab=restrict_vocab,
            case_insensitive=case_insensitive,
            dummy4unknown=dummy4unknown,
        )

    def evaluate_word_analogies(
        self,
        analogies: Any,
        restrict_vocab: int | None = 300_000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
        similarity_function: str = "most_similar",
    ) -> evaluation.AnalogyScores:
        """Share of analogy questions (a is to b as c is to d) answered right, all answered together in blocks.

        Parameters
        ----------
        analogies : path, open file, or iterable of lines or 4-tuples
            Four words a line, sections opened by lines ``: name``; empty lines and lines that begin with ``#`` are
            skipped.
        restrict_vocab : int or None
            Only the first so many words count as known, and as answers.
        case_insensitive : bool
            Compare upper-case forms; of several words with one form the first (most frequent) counts.
        dummy4unknown : bool
            Count a question with an unknown word as answered wrongly instead of leaving it out.
        similarity_function : {"most_similar", "most_similar_cosmul"}
            3CosAdd or 3CosMul.

        Returns
        -------
        (score, sections)
            The share, and for each section a dict of "section" (its name), "correct" and "incorrect" (lists of
            4-tuples); the last section is "Total accuracy". The pair also has the attributes ``num_questions``,
            ``num_answered``, ``num_correct``, ``num_oov`` and ``num_invalid``.

        Raises
        ------
        ValueError
            If there is no question.

        Examples
        --------
        >>> from fastemb import KeyedVectors
        >>> kv = KeyedVectors(2)
        >>> kv.add_vectors(["man", "woman", "king", "queen", "far"], [[1, 0], [1, 1], [2, 0], [2, 2.1], [-1, -9]])
        >>> kv.evaluate_word_analogies([("man", "woman", "king", "queen")]).score
        1.0
        """
        return evaluation.evaluate_word_analogies(
            analogies,
            self.index_to_key,
            self.vectors,
            self._norms(),
            restrict_vocab=restrict_vocab,
            case_insensitive=case_insensitive,
            dummy4unknown=dummy4unknown,
            similarity_function=similarity_function,
        )

    @staticmethod
    def log_accuracy(section: dict[str, Any]) -> None:
        """Log the accuracy of one section of :meth:`evaluate_word_analogies`."""
        evaluation.log_accuracy(section)

    @staticmethod
    def log_evaluate_word_pairs(pearson: Any, spearman: Any, oov: float, pairs: str) -> None:
        """Log the result of :meth:`evaluate_word_pairs`."""
        evaluation.log_word_pairs(pearson, spearman, oov, pairs)

    def wmdistance(self, document1: Sequence[Any], document2: Sequence[Any], norm: bool = True) -> float:
        """Word mover's distance of two lists of words (Kusner et al. 2015).

        The least total distance that the words of one document, each weighing its share, must travel to become the
        other's.

        Parameters
        ----------
        document1, document2 : sequence of keys
            Unknown ones are left out.
        norm : bool
            Scale the vectors to length 1 first.

        Returns
        -------
        float
            ``inf`` where a document has no known word.

        Raises
        ------
        ImportError
            Without the package POT.
        """
        try:
            from ot import emd2
        except ImportError as error:
            raise ImportError("wmdistance needs the package POT: pip install fastemb[ot]") from error
        if isinstance(document1, str) or isinstance(document2, str):
            raise TypeError("wmdistance takes two lists of words: split the documents first")
        bags = [Counter(word for word in document if word in self) for document in (document1, document2)]
        missing = [
            len(document) - sum(bag.values()) for document, bag in zip((document1, document2), bags, strict=True)
        ]
        if any(missing):
            logger.info("Removed %d and %d OOV words from document 1 and 2 (respectively).", *missing)
        if not all(bags):
            logger.warning("At least one of the documents had no words that were in the vocabulary.")
            return float("inf")
        if bags[0].keys() == bags[1].keys() and len(bags[0]) == 1:
            return 0.0
        first, second = (np.array([self.get_vector(word, norm=norm) for word in bag], np.float64) for bag in bags)
        # the differences themselves, not |a|^2 - 2ab + |b|^2: that would leave a distance of 1e-4 between equal float32
        # vectors
        costs = np.array([np.sqrt(((second - vector) ** 2).sum(axis=1)) for vector in first])
        if costs.sum() < 1e-8:
            return float("inf")  # as gensim: words that are different and all at one place have no sensible distance
        shares = [np.array(list(bag.values()), np.float64) / sum(bag.values()) for bag in bags]
        return float(emd2(*shares, costs))
