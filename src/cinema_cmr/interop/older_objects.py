"""Whether the objects that lie beside results are those of the results as they are."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from cinema_cmr.core.edits import Edits
from cinema_cmr.core.errors import CinemaError
from cinema_cmr.files.text import read_json

__all__ = ["FHIR_FILE", "OBJECTS_FOLDER", "has_older_objects", "objects_folder"]

FHIR_FILE = "fhir.json"
OBJECTS_FOLDER = "dicom"
"""Default folder of the objects, in that of the results."""
_JOB_FILE = "job.json"
"""File of a received study; its results lie in one folder beside it, the objects to send in another."""


def objects_folder(results: Path) -> Path:
    """Return the folder of the objects of results: inside it, or for a receiver's study the one that is sent."""
    results = results.absolute()
    received = (results.parent / _JOB_FILE).is_file()
    return (results.parent if received else results) / OBJECTS_FOLDER


def has_older_objects(results: Path, edits: Edits | None) -> bool:
    """Whether the objects of a results folder were written before its masks, landmarks or rules were last corrected.

    They show the numbers and outlines of before. By the time in the bundle, which copies keep; one that cannot be read
    counts as older.
    """
    path = objects_folder(results) / FHIR_FILE
    if edits is None or not edits.last_time or not path.is_file():
        return False
    try:
        bundle = read_json(path)
        written = bundle.get("timestamp") if isinstance(bundle, dict) else None
        return datetime.fromisoformat(str(written)) < datetime.fromisoformat(edits.last_time)
    except (CinemaError, TypeError, ValueError):  # as of a time without its zone
        return True
