"""The table at the heart of KeyedVectors: rows, the key of each row, the length of each row, further columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastemb.geometry import row_norms, unit_rows
from fastemb.vectors.suggest import UnknownKeyError, unknown_key

Key = str | int

_GONE = {
    # attribute of gensim 3 -> what to use now
    "vocab": "key_to_index (a dict), index_to_key (a list), get_vecattr(key, attr) and set_vecattr(key, attr, value)",
    "index2word": "index_to_key",
    "index2entity": "index_to_key",
    "syn0": "vectors",
    "syn0norm": "get_normed_vectors()",
    "syn0_lockf": "vectors_lockf",
    "vectors_norm": "get_normed_vectors()",
    "wv": "the object itself: these are the vectors",
    "accuracy": "evaluate_word_analogies(path)",
}


def is_key(item: Any) -> bool:
    """Whether the item is of a kind that keys are of."""
    return isinstance(item, (str, Integral))


def checked_key(key: Any) -> Key:
    """The key as a plain ``str`` or ``int``; ``TypeError`` for what can be no key."""
    if isinstance(key, str):
        return str(key)
    if isinstance(key, Integral) and not isinstance(key, bool):
        return int(key)
    hint = ": decode it first" if isinstance(key, bytes) else ""
    raise TypeError(f"a key must be a str or an int, not {type(key).__name__} {key!r:.80}{hint}")


class VectorTable:
    """Rows of a matrix found by key. See :class:`fastemb.KeyedVectors`, of which this is the base.

    A. Keys. The list and the dictionary of gensim are built from the vocabulary when they are first asked for: a model
       just trained or loaded holds its words once, as bytes.
    B. Norms. One float a row, calculated when first needed and dropped when ``vectors`` is assigned. After a change in
       place (``kv.vectors[3] = ...``) call ``fill_norms(force=True)``, as in gensim: nothing tells an array's owner of
       such a change.
    """

    vector_size: int
    next_index: int  # the row that add_vector fills next
    norms: NDArray | None
    expandos: dict[str, NDArray]
    min_count: int | None  # of the training run, where known: only error messages use it

    def __init__(self, vector_size: int, count: int = 0, dtype: DTypeLike = np.float32, mapfile_path: Any = None):
        if isinstance(vector_size, bool) or not isinstance(vector_size, Integral) or vector_size < 1:
            raise ValueError(f"vector_size must be an integer >= 1, not {vector_size!r}")
        if not isinstance(count, Integral) or count < 0:
            raise ValueError(f"count must be an integer >= 0, not {count!r}")
        self.vector_size = int(vector_size)
        self.next_index = 0
        self.expandos = {}
        self.mapfile_path = mapfile_path
        self.min_count = None
        self._vocabulary: Any = None
        self._index_to_key: list[Any] | None = [None] * int(count)
        self._key_to_index: dict[Any, int] | None = {}
        self._vectors_lockf: NDArray | None = None
        self._cache: dict[Any, Any] = {}  # what is calculated from the vectors and goes with them
        self.vectors = np.zeros((int(count), self.vector_size), dtype=dtype)

    @classmethod
    def from_vocabulary(cls, vocabulary: Any, vectors: ArrayLike) -> Any:
        """KeyedVectors of a vocabulary and the matrix of its rows, neither of them copied.

        Parameters
        ----------
        vocabulary : Vocabulary or sequence of str or int
            The key of each row; the counts of a Vocabulary become the column "count".
        vectors : ndarray of shape (n, d)

        Returns
        -------
        KeyedVectors

        Raises
        ------
        ValueError
            If vectors is not a matrix of one row for each word.

        Examples
        --------
        >>> import numpy as np
        >>> from fastemb import KeyedVectors
        >>> kv = KeyedVectors.from_vocabulary(["a", "b"], np.eye(2, dtype=np.float32))
        >>> kv["b"].tolist()
        [0.0, 1.0]
        """
        matrix = np.asarray(vectors)
        if matrix.ndim != 2 or len(matrix) != len(vocabulary) or not matrix.shape[1]:
            raise ValueError(
                f"need one row for each of {len(vocabulary):,} words, not an array of shape {matrix.shape}"
            )
        if matrix.dtype.kind != "f":
            matrix = matrix.astype(np.float32)
        self = cls(matrix.shape[1])
        self.vectors = matrix
        self.next_index = len(matrix)
        if hasattr(vocabulary, "blob"):  # a Vocabulary, or the words of a file as bytes
            self._vocabulary, self._index_to_key, self._key_to_index = vocabulary, None, None
            self.min_count = getattr(vocabulary, "min_count", None)
            counts = getattr(vocabulary, "counts", None)
            if counts is not None and np.any(counts):  # a vocabulary made without counts has zeros
                self.expandos["count"] = counts
        else:
            keys = list(vocabulary)
            if set(map(type, keys)) - {str, int}:
                keys = [checked_key(key) for key in keys]
            self._index_to_key, self._key_to_index = keys, None
            if len(self.key_to_index) != len(self):
                twice = next(k for i, k in enumerate(self.index_to_key) if self.key_to_index[k] != i)
                raise ValueError(f"the key {twice!r} is there more than once")
        return self

    # ---- keys

    @property
    def index_to_key(self) -> list[Any]:
        """list: the key of each row."""
        keys = self._index_to_key
        if keys is None:
            keys = self._index_to_key = list(self._vocabulary)
        return keys

    @index_to_key.setter
    def index_to_key(self, keys: Sequence[Any]) -> None:
        self._index_to_key, self._key_to_index, self._vocabulary = list(keys), None, None

    @property
    def key_to_index(self) -> dict[Any, int]:
        """dict: the row of each key."""
        rows = self._key_to_index
        if rows is None:
            rows = self._key_to_index = {key: i for i, key in enumerate(self.index_to_key) if key is not None}
        return rows

    @key_to_index.setter
    def key_to_index(self, rows: dict[Any, int]) -> None:
        if self._index_to_key is None:
            self._index_to_key = list(self._vocabulary)
        self._key_to_index = rows

    def __len__(self) -> int:
        return len(self._index_to_key) if self._index_to_key is not None else len(self._vocabulary)

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the keys, row by row."""
        return iter(self.index_to_key)

    def __contains__(self, key: Any) -> bool:
        return self.has_index_for(key)

    def has_index_for(self, key: Any) -> bool:
        """Whether there is a row for this key. Integers are keys, never positions."""
        return is_key(key) and self.key_to_index.get(key, -1) >= 0

    def get_index(self, key: Any, default: Any = None) -> Any:
        """Row of a key.

        Parameters
        ----------
        key : str or int
            Integers are keys like any other, never positions.
        default : optional
            Returned for an unknown key, where it is not None.

        Returns
        -------
        int

        Raises
        ------
        KeyError
            For an unknown key; the message names close ones.
        """
        if is_key(key):
            row = self.key_to_index.get(key, -1)
            if row >= 0:
                return row
            if default is not None:
                return default
            raise self._unknown(key)
        if default is not None:
            return default
        raise TypeError(f"a key is a str or an int, not {type(key).__name__}: {key!r:.80}")

    def _unknown(self, key: Any) -> KeyError:
        rows = self.key_to_index
        raw_counts = getattr(self._vocabulary, "raw_counts", None)
        dropped = raw_counts(key) if raw_counts is not None else None
        return unknown_key(key, self.index_to_key, lambda k: rows.get(k, -1), dropped, self.min_count)

    # ---- vectors and their lengths

    @property
    def vectors(self) -> NDArray:
        """ndarray of shape (n, d): the vectors. Assigning another array drops what was calculated from the old one."""
        return self._vectors

    @vectors.setter
    def vectors(self, vectors: NDArray) -> None:
        self._vectors = vectors
        self._vectors_changed()

    @property
    def vectors_lockf(self) -> NDArray:
        """ndarray of shape (n,), float32: what training multiplies the change of each row with; 0 freezes a row."""
        if self._vectors_lockf is None or len(self._vectors_lockf) < len(self):
            factors = np.ones(len(self), dtype=np.float32)
            if self._vectors_lockf is not None and len(self._vectors_lockf) > 1:
                factors[: len(self._vectors_lockf)] = self._vectors_lockf
            elif self._vectors_lockf is not None:
                factors *= self._vectors_lockf
            self._vectors_lockf = factors
        return self._vectors_lockf

    @vectors_lockf.setter
    def vectors_lockf(self, factors: ArrayLike) -> None:
        factors = np.atleast_1d(np.asarray(factors, dtype=np.float32))
        if factors.shape not in ((1,), (len(self),)):
            raise ValueError(
                f"vectors_lockf needs one factor for each of {len(self):,} rows, not shape {factors.shape}"
            )
        self._vectors_lockf = factors

    def _vectors_changed(self) -> None:
        self.norms = None
        self._cache = {}

    def fill_norms(self, force: bool = False) -> None:
        """Calculate the length of every row, unless that is done already.

        Parameters
        ----------
        force : bool
            Do it again: needed after the vectors were changed in place.
        """
        if force:
            self._vectors_changed()
        self._norms()

    def _norms(self) -> NDArray:
        norms = self.norms
        if norms is None or len(norms) != len(self.vectors):
            norms = self.norms = row_norms(self.vectors)
        return norms

    def get_normed_vectors(self) -> NDArray:
        """A copy of the matrix with rows of length 1 (zero rows stay zero).

        Returns
        -------
        ndarray of shape (n, d)
            As large as the vectors themselves; the queries of this class do not need it.
        """
        return unit_rows(self.vectors, self._norms())

    def get_vector(self, key: Any, norm: bool = False) -> NDArray:
        """The vector of a key.

        Parameters
        ----------
        key : str or int
        norm : bool
            Scale it to length 1 (a zero vector stays zero).

        Returns
        -------
        ndarray of shape (d,), read-only

        Raises
        ------
        KeyError
            For an unknown key; the message names close ones.
        """
        row = self.get_index(key)
        vector = self.vectors[row]
        if norm:
            length = self._norms()[row]
            vector = vector / length if length > 0 else vector.copy()
        vector.setflags(write=False)
        return vector

    def __getitem__(self, key_or_keys: Any) -> NDArray:
        """The vector of a key, or the matrix of the vectors of several.

        Parameters
        ----------
        key_or_keys : str, int, or iterable of them

        Returns
        -------
        ndarray of shape (d,), read-only, or (k, d), a copy

        Raises
        ------
        KeyError
            For an unknown key; the message names close ones.
        """
        if is_key(key_or_keys):
            return self.get_vector(key_or_keys)
        if isinstance(key_or_keys, slice):
            raise TypeError("a slice is a range of rows, not of keys: use kv.vectors[i:j]")
        return self.vectors[np.array([self.get_index(key) for key in key_or_keys], dtype=np.int64)]

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray:
        vectors = self.vectors
        if dtype is not None and np.dtype(dtype) != vectors.dtype:
            if copy is False:
                raise ValueError(f"cannot give the {vectors.dtype} vectors as {np.dtype(dtype)} without a copy")
            return vectors.astype(dtype)
        return vectors.copy() if copy else vectors

    # ---- further columns

    def allocate_vecattrs(self, attrs: Sequence[str] | None = None, types: Sequence[Any] | None = None) -> None:
        """Make columns of the given names and types, of the length of ``index_to_key``; without names, adjust all
        lengths.

        Raises
        ------
        TypeError
            If a column exists and its type cannot hold the new one.
        """
        if attrs is None:
            attrs = list(self.expandos)
            types = [column.dtype for column in self.expandos.values()]
        size = len(self)
        for name, kind in zip(attrs, types or (), strict=True):
            # str would be a fixed-width array; int is 32 bits wide on some systems
            dtype = np.dtype(
                np.int64 if kind is int else object if isinstance(kind, type) and issubclass(kind, str) else kind
            )
            column = self.expandos.get(name)
            if column is None:
                self.expandos[name] = np.zeros(size, dtype=dtype)
                continue
            if not np.can_cast(dtype, column.dtype, "same_kind"):
                raise TypeError(f"attribute {name!r} holds {column.dtype}, which cannot hold {dtype}")
            if len(column) != size:
                resized = np.zeros(size, dtype=column.dtype)
                kept = min(size, len(column))
                resized[:kept] = column[:kept]
                self.expandos[name] = resized

    def set_vecattr(self, key: Any, attr: str, val: Any) -> None:
        """Set an attribute of a key; the first value decides the type of the whole column.

        Raises
        ------
        KeyError
            For an unknown key.
        TypeError
            If the column is of a type that cannot hold the value.
        """
        row = self.get_index(key)
        self.allocate_vecattrs([attr], [type(val)])
        column = self.expandos[attr]
        if not column.flags.writeable:
            column = self.expandos[attr] = column.copy()
        column[row] = val

    def get_vecattr(self, key: Any, attr: str) -> Any:
        """An attribute of a key, for instance its "count".

        Raises
        ------
        KeyError
            For an unknown key, or an attribute that is not there.
        """
        row = self.get_index(key)
        if attr not in self.expandos:
            there = ", ".join(map(repr, self.expandos)) or "none"
            raise unknown_attribute(attr, there)
        return self.expandos[attr][row]

    # ---- the rest of the object protocol

    def __str__(self) -> str:
        return f"{type(self).__name__}<vector_size={self.vector_size}, {len(self)} keys>"

    __repr__ = __str__

    def __getattr__(self, name: str) -> Any:
        if name in _GONE:
            raise AttributeError(f"{name!r} is from gensim 3; use {_GONE[name]}")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __getstate__(self) -> dict[str, Any]:
        # spare room at the end of the matrix and what can be calculated again stay here
        return self.__dict__ | {"_vectors": np.ascontiguousarray(self.vectors), "_cache": {}}


def unknown_attribute(attr: str, there: str) -> KeyError:
    """The error for a column that is not there."""
    why = "; these vectors came without counts" if attr == "count" else ""
    return UnknownKeyError(f"no attribute {attr!r} (there: {there}){why}")
