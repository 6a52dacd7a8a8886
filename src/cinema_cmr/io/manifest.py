"""The table of the studies of a call: a row a study, with its path, its name and what is known of the person.

CSV and Parquet mean the same: `path`; `id` or `name`; `sex`, `age`, `height`, `weight`, `heart_rate`; `ed_frame`,
`es_frame`. All other columns are facts that no measurement uses.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.core.safe_text import plain_name
from cinema_cmr.core.study import Fact, Facts, Subject
from cinema_cmr.io.fact_cells import frame_number, is_unknown, subject_number
from cinema_cmr.io.manifest_table import manifest_table
from cinema_cmr.io.names import unique_names

__all__ = ["Manifest", "ManifestRow", "listed_studies", "read_manifest", "study_names"]

_SEXES: Mapping[str, Literal["F", "M"]] = {"f": "F", "female": "F", "m": "M", "male": "M"}
_SHORT = {"age": "age_years", "height": "height_cm", "weight": "weight_kg", "heart_rate": "heart_rate_bpm"}
_LONG = {long: short for short, long in _SHORT.items()}
_FRAMES = ("ed_frame", "es_frame")
_USED = ("path", "sex", *_LONG, *_FRAMES)
_AS_TEXT = frozenset((*_USED, *_SHORT, "id", "name"))
_LONGEST_NAME = 200


@dataclass(frozen=True, kw_only=True)
class ManifestRow:
    """One study."""

    path: Path
    name: str | None = None
    """Name of its results; None for that of the path."""
    subject: Subject = field(default_factory=Subject)
    ed_frame: int | None = None
    es_frame: int | None = None
    facts: Facts = field(default_factory=dict)
    """All other columns."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """All rows."""

    file: str = ""
    """Name of the table's file."""
    rows: tuple[ManifestRow, ...]
    others: tuple[str, ...] = ()
    """Columns that are facts alone; "" for one without a name, which is left out."""


def read_manifest(file: Path) -> Manifest:
    """Read a CSV or Parquet table with a column `path`, or a text file with one path a line.

    Relative paths start at the table's own folder. Empty cells are unknown; so are NA, NaN, None and null. Raises
    `InputError` for a value that is none, a row without path, two columns for one thing, a name twice, and where none
    of the paths exists; `UnreadableFileError` for a file that is no table; `UsageError` for Parquet without pyarrow.
    """
    heads, rows = manifest_table(file, as_text=_AS_TEXT)
    heads = [_SHORT.get(head, head) for head in heads]
    repeated = [head for head, n in Counter(heads).items() if n > 1 and head]
    if repeated:
        raise InputError(f"manifest '{file.name}' has two columns for '{repeated[0]}'; expected one: remove the other")
    name_column = "id" if "id" in heads else "name"
    found = tuple(
        _row(dict(zip(heads, cells, strict=True)), file, f"manifest '{file.name}', row {number}", name_column)
        for number, cells in rows
    )
    _check_names(found, file.name)
    _check_paths(found, file.name)
    used = (*_USED, name_column)
    return Manifest(file=file.name, rows=found, others=tuple(head for head in heads if head not in used))


def listed_studies(inputs: Sequence[Path], manifest: Path | None = None) -> Manifest:
    """Return the studies of a call: the paths that are given, then those of a manifest with what it states of each.

    Raises `UsageError` without any study; else as `read_manifest`.
    """
    rows = tuple(ManifestRow(path=path) for path in inputs)
    listed = Manifest(rows=()) if manifest is None else read_manifest(manifest)
    if not rows and not listed.rows:
        raise UsageError("no input given; expected a DICOM folder, a zip or NIfTI files, or --manifest FILE")
    return replace(listed, rows=(*rows, *listed.rows))


def study_names(rows: Sequence[ManifestRow]) -> list[str]:
    """Return the name of each study's results: that of the manifest, else that of its path.

    Raises `UsageError` for a path twice without names, and where two studies have one name.
    """
    unnamed = [Path(os.path.abspath(row.path)) for row in rows if row.name is None]
    if len(set(unnamed)) < len(unnamed):
        unique_names(unnamed)  # raises, with the path
    distinct = list(dict.fromkeys(Path(os.path.abspath(row.path)) for row in rows)) if unnamed else []
    from_paths = dict(zip(distinct, unique_names(distinct), strict=True))
    names = [row.name or from_paths[Path(os.path.abspath(row.path))] for row in rows]
    twice = [name for name, n in Counter(name.casefold() for name in names).items() if n > 1]
    if twice:
        raise UsageError(
            f"two studies are named '{twice[0]}'; expected one name a study: change a name in the manifest"
        )
    return names


def _row(cells: Mapping[str, Fact], file: Path, place: str, name_column: str) -> ManifestRow:
    path = "" if cells["path"] is None else str(cells["path"]).strip()
    if not path or "\0" in path:
        raise InputError(f"{place} has no path; expected a column 'path', filled in each row")
    numbers = {name: subject_number(cells.get(name), _LONG[name], place) for name in _LONG}
    frames = {name: frame_number(cells.get(name), name, place) for name in _FRAMES}
    if frames["ed_frame"] is not None and frames["ed_frame"] == frames["es_frame"]:
        raise InputError(
            f"{place}: frame {frames['ed_frame']} is ED and ES; expected two different frames: correct one"
        )
    used = (*_USED, name_column, "")
    return ManifestRow(
        path=file.parent / path,
        name=_name(cells, name_column, place),
        subject=Subject(sex=_sex(cells.get("sex"), place), **numbers),
        **frames,
        facts={name: value for name, value in cells.items() if name not in used and value is not None},
    )


def _name(cells: Mapping[str, Fact], column: str, place: str) -> str | None:
    """Return a name that is that of a folder on every system; None for an empty cell of `name`."""
    value = cells.get(column)
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str("" if value is None else value)
    name = plain_name(text.strip()).replace("/", "_").replace("\\", "_").replace(":", "_")
    if name == "" and column == "name":
        return None
    if name == "":
        raise InputError(f"{place} is without id; expected one in each row, or no such column")
    if name.startswith(".") or len(name) > _LONGEST_NAME:
        raise InputError(
            f"{place}: {column} cannot be the name of a folder; expected 1 to {_LONGEST_NAME} characters that do not"
            " begin with a dot: change it"
        )
    return name


def _sex(value: Fact, place: str) -> Literal["F", "M"] | None:
    if is_unknown(value):
        return None
    text = str(value).strip()
    if text.casefold() not in _SEXES:
        raise InputError(f"{place}: sex is '{text[:20]}'; expected F, M or nothing")
    return _SEXES[text.casefold()]


def _check_paths(rows: Sequence[ManifestRow], file: str) -> None:
    """Refuse another file than the one that was meant, or a disk that is absent, instead of failing study by study."""
    if rows and not any(os.path.exists(row.path) for row in rows):
        raise InputError(
            f"none of the {len(rows)} paths in manifest '{file}' exists; expected one path a line, or a table with a"
            " column 'path', relative to the folder of the manifest: check it"
        )


def _check_names(rows: Sequence[ManifestRow], file: str) -> None:
    counts = Counter(row.name.casefold() for row in rows if row.name)
    twice = [name for name, n in counts.items() if n > 1]
    if twice:
        raise InputError(f"manifest '{file}' has the name '{twice[0]}' twice; expected one row a name: change one")
