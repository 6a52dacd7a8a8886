"""A table of facts beside images: one row a patient or case, `name` first of all; numbers become numbers."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cinema_cmr.core.errors import InputError, UnreadableFileError
from cinema_cmr.io.delimiter import detect_delimiter

__all__ = ["problem_in", "read_facts", "tables_without_names"]

_KEYS = ("name", "patient", "case")


def read_facts(folder: Path) -> dict[str, dict[str, Any]]:
    """Name -> facts, from the one `*.csv` of `folder` that has a column `name`, `patient` or `case`.

    Empty cells are left out; `height_cm`, `weight_kg`, `age_years`, `heart_rate_bpm`, `sex` (F or M) and `group`
    have a meaning elsewhere (`problem_in`). No such table: no facts. Raises `InputError` for two such tables and for
    a name given twice, `UnreadableFileError` for a file that is no text.
    """
    tables = {path: rows for path in sorted(folder.glob("*.csv")) if (rows := _rows(path))}
    if len(tables) > 1:
        names = ", ".join(path.name for path in tables)
        raise InputError(f"'{folder.name}' has several tables of facts, {names}; keep one")
    facts: dict[str, dict[str, Any]] = {}
    for path, rows in tables.items():
        for name, row in rows:
            if name in facts:
                raise InputError(f"'{path.name}' has '{name}' twice; expected one row each")
            facts[name] = row
    return facts


def tables_without_names(folder: Path) -> list[str]:
    """A sentence for each `*.csv` of a folder that is no table of facts, as no column tells whose they are."""
    expected = f"expected one of the columns {', '.join(_KEYS)}"
    return [
        f"'{path.name}' is not read: no column tells whose facts they are; {expected}"
        for path in sorted(folder.glob("*.csv"))
        if _rows(path) is None
    ]


def problem_in(facts: Mapping[str, Any]) -> str | None:
    """Which fact with a meaning elsewhere cannot be, or None.

    >>> problem_in({"height_cm": "tall"})
    "height_cm is 'tall' in the table of facts; expected a number above 0, or nothing"
    """
    for name in ("height_cm", "weight_kg", "age_years", "heart_rate_bpm"):
        if name in facts and not (isinstance(facts[name], float) and facts[name] > 0):
            return f"{name} is '{facts[name]}' in the table of facts; expected a number above 0, or nothing"
    if facts.get("sex", "F") not in ("F", "M"):
        return f"sex is '{facts['sex']}' in the table of facts; expected F, M or nothing"
    return None


def _rows(path: Path) -> list[tuple[str, dict[str, Any]]] | None:
    """Rows of a table of facts; None where the file has no column of names."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            heads = [head.strip() for head in next(csv.reader([first], delimiter=detect_delimiter(first)), [])]
            reader = csv.DictReader(file, heads, delimiter=detect_delimiter(first))
            key = next((key for key in _KEYS if key in heads), None)
            if key is None:
                return None
            return [(row[key].strip(), _known(row.items(), key)) for row in reader if (row[key] or "").strip()]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableFileError(f"'{path.name}' is no table: {error}; save it as CSV in UTF-8") from error


def _known(cells: Iterable[tuple[str | None, Any]], key: str) -> dict[str, Any]:
    return {name: _value(text) for name, text in cells if name and name != key and text not in (None, "")}


def _value(text: str) -> str | float:
    try:
        number = float(text)
    except ValueError:
        return text.strip()
    return number if math.isfinite(number) else text.strip()
