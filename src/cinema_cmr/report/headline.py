"""Principal numbers at the top of the report: one card a ventricle, each number with its reference range."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from cinema_cmr.core.results import Measurement
from cinema_cmr.measure.normal_ranges import HUMAN_NOISE, HumanNoise
from cinema_cmr.report.wording import number, sentence, unit_text

__all__ = ["Card", "Line", "NormalRanges", "RangeBar", "Reference", "cards", "human_noise", "range_bar"]


class Reference(NamedTuple):
    """A reference range, with where it comes from and of whom it is."""

    lower: float
    upper: float
    citation: str
    population: str = ""
    """Sex, ages and source, e.g. "women of 45–74 years, Petersen et al."."""


NormalRanges = Mapping[str, Reference]
"""Measurement name -> its reference range for the subject."""

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
_MARGIN = 0.6
"""Margin on both sides of the reference range in a bar, as a fraction of its width."""


@dataclass(frozen=True, kw_only=True)
class RangeBar:
    """A value on its reference range; positions are percent of the bar's width."""

    zone_start: float
    zone_width: float
    at: float
    status: str
    """"below", "within" or "above"."""
    text: str
    citation: str
    population: str
    """Whose range it is, to stand beside the bar."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One number of a card."""

    title: str
    value: str
    unit: str
    indexed: str
    """The value per body surface area with its unit; empty where unknown."""
    bar: RangeBar | None
    noise: str
    """Inter-observer difference, e.g. "15–28 ml" or "5–8 percentage points"; empty where none is published."""
    reason: str
    """Why there is no value; empty with a value."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """A ventricle: its ejection fraction, then the other numbers; or the infarct and its share."""

    title: str
    key: str
    main: Line
    main_title: str
    lines: tuple[Line, ...]


def cards(measurements: Iterable[Measurement], normal_ranges: NormalRanges) -> tuple[Card, ...]:
    """Return the cards of both ventricles, or of the infarct; a chamber without measurements has none."""
    by_name = {measurement.name: measurement for measurement in measurements}
    found = []
    for title, key, names in _VENTRICLES:
        if any(name in by_name for name in names):
            main, *lines = (_line(name, by_name, normal_ranges) for name in names)
            found.append(Card(title=title, key=key, main=main, main_title="ejection fraction", lines=tuple(lines)))
    if _INFARCT[0] in by_name:
        main, *lines = (_bare_line(by_name[name]) for name in _INFARCT if name in by_name)
        card = Card(title="Infarct", key="infarct", main=main, main_title="of the myocardium", lines=tuple(lines))
        found.append(card)
    return tuple(found)


def _bare_line(measurement: Measurement) -> Line:
    """Return the line of a number without index and reference range."""
    return Line(
        title=sentence(measurement.title),
        value=number(measurement.value, measurement.unit),
        unit=measurement.unit,
        indexed="",
        bar=None,
        noise="",
        reason=measurement.reason or "" if measurement.value is None else "",
    )


def _line(name: str, by_name: Mapping[str, Measurement], normal_ranges: NormalRanges) -> Line:
    stem, _, unit_word = name.rpartition("_")
    measurement = by_name.get(name)
    if measurement is None:
        reason, value, unit = "not measured", None, {"percent": "%"}.get(unit_word, unit_word)
    else:
        reason, value, unit = measurement.reason or "", measurement.value, measurement.unit
    per_area = _indexed(stem, by_name)
    return Line(
        title=_SHORT_TITLES[stem.partition("_")[2]],
        value=number(value, unit),
        unit=unit,
        indexed=f"{number(per_area.value, per_area.unit)} {unit_text(per_area.unit)}" if per_area else "",
        bar=_bar((per_area, measurement), normal_ranges),
        noise=next((_noise_text(noise) for noise in reversed(HUMAN_NOISE) if noise.name == name), ""),
        reason=reason if value is None else "",
    )


def human_noise() -> list[tuple[str, str, str, str]]:
    """Return the published differences between observers: measurement, size, observers, citation."""
    return [(_noise_title(noise.name), _noise_text(noise), noise.meaning, noise.citation) for noise in HUMAN_NOISE]


def _noise_title(name: str) -> str:
    """`lv_edv_ml` -> "LV end-diastolic volume"."""
    chamber, short = name.split("_")[:2]
    title = _SHORT_TITLES[short]
    return f"{chamber.upper()} {title[:1].lower()}{title[1:]}"


def _noise_text(noise: HumanNoise) -> str:
    span = f"{noise.low:g}" if noise.low == noise.high else f"{noise.low:g}–{noise.high:g}"
    return f"{span} {unit_text(noise.unit)}"


def _indexed(stem: str, by_name: Mapping[str, Measurement]) -> Measurement | None:
    """Return the measurement per square metre of a stem such as "lv_edv", if it has a value."""
    for name, measurement in by_name.items():
        if re.match(rf"{stem}(i|_|$)", name) and re.search(r"/\s?m[2²]", measurement.unit):
            return measurement if measurement.value is not None else None
    return None


def _bar(candidates: tuple[Measurement | None, ...], normal_ranges: NormalRanges) -> RangeBar | None:
    """Return the bar of the first measurement with both a value and a range; the indexed one comes first."""
    for measurement in candidates:
        if measurement and measurement.value is not None and measurement.name in normal_ranges:
            return range_bar(measurement.value, measurement.unit, limits=normal_ranges[measurement.name])
    return None


def range_bar(value: float, unit: str, *, limits: Reference) -> RangeBar:
    """Return the position of a value on its reference range; the bar is wide enough to show the value."""
    lower, upper, citation, population = limits
    margin = _MARGIN * (upper - lower)
    start, end = min(lower - margin, value), max(upper + margin, value)
    status = "below" if value < lower else "above" if value > upper else "within"
    return RangeBar(
        zone_start=100 * (lower - start) / (end - start),
        zone_width=100 * (upper - lower) / (end - start),
        at=100 * (value - start) / (end - start),
        status=status,
        text=f"{status} reference {lower:g}–{upper:g} {unit_text(unit)}",
        citation=citation,
        population=population,
    )
