"""The table of reference ranges of a call."""

from __future__ import annotations

from pathlib import Path

from cinema_cmr.core.analysis import NormalRange
from cinema_cmr.core.errors import InputError
from cinema_cmr.files.text import read_text
from cinema_cmr.measure.normal_ranges import NORMAL_RANGES, parse_normal_ranges

__all__ = ["read_normal_ranges"]


def read_normal_ranges(table: str | None) -> tuple[NormalRange, ...]:
    """Return the ranges in a CSV or JSON file, the built-in ones for None; raises `InputError` for a faulty table."""
    if table is None:
        return NORMAL_RANGES
    path = Path(table)
    try:
        text = read_text(path)
    except OSError as error:
        raise InputError(
            f"table of normal ranges '{path.name}' cannot be read ({error.strerror}); expected a CSV or JSON file:"
            " check the path"
        ) from error
    return parse_normal_ranges(text, "json" if path.suffix == ".json" else "csv")
