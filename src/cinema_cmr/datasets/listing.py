"""Folders and tables of a dataset: each case once, each row as text, missing files reported by name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cinema_cmr.core.errors import InputError, MissingFileError, UnreadableFileError
from cinema_cmr.core.study import Facts, Subject
from cinema_cmr.files.text import parse_rows, read_text

__all__ = [
    "find_rows",
    "index_by_name",
    "number_fact",
    "parse_integer",
    "parse_number",
    "require_path",
    "subject_from",
    "text_facts",
    "volume_facts",
]


def index_by_name(paths: Iterable[tuple[str, Path]], *, expected: str) -> dict[str, Path]:
    """Return name -> path, sorted by name; raises `InputError` if there is none, or a name is present twice."""
    found: dict[str, Path] = {}
    for name, path in sorted(paths):
        if found.setdefault(name, path) != path:
            raise InputError(f"'{name}' is present more than once; expected one copy of the data: pass its folder")
    if not found:
        raise InputError(f"no file of this dataset was found; expected {expected}: unpack it, or check the path")
    return found


def require_path(path: Path) -> Path:
    """Return the path; raise `MissingFileError` if it does not exist."""
    if not path.exists():
        folder = "/".join(path.parts[-3:-1])
        raise MissingFileError(f"'{path.name}' is missing; expected it in '{folder}': unpack the dataset again")
    return path


def find_rows(root: Path, *, needs: Sequence[str]) -> list[dict[str, str]]:
    """Return the rows of all tables (`*.csv` in `root`, its parent, or one level below) that have the columns `needs`.

    Columns and cells are stripped text; empty without such a table. Raises `UnreadableFileError` for such a table that
    is not valid text.
    """
    root = Path(root)
    paths = [*root.glob("*.csv"), *root.glob("*/*.csv"), *root.resolve().parent.glob("*.csv")]
    return [row for path in sorted(set(paths)) for row in _rows(path, needs)]


def parse_number(text: str | None) -> float | None:
    """Return a finite number, or None for any other cell.

    >>> parse_number("61.5"), parse_number("N/A"), parse_number("nan")
    (61.5, None, None)
    """
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def parse_integer(text: str | None) -> int | None:
    """Return an integer, also if written as 9.0, or None for any other cell."""
    value = parse_number(text)
    return int(value) if value is not None and value == int(value) else None


def text_facts(row: Mapping[str, str], columns: Mapping[str, str]) -> dict[str, str]:
    """Return fact -> text of its column in a row, without cells that are empty or "nan"."""
    cells = {fact: row.get(column, "") for fact, column in columns.items()}
    return {fact: text for fact, text in cells.items() if text and text.lower() != "nan"}


def volume_facts(edv_ml: float | None, esv_ml: float | None) -> dict[str, float]:
    """Return `lv_edv_ml`, `lv_esv_ml` and, if both are known, `lv_ef_percent`."""
    volumes = {"lv_edv_ml": edv_ml, "lv_esv_ml": esv_ml}
    facts = {name: value for name, value in volumes.items() if value is not None}
    if edv_ml is not None and esv_ml is not None and edv_ml > 0:
        facts["lv_ef_percent"] = 100 * (edv_ml - esv_ml) / edv_ml
    return facts


def number_fact(facts: Facts, name: str) -> float | None:
    """Return a fact that is a number; None if it is absent or of another type."""
    value = facts.get(name)
    return float(value) if isinstance(value, int | float) else None


def subject_from(facts: Facts) -> Subject:
    """Return the subject that the facts `sex`, `age_years`, `height_cm`, `weight_kg` and `heart_rate_bpm` describe."""
    sex = facts.get("sex")
    return Subject(
        sex="F" if sex == "F" else "M" if sex == "M" else None,
        age_years=number_fact(facts, "age_years"),
        height_cm=number_fact(facts, "height_cm"),
        weight_kg=number_fact(facts, "weight_kg"),
        heart_rate_bpm=number_fact(facts, "heart_rate_bpm"),
    )


def _rows(path: Path, needs: Sequence[str]) -> list[dict[str, str]]:
    """Return the rows of a table that has the columns; empty for any other table."""
    text = read_text(path, errors="replace")
    head, *rows = parse_rows(text, path.name) or [[]]
    columns = [column.strip() for column in head]
    if not set(needs) <= set(columns):
        return []
    if "\ufffd" in text:
        raise UnreadableFileError(
            f"'{path.name}' is not in UTF-8; expected UTF-8: save it again, or unpack the dataset again"
        )
    return [dict(zip(columns, map(str.strip, row), strict=False)) for row in rows if row]
