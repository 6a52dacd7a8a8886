"""Numbers and names as a reader wants to see them."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["change", "counted", "number", "sentence", "spans", "unit_text", "words"]

_WHOLE = ("ml", "ml/m²", "g", "g/m²", "ms", "bpm", "1/min", "ml/s", "frame")
"""Units whose tenths mean nothing here."""
_CAPITALS = re.compile(r"\b(ed|es|ef|lv|rv|la|ra|sv|edv|esv|sax|lax|rr|aha)\b")


def number(value: float | None, unit: str) -> str:
    """A number for the eye: whole ml, g, ms and beats, two digits for m2, one for the rest; a dash for None.

    >>> number(148.62, "ml"), number(57.33, "%"), number(None, "ml"), number(-0.01, "mm")
    ('149', '57.3', '–', '0.0')
    """
    if value is None:
        return "–"
    digits = 0 if unit_text(unit) in _WHOLE else 2 if unit == "m2" else 1
    return f"{round(value, digits) + 0.0:.{digits}f}"


def change(value: float | None, unit: str) -> str:
    """A difference of two numbers with its sign; one digit more than the numbers where these are whole.

    >>> change(-0.42, "ml"), change(5.51, "%"), change(0.0, "g"), change(1.0, "frame"), change(None, "ml")
    ('-0.4', '+5.5', '0.0', '+1', '–')
    """
    if value is None:
        return "–"
    text = f"{round(value, 1) + 0.0:.1f}" if unit_text(unit) in _WHOLE and unit != "frame" else number(value, unit)
    return f"+{text}" if float(text) > 0 else text


def counted(n: int, noun: str) -> str:
    """A number of things.

    >>> counted(1, "warning"), counted(0, "error"), counted(2, "error"), counted(3, "study")
    ('1 warning', 'no error', '2 errors', '3 studies')
    """
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"no {noun}" if n == 0 else f"{n} {noun if n == 1 else plural}"


def unit_text(unit: str) -> str:
    """A unit with its powers raised.

    >>> unit_text("ml/m2"), unit_text("ml")
    ('ml/m²', 'ml')
    """
    return unit.replace("m2", "m²").replace("m3", "m³")


def spans(indices: Sequence[int]) -> str:
    """Indices with runs drawn together.

    >>> spans([0, 1, 2, 5]), spans([7]), spans([])
    ('0–2, 5', '7', '')
    """
    runs: list[list[int]] = []
    for index in sorted(indices):
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)


def sentence(text: str) -> str:
    """Text that begins with a capital, the rest as it is.

    >>> sentence("the LV curve is not smooth")
    'The LV curve is not smooth'
    """
    return text[:1].upper() + text[1:]


def words(name: str) -> str:
    """A snake-case name in words, abbreviations in capitals.

    >>> words("lv_sv_ml"), words("slices")
    ('LV SV ml', 'slices')
    """
    return _CAPITALS.sub(lambda match: match[0].upper(), name.replace("_", " "))
