"""What the numerical tests share; makes their helper module importable, whatever pytest's import mode."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def rng() -> np.random.Generator:
    """The same random numbers in every test, whichever others run."""
    return np.random.default_rng(3)
