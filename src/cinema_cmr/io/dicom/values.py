"""Values of DICOM elements as plain Python, None for whatever is absent, empty or malformed.

pydicom converts on access and raises whatever a malformed value leads to; a reader of other people's files
wants the file's other values all the same.
"""

from __future__ import annotations

import math
import re
from typing import Any

__all__ = ["clock_ms", "integer_of", "number_of", "text_of", "texts_of", "value_of", "vector_of"]


def value_of(dataset: Any, keyword: str) -> Any:
    """The value as pydicom has it, or None."""
    try:
        return dataset.get(keyword)
    except Exception:
        # Any exception class can come out of a malformed value.
        return None


def text_of(dataset: Any, keyword: str) -> str:
    """The value as text without blanks around it; "" where there is none."""
    value = value_of(dataset, keyword)
    return "" if value is None else str(value).strip()


def texts_of(dataset: Any, keyword: str) -> list[str]:
    """The parts of a value of several texts, in capitals."""
    value = value_of(dataset, keyword)
    parts = [value] if isinstance(value, str) else (value or [])
    return [str(part).strip().upper() for part in parts]


def number_of(dataset: Any, keyword: str) -> float | None:
    """The value as a finite float."""
    try:
        number = float(value_of(dataset, keyword))
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def integer_of(dataset: Any, keyword: str) -> int | None:
    """The value as a whole number."""
    number = number_of(dataset, keyword)
    return None if number is None else int(number)


def vector_of(dataset: Any, keyword: str, length: int) -> tuple[float, ...] | None:
    """A value of so many numbers as floats; NaN is kept, so that it can be refused by name."""
    try:
        numbers = tuple(float(part) for part in value_of(dataset, keyword))
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == length else None


def clock_ms(text: str) -> float | None:
    """Milliseconds since midnight of a DICOM time (HHMMSS.F) or date and time (YYYYMMDDHHMMSS.F).

    >>> clock_ms("20200131000001.5")
    1500.0
    """
    match = re.fullmatch(r"(?:\d{8})?(\d\d)(\d\d)(\d\d(?:\.\d+)?)(?:[+-]\d{4})?", text.strip())
    if not match:
        return None
    hours, minutes, seconds = (float(part) for part in match.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 1000
