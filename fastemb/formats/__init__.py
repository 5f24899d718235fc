"""Bytes of files to words and arrays, and back: one format a file, and no pickle.

Readers are strict: counts and sizes are compared with the file before anything is allocated, and what does not fit is a
:class:`FormatError` that says where and what to do. Writers replace files whole or not at all.
"""

from . import atomic, glove, native, word2vec
from .errors import FormatError
from .rows import Words
from .sniff import read_any, sniff

__all__ = ["FormatError", "Words", "atomic", "glove", "native", "read_any", "sniff", "word2vec"]
