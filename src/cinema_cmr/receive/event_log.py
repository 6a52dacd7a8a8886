"""The receiver's log: one JSON object a line, of counts, states and keys; nothing of a patient."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from threading import Lock

from cinema_cmr.core.safe_text import json_line

__all__ = ["EventLog", "study_name"]

_NAME_LENGTH = 16


class EventLog:
    """Writes events, from any thread. A log that cannot be written does not end the work."""

    def __init__(self, write: Callable[[str], object] | None = None) -> None:
        self._write = write or _to_stderr
        self._lock = Lock()

    def event(self, name: str, **fields: str | int | float | None) -> None:
        """Write an event with its fields, and the time in UTC; fields that are None are left out."""
        given = {key: value for key, value in fields.items() if value is not None}
        time_utc = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json_line({"event": name, "time": time_utc, **given})
        with self._lock, suppress(OSError, ValueError):  # a pipe or stream that was closed
            self._write(line)


def study_name(study_uid: str) -> str:
    """Return the name of a study in log, queue and reports: 16 characters of the SHA-256 of its Study Instance UID.

    >>> study_name("1.2.3")
    'c47f5b18b8a430e6'
    """
    return hashlib.sha256(study_uid.encode()).hexdigest()[:_NAME_LENGTH]


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
