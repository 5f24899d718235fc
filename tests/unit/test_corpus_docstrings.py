"""The examples in the docstrings of fastemb.corpus run and tell the truth."""

import doctest
import importlib
import pkgutil

import pytest

import fastemb.corpus

MODULES = sorted(m.name for m in pkgutil.iter_modules(fastemb.corpus.__path__, "fastemb.corpus."))


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name):
    failed, _ = doctest.testmod(importlib.import_module(name), extraglobs=vars(fastemb.corpus))
    assert not failed
