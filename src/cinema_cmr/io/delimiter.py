"""What separates the columns of a table that somebody saved from a spreadsheet."""

from __future__ import annotations

__all__ = ["delimiter_of"]


def delimiter_of(header: str) -> str:
    """Of a table's first line: a comma, else a semicolon or a tab where there is no comma.

    >>> delimiter_of("name;group")
    ';'
    """
    return next((mark for mark in (",", ";", "\t") if mark in header), ",")
