"""What this process may use: memory, so that a size that a file claims is refused before it is allocated; and cores.

And what a process that works through many studies must do so that its memory does not grow with their number.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cinema_cmr.core.errors import OutOfMemoryError

__all__ = [
    "check_memory",
    "free_memory_bytes",
    "give_back_memory",
    "reuse_freed_memory",
    "usable_cores",
    "worker_environment",
]

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_KERNEL_CACHES: Mapping[str, str] = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "256", "LRU_CACHE_CAPACITY": "256"}
"""Environment that bounds how many kernels oneDNN, and PyTorch above it, keep; read when torch is imported.

Each keeps 1024 by default, one for every layer and every shape of its input, some 100 KB in all; studies differ in
slices and frames. A shape of a bundled model takes some 50, so that 256 are enough for a study.
"""

_HEAP: Mapping[str, tuple[int, int]] = {
    "MALLOC_MMAP_THRESHOLD_": (-3, 32 << 20),
    "MALLOC_TRIM_THRESHOLD_": (-1, 256 << 20),
}
"""Variable of glibc -> number of the same parameter of its `mallopt`, and bytes.

Memory of its own is mapped for a block from the first size on, at most what glibc comes to by itself; free memory at
the end of the heap beyond the second is given back, of which glibc keeps 64 MB at most. A study takes and frees more
with each batch, and the system clears each page that it hands out anew: over a second of the processor in an analysis
of 15 s. It takes 50 MB more, of 660.
"""

_MEMINFO = Path("/proc/meminfo")
_STATM = Path("/proc/self/statm")
_CGROUP = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")
_NO_LIMIT = 1 << 60
"""Version 1 says "none" with the largest number of pages."""
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


def reuse_freed_memory() -> None:
    """Let glibc keep freed memory for the next arrays, here and in processes that this one starts.

    What the environment sets already stays; another C library is left alone. `give_back_memory` gives it back all the
    same.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    for name, (parameter, n_bytes) in _HEAP.items():
        if mallopt is not None and name not in os.environ:
            os.environ[name] = str(n_bytes)
            mallopt(parameter, n_bytes)


def give_back_memory() -> None:
    """Give freed memory back to the system, where the C library can: glibc keeps what lies below a block in use."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):  # another C library
        return


def worker_environment(threads: int | None = None) -> dict[str, str]:
    """Return the variables of a process that works through many studies: the size of its kernel caches, which what is
    set already overrules, and its threads; None for as many as it takes by itself."""
    caches = {name: os.environ.get(name, value) for name, value in _KERNEL_CACHES.items()}
    return caches if threads is None else caches | dict.fromkeys(_THREADS, str(threads))


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
    """Return what the tightest of the control groups leaves that this process is in, one within another."""
    left = (
        value
        for root, path, files in _control_groups()
        for group in (path, *path.parents)
        if (value := _left_of_group(root / group, files)) is not None
    )
    return min(left, default=None)


@dataclass(frozen=True, kw_only=True)
class _GroupFiles:
    """Names of the files of a control group, and of the lines of its memory.stat that count all groups below."""

    limit: str
    used: str
    cached: tuple[str, str]
    """Pages of files, which the system takes back before it refuses memory."""


_VERSION_2 = _GroupFiles(limit="memory.max", used="memory.current", cached=("inactive_file", "active_file"))
_VERSION_1 = _GroupFiles(
    limit="memory.limit_in_bytes",
    used="memory.usage_in_bytes",
    cached=("total_inactive_file", "total_active_file"),
)


def _control_groups() -> Iterator[tuple[Path, PurePosixPath, _GroupFiles]]:
    """Yield where the groups of each version lie, and this process's own there; a container may show its own as "/"."""
    try:
        lines = _OWN_GROUPS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        lines = ["0::/"]
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        below = PurePosixPath(path.lstrip("/"))
        if ".." in below.parts:  # outside of what this container sees
            below = PurePosixPath()
        if not controllers:
            yield _CGROUP, below, _VERSION_2
            yield _CGROUP / "unified", below, _VERSION_2
        elif "memory" in controllers.split(","):
            yield _CGROUP / "memory", below, _VERSION_1


def _left_of_group(group: Path, files: _GroupFiles) -> int | None:
    """Return a group's limit less what is used and cannot be taken back; None without a limit."""
    try:
        limit = int((group / files.limit).read_text(encoding="ascii"))  # "max" where there is none
        used = int((group / files.used).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    if limit >= _NO_LIMIT:
        return None
    return limit - max(0, used - _cached(group / "memory.stat", files.cached))


def _cached(stat: Path, names: Collection[str]) -> int:
    try:
        words = [line.split() for line in stat.read_text(encoding="ascii").splitlines()]
        return sum(int(value) for name, value in words if name in names)
    except (OSError, ValueError):
        return 0


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
