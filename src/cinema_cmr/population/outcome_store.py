"""The outcomes of a population on disk: one small archive a study while they come in, packed into few large ones.

```
DIR/
  pending/1-of-4/abcd....zip  a study that has just come in, whole from its first moment, its report too
  studies/1-of-4-00001.zip    packs of up to 500 studies: NAME/outcome.json, NAME/sax.nii.gz, NAME/thumbnail.png
  reports/NAME.html           with --reports
```

Packs and pending files are complete zips, whichever moment a process is killed at; a study that is in several counts
as it was finished last. Only the process that holds a shard's lock writes its files. The report of a pending study is
the one in its archive; what a kill left out between the two is made up for when it is packed.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from cinema_cmr.core.errors import UnreadableFileError
from cinema_cmr.io.atomic import atomic_path, write_bytes
from cinema_cmr.io.names import natural_key
from cinema_cmr.population.outcome import OUTCOME_FILE, StudyOutcome, parse_outcome

__all__ = ["OutcomeStore", "StoredOutcome"]

_PACK_STUDIES = 500
_PACK = re.compile(r"(?P<shard>\d+-of-\d+)-(?P<number>\d{5})\.zip")
_REPORT = "report.html"
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, KeyError, TypeError, NotImplementedError)
_MAX_LISTINGS = 20
"""Times that outcomes are listed while other processes pack them."""


@dataclass(frozen=True, kw_only=True)
class StoredOutcome:
    """Where an outcome is, and what a later run compares of it."""

    name: str
    archive: Path
    status: str
    settings: str
    listing: str
    finished_ms: int


class OutcomeStore:
    """The outcomes in a folder; `shard` names the files that this process writes."""

    def __init__(self, folder: Path, shard: tuple[int, int] = (1, 1)) -> None:
        self.folder = folder
        self._shard = f"{shard[0]}-of-{shard[1]}"
        self._complete: set[Path] = set()
        """Pending files of this process whose reports are in place."""

    def outcomes(self) -> dict[str, StoredOutcome]:
        """Return name -> the latest outcome, names in natural order.

        Other shards may pack while this looks: their pending files are listed first, and all again if one is gone.
        Raises `UnreadableFileError` for an archive that is damaged or cannot be read.
        """
        for _ in range(_MAX_LISTINGS):
            pending = sorted(self.folder.glob("pending/*/*.zip"))
            try:
                return _latest([*self._packs(), *(path for path in pending if not path.name.startswith("."))])
            except FileNotFoundError:
                continue
        raise UnreadableFileError(
            f"the outcomes of '{self.folder.name}' change all the time; expected them to stay for a moment: try again"
        )

    def read(self, outcomes: Iterable[StoredOutcome]) -> Iterator[StudyOutcome]:
        """Yield the outcomes, pack by pack, each opened once."""
        for one, content in self.members(outcomes, OUTCOME_FILE):
            yield parse_outcome(content, one.name)

    def members(self, outcomes: Iterable[StoredOutcome], file: str) -> Iterator[tuple[StoredOutcome, bytes]]:
        """Yield a file of each outcome that has it, pack by pack, each opened once."""
        for opened, archive, ones in self._archives(outcomes):
            present = set(opened.namelist())
            for one in ones:
                path = f"{one.name}/{file}"
                if path in present:
                    yield one, _read(opened, path, archive)

    def put(self, name: str, archive: bytes) -> StoredOutcome:
        """Keep a new outcome; its report becomes a file of its own, after, and an earlier one of the study goes."""
        digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:32]
        path = self.folder / "pending" / self._shard / f"{digest}.zip"
        self._complete.discard(path)
        write_bytes(path, archive, overwrite=True)
        (stored,) = _entries(path)
        self._place_report(stored)
        self._complete.add(path)
        return stored

    def _place_report(self, one: StoredOutcome) -> None:
        """Make the report of a pending outcome a file, or remove that of an earlier outcome."""
        path = self.folder / "reports" / f"{one.name}.html"
        report = _own_report(one)
        if report is None:
            path.unlink(missing_ok=True)
        else:
            write_bytes(path, report, overwrite=True)

    def _place_left_reports(self, pending: list[Path]) -> None:
        """Place the reports of outcomes that a killed process left, unless the study was done again elsewhere."""
        if self._complete.issuperset(pending):
            return
        left = set(pending) - self._complete
        for one in self.outcomes().values():
            if one.archive in left:
                self._place_report(one)

    def pack(self) -> None:
        """Move the pending outcomes of this process into packs, the last pack first if it has room.

        Each pack is complete before anything that it replaces goes.
        """
        pending = sorted(self.folder.glob(f"pending/{self._shard}/*.zip"))
        pending = [path for path in pending if not path.name.startswith(".")]
        if not pending:
            return
        self._place_left_reports(pending)
        packs = [pack for pack in self._packs() if pack.name.startswith(f"{self._shard}-")]
        with_room = [pack for pack in packs[-1:] if sum(1 for _ in _entries(pack)) < _PACK_STUDIES]
        number = 1 + (int(packs[-1].stem.rpartition("-")[2]) if packs else 0)
        chosen = list(_latest([*with_room, *pending]).values())
        for first in range(0, len(chosen), _PACK_STUDIES):
            path = self.folder / "studies" / f"{self._shard}-{number:05d}.zip"
            _write_pack(chosen[first : first + _PACK_STUDIES], path)
            number += 1
        for source in [*with_room, *pending]:
            source.unlink()
        self._complete.clear()

    def take(self, outcomes: Iterable[StoredOutcome], source: Path) -> None:
        """Keep outcomes of another folder, each in one step with its report."""
        for opened, archive, ones in OutcomeStore(source)._archives(outcomes):
            for one in ones:
                stream = io.BytesIO()
                with zipfile.ZipFile(stream, "w") as target:
                    _copy(opened, target, [one.name], archive)
                    report = source / "reports" / f"{one.name}.html"
                    if _is_pack(archive) and report.is_file():
                        entry = zipfile.ZipInfo(f"{one.name}/{_REPORT}")
                        entry.compress_type = zipfile.ZIP_DEFLATED
                        target.writestr(entry, report.read_bytes())
                self.put(one.name, stream.getvalue())

    def _archives(
        self, outcomes: Iterable[StoredOutcome]
    ) -> Iterator[tuple[zipfile.ZipFile, Path, list[StoredOutcome]]]:
        """Yield each archive, opened, with those outcomes that it holds; those packed meanwhile where they are now."""
        moved: list[StoredOutcome] = []
        for archive, group in groupby(sorted(outcomes, key=lambda one: str(one.archive)), key=lambda one: one.archive):
            ones = list(group)
            try:
                opened = _opened(archive)
            except FileNotFoundError:
                moved += ones
                continue
            with opened:
                yield opened, archive, ones
        if moved:
            now = self.outcomes()
            yield from self._archives([now[one.name] for one in moved if one.name in now])

    def _packs(self) -> list[Path]:
        names = sorted(path.name for path in self.folder.glob("studies/*.zip"))
        return [self.folder / "studies" / name for name in names if _is_pack(Path(name))]


def _latest(archives: Iterable[Path]) -> dict[str, StoredOutcome]:
    found: dict[str, StoredOutcome] = {}
    for archive in archives:
        for one in _entries(archive):
            known = found.get(one.name)
            if known is None or one.finished_ms >= known.finished_ms:
                found[one.name] = one
    return {name: found[name] for name in sorted(found, key=lambda name: (natural_key(Path(name)), name))}


def _entries(archive: Path) -> Iterator[StoredOutcome]:
    """Yield the outcomes of an archive, from its directory alone."""
    with _opened(archive) as opened:
        entries = {entry.filename: entry.comment for entry in opened.infolist()}
    for path, comment in entries.items():
        name, _, file = path.rpartition("/")
        if file == OUTCOME_FILE:
            with _faults(archive):
                status, settings, listing, finished = json.loads(comment)
                one = StoredOutcome(
                    name=name,
                    archive=archive,
                    status=str(status),
                    settings=str(settings),
                    listing=str(listing),
                    finished_ms=int(finished),
                )
            yield one


def _write_pack(chosen: list[StoredOutcome], path: Path) -> None:
    by_archive: dict[Path, list[str]] = {}
    for one in chosen:
        by_archive.setdefault(one.archive, []).append(one.name)
    with atomic_path(path) as draft, zipfile.ZipFile(draft, "w") as pack:
        for archive, names in by_archive.items():
            with _opened(archive) as source:
                _copy(source, pack, names, archive, but=_REPORT)


def _copy(source: zipfile.ZipFile, target: zipfile.ZipFile, names: list[str], archive: Path, *, but: str = "") -> None:
    """Copy the files of studies, all but those named `but`."""
    wanted = set(names)
    for entry in source.infolist():
        name, _, file = entry.filename.rpartition("/")
        if name in wanted and file != but:
            copied = zipfile.ZipInfo(entry.filename)
            copied.comment, copied.compress_type = entry.comment, entry.compress_type
            target.writestr(copied, _read(source, entry.filename, archive))


def _own_report(one: StoredOutcome) -> bytes | None:
    """Return the report in a pending archive; None if it has none."""
    path = f"{one.name}/{_REPORT}"
    with _opened(one.archive) as opened:
        return _read(opened, path, one.archive) if path in opened.namelist() else None


def _is_pack(archive: Path) -> bool:
    return _PACK.fullmatch(archive.name) is not None


def _opened(archive: Path) -> zipfile.ZipFile:
    """Open an archive; raises `FileNotFoundError` for one that is gone."""
    with _faults(archive):
        return zipfile.ZipFile(archive)


def _read(opened: zipfile.ZipFile, path: str, archive: Path) -> bytes:
    with _faults(archive):
        return opened.read(path)


@contextmanager
def _faults(archive: Path) -> Iterator[None]:
    """Raise an error for what is wrong with an archive: only a damaged one is to be removed, a disk may recover."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UnreadableFileError(
            f"'{archive.name}' cannot be read ({error.strerror or type(error).__name__}); expected an archive of"
            " outcomes: check the disk and its permissions, and call again"
        ) from error
    except _DAMAGED as error:
        raise UnreadableFileError(
            f"'{archive.name}' is damaged; expected an archive of outcomes: remove it, and run again to do its studies"
            " anew"
        ) from error
