"""Values of DICOM elements as plain Python; None if absent, empty or malformed.

pydicom converts on access and raises any exception for a malformed value, while the file's other values remain usable.
Numbers that another program wrote as text are read all the same: with a decimal comma, with their unit, or as an
element of text type.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

__all__ = [
    "clock_ms",
    "integer_of",
    "is_stated",
    "number_of",
    "parse_number",
    "sequences_of",
    "text_number_keywords",
    "text_of",
    "texts_of",
    "value_of",
    "vector_of",
]

_UNITS = "mm|ms|msec|bpm|kg|deg"
"""Units that DICOM itself means for the numbers read here; a number with any other unit is malformed."""
_NUMBER = re.compile(rf"([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)(?:\s*(?:{_UNITS}))?", re.IGNORECASE)


_MAX_TEXT_BYTES = 1 << 16
"""Of an element that is no sequence; the longest of use here, a vector of six numbers, has 100."""
_MAX_ITEMS = 400_000
"""Items in a sequence and below, each some KB once parsed; a stack of 1500 frames has 20,000."""
_ITEM = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")
"""Tag of an item, little and big endian."""


def value_of(dataset: Any, keyword: str) -> Any:
    """Return the value as pydicom converts it, or None; what would take memory out of proportion is never converted."""
    try:
        tag = _tag_of(keyword)
        raw = dataset.get_item(tag)
        return None if raw is None or _is_oversized(raw) else dataset[tag].value
    except Exception:
        # A malformed value can raise any exception class.
        return None


@cache
def _tag_of(keyword: str) -> Any:
    from pydicom.tag import Tag

    return Tag(keyword)


def is_stated(dataset: Any, keyword: str) -> bool:
    """Return whether there is an element with a value, be it malformed."""
    try:
        raw = dataset.get_item(_tag_of(keyword))
    except Exception:
        return False
    stored = None if raw is None else raw.value
    return bool(stored.strip()) if isinstance(stored, bytes | str) else stored is not None


def sequences_of(dataset: Any, *, private: bool) -> Iterator[Any]:
    """Yield the sequences of a dataset under private tags or under those of the standard, whatever they are called."""
    for tag in list(dataset.keys()):
        if tag.is_private != private:
            continue
        if not _is_oversized(dataset.get_item(tag)) and (element := dataset[tag]).VR == "SQ":
            yield element.value


def _is_oversized(raw: Any) -> bool:
    """Return whether an element that is not yet converted is too large for that."""
    stored = getattr(raw, "value", None)
    if not isinstance(stored, bytes) or len(stored) <= _MAX_TEXT_BYTES:
        return False
    return stored[:4] not in _ITEM or sum(stored.count(tag) for tag in _ITEM) > _MAX_ITEMS


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
    number = _to_float(value_of(dataset, keyword))
    return number if number is not None and math.isfinite(number) else None


def integer_of(dataset: Any, keyword: str) -> int | None:
    """Return the value as an integer, or None."""
    number = number_of(dataset, keyword)
    return None if number is None else int(number)


def vector_of(dataset: Any, keyword: str, length: int) -> tuple[float, ...] | None:
    """Return a value with `length` components as floats, or None.

    NaN is kept, so that it can be rejected explicitly.
    """
    value = value_of(dataset, keyword)
    try:
        parts = _split(value) if isinstance(value, str | bytes) else list(value)
    except TypeError:
        return None
    numbers = tuple(number for part in parts if (number := _to_float(part)) is not None)
    return numbers if len(numbers) == len(parts) == length else None


def parse_number(text: str) -> float | None:
    """Return a number written as text: with a decimal comma, or with its unit; None for anything else.

    >>> parse_number("1,370"), parse_number("8 mm"), parse_number("1.250,5"), parse_number("0.8 cm")
    (1.37, 8.0, 1250.5, None)
    """
    plain = text.strip(" \0\t'\"")
    if plain.count(",") == 1:
        whole, decimals = plain.split(",")
        # DICOM has no thousands separator; a text with both marks has one, and the last mark is the decimal one.
        plain = f"{whole}{decimals}" if "." in decimals else f"{whole.replace('.', '')}.{decimals}"
    match = _NUMBER.fullmatch(plain)
    if match:
        return float(match[1])
    return math.nan if plain.lower() == "nan" else None


def text_number_keywords(dataset: Any, keywords: Iterable[str]) -> tuple[str, ...]:
    """Return those of the numeric elements whose value is not stored as a number but as text that may hold one."""
    return tuple(keyword for keyword in keywords if _is_text(value_of(dataset, keyword)))


def _is_text(value: Any) -> bool:
    several = hasattr(value, "__getitem__") and not isinstance(value, str | bytes)
    first = (value[0] if len(value) else None) if several else value
    return isinstance(first, str | bytes) and bool(first)


def _to_float(value: Any) -> float | None:
    if isinstance(value, bytes):
        value = value.decode("ascii", errors="replace")
    if isinstance(value, str):
        return parse_number(value)
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _split(value: str | bytes) -> list[str]:
    """Split a text of several numbers, which its type kept as one: at backslashes, else at blanks and semicolons.

    >>> _split("1,5\\\\1,5"), _split("[1.5, 1.5]")
    (['1,5', '1,5'], ['1.5', '1.5'])
    """
    text = value.decode("ascii", errors="replace") if isinstance(value, bytes) else value
    if "\\" in text:
        return text.split("\\")
    return re.split(r"[;\s]+|,\s+", text.strip(" \0[]()"))


def clock_ms(text: str) -> float | None:
    """Return milliseconds since midnight of a DICOM time (HHMMSS.F) or date and time (YYYYMMDDHHMMSS.F).

    >>> clock_ms("20200131000001.5")
    1500.0
    """
    match = re.fullmatch(r"(?:\d{8})?(\d\d)(\d\d)(\d\d(?:\.\d+)?)(?:[+-]\d{4})?", text.strip().replace(",", "."))
    if not match:
        return None
    hours, minutes, seconds = (float(part) for part in match.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 1000
