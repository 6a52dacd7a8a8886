"""Table of facts beside the images: one row per patient or case, with numeric cells converted to numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.study import Fact, Facts
from cinema_cmr.files.text import parse_rows, read_text
from cinema_cmr.io.delimiter import detect_delimiter

__all__ = ["fact_problem", "read_facts", "tables_without_names"]

_KEYS = ("name", "patient", "case")


def read_facts(folder: Path) -> dict[str, dict[str, Fact]]:
    """Return name -> facts from the `*.csv` in `folder` that has a column `name`, `patient` or `case`.

    Empty cells are omitted; `height_cm`, `weight_kg`, `age_years`, `heart_rate_bpm`, `sex` (F or M) and `group` are
    interpreted (`fact_problem`). Returns no facts without such a table. Raises `InputError` for two such tables and for
    a repeated name, `UnreadableFileError` for a file that is not text.
    """
    tables = {path: rows for path in sorted(folder.glob("*.csv")) if (rows := _rows(path))}
    if len(tables) > 1:
        names = ", ".join(path.name for path in tables)
        raise InputError(f"'{folder.name}' has several tables of facts, {names}; expected one: remove the others")
    facts: dict[str, dict[str, Fact]] = {}
    for path, rows in tables.items():
        for name, row in rows:
            if name in facts:
                raise InputError(f"'{path.name}' has '{name}' twice; expected one row per name: remove one")
            facts[name] = row
    return facts


def tables_without_names(folder: Path) -> list[str]:
    """Return a sentence for each `*.csv` in a folder that is not a table of facts, as it has no name column."""
    expected = f"expected one of the columns {', '.join(_KEYS)}"
    return [
        f"'{path.name}' is not read: it has no name column; {expected}"
        for path in sorted(folder.glob("*.csv"))
        if _rows(path) is None
    ]


def fact_problem(facts: Facts) -> str | None:
    """Return a description of an interpreted fact that is invalid, or None; a shifted column may hold a name, so that
    no value is quoted.

    >>> fact_problem({"height_cm": "tall"})
    'height_cm is no number above 0 in the table of facts; expected a number, or nothing'
    """
    for name in ("height_cm", "weight_kg", "age_years", "heart_rate_bpm"):
        value = facts.get(name)
        if name in facts and not (isinstance(value, float) and value > 0):
            return f"{name} is no number above 0 in the table of facts; expected a number, or nothing"
    if facts.get("sex", "F") not in ("F", "M"):
        return "sex is another word than F and M in the table of facts; expected one of them, or nothing"
    return None


def _rows(path: Path) -> list[tuple[str, dict[str, Fact]]] | None:
    """Return the rows of a table of facts; None if the file has no name column."""
    text = read_text(path)
    first = text.partition("\n")[0]
    head, *rows = parse_rows(text, path.name, delimiter=detect_delimiter(first)) or [[]]
    columns = [column.strip() for column in head]
    key = next((key for key in _KEYS if key in columns), None)
    if key is None:
        return None
    named = [dict(zip(columns, row, strict=False)) for row in rows]
    return [(row[key].strip(), _parse_cells(row.items(), key)) for row in named if row.get(key, "").strip()]


def _parse_cells(cells: Iterable[tuple[str, str]], key: str) -> dict[str, Fact]:
    return {name: _value(text) for name, text in cells if name and name != key and text}


def _value(text: str) -> str | float:
    try:
        number = float(text)
    except ValueError:
        return text.strip()
    return number if math.isfinite(number) else text.strip()
