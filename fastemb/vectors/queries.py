"""Questions to a table of vectors: neighbours, similarities, ranks."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastemb.geometry import compute_dtype, inverse, row_norms, unit_vector
from fastemb.search import best_first, cosine_scores, cosine_topk
from fastemb.vectors.table import VectorTable, is_key

logger = logging.getLogger(__name__)

_EPSILON = 1e-6  # keeps 3CosMul's denominator from zero


def _cosine(first: NDArray, second: NDArray) -> np.float64:
    """In float64 throughout: then sqrt(x * x) is x, and the cosine of a vector with itself exactly 1."""
    a, b = first.astype(np.float64), second.astype(np.float64)
    lengths = np.sqrt((a @ a) * (b @ b))
    return np.float64(a @ b / lengths) if lengths > 0 else np.float64(0.0)


class Queries(VectorTable):
    """The query methods of :class:`fastemb.KeyedVectors`."""

    # ---- what is asked for

    def _vector(self, vector: Any) -> NDArray:
        """Check a vector that a caller gives in place of a key."""
        array = np.asarray(vector)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"expected a key or a vector of {self.vector_size} numbers, not {vector!r:.80}")
        if array.shape != (self.vector_size,):
            raise ValueError(f"expected a vector of shape ({self.vector_size},), not {array.shape}")
        array = array.astype(compute_dtype(self.vectors.dtype), copy=False)
        if not np.isfinite(array).all():
            raise ValueError("the query vector has NaN or infinite elements")
        return array

    def _vector_of(self, item: Any, norm: bool = False) -> NDArray:
        return self.get_vector(item, norm=norm) if is_key(item) else self._vector(item)

    def _terms(self, items: Any, weight: float) -> list[tuple[Any, float]]:
        """Pairs (key or vector, weight) from what most_similar takes: one or several, with or without weights."""
        if items is None:
            return []
        if is_key(items) or (isinstance(items, np.ndarray) and items.ndim == 1):
            items = [items]
        terms = []
        for item in items:
            if is_key(item) or isinstance(item, np.ndarray):
                terms.append((item, weight))
            elif isinstance(item, (tuple, list)) and len(item) == 2 and not isinstance(item[1], (str, np.ndarray)):
                terms.append((item[0], float(item[1])))
            else:
                raise TypeError(
                    "expected a key, a NumPy vector, or a pair (key or vector, weight), "
                    f"not {type(item).__name__}: {item!r:.80}"
                )
        return terms

    def _combine(self, terms: Sequence[tuple[Any, float]]) -> tuple[NDArray, list[int]]:
        """The weighted mean of unit vectors, scaled to length 1, and the rows of the keys among the terms."""
        if not terms:
            raise ValueError("cannot search for nothing: give at least one positive or negative key or vector")
        mean = self.get_mean_vector(
            [item for item, _ in terms], [weight for _, weight in terms], post_normalize=True, ignore_missing=False
        )
        return mean, [self.get_index(item) for item, _ in terms if is_key(item)]

    def _range(self, clip_start: int, clip_end: int | None, restrict_vocab: int | None) -> tuple[int, int]:
        if restrict_vocab:
            clip_start, clip_end = 0, restrict_vocab
        start, stop, _ = slice(clip_start, clip_end or None).indices(len(self.vectors))
        return start, max(start, stop)

    def get_mean_vector(
        self,
        keys: Sequence[Any] | NDArray,
        weights: ArrayLike | None = None,
        pre_normalize: bool = True,
        post_normalize: bool = False,
        ignore_missing: bool = True,
    ) -> NDArray:
        """Weighted mean of the vectors of some keys: the weighted sum over the sum of the weights' sizes.

        Parameters
        ----------
        keys : sequence of str, int or ndarray
            A vector given as an array enters as it is, whatever ``pre_normalize``.
        weights : array_like of shape (len(keys),), optional
        pre_normalize : bool
            Scale the vectors of keys to length 1 first.
        post_normalize : bool
            Scale the mean to length 1.
        ignore_missing : bool
            Leave unknown keys out (all of them unknown: zeros, and a warning in the log) instead of raising.

        Returns
        -------
        ndarray of shape (d,)

        Raises
        ------
        ValueError
            Without keys, or where their number is not that of the weights.
        KeyError
            For an unknown key, unless they are ignored.
        """
        if is_key(keys):
            keys = [keys]
        if not len(keys):
            raise ValueError("cannot compute the mean of no vectors")
        factors = np.ones(len(keys)) if weights is None else np.asarray(weights, dtype=np.float64)
        if factors.shape != (len(keys),):
            raise ValueError(f"{len(keys)} keys need {len(keys)} weights, not weights of shape {factors.shape}")
        total = np.zeros(self.vector_size, np.float64)
        weight = 0.0
        missing = []
        for key, factor in zip(keys, factors.tolist(), strict=True):
            if is_key(key) and key not in self:
                if not ignore_missing:
                    raise self._unknown(key)
                missing.append(key)
                continue
            total += factor * self._vector_of(key, norm=pre_normalize)
            weight += abs(factor)
        if missing:
            level = logging.WARNING if len(missing) == len(keys) else logging.DEBUG
            logger.log(level, "%d of %d keys are unknown and left out: %.200s", len(missing), len(keys), missing)
        if weight > 0:
            total /= weight
        if post_normalize:
            total = unit_vector(total)
        return total.astype(compute_dtype(self.vectors.dtype))

    # ---- neighbours

    def most_similar(
        self,
        positive: Any = None,
        negative: Any = None,
        topn: int | None = 10,
        clip_start: int = 0,
        clip_end: int | None = None,
        restrict_vocab: int | None = None,
        indexer: Any = None,
    ) -> list[tuple[Any, float]] | NDArray:
        """The keys nearest by cosine to a weighted mean of unit vectors (3CosAdd).

        Parameters
        ----------
        positive, negative : key, vector, or sequence of keys, vectors and pairs (key or vector, weight)
            Weights are 1 and -1 where none are given. The keys among them are never returned.
        topn : int or None
            How many; None for the similarity of every row, as an array; 0 for nothing.
        clip_start, clip_end : int
            Search only these rows.
        restrict_vocab : int, optional
            Search only the first so many rows: the most frequent words, in a sorted vocabulary.
        indexer : object, optional
            Whose ``most_similar(vector, topn)`` is to search instead.

        Returns
        -------
        list of (key, float), or ndarray of shape (rows searched,) for ``topn=None``
            Nearest first, equal similarities in the order of the rows. A zero vector has similarity 0 with everything.

        Raises
        ------
        KeyError
            For an unknown key; the message names close ones.
        ValueError
            For nothing to search for, or a vector of another size.

        Examples
        --------
        >>> from fastemb import KeyedVectors
        >>> kv = KeyedVectors(2)
        >>> kv.add_vectors(["north", "east", "northeast"], [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        >>> kv.most_similar(positive=["north", "east"], topn=1)[0][0]
        'northeast'
        """
        if isinstance(topn, Integral) and topn < 1:
            return []
        query, own = self._combine(self._terms(positive, 1.0) + self._terms(negative, -1.0))
        if indexer is not None and isinstance(topn, Integral):
            return indexer.most_similar(query, topn)
        start, stop = self._range(clip_start, clip_end, restrict_vocab)
        norms = self._norms()
        if topn is None:
            return cosine_scores(query, self.vectors[start:stop], norms[start:stop])
        rows, scores = cosine_topk(
            query[None, :], self.vectors, norms, topn, start=start, stop=stop,
            exclude=(np.zeros(len(own), np.int64), np.array(own, np.int64)),
        )  # fmt: skip
        return self._named(rows[0], scores[0])

    def _named(self, rows: NDArray, scores: NDArray) -> list[tuple[Any, float]]:
        keys = self.index_to_key
        return [(keys[row], score) for row, score in zip(rows.tolist(), scores.tolist(), strict=True) if row >= 0]

    def most_similar_batch(
        self,
        queries: Sequence[Any] | NDArray,
        topn: int = 10,
        *,
        clip_start: int = 0,
        clip_end: int | None = None,
        restrict_vocab: int | None = None,
        as_arrays: bool = False,
    ) -> Any:
        """:meth:`most_similar` of many queries at once, in blocks over BLAS: about ten times faster than one by one.

        Parameters
        ----------
        queries : sequence of keys, vectors and dicts, or ndarray of shape (q, d)
            A dict ``{"positive": ..., "negative": ...}`` holds what :meth:`most_similar` takes.
        topn : int
        clip_start, clip_end, restrict_vocab : int, optional
            As in :meth:`most_similar`.
        as_arrays : bool
            Return rows and similarities as arrays instead of lists of pairs.

        Returns
        -------
        list of lists of (key, float), one for each query
            Or, with ``as_arrays``, rows (q, topn) int64 and similarities (q, topn) float32; where fewer than topn rows
            are left, -1 and ``-inf``.

        Raises
        ------
        KeyError, ValueError, TypeError
            As :meth:`most_similar`.

        Examples
        --------
        >>> from fastemb import KeyedVectors
        >>> kv = KeyedVectors(2)
        >>> kv.add_vectors(["north", "east", "northeast"], [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        >>> [[key for key, _ in found] for found in kv.most_similar_batch(["north", "east"], topn=1)]
        [['northeast'], ['northeast']]
        """
        if is_key(queries):
            raise TypeError(
                f"expected a sequence of queries, not the one key {queries!r}: use most_similar, or a list of one"
            )
        if not isinstance(topn, Integral):
            raise TypeError(f"topn must be an integer, not {topn!r}")
        vectors, asking, own = self._query_matrix(queries)
        start, stop = self._range(clip_start, clip_end, restrict_vocab)
        rows, scores = cosine_topk(
            vectors, self.vectors, self._norms(), max(0, int(topn)), start=start, stop=stop, exclude=(asking, own)
        )
        if as_arrays:
            return rows, scores
        keys = self.index_to_key
        return [
            [(keys[row], score) for row, score in zip(some, values, strict=True) if row >= 0]
            for some, values in zip(rows.tolist(), scores.tolist(), strict=True)
        ]

    def _query_matrix(self, queries: Sequence[Any] | NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """Unit vectors of the queries, and pairs (query, row) of the keys in them."""
        dtype = compute_dtype(self.vectors.dtype)
        asking: list[int] = []
        own: list[int] = []
        if isinstance(queries, np.ndarray) and queries.dtype.kind == "f":
            if queries.ndim != 2 or queries.shape[1] != self.vector_size:
                raise ValueError(f"expected vectors of shape (q, {self.vector_size}), not {queries.shape}")
            if not np.isfinite(queries).all():
                raise ValueError("the query vectors have NaN or infinite elements")
            matrix = queries.astype(dtype)
        else:
            matrix = np.empty((len(queries), self.vector_size), dtype)
            for i, query in enumerate(queries):
                if is_key(query):
                    rows = [self.get_index(query)]
                    matrix[i] = self.vectors[rows[0]]
                elif isinstance(query, np.ndarray):
                    rows, matrix[i] = [], self._vector(query)
                elif isinstance(query, Mapping) and query.keys() <= {"positive", "negative"}:
                    terms = self._terms(query.get("positive"), 1.0) + self._terms(query.get("negative"), -1.0)
                    matrix[i], rows = self._combine(terms)
                else:
                    raise TypeError(
                        f"query {i} is no key, no vector and no dict of positive and negative ones: {query!r:.80}"
                    )
                own += rows
                asking += [i] * len(rows)
        matrix *= inverse(row_norms(matrix))[:, None]
        return matrix, np.array(asking, np.int64), np.array(own, np.int64)

    def similar_by_key(self, key: Any, topn: int | None = 10, restrict_vocab: int | None = None) -> Any:
        """The keys nearest to a key: :meth:`most_similar` of it alone."""
        return self.most_similar(positive=[key], topn=topn, restrict_vocab=restrict_vocab)

    def similar_by_word(self, word: Any, topn: int | None = 10, restrict_vocab: int | None = None) -> Any:
        """The keys nearest to a word: :meth:`most_similar` of it alone."""
        return self.similar_by_key(word, topn, restrict_vocab)

    def similar_by_vector(self, vector: ArrayLike, topn: int | None = 10, restrict_vocab: int | None = None) -> Any:
        """The keys nearest to a vector of shape (d,)."""
        return self.most_similar(positive=[np.asarray(vector)], topn=topn, restrict_vocab=restrict_vocab)

    def most_similar_cosmul(
        self, positive: Any = None, negative: Any = None, topn: int | None = 10, restrict_vocab: int | None = None
    ) -> list[tuple[Any, float]] | NDArray:
        """The keys with the largest product of similarities to the positive over that to the negative terms (3CosMul).

        Levy and Goldberg 2014, "Linguistic Regularities in Sparse and Explicit Word Representations", equation 4, with
        cosines shifted to [0, 1] and 1e-6 added to the denominator.

        Parameters
        ----------
        positive, negative : key, vector, or sequence of them
            A vector given as an array should have length 1. The keys among them are never returned.
        topn : int or None
            How many; None for the score of every row, as an array; 0 for nothing.
        restrict_vocab : int, optional
            Search only the first so many rows.

        Returns
        -------
        list of (key, float), or ndarray of shape (rows searched,) for ``topn=None``

        Raises
        ------
        KeyError
            For an unknown key.
        ValueError
            Without a positive term.
        """
        if isinstance(topn, Integral) and topn < 1:
            return []
        terms = {
            sign: [item for item, _ in self._terms(items, sign)] for sign, items in ((1, positive), (-1, negative))
        }
        if not terms[1]:
            raise ValueError("cannot search for nothing: give at least one positive key or vector")
        start, stop = self._range(0, None, restrict_vocab)
        vectors, norms = self.vectors[start:stop], self._norms()[start:stop]

        def product(items: list[Any]) -> Any:
            result: Any = 1.0
            for item in items:
                result = result * ((1.0 + cosine_scores(self._vector_of(item, norm=True), vectors, norms)) / 2.0)
            return result

        scores = product(terms[1]) / (product(terms[-1]) + _EPSILON)
        if topn is None:
            return scores
        own = [row for sign in terms for row in map(self.get_index, filter(is_key, terms[sign])) if row < stop]
        best = best_first(scores, topn, own)
        return self._named(best, scores[best])

    # ---- similarities of given keys

    def similarity(self, w1: Any, w2: Any) -> float:
        """Cosine of two keys; exactly 1 for equal vectors, 0 where one of them is zero."""
        return _cosine(self.get_vector(w1), self.get_vector(w2))

    def distance(self, w1: Any, w2: Any) -> float:
        """1 - :meth:`similarity`."""
        return 1.0 - self.similarity(w1, w2)

    def n_similarity(self, ws1: Sequence[Any], ws2: Sequence[Any]) -> float:
        """Cosine of the mean vectors of two sets of keys; unknown keys are left out.

        Raises
        ------
        ZeroDivisionError
            If one of them is empty.
        """
        if not len(ws1) or not len(ws2):
            raise ZeroDivisionError("at least one of the two sequences of keys is empty")
        return _cosine(*(self.get_mean_vector(ws, pre_normalize=False) for ws in (ws1, ws2)))

    @staticmethod
    def cosine_similarities(vector_1: ArrayLike, vectors_all: ArrayLike) -> NDArray:
        """Cosine of one vector (d,) with each row of a matrix (n, d), shape (n,); 0 where one is zero."""
        matrix = np.asarray(vectors_all)
        if matrix.dtype.kind != "f":
            matrix = matrix.astype(np.float64)
        return cosine_scores(unit_vector(np.asarray(vector_1)), matrix, row_norms(matrix))

    def distances(self, word_or_vector: Any, other_words: Iterable[Any] = ()) -> NDArray:
        """1 - cosine of one key or vector to some keys, or to every row.

        Parameters
        ----------
        word_or_vector : str, int or ndarray of shape (d,)
        other_words : iterable of keys
            Empty: all rows, in their order.

        Returns
        -------
        ndarray of shape (len(other_words) or n,)

        Raises
        ------
        KeyError
            For an unknown key.
        """
        vector, norms = unit_vector(self._vector_of(word_or_vector)), self._norms()
        rows = [self.get_index(word) for word in (other_words if other_words is not None else ())]
        if rows:
            return 1 - cosine_scores(vector, self.vectors[rows], norms[rows])
        return 1 - cosine_scores(vector, self.vectors, norms)

    def closer_than(self, key1: Any, key2: Any) -> list[Any]:
        """All keys that are closer to key1 than key2 is, in the order of the rows."""
        distances = self.distances(key1)
        row1, row2 = self.get_index(key1), self.get_index(key2)
        keys = self.index_to_key
        return [keys[row] for row in np.flatnonzero(distances < distances[row2]).tolist() if row != row1]

    def words_closer_than(self, word1: Any, word2: Any) -> list[Any]:
        """Deprecated name of :meth:`closer_than`."""
        warnings.warn("use closer_than instead of words_closer_than", DeprecationWarning, stacklevel=2)
        return self.closer_than(word1, word2)

    def rank(self, key1: Any, key2: Any) -> int:
        """Place of key2 among the neighbours of key1, counted from 1."""
        distances = self.distances(key1)
        row1, row2 = self.get_index(key1), self.get_index(key2)
        closer = distances < distances[row2]
        return int(closer.sum()) - int(closer[row1]) + 1

    def most_similar_to_given(self, key1: Any, keys_list: Sequence[Any]) -> Any:
        """The one of some keys that is most similar to key1.

        Raises
        ------
        ValueError
            Without keys to choose from.
        """
        if not len(keys_list):
            raise ValueError("cannot choose from an empty list of keys")
        return keys_list[int(np.argmin(self.distances(key1, keys_list)))]

    def relative_cosine_similarity(self, wa: Any, wb: Any, topn: int = 10) -> float:
        """Cosine of two keys relative to the sum over the topn neighbours of the first.

        Leeuwenberg et al. 2016, "A Minimally Supervised Approach for Synonym Extraction with Word Embeddings", equation
        1: above 0.10 for ``topn=10``, they are more similar than an arbitrary pair of related words.

        Raises
        ------
        ValueError
            Without neighbours.
        """
        similar = self.similar_by_key(wa, topn)
        if not len(similar):
            raise ValueError("the relative cosine similarity needs topn >= 1 and another key")
        return float(self.similarity(wa, wb)) / sum(score for _, score in similar)

    def rank_by_centrality(self, words: Sequence[Any], use_norm: bool = True) -> list[tuple[float, Any]]:
        """Keys by their similarity to the mean of them all, most similar first.

        Parameters
        ----------
        words : sequence of keys
            Unknown ones are left out, with a warning in the log.
        use_norm : bool
            Take unit vectors.

        Returns
        -------
        list of (similarity, key)

        Raises
        ------
        ValueError
            If no key is known.
        """
        known = [word for word in words if word in self]
        if len(known) != len(words):
            logger.warning("left out unknown keys: %s", sorted({str(w) for w in words} - {str(w) for w in known}))
        if not known:
            raise ValueError("cannot choose from no keys: the list is empty, or none of its keys is known")
        vectors = np.array([self.get_vector(word, norm=use_norm) for word in known])
        mean = self.get_mean_vector(vectors, post_normalize=True)
        return sorted(zip(vectors @ mean, known, strict=True), reverse=True)

    def doesnt_match(self, words: Sequence[Any]) -> Any:
        """The one of some keys that is furthest from the mean of them all.

        Examples
        --------
        >>> from fastemb import KeyedVectors
        >>> kv = KeyedVectors(2)
        >>> kv.add_vectors(["tea", "coffee", "brick"], [[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
        >>> kv.doesnt_match(["tea", "coffee", "brick"])
        'brick'
        """
        return self.rank_by_centrality(words)[-1][1]
