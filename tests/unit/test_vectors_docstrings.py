"""The examples in the documentation of vectors, search, evaluation and geometry."""

import doctest
import importlib
import pkgutil

import pytest

import fastemb.evaluation
import fastemb.geometry
import fastemb.search
import fastemb.vectors

MODULES = sorted(
    f"{room.__name__}.{module.name}"
    for room in (fastemb.evaluation, fastemb.geometry, fastemb.search, fastemb.vectors)
    for module in pkgutil.iter_modules(room.__path__)
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
