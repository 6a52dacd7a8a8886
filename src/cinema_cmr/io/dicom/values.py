"""Values of DICOM elements as plain Python; None if absent, empty or malformed.

pydicom converts on access and raises any exception for a malformed value, while the file's other values remain usable.
"""

from __future__ import annotations

import math
import re
from typing import Any

__all__ = ["clock_ms", "integer_of", "number_of", "text_of", "texts_of", "value_of", "vector_of"]


def value_of(dataset: Any, keyword: str) -> Any:
    """Return the value as pydicom converts it, or None."""
    try:
        return dataset.get(keyword)
    except Exception:
        # A malformed value can raise any exception class.
        return None


def text_of(dataset: Any, keyword: str) -> str:
    """Return the value as stripped text; "" if absent."""
    value = value_of(dataset, keyword)
    return "" if value is None else str(value).strip()


def texts_of(dataset: Any, keyword: str) -> list[str]:
    """Return the parts of a multi-valued text, in upper case."""
    value = value_of(dataset, keyword)
    parts = [value] if isinstance(value, str) else (value or [])
    return [str(part).strip().upper() for part in parts]


def number_of(dataset: Any, keyword: str) -> float | None:
    """Return the value as a finite float, or None."""
    try:
        number = float(value_of(dataset, keyword))
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def integer_of(dataset: Any, keyword: str) -> int | None:
    """Return the value as an integer, or None."""
    number = number_of(dataset, keyword)
    return None if number is None else int(number)


def vector_of(dataset: Any, keyword: str, length: int) -> tuple[float, ...] | None:
    """Return a value with `length` components as floats, or None.

    NaN is kept, so that it can be rejected explicitly.
    """
    try:
        numbers = tuple(float(part) for part in value_of(dataset, keyword))
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == length else None


def clock_ms(text: str) -> float | None:
    """Return milliseconds since midnight of a DICOM time (HHMMSS.F) or date and time (YYYYMMDDHHMMSS.F).

    >>> clock_ms("20200131000001.5")
    1500.0
    """
    match = re.fullmatch(r"(?:\d{8})?(\d\d)(\d\d)(\d\d(?:\.\d+)?)(?:[+-]\d{4})?", text.strip())
    if not match:
        return None
    hours, minutes, seconds = (float(part) for part in match.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 1000
