"""Tables of texts, and numbers with their intervals in words, as every evaluation writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cinema_cmr.core.safe_text import markdown_cell

__all__ = ["Table", "interval_text", "markdown_table", "number_text", "p_text", "signed_interval_text"]


class Table(NamedTuple):
    """Titles of the columns, and rows of as many texts."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


def interval_text(row: Mapping[str, float | None] | None, digits: int) -> str:
    """A mean with its interval and patients, as `score.statistics.Interval` in plain values; "-" where unknown.

    >>> interval_text({"value": 1.0, "low": 0.5, "high": 1.5, "n": 9}, 1)
    '1.0 (0.5 to 1.5; 9)'
    """
    if row is None or row["value"] is None:
        return "-"
    ends = " to ".join(number_text(row[end], digits) for end in ("low", "high"))
    return f"{number_text(row['value'], digits)} ({ends}; {row['n']})"


def number_text(value: float | None, digits: int) -> str:
    """The number with so many decimals, or "-"."""
    return "-" if value is None else f"{value:.{digits}f}"


def signed_interval_text(row: Mapping[str, float | None], digits: int) -> str:
    """A difference with its interval, as `interval_text`, signs shown, without the patients.

    >>> signed_interval_text({"value": 0.5, "low": -0.1, "high": 1.1}, 1)
    '+0.5 (-0.1 to +1.1)'
    """
    if row["value"] is None:
        return "-"
    ends = ("-" if row[end] is None else f"{row[end]:+.{digits}f}" for end in ("low", "high"))
    return f"{row['value']:+.{digits}f} ({' to '.join(ends)})"


def p_text(p: float | None) -> str:
    """A p-value with three decimals; "-" where there is none.

    >>> p_text(0.0004), p_text(0.0314)
    ('<0.001', '0.031')
    """
    if p is None:
        return "-"
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def markdown_table(table: Table) -> str:
    """The table in Markdown; names in its cells are no markup."""
    rows = ([markdown_cell(cell) for cell in row] for row in table.rows)
    lines: list[Sequence[str]] = [table.heads, ["---"] * len(table.heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
