"""Fixtures shared by every test: where the real data is, and small text that needs none."""

import os
import signal
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data, existing or not: FASTEMB_DATA, else ../shared/data beside the repository."""
    return Path(os.environ.get("FASTEMB_DATA") or ROOT.parent / "shared" / "data")


@pytest.fixture(scope="session")
def shared_data(data_dir: Path) -> Path:
    """The folder of real data; the test is skipped where it is absent."""
    if not data_dir.is_dir():
        pytest.skip(f"needs the data sets of {data_dir} (set FASTEMB_DATA to the folder that holds them)")
    return data_dir


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_is_heard():
    """Jobs in the background (``nohup``, some CI runners) inherit an ignored SIGINT; tests that send one would wait."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
