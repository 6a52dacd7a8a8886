"""The table of `--manifest`: one study a row, with its path, its name and what is known of the person."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cinema_cmr.core.errors import InputError, UnreadableFileError
from cinema_cmr.core.safe_text import plain_name
from cinema_cmr.core.study import Subject

__all__ = ["Manifest", "ManifestRow", "read_manifest"]

_SEXES: Mapping[str, Literal["F", "M"]] = {"f": "F", "female": "F", "m": "M", "male": "M"}
_NUMBERS = {
    **{name: "age_years" for name in ("age", "age_years")},
    **{name: "height_cm" for name in ("height", "height_cm")},
    **{name: "weight_kg" for name in ("weight", "weight_kg")},
    **{name: "heart_rate_bpm" for name in ("heart_rate", "heart_rate_bpm")},
}
"""Column -> field of the subject."""
_FRAMES = ("ed_frame", "es_frame")
_KNOWN = ("path", "name", "sex", *_NUMBERS, *_FRAMES)
_SHOWN = 6


@dataclass(frozen=True, kw_only=True)
class ManifestRow:
    """One study."""

    path: Path
    name: str | None = None
    """Name of its results; None for that of the path."""
    subject: Subject = field(default_factory=Subject)
    ed_frame: int | None = None
    es_frame: int | None = None


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """All rows, and what was not understood."""

    rows: tuple[ManifestRow, ...]
    remarks: tuple[str, ...] = ()
    """A sentence on columns that are not used."""


def read_manifest(file: Path) -> Manifest:
    """Read a text file with one path a line, or a CSV with a column `path`; relative paths start at its own folder.

    Columns that are used: `name`, `sex` (F or M), `age`, `height` (cm), `weight` (kg), `heart_rate` (per minute),
    `ed_frame`, `es_frame` (from 0), with or without the unit as in `height_cm`; empty cells are unknown. Raises
    `InputError` for a value that is none, and for a name twice.
    """
    lines = _lines(file)
    rows = _table(lines, file.name)
    heads = [_column(head) for head in rows[0]] if rows else []
    if "path" not in heads:
        listed = tuple(ManifestRow(path=file.parent / line.strip()) for line in lines)
        _check_paths(listed, file.name)
        return Manifest(rows=listed)
    repeated = [head for head, n in Counter(_NUMBERS.get(head, head) for head in heads).items() if n > 1]
    if repeated:
        raise InputError(f"manifest '{file.name}' has two columns for '{repeated[0]}'; expected one: remove the other")
    cells = [dict(zip(heads, (cell.strip() for cell in row), strict=False)) for row in rows[1:]]
    found = tuple(
        _row(row, file, f"manifest '{file.name}', row {number}")
        for number, row in enumerate(cells, 2)
        if row.get("path")
    )
    _check_names(found, file.name)
    _check_paths(found, file.name)
    return Manifest(rows=found, remarks=tuple(_remark(heads, file.name)))


def _lines(file: Path) -> list[str]:
    from cinema_cmr.files.text import read_text

    try:
        lines = [line for line in read_text(file).splitlines() if line.strip()]
    except OSError as error:
        raise InputError(
            f"manifest '{file.name}' cannot be read ({error.strerror}); expected a text file: check the path"
        ) from error
    if any("\0" in line for line in lines):
        raise UnreadableFileError(f"manifest '{file.name}' is binary; expected one path a line, or a CSV")
    return lines


def _table(lines: Sequence[str], name: str) -> list[list[str]]:
    from cinema_cmr.files.text import parse_rows
    from cinema_cmr.io.delimiter import detect_delimiter

    return parse_rows("\n".join(lines), name, delimiter=detect_delimiter(lines[0] if lines else ""))


def _column(head: str) -> str:
    return head.strip().lstrip("\ufeff").casefold().replace(" ", "_").replace("-", "_")


def _row(cells: Mapping[str, str], file: Path, place: str) -> ManifestRow:
    numbers = {
        field_name: _number(cells, column, place) for column, field_name in _NUMBERS.items() if cells.get(column)
    }
    frames = {name: _frame(cells, name, place) for name in _FRAMES if cells.get(name)}
    if len(frames) == len(_FRAMES) and len(set(frames.values())) == 1:
        raise InputError(
            f"{place}: frame {frames['ed_frame']} is ED and ES; expected two different frames: correct one"
        )
    return ManifestRow(
        path=file.parent / cells["path"],
        name=_name(cells.get("name", ""), place),
        subject=Subject(sex=_sex(cells.get("sex", ""), place), **numbers),
        **frames,
    )


def _name(text: str, place: str) -> str | None:
    if text and (text != plain_name(text) or set(text) & set("/\\:") or text.startswith(".")):
        raise InputError(
            f"{place}: the name cannot be that of a folder; expected letters, digits, '-' and '_': change it"
        )
    return text or None


def _sex(text: str, place: str) -> Literal["F", "M"] | None:
    if text and text.casefold() not in _SEXES:
        raise InputError(f"{place}: sex is '{text[:20]}'; expected F, M or nothing")
    return _SEXES.get(text.casefold())


def _number(cells: Mapping[str, str], column: str, place: str) -> float:
    try:
        value = float(cells[column].replace(",", "."))
    except ValueError:
        value = -1.0
    if not 0 < value < 1000:
        raise InputError(f"{place}: {column} is '{cells[column][:20]}'; expected a number above 0, or nothing")
    return value


def _frame(cells: Mapping[str, str], column: str, place: str) -> int:
    if not cells[column].isdecimal():
        raise InputError(f"{place}: {column} is '{cells[column][:20]}'; expected a whole number from 0, or nothing")
    return int(cells[column])


def _check_paths(rows: Sequence[ManifestRow], file: str) -> None:
    """Refuse another file than the one that was meant as a whole, instead of quoting it line by line as missing."""
    if rows and not any(os.path.exists(row.path) for row in rows):
        raise InputError(
            f"none of the {len(rows)} paths in manifest '{file}' exists; expected one path a line, or a CSV"
            " column 'path', relative to the folder of the manifest: check it"
        )


def _check_names(rows: Sequence[ManifestRow], file: str) -> None:
    counts = Counter(row.name.casefold() for row in rows if row.name)
    twice = [name for name, n in counts.items() if n > 1]
    if twice:
        raise InputError(f"manifest '{file}' has the name '{twice[0]}' twice; expected one row a name: change one")


def _remark(heads: Sequence[str], file: str) -> list[str]:
    unknown = [head or "(empty)" for head in heads if head not in _KNOWN]
    if not unknown:
        return []
    more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
    return [
        f"manifest '{file}': columns not used: {', '.join(unknown[:_SHOWN])}{more}; used are path, name, sex, age,"
        " height, weight, heart_rate, ed_frame and es_frame"
    ]
