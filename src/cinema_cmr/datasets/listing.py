"""Finding a dataset's folders and tables: each case once, each row as text, what is missing told by name."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from cinema_cmr.core.errors import InputError, UnreadableFileError

__all__ = ["by_name", "existing", "find_rows", "number", "whole_number"]


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
    """The path; raises `InputError` that names it where it is not there."""
    if not path.exists():
        raise InputError(f"'{path.name}' is missing; expected it in '{path.parent.name}': unpack the dataset again")
    return path


def find_rows(root: Path, *, needs: Sequence[str]) -> list[dict[str, str]]:
    """Rows of all tables (`*.csv`, in `root`, the folder above, or one below) that have the columns `needs`.

    Cells and columns without spaces around them, as text; empty where no such table is there. Raises
    `UnreadableFileError` for a file that is no text.
    """
    root = Path(root)
    paths = [*root.glob("*.csv"), *root.glob("*/*.csv"), *root.parent.glob("*.csv")]
    tables = (_rows(path) for path in sorted(paths))
    return [row for rows in tables if rows and set(needs) <= rows[0].keys() for row in rows]


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [
                {(column or "").strip(): (cell or "").strip() for column, cell in row.items() if isinstance(cell, str)}
                for row in csv.DictReader(file)
            ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableFileError(f"'{path.name}' is no table: {error}; save it as CSV in UTF-8") from error


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
