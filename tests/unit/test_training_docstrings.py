"""The examples in the docstrings of fastemb.training run and tell the truth."""

import doctest
import importlib
import pkgutil

import pytest

import fastemb.training

MODULES = sorted(m.name for m in pkgutil.iter_modules(fastemb.training.__path__, "fastemb.training."))


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert not failed
