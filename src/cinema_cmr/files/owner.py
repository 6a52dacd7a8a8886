"""The process that a temporary file or a lock belongs to, and whether it is still alive."""

from __future__ import annotations

import hashlib
import os
import platform
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["Owner", "this_process"]

_PROC = Path("/proc")
_STARTED = 19
"""Place of the start time among the fields of /proc/PID/stat that follow the command's name."""


@dataclass(frozen=True, kw_only=True)
class Owner:
    """A process: its number alone is reused, its number and its start time are not."""

    host: str
    """Hash of the machine's name, its start and the process namespace: numbers mean the same within one only."""
    pid: int
    started: int
    """Start time in clock ticks since the machine started; 0 where the system does not give it."""

    @property
    def is_alive(self) -> bool | None:
        """Whether the process runs; None for one of another machine or container, which cannot be seen from here."""
        if self.host != this_process().host or os.name != "posix":
            return None
        try:
            os.kill(self.pid, 0)
        except (ProcessLookupError, OverflowError):
            return False
        except PermissionError:
            pass
        started = _start_of(self.pid)
        return 0 in (started, self.started) or started == self.started

    def lives(self, silent_s: float, limit_s: float) -> bool:
        """Return whether the process runs; one that cannot be seen from here does as long as its last sign is recent.

        `silent_s` is the age of that sign, `limit_s` the age from which it counts as gone.
        """
        alive = self.is_alive
        return silent_s < limit_s if alive is None else alive


def this_process() -> Owner:
    """Return the owner of what this process makes."""
    return Owner(host=_host(), pid=os.getpid(), started=_start_of(os.getpid()))


def _start_of(pid: int) -> int:
    try:
        # The name may hold spaces and brackets, so that the fields are counted from its last bracket.
        fields = (_PROC / str(pid) / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        return int(fields[_STARTED])
    except (OSError, ValueError, IndexError):
        return 0


@cache
def _host() -> str:
    parts = [platform.node()]
    for read in (_boot_id, _process_namespace):
        try:
            parts.append(read())
        except OSError:
            parts.append("")
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _boot_id() -> str:
    return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _process_namespace() -> str:
    return str((_PROC / "self/ns/pid").stat().st_ino)
