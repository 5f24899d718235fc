"""How much memory there is to take, and a sentence for when it is not enough."""

from __future__ import annotations

import os

__all__ = ["available", "cpus", "human", "resolve_workers"]


def human(n: float) -> str:
    """9.4 GiB and the like."""
    for unit in ("bytes", "KiB", "MiB"):
        if n < 1024:
            return f"{n:.0f} {unit}" if unit == "bytes" else f"{n:.1f} {unit}"
        n /= 1024
    return f"{n:.1f} GiB"


def _read_int(path: str) -> int | None:
    try:
        with open(path) as f:
            text = f.read().strip()
        return None if text == "max" else int(text)
    except (OSError, ValueError):
        return None


def address_space_left() -> int | None:
    """Bytes of address space below RLIMIT_AS, None when there is no limit."""
    try:
        import resource
    except ImportError:
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return None
    try:
        with open("/proc/self/statm") as f:
            used = int(f.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        used = 0
    return max(0, limit - used)


def available() -> int | None:
    """Bytes this process can still take: the least of free memory, its cgroup's room and its address space; None when
    nothing is known."""
    found = []
    try:
        with open("/proc/meminfo") as f:
            for line in f:
                if line.startswith("MemAvailable:"):
                    found.append(int(line.split()[1]) * 1024)
    except OSError:
        pass
    for limit_path, used_path in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        limit, used = _read_int(limit_path), _read_int(used_path)
        if limit is not None and used is not None and limit < 1 << 60:
            found.append(max(0, limit - used))
    space = address_space_left()
    if space is not None:
        found.append(space)
    return min(found) if found else None


def cpus() -> int:
    """CPUs this process may run on."""
    if hasattr(os, "process_cpu_count"):
        return os.process_cpu_count() or 1
    try:
        return len(os.sched_getaffinity(0)) or 1
    except AttributeError:
        return os.cpu_count() or 1


def resolve_workers(workers: int | None) -> int:
    """None or -1: all CPUs. ``ValueError`` for anything else below 1."""
    if workers is None:
        return cpus()
    if isinstance(workers, bool) or not hasattr(workers, "__index__") or (workers < 1 and workers != -1):
        raise ValueError(f"workers must be at least 1, or -1 or None for all {cpus()} CPUs, got {workers!r}")
    return cpus() if workers == -1 else int(workers)
