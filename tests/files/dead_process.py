"""Temporary names of a process that no longer runs."""

from __future__ import annotations

from cinema_cmr.files.owner import this_process

DEAD = 2**31 - 2
"""A number that no process has."""


def name_of(pid: int, *, host: str = "", started: int = 1, rest: str = "") -> str:
    """Name of a leftover of a process, of this machine unless `host` is given."""
    return f".cinema-{host or this_process().host}-{pid:x}-{started:x}-{'0' * 16}{rest}"
