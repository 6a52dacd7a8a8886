"""What this process may use: memory, so that a size that a file claims is refused before it is allocated; and cores."""

from __future__ import annotations

import os
from pathlib import Path

from cinema_cmr.core.errors import OutOfMemoryError

__all__ = ["check_memory", "free_memory_bytes", "usable_cores"]

_MEMINFO = Path("/proc/meminfo")
_STATM = Path("/proc/self/statm")
_CGROUP = Path("/sys/fs/cgroup")
_UNKNOWN = 8 << 30
"""Assumed where the system does not give it."""


def check_memory(n_bytes: int, what: str) -> None:
    """Raise `OutOfMemoryError` if `what`, which takes so many bytes, does not fit into the memory that is free."""
    free = free_memory_bytes()
    if n_bytes > free:
        raise OutOfMemoryError(
            f"{what} takes {n_bytes / 1e9:.1f} GB of memory, of which {free / 1e9:.1f} GB are free; expected less:"
            " check the sizes that the file claims, or use a machine with more memory"
        )


def free_memory_bytes() -> int:
    """Return the smallest of what the machine, the container and the process limit leave."""
    found = [value for value in (_of_machine(), _of_container(), _of_process()) if value is not None]
    return max(0, min(found, default=_UNKNOWN))


def usable_cores() -> int:
    """Return the number of cores that this process may use, which may be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _of_machine() -> int | None:
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
    except OSError:
        return _pages("SC_AVPHYS_PAGES")
    values = (line.split()[1] for line in lines if line.startswith("MemAvailable:"))
    return next((int(value) * 1024 for value in values), None)


def _pages(name: str) -> int | None:
    try:
        return os.sysconf(name) * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _of_container() -> int | None:
    try:
        limit = int((_CGROUP / "memory.max").read_text(encoding="ascii"))  # "max" where there is none
        return limit - int((_CGROUP / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _of_process() -> int | None:
    try:
        import resource

        pages = _STATM.read_text(encoding="ascii").split()
        used = {resource.RLIMIT_AS: int(pages[0]), resource.RLIMIT_DATA: int(pages[5])}
        limits = {kind: resource.getrlimit(kind)[0] for kind in used}
        left = (n - used[kind] * resource.getpagesize() for kind, n in limits.items() if n != resource.RLIM_INFINITY)
        return min(left, default=None)
    except (ImportError, OSError, ValueError):
        return None
