"""Changes to a table of vectors: adding and replacing rows, sorting, scaling."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastemb.geometry import inverse, scale_rows
from fastemb.vectors.table import VectorTable, checked_key, is_key, unknown_attribute

logger = logging.getLogger(__name__)


class Editing(VectorTable):
    """The methods of :class:`fastemb.KeyedVectors` that change it."""

    def _writable(self) -> NDArray:
        """The matrix, copied to memory first where it is read-only (mapped from a file, say)."""
        if not self.vectors.flags.writeable:
            logger.info("copying the read-only vectors to memory to change them")
            self.vectors = np.array(self.vectors, order="C")
        return self.vectors

    def _append_rows(self, rows: NDArray) -> None:
        """Append rows, with room for half as many more: adding one by one copies each row a few times, not n times."""
        old, n = self.vectors, len(self.vectors)
        need = n + len(rows)
        room: NDArray | None = self._cache.get("room")
        if room is None or old.base is not room or len(room) < need:
            room = np.empty((need + (need // 2 if len(rows) < n // 8 + 2 else 0), self.vector_size), old.dtype)
            room[:n] = old
        room[n:need] = rows
        self.vectors = room[:need]
        self._cache["room"] = room

    def _matrix(self, weights: Any, count: int) -> NDArray:
        matrix = np.asarray(weights)
        if matrix.size == 0 and not count:
            matrix = matrix.reshape(0, self.vector_size)
        if matrix.shape != (count, self.vector_size) or matrix.dtype.kind not in "fiub":
            raise ValueError(
                f"{count} keys need {count} vectors of {self.vector_size} numbers, not an array of shape {matrix.shape}"
                f" and type {matrix.dtype}"
            )
        return matrix

    def add_vector(self, key: Any, vector: ArrayLike) -> int:
        """Add one vector, in the next free row that the constructor's ``count`` made, or at the end.

        Parameters
        ----------
        key : str or int
        vector : array_like of shape (d,)

        Returns
        -------
        int
            The row. For a key that is there already its row, whose vector is kept: ``kv[key] = vector`` replaces it.

        Raises
        ------
        ValueError
            If the vector is of another size.
        TypeError
            If the key is neither a string nor an integer.
        """
        keys, rows = self.index_to_key, self.key_to_index
        if rows.get(key, -1) >= 0:
            logger.warning("add_vector keeps the vector that key %r has; kv[key] = vector replaces it", key)
            return rows[key]
        if self.next_index < len(keys) and keys[self.next_index] is None:
            row = self.next_index
            key = checked_key(key)
            self._writable()[row] = self._matrix(np.asarray(vector)[None], 1)[0]
            keys[row] = key
            rows[key] = row
            self._vectors_changed()
        else:
            row = len(keys)
            self.add_vectors([key], np.asarray(vector)[None])
        self.next_index = row + 1
        return row

    def add_vectors(
        self, keys: Any, weights: Any, extras: Mapping[str, ArrayLike] | None = None, replace: bool = False
    ) -> None:
        """Append keys with their vectors.

        Parameters
        ----------
        keys : key or sequence of keys
            Of a key given twice the first vector is taken, with ``replace`` the last.
        weights : array_like of shape (d,) for one key, (k, d) for k
        extras : dict of name to array_like of shape (k,), optional
            Further columns of the new rows.
        replace : bool
            Replace the vectors of keys that are there already; otherwise they keep theirs.

        Raises
        ------
        ValueError
            If keys, vectors and extras do not fit each other.

        Examples
        --------
        >>> from fastemb import KeyedVectors
        >>> kv = KeyedVectors(2)
        >>> kv.add_vectors(["a", "b"], [[1, 2], [3, 4]], extras={"count": [5, 6]})
        >>> kv["b"].tolist(), int(kv.get_vecattr("b", "count"))
        ([3.0, 4.0], 6)
        """
        if is_key(keys):
            keys, weights = [keys], np.asarray(weights).reshape(1, -1)
        keys = [checked_key(key) for key in keys]
        matrix = self._matrix(weights, len(keys))
        columns = {name: np.asarray(values) for name, values in (extras or {}).items()}
        for name, values in columns.items():
            if len(values) != len(keys):
                raise ValueError(f"extras[{name!r}] has {len(values)} values for {len(keys)} keys")
        self.allocate_vecattrs(list(columns), [values.dtype for values in columns.values()])

        index_to_key, key_to_index = self.index_to_key, self.key_to_index
        sources: dict[int, int] = {}  # row -> where its vector comes from
        old = len(index_to_key)
        for source, key in enumerate(keys):
            row = key_to_index.get(key, -1)
            if row < 0:
                row = key_to_index[key] = len(index_to_key)
                index_to_key.append(key)
                sources[row] = source
            elif replace:
                sources[row] = source
        new = [source for row, source in sources.items() if row >= old]
        if new:
            self._append_rows(matrix[new])
        changed = [row for row in sources if row < old]
        if changed:
            self._writable()[changed] = matrix[[sources[row] for row in changed]]
        self._forget_derived()
        self.allocate_vecattrs()
        rows = list(sources)
        for name, values in columns.items():
            if not self.expandos[name].flags.writeable:
                self.expandos[name] = self.expandos[name].copy()
            self.expandos[name][rows] = values[list(sources.values())]

    def _forget_derived(self) -> None:
        room = self._cache.get("room")
        self._vectors_changed()
        if room is not None:
            self._cache["room"] = room

    def __setitem__(self, keys: Any, weights: Any) -> None:
        """Set the vector of a key, or those of a sequence of keys; new keys are appended."""
        if is_key(keys):
            keys, weights = [keys], np.asarray(weights).reshape(1, -1)
        self.add_vectors(keys, weights, replace=True)

    def resize_vectors(self, seed: int = 0) -> None:
        """Give the matrix and all columns as many rows as there are keys.

        New rows are uniform in (-1/d, 1/d), as gensim's; rows beyond the keys are dropped.
        """
        n, old = len(self), self.vectors
        if len(old) != n:
            matrix = np.empty((n, self.vector_size), old.dtype)
            kept = min(n, len(old))
            matrix[:kept] = old[:kept]
            fresh = np.random.default_rng(seed).random((n - kept, self.vector_size), dtype=np.float32)
            matrix[kept:] = (2.0 * fresh - 1.0) / self.vector_size
            self.vectors = matrix
        self._vectors_changed()
        self.allocate_vecattrs()

    def unit_normalize_all(self) -> None:
        """Scale every vector to length 1, in place (zero vectors stay zero). Do not train on afterwards.

        Vectors mapped from a file are copied to memory first.
        """
        vectors = self._writable()
        norms = self._norms()
        scale_rows(vectors, inverse(norms))
        self._vectors_changed()
        self.norms = (norms > 0).astype(norms.dtype)

    def sort_by_descending_frequency(self) -> None:
        """Reorder all rows by the column "count", largest first, equal counts in their old order.

        Raises
        ------
        KeyError
            If there is no such column.
        """
        if not len(self):
            return
        if "count" not in self.expandos:
            raise unknown_attribute("count", ", ".join(map(repr, self.expandos)) or "none")
        order = np.argsort(-np.asarray(self.expandos["count"], dtype=np.int64), kind="stable")
        keys = self.index_to_key
        self.allocate_vecattrs()
        self.expandos = {name: column[order] for name, column in self.expandos.items()}
        if self._vectors_lockf is not None and len(self._vectors_lockf) == len(order):
            self._vectors_lockf = self._vectors_lockf[order]
        if len(self.vectors):
            self.vectors = self.vectors[order]
        self.index_to_key = [keys[row] for row in order.tolist()]

    def vectors_for_all(self, keys: Iterable[Any], allow_inference: bool = True, copy_vecattrs: bool = False) -> Any:
        """New KeyedVectors of those of the given keys that are here, in the given order, each once.

        Parameters
        ----------
        keys : iterable of keys
        allow_inference : bool
            For vectors that can be made for unknown words (subwords); these here cannot.
        copy_vecattrs : bool
            Copy the further columns, too.

        Returns
        -------
        KeyedVectors
        """
        asked = list(dict.fromkeys(keys))
        known = [key for key in asked if (key in self if allow_inference else self.has_index_for(key))]
        if len(known) < len(asked):
            logger.info("%d of %d keys are unknown and left out", len(asked) - len(known), len(asked))
        rows = np.array([self.get_index(key) for key in known], dtype=np.int64)
        chosen = type(self).from_vocabulary(known, self.vectors[rows])
        if copy_vecattrs:
            chosen.expandos = {name: column[rows] for name, column in self.expandos.items()}
        return chosen
