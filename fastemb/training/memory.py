"""How much memory a run needs, how much there is, and the refusal before anything is allocated."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

GIB = 1 << 30
_UNLIMITED = 1 << 60


def stride(dim: int) -> int:
    """Floats a row of `dim` takes while training: rows begin on cache lines of 64 bytes."""
    return -(-dim // 16) * 16


def weights(rows: int, dim: int, matrices: int) -> int:
    """Bytes of `matrices` weight matrices with padded rows and their alignment."""
    return matrices * (rows * stride(dim) * 4 + 64)


def human(size: float) -> str:
    """`size` bytes for people: ``"9.4 GiB"``."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"


def _read_int(path: str) -> int | None:
    try:
        with open(path) as f:
            return int(f.read().split()[0])
    except (OSError, ValueError, IndexError):  # absent, or the word "max"
        return None


def _meminfo() -> int | None:
    try:
        with open("/proc/meminfo") as f:
            for line in f:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None


def _cgroup() -> int | None:
    """What the control group of this process still allows.

    Page cache counts as free, since the kernel gives it back.
    """
    rooms: list[int] = []
    try:
        with open("/proc/self/cgroup") as f:
            lines = f.read().splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":  # version 2; a limit of any ancestor binds, and a container may see its own root only
            base, limit_name, usage_name, cache = "/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):
            base, limit_name, usage_name = "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
            cache = "total_inactive_file"
        else:
            continue
        parts = [p for p in path.split("/") if p and p != ".."]
        for depth in range(len(parts), -1, -1):
            directory = os.path.join(base, *parts[:depth])
            limit = _read_int(os.path.join(directory, limit_name))
            usage = _read_int(os.path.join(directory, usage_name))
            if limit is None or usage is None or limit >= _UNLIMITED:
                continue
            reclaimable = 0
            try:
                with open(os.path.join(directory, "memory.stat")) as f:
                    reclaimable = sum(int(x.split()[1]) for x in f if x.split()[0] == cache)
            except (OSError, ValueError, IndexError):
                pass
            rooms.append(max(0, limit - usage + reclaimable))
    return min(rooms, default=None)


def _rlimit() -> int | None:
    """What RLIMIT_AS still allows."""
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit == resource.RLIM_INFINITY:
            return None
        with open("/proc/self/statm") as f:
            used = int(f.read().split()[0]) * resource.getpagesize()
        return max(0, limit - used)
    except (ImportError, OSError, ValueError, IndexError, AttributeError):
        return None


def available() -> int | None:
    """Bytes this process can still allocate, as far as the system tells; None when it does not tell."""
    return min((x for x in (_meminfo(), _cgroup(), _rlimit()) if x is not None), default=None)


def require(parts: Mapping[str, int], advice: Sequence[str] = (), limit: int | None = None) -> None:
    """Refuse, before allocating, what does not fit.

    Parameters
    ----------
    parts : mapping of str to int
        Bytes still to be allocated, by what they are for.
    advice : sequence of str
        What the user could change.
    limit : int, optional
        Bytes that are available; asked from the system when not given.

    Raises
    ------
    MemoryError
        "needs 9.4 GiB, 6.1 GiB available; try ...".
    """
    need, room = sum(parts.values()), available() if limit is None else limit
    if room is None or need <= room:
        return
    shares = ", ".join(f"{name} {human(size)}" for name, size in parts.items() if size)
    hint = "; try " + " or ".join(advice) if advice else ""
    raise MemoryError(f"training needs {human(need)} ({shares}), {human(room)} available{hint}")


def give_back() -> None:
    """Return freed memory to the system, where the C library can: reading a corpus leaves some that weights cannot "
    "use."""
    try:
        import ctypes

        ctypes.CDLL(None).malloc_trim(0)
    except (ImportError, OSError, AttributeError, TypeError):  # not glibc
        pass
