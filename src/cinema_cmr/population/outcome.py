"""What happened to one study of a population: its numbers or the reason why there are none, in one small archive."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from cinema_cmr.core.errors import UnreadableFileError, UsageError
from cinema_cmr.core.serialise import from_dict, json_values
from cinema_cmr.core.study import Facts
from cinema_cmr.files.text import parse_json
from cinema_cmr.report.record.study_record import StudyRecord

__all__ = [
    "OUTCOME_FILE",
    "Attempt",
    "ImageFacts",
    "Members",
    "StudyOutcome",
    "archived_members",
    "archived_outcome",
    "outcome_archive",
    "parse_outcome",
]

OUTCOME_FILE = "outcome.json"
_COMPRESSED = (".json", ".html")
"""Other members are compressed already."""

Cause = Literal["input", "memory", "timeout", "killed", "error"]
Members = Mapping[str, bytes]
"""File name -> content: masks, a thumbnail, a report."""


@dataclass(frozen=True, kw_only=True)
class ImageFacts:
    """Fingerprints of the first measured cine, and the scanner where DICOM names it; nothing of the patient."""

    pixels_sha256: str
    """Hash of shape and intensities: equal for the same images in another folder or format."""
    outline: str
    """64 bits, hexadecimal, of coarse differences of the first frame: few bits differ between near-identical images."""
    scanner: str | None = None
    """Manufacturer, model and field strength."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What one attempt cost."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mb: float = 0.0
    """Largest resident memory of the worker so far."""


@dataclass(frozen=True, kw_only=True)
class StudyOutcome:
    """Outcome of one study; `record` with its numbers, or `cause` and `reason`."""

    name: str
    settings: str
    """Hash of models, options and version."""
    listing: str
    """Hash of the input's files: their names, sizes and times."""
    facts: Facts = field(default_factory=dict)
    record: StudyRecord | None = None
    image: ImageFacts | None = None
    cause: Cause | None = None
    """input: cannot be used; memory: over the limit; timeout; killed: by a signal; error: a defect of the program."""
    reason: str | None = None
    exit_code: int = 0
    attempts: int = 1
    cost: Attempt = field(default_factory=Attempt)
    finished_ms: int = 0
    """Time at which it was finished, since 1970: the later of two outcomes of a study counts."""

    @property
    def status(self) -> Literal["done", "failed"]:
        """Whether there are numbers."""
        return "done" if self.cause is None else "failed"


def outcome_archive(outcome: StudyOutcome, members: Members) -> bytes:
    """Return a zip of outcome.json and the members; the comment of its first entry has what a later run compares."""
    text = json.dumps(json_values(outcome), ensure_ascii=False, separators=(",", ":"))
    comment = json.dumps([outcome.status, outcome.settings, outcome.listing, outcome.finished_ms])
    files = {OUTCOME_FILE: text.encode("utf-8", errors="backslashreplace"), **members}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for file, content in files.items():
            entry = zipfile.ZipInfo(f"{outcome.name}/{file}")
            entry.comment = comment.encode("ascii") if file == OUTCOME_FILE else b""
            entry.compress_type = zipfile.ZIP_DEFLATED if file.endswith(_COMPRESSED) else zipfile.ZIP_STORED
            archive.writestr(entry, content)
    return stream.getvalue()


def parse_outcome(content: bytes, name: str) -> StudyOutcome:
    """Read outcome.json; raises `UnreadableFileError` for one that is damaged or of another version."""
    try:
        return from_dict(StudyOutcome, parse_json(content.decode("utf-8"), name))
    except (UsageError, UnicodeDecodeError) as error:
        raise UnreadableFileError(
            f"the outcome of '{name}' is damaged or of another version; expected one of this version: run the study"
            " again with --overwrite"
        ) from error


def archived_outcome(archive: bytes, name: str) -> StudyOutcome:
    """Read the outcome in an archive that `outcome_archive` made."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return parse_outcome(opened.read(f"{name}/{OUTCOME_FILE}"), name)


def archived_members(archive: bytes, name: str) -> dict[str, bytes]:
    """Return the members in an archive that `outcome_archive` made, without the outcome itself."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        members = {path.removeprefix(f"{name}/"): opened.read(path) for path in opened.namelist()}
    del members[OUTCOME_FILE]
    return members
