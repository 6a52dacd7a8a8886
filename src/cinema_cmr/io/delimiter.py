"""What separates the columns of a table that somebody saved from a spreadsheet."""

from __future__ import annotations

__all__ = ["detect_delimiter"]


def detect_delimiter(header: str) -> str:
    """Of a table's first line: a comma, else a semicolon or a tab where there is no comma.

    >>> detect_delimiter("name;group")
    ';'
    """
    return next((mark for mark in (",", ";", "\t") if mark in header), ",")
