"""Cells of a table of studies: text of a CSV, or typed values of a Parquet file, to the same facts."""

from __future__ import annotations

import math
import re
from decimal import Decimal

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.study import Fact

__all__ = ["fact_of_text", "fact_of_value", "frame_number", "is_unknown", "subject_number"]

_UNKNOWN = ("", "na", "nan", "none", "null")
_WHOLE = re.compile(r"[+-]?(0|[1-9][0-9]{0,14})")
"""Without leading zeros, which make a code, and no longer than a float64 holds."""
_FRACTION = re.compile(r"[+-]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][+-]?[0-9]{1,3})?")
_FRAME = re.compile(r"([0-9]{1,9})(\.0*)?")
_TOO_LARGE = 1000
"""For years, cm, kg and beats per minute."""


def fact_of_text(cell: str, *, decimal_comma: bool = False) -> Fact:
    """Return a number where the text is one, None for an unknown value, else the text.

    >>> fact_of_text("4"), fact_of_text("4.0"), fact_of_text("007"), fact_of_text("n. a."), fact_of_text("NA")
    (4, 4.0, '007', 'n. a.', None)
    >>> fact_of_text("2,5"), fact_of_text("2,5", decimal_comma=True)
    ('2,5', 2.5)
    """
    text = cell.strip()
    if text.casefold() in _UNKNOWN:
        return None
    number = text.replace(",", ".", 1) if decimal_comma else text
    if _WHOLE.fullmatch(number):
        return int(number)
    if _FRACTION.fullmatch(number):
        return _finite(float(number))
    return text


def fact_of_value(value: object) -> Fact:
    """Return a typed value as a fact: what is no number, flag or text as text; None for empty text and NaN."""
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float):
        return _finite(value)
    if value is None or isinstance(value, bool | int):
        return value
    return str(value).strip() or None


def is_unknown(value: Fact) -> bool:
    """Return whether a cell says nothing: empty, NA, NaN, None or null."""
    return value is None or (isinstance(value, str) and value.strip().casefold() in _UNKNOWN)


def subject_number(value: Fact, column: str, place: str) -> float | None:
    """Return a number of the person, also of text and with a decimal comma; raises `InputError` for what is none."""
    if is_unknown(value):
        return None
    number = fact_of_text(value, decimal_comma=True) if isinstance(value, str) else value
    if isinstance(number, bool | str | None) or not 0 < number < _TOO_LARGE:
        raise InputError(
            f"{place}: {column} is '{str(value)[:20]}'; expected a number above 0 and below {_TOO_LARGE}, or nothing"
        )
    return float(number)


def frame_number(value: Fact, column: str, place: str) -> int | None:
    """Return the number of a frame, from 0; raises `InputError` for what is none."""
    if is_unknown(value):
        return None
    match = None if isinstance(value, bool) else _FRAME.fullmatch(str(value).strip())
    if match is None:
        raise InputError(f"{place}: {column} is '{str(value)[:20]}'; expected a whole number from 0, or nothing")
    return int(match[1])


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
