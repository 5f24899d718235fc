"""What this build is and what it found on this machine."""

from __future__ import annotations

import platform
import sys
from importlib import import_module
from typing import Any, Literal, overload

import numpy as np

from fastemb.training import _engine
from fastemb.training.config import cpu_count


@overload
def show_config(mode: Literal["dicts"]) -> dict[str, Any]: ...
@overload
def show_config(mode: Literal["stdout"] = "stdout") -> None: ...
def show_config(mode: str = "stdout") -> dict[str, Any] | None:
    """Show the version, the instruction sets that can be used and the one that is, as ``numpy.show_config`` does.

    Parameters
    ----------
    mode : {"stdout", "dicts"}
        Print, or return a dict.

    Raises
    ------
    RuntimeError
        The environment variable FASTEMB_SIMD names an instruction set that this machine or build lacks.

    Examples
    --------
    >>> show_config("dicts")["simd"] in show_config("dicts")["simd_available"]
    True
    """
    if mode not in ("stdout", "dicts"):
        raise ValueError(f"mode={mode!r}: it must be 'stdout' or 'dicts'")
    found = {
        "fastemb": import_module(__name__.partition(".")[0]).__version__,
        "simd": _engine.simd(),
        "simd_available": _engine.available_simd(),
        "workers": cpu_count(),
        "python": platform.python_version(),
        "free_threaded": not getattr(sys, "_is_gil_enabled", lambda: True)(),
        "numpy": np.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
    }
    if mode == "dicts":
        return found
    for name, value in found.items():
        print(f"{name:15}{', '.join(value) if isinstance(value, list) else value}")
    return None
