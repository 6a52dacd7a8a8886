"""Column delimiter of a CSV file exported from a spreadsheet."""

from __future__ import annotations

__all__ = ["detect_delimiter"]


def detect_delimiter(header: str) -> str:
    """Return the delimiter used in a header line: a comma, or a semicolon or tab if there is no comma.

    >>> detect_delimiter("name;group")
    ';'
    """
    return next((mark for mark in (",", ";", "\t") if mark in header), ",")
