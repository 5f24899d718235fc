"""KeyedVectors, the face of trained or loaded vectors."""

from __future__ import annotations

import logging
import warnings

from fastemb.vectors.editing import Editing
from fastemb.vectors.encoding import Encoding
from fastemb.vectors.files import Files
from fastemb.vectors.queries import Queries
from fastemb.vectors.scores import Scores

logger = logging.getLogger(__name__)


class KeyedVectors(Queries, Scores, Encoding, Editing, Files):
    """Vectors found by key: lookup, neighbours, evaluation, encoding of texts, files.

    The methods are gensim's, with its signatures and results, and a few more: :meth:`most_similar_batch`,
    :meth:`encode`, :meth:`export`, :meth:`from_vocabulary`. What differs:

    - Integers are keys like any other, never positions: ``kv[5]`` is the vector of the key 5, row 5 is
      ``kv.vectors[5]``.
    - A zero vector has similarity 0 with everything; nothing is ever NaN.
    - Equal similarities come in the order of the rows. Results of one and of many queries at once agree to float32
      rounding.
    - An unknown key is a ``KeyError`` that names close ones, and the word's count where the corpus had it too rarely.
    - Iteration goes over the keys.

    Parameters
    ----------
    vector_size : int
        Dimension of the vectors.
    count : int
        Rows to make beforehand, which :meth:`add_vector` then fills.
    dtype : dtype
        float32; float16 and float64 work, more slowly.
    mapfile_path : object
        Kept for gensim's sake.

    Attributes
    ----------
    vectors : ndarray of shape (n, d)
    index_to_key : list
        The key of each row.
    key_to_index : dict
        The row of each key.
    vector_size : int
    norms : ndarray of shape (n,) or None
        The length of each row, once calculated. After changing ``vectors`` in place call ``fill_norms(force=True)``.
    expandos : dict of str to ndarray of shape (n,)
        Further columns, such as "count".

    Examples
    --------
    >>> from fastemb import KeyedVectors
    >>> kv = KeyedVectors(vector_size=2)
    >>> kv.add_vectors(["north", "east", "northeast"], [[0, 1], [1, 0], [1, 1]])
    >>> len(kv), "north" in kv, kv["east"].tolist()
    (3, True, [1.0, 0.0])
    >>> round(float(kv.similarity("north", "northeast")), 4)
    0.7071
    """

    def word_vec(self, *args: object, **kwargs: object) -> object:
        """Deprecated name of :meth:`get_vector`."""
        warnings.warn("use get_vector instead of word_vec", DeprecationWarning, stacklevel=2)
        return self.get_vector(*args, **kwargs)  # type: ignore[arg-type]

    def init_sims(self, replace: bool = False) -> None:
        """Deprecated: :meth:`fill_norms`, or with ``replace`` :meth:`unit_normalize_all`; queries need neither."""
        warnings.warn("use fill_norms (or unit_normalize_all) instead of init_sims", DeprecationWarning, stacklevel=2)
        self.fill_norms()
        if replace:
            logger.warning("init_sims(replace=True) destroys the lengths of the vectors, and saves no memory")
            self.unit_normalize_all()

    def add_lifecycle_event(self, event_name: str, log_level: int = logging.INFO, **event: object) -> None:
        """Log an event, as gensim does; nothing is kept in the object or its file."""
        logger.log(log_level, "%s lifecycle event %s: %s", type(self).__name__, event_name, event)

    def similarity_unseen_docs(self, *args: object, **kwargs: object) -> None:
        """There is no document model here; ``encode`` gives vectors of texts."""
        raise NotImplementedError("similarity_unseen_docs belongs to gensim's Doc2Vec; see encode for vectors of texts")
