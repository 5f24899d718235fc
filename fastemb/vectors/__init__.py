"""KeyedVectors and the files they come from."""

from fastemb.vectors.keyedvectors import KeyedVectors
from fastemb.vectors.loading import load, register
from fastemb.vectors.suggest import UnknownKeyError

__all__ = ["KeyedVectors", "UnknownKeyError", "load", "register"]
