"""Tables of texts, and numbers with their intervals in words, as every evaluation writes them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from cinema_cmr.core.safe_text import markdown_cell
from cinema_cmr.score.statistics import Interval

__all__ = ["Table", "interval_text", "limits_text", "markdown_table", "number_text", "p_text", "signed_interval_text"]


class Table(NamedTuple):
    """Titles of the columns, and rows of as many texts."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


def interval_text(row: Interval | None, digits: int) -> str:
    """A mean with its interval and patients; "-" where it is unknown, "no interval" for one patient.

    >>> interval_text(Interval(value=1.0, low=0.5, high=1.5, method="BCa", n=9, n_excluded=0), 1)
    '1.0 (0.5 to 1.5; 9)'
    >>> interval_text(Interval(value=1.0, low=math.nan, high=math.nan, method="none", n=1, n_excluded=0), 1)
    '1.0 (no interval; 1)'
    """
    if row is None or math.isnan(row.value):
        return "-"
    return f"{number_text(row.value, digits)} ({_ends(row, digits)}; {row.n})"


def number_text(value: float, digits: int, *, sign: str = "") -> str:
    """The number with so many decimals, its sign shown with `sign` "+"; "-" for NaN."""
    return "-" if math.isnan(value) else f"{value:{sign}z.{digits}f}"


def limits_text(limits: tuple[float, float]) -> str:
    """Limits of agreement with their signs; "none" where one patient gives none.

    >>> limits_text((-4.2, 6.84)), limits_text((math.nan, math.nan))
    ('-4.2 to +6.8', 'none')
    """
    low, high = limits
    return "none" if math.isnan(low + high) else f"{low:+.1f} to {high:+.1f}"


def signed_interval_text(row: Interval, digits: int) -> str:
    """A difference with its interval, as `interval_text`, signs shown, without the patients.

    >>> signed_interval_text(Interval(value=0.5, low=-0.1, high=1.1, method="BCa", n=9, n_excluded=0), 1)
    '+0.5 (-0.1 to +1.1)'
    """
    if math.isnan(row.value):
        return "-"
    return f"{number_text(row.value, digits, sign='+')} ({_ends(row, digits, sign='+')})"


def _ends(row: Interval, digits: int, *, sign: str = "") -> str:
    if math.isnan(row.low) and math.isnan(row.high):
        return "no interval"
    return " to ".join(number_text(end, digits, sign=sign) for end in (row.low, row.high))


def p_text(p: float) -> str:
    """A p-value with three decimals; "-" for NaN.

    >>> p_text(0.0004), p_text(0.0314)
    ('<0.001', '0.031')
    """
    if math.isnan(p):
        return "-"
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def markdown_table(table: Table) -> str:
    """The table in Markdown; names in its cells are no markup."""
    rows = ([markdown_cell(cell) for cell in row] for row in table.rows)
    lines: list[Sequence[str]] = [table.heads, ["---"] * len(table.heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
