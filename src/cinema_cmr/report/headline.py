"""The numbers at the top of the report: one card a ventricle, each number beside its reference range."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cinema_cmr.measure.normal_ranges import HUMAN_NOISE, HumanNoise
from cinema_cmr.report.wording import number, sentence, unit_text

__all__ = ["Card", "Line", "NormalRanges", "RangeBar", "cards", "human_noise", "range_bar"]

NormalRanges = Mapping[str, tuple[float, float, str]]
"""Measurement name -> lower limit, upper limit, citation."""

_VENTRICLES = (
    ("Left ventricle", "lv", ("lv_ef_percent", "lv_edv_ml", "lv_esv_ml", "lv_sv_ml", "lv_mass_g")),
    ("Right ventricle", "rv", ("rv_ef_percent", "rv_edv_ml", "rv_esv_ml", "rv_sv_ml")),
)
_SHORT_TITLES = {
    "ef": "Ejection fraction",
    "edv": "End-diastolic volume",
    "esv": "End-systolic volume",
    "sv": "Stroke volume",
    "mass": "Mass",
}
_INFARCT = (
    "infarct_percent",
    "no_reflow_percent",
    "infarct_rim_percent",
    "infarct_transmural_rim_percent",
    "infarct_ml",
    "infarct_g",
    "lge_myocardium_g",
)
_BESIDE = 0.6
"""Room left and right of the reference range in a bar, as a share of its width."""


@dataclass(frozen=True, kw_only=True)
class RangeBar:
    """A value on its reference range; places are percent of the bar's width."""

    zone_start: float
    zone_width: float
    at: float
    status: str
    """"below", "within" or "above"."""
    text: str
    citation: str


@dataclass(frozen=True, kw_only=True)
class Line:
    """One number of a card."""

    title: str
    value: str
    unit: str
    indexed: str
    """The same per body surface area with its unit; empty where unknown."""
    bar: RangeBar | None
    noise: str
    """How far experts differ, e.g. "15–28 ml"; empty where nobody has measured it."""
    reason: str
    """Why there is no value; empty where there is one."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """A ventricle: its ejection fraction, then the other numbers; or the infarct and its share."""

    title: str
    key: str
    main: Line
    main_title: str
    lines: tuple[Line, ...]


def cards(document: Mapping[str, Any], normal_ranges: NormalRanges) -> tuple[Card, ...]:
    """Both ventricles' cards, or the infarct's, from a document; what nothing is known of has none."""
    known = {measurement["name"]: measurement for measurement in document["measurements"]}
    made = []
    for title, key, names in _VENTRICLES:
        if any(name in known for name in names):
            main, *lines = (_line(name, known, normal_ranges) for name in names)
            made.append(Card(title=title, key=key, main=main, main_title="ejection fraction", lines=tuple(lines)))
    if _INFARCT[0] in known:
        main, *lines = (_plain_line(known[name]) for name in _INFARCT if name in known)
        made.append(Card(title="Infarct", key="infarct", main=main, main_title="of the myocardium", lines=tuple(lines)))
    return tuple(made)


def _plain_line(measurement: Mapping[str, Any]) -> Line:
    """A number without index and reference range."""
    return Line(
        title=sentence(measurement["title"]),
        value=number(measurement["value"], measurement["unit"]),
        unit=measurement["unit"],
        indexed="",
        bar=None,
        noise="",
        reason=measurement["reason"] or "" if measurement["value"] is None else "",
    )


def _line(name: str, known: Mapping[str, Mapping[str, Any]], normal_ranges: NormalRanges) -> Line:
    stem, _, unit_word = name.rpartition("_")
    measurement = known.get(name)
    if measurement is None:
        reason, value, unit = "not measured", None, {"percent": "%"}.get(unit_word, unit_word)
    else:
        reason, value, unit = measurement["reason"] or "", measurement["value"], measurement["unit"]
    per_area = _indexed(stem, known)
    return Line(
        title=_SHORT_TITLES[stem.partition("_")[2]],
        value=number(value, unit),
        unit=unit,
        indexed=f"{number(per_area['value'], per_area['unit'])} {unit_text(per_area['unit'])}" if per_area else "",
        bar=_bar((per_area, measurement), normal_ranges),
        noise=next((_noise_text(noise) for noise in reversed(HUMAN_NOISE) if noise.name == name), ""),
        reason=reason if value is None else "",
    )


def human_noise() -> list[tuple[str, str, str, str]]:
    """What differs, how much, between whom, and who found it: all that is known of experts' noise."""
    return [(_noise_title(noise.name), _noise_text(noise), noise.meaning, noise.citation) for noise in HUMAN_NOISE]


def _noise_title(name: str) -> str:
    """`lv_edv_ml` -> "LV end-diastolic volume"."""
    chamber, short = name.split("_")[:2]
    title = _SHORT_TITLES[short]
    return f"{chamber.upper()} {title[:1].lower()}{title[1:]}"


def _noise_text(noise: HumanNoise) -> str:
    span = f"{noise.low:g}" if noise.low == noise.high else f"{noise.low:g}–{noise.high:g}"
    return f"{span} {unit_text(noise.unit)}"


def _indexed(stem: str, known: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The measurement per square metre that belongs to a name such as "lv_edv", where it has a value."""
    for name, measurement in known.items():
        if re.match(rf"{stem}(i|_|$)", name) and re.search(r"/\s?m[2²]", measurement["unit"]):
            return measurement if measurement["value"] is not None else None
    return None


def _bar(candidates: tuple[Mapping[str, Any] | None, ...], normal_ranges: NormalRanges) -> RangeBar | None:
    """The bar of the first measurement that has both a value and a range: the indexed one says more."""
    for measurement in candidates:
        if measurement and measurement["value"] is not None and measurement["name"] in normal_ranges:
            return range_bar(measurement["value"], measurement["unit"], limits=normal_ranges[measurement["name"]])
    return None


def range_bar(value: float, unit: str, *, limits: tuple[float, float, str]) -> RangeBar:
    """Where a value lies on its reference range; the bar is widened so that the value is always on it."""
    lower, upper, citation = limits
    room = _BESIDE * (upper - lower)
    start, end = min(lower - room, value), max(upper + room, value)
    status = "below" if value < lower else "above" if value > upper else "within"
    return RangeBar(
        zone_start=100 * (lower - start) / (end - start),
        zone_width=100 * (upper - lower) / (end - start),
        at=100 * (value - start) / (end - start),
        status=status,
        text=f"{status} reference {lower:g}–{upper:g} {unit_text(unit)}",
        citation=citation,
    )
