"""A folder that studies are dropped into: its files are received as if they had been sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cinema_cmr.core.errors import CinemaError, InputError, as_cinema_error
from cinema_cmr.interop.study_files import dicom_files
from cinema_cmr.io.dicom.files import is_dicom
from cinema_cmr.io.walk import paths_below
from cinema_cmr.receive.event_log import EventLog
from cinema_cmr.receive.inbox import BusyError, Inbox

__all__ = ["WatchedFolder"]

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """A file as it was first seen: size and time of change, and when that was."""

    state: tuple[int, int]
    at: float
    taken: bool = False


class WatchedFolder:
    """DICOM files and zips of them below a folder; nothing in it is changed or removed.

    A file is taken once its size and time have not changed for `quiet_s`, so that a copy under way is not read. After a
    restart every file is met again, and those that were received before are the same images.
    """

    def __init__(
        self,
        folder: Path,
        inbox: Inbox,
        log: EventLog,
        *,
        quiet_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not folder.is_dir():
            raise InputError(f"'{folder.name}' is not a folder; expected one to watch: create it")
        self._folder, self._inbox, self._log, self._quiet_s, self._clock = folder, inbox, log, quiet_s, clock
        self._seen: dict[Path, _Seen] = {}

    def scan(self) -> None:
        """Take the files that came to rest since the last call."""
        now, found = self._clock(), {}
        for path in paths_below(self._folder):
            state = _state(path)
            if state is None:
                continue
            seen = self._seen.get(path)
            if seen is None or seen.state != state:
                seen = _Seen(state=state, at=now)
            elif not seen.taken and now - seen.at >= self._quiet_s:
                seen = _Seen(state=state, at=now, taken=self._take(path))
            found[path] = seen
        self._seen = found

    def _take(self, path: Path) -> bool:
        """Receive a file, or the files of a zip; False if there is no room for it yet."""
        try:
            if not is_dicom(path) and path.suffix.lower() != ".zip":
                return True
            with dicom_files(path) as files:
                for file in files:
                    self._inbox.receive(_parts(file))
        except (BusyError, OSError) as error:
            self._log.event("file-waits", error=str(as_cinema_error(error)) if isinstance(error, BusyError) else None)
            return False
        except CinemaError as error:  # its text may name the file, and the file a patient
            self._log.event("file-refused", reason=type(error).__name__)
        return True


def _state(path: Path) -> tuple[int, int] | None:
    """Return size and time of change of a file; None for a folder, and for a file that has just gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return None if path.is_dir() else (found.st_size, found.st_mtime_ns)


def _parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while part := stream.read(_CHUNK_BYTES):
            yield part
