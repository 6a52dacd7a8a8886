"""The finished results that a server shows: those of its command line, and those of its own queue."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from cinema_cmr.core.errors import CinemaError, InputError, UnknownNameError, as_cinema_error
from cinema_cmr.report.record.review import Review, State, read_review
from cinema_cmr.report.record.stored import read_measurements
from cinema_cmr.report.record.study_record import StudyRecord

__all__ = ["RUN_FILE", "Library", "Listed", "Unreadable", "check_folders", "is_results", "study_key"]

RUN_FILE = "run.json"
"""Its presence says that results are complete."""

_DEPTH = 3
"""Levels below a given folder that are searched for results."""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One study of the list."""

    key: str
    """Name in addresses: of the folder's path, without any part of it."""
    folder: Path
    record: StudyRecord
    review: Review

    @property
    def state(self) -> State:
        """State in the list."""
        return self.review.state(self.record.edits)


@dataclass(frozen=True, kw_only=True)
class Unreadable:
    """One study of the list whose results or review cannot be read."""

    key: str
    """Name in addresses, as of a study that can be read."""
    name: str
    """Name of the folder: that of the study stands in the file."""
    error: str
    """What was found, what was expected, what to do."""


class Library:
    """All results below some folders; a record is read again only when its file has changed."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders = tuple(folders)
        self._records: dict[Path, tuple[int, StudyRecord]] = {}
        self._keys: dict[str, Path] = {}
        self._lock = Lock()

    def listed(self) -> list[Listed]:
        """Return every study with results that can be read, in the order of names."""
        return self.entries()[0]

    def entries(self) -> tuple[list[Listed], list[Unreadable]]:
        """Return the studies that can be read, in the order of names, and those that cannot, in that of folders."""
        found = [self._entry(folder) for folder in self._all()]
        listed = [one for one in found if isinstance(one, Listed)]
        damaged = [one for one in found if isinstance(one, Unreadable)]
        return (
            sorted(listed, key=lambda one: (one.record.study.name, one.key)),
            sorted(damaged, key=lambda one: (one.name, one.key)),
        )

    def folder(self, key: str) -> Path:
        """Return the results folder of a study; raises `UnknownNameError` for a key that is not listed."""
        known = self._keys.get(key)
        if known is not None and is_results(known):
            return known
        for folder in self._all():
            if study_key(folder) == key:
                self._keys[key] = folder
                return folder
        raise UnknownNameError("no study has this key; expected one of the list: open the list again")

    def record(self, folder: Path) -> StudyRecord:
        """Return measurements.json of a results folder."""
        path = folder / "measurements.json"
        changed = path.stat().st_mtime_ns
        with self._lock:
            known = self._records.get(folder)
        if known and known[0] == changed:
            return known[1]
        record = read_measurements(path)
        with self._lock:
            known = self._records.get(folder)
            if not known or known[0] != changed:  # two may have read it at once: all get the same record
                known = self._records[folder] = (changed, record)
        return known[1]

    def _all(self) -> Iterator[Path]:
        seen: set[Path] = set()
        for top in self._folders:
            for folder in _results_below(top, _DEPTH):
                real = Path(os.path.realpath(folder))
                if real not in seen:
                    seen.add(real)
                    yield real

    def _entry(self, folder: Path) -> Listed | Unreadable | None:
        key = study_key(folder)
        try:
            return Listed(key=key, folder=folder, record=self.record(folder), review=read_review(folder))
        except (CinemaError, OSError) as error:
            if not is_results(folder):  # removed, or exchanged for others, at this moment
                return None
            return Unreadable(key=key, name=folder.name, error=str(as_cinema_error(error)))


def study_key(folder: Path) -> str:
    """Return the name of a results folder in addresses: 16 characters of the hash of its path."""
    return hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:16]


def is_results(folder: Path) -> bool:
    """Whether a folder holds complete results."""
    return (folder / RUN_FILE).is_file() and (folder / "measurements.json").is_file()


def _results_below(folder: Path, depth: int) -> Iterator[Path]:
    """Yield the results folders at and below a folder; nothing is searched below results, nor behind links."""
    if is_results(folder):
        yield folder
        return
    if depth == 0:
        return
    try:
        inner = sorted(entry.path for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False))
    except OSError:
        return
    for path in inner:
        if not os.path.basename(path).startswith("."):
            yield from _results_below(Path(path), depth - 1)


def check_folders(folders: Iterable[Path]) -> None:
    """Raise `InputError` for a folder that does not exist."""
    for folder in folders:
        if not folder.is_dir():
            raise InputError(
                f"'{folder.name}' is not a folder; expected results of `cinema analyse`, or a folder of them"
            )
