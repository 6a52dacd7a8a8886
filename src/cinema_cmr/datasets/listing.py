"""Finding a dataset's folders and tables: each case once, each row as text, what is missing told by name."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cinema_cmr.core.errors import InputError, MissingFileError, UnreadableFileError

__all__ = ["by_name", "existing", "find_rows", "number", "texts", "whole_number"]


def by_name(paths: Iterable[tuple[str, Path]], *, expected: str) -> dict[str, Path]:
    """Name -> path, sorted by name; raises `InputError` where there is none, or a name is there twice."""
    found: dict[str, Path] = {}
    for name, path in sorted(paths):
        if found.setdefault(name, path) != path:
            raise InputError(f"'{name}' is there more than once; expected one copy of the data: give its folder")
    if not found:
        raise InputError(f"nothing of this dataset is there; expected {expected}: unpack it, or give its folder")
    return found


def existing(path: Path) -> Path:
    """The path; raises `MissingFileError` that names it where it is not there."""
    if not path.exists():
        raise MissingFileError(
            f"'{path.name}' is missing; expected it in '{path.parent.name}': unpack the dataset again"
        )
    return path


def find_rows(root: Path, *, needs: Sequence[str]) -> list[dict[str, str]]:
    """Rows of all tables (`*.csv` in `root`, the folder above, or one below) that have the columns `needs`.

    Columns and cells as text without spaces around them; empty where no such table is there. Raises
    `UnreadableFileError` for such a table that is no text.
    """
    root = Path(root)
    paths = [*root.glob("*.csv"), *root.glob("*/*.csv"), *root.resolve().parent.glob("*.csv")]
    return [row for path in sorted(set(paths)) for row in _rows(path, needs)]


def number(text: str | None) -> float | None:
    """A finite number, or None for a cell that holds none.

    >>> number("61.5"), number("N/A"), number("nan")
    (61.5, None, None)
    """
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def whole_number(text: str | None) -> int | None:
    """A whole number, also where it is written as 9.0; None for a cell that holds none."""
    value = number(text)
    return int(value) if value is not None and value == int(value) else None


def texts(row: Mapping[str, str], columns: Mapping[str, str]) -> dict[str, Any]:
    """Facts from a row: fact -> its column's text, those that are empty or "nan" left out."""
    cells = {fact: row.get(column, "") for fact, column in columns.items()}
    return {fact: text for fact, text in cells.items() if text and text.lower() != "nan"}


def _rows(path: Path, needs: Sequence[str]) -> list[dict[str, str]]:
    """Rows of a table that has the columns; of any other, whoever's it is, none."""
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    reader = csv.DictReader(text.splitlines())
    try:
        columns = {(column or "").strip() for column in reader.fieldnames or ()}
        if not set(needs) <= columns:
            return []
        rows = [_stripped(row) for row in reader]
    except csv.Error as error:
        raise UnreadableFileError(f"'{path.name}' is no table: {error}; unpack the dataset again") from error
    if "\ufffd" in text:
        raise UnreadableFileError(f"'{path.name}' is not in UTF-8; save it so, or unpack the dataset again")
    return rows


def _stripped(row: Mapping[str | None, Any]) -> dict[str, str]:
    return {(column or "").strip(): cell.strip() for column, cell in row.items() if isinstance(cell, str)}
