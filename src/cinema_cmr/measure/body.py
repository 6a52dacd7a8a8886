"""Body surface area and heart rate: from what is known of the subject and the scan, never guessed."""

from __future__ import annotations

from typing import Literal, get_args

from cinema_cmr.core.errors import unknown_name
from cinema_cmr.core.results import Measurement
from cinema_cmr.core.study import Subject
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.definition import Definition

__all__ = ["BsaFormula", "body_surface_area", "heart_rate"]

BsaFormula = Literal["mosteller", "du-bois"]

SOURCES: dict[str, str] = {
    "mosteller": "square root of height in cm x weight in kg / 3600 (Mosteller, N Engl J Med 1987;317:1098)",
    "du-bois": ("0.007184 x height in cm ^ 0.725 x weight in kg ^ 0.425 (Du Bois, Arch Intern Med 1916;17:863)"),
}

PLAUSIBLE = {"height": (40.0, 250.0, "cm"), "weight": (2.0, 350.0, "kg")}
"""Outside of these a value is in another unit or a typing error."""

PLAUSIBLE_RATE_BPM = (20.0, 250.0)


def body_surface_area(subject: Subject, formula: BsaFormula = "mosteller") -> Measurement:
    """Body surface area in m2 from height and weight; absent where either is unknown or implausible.

    Raises `UsageError` for an unknown formula.
    """
    if formula not in SOURCES:
        raise unknown_name("body surface area formula", formula, get_args(BsaFormula))
    definition = Definition(
        name="bsa_m2",
        title="body surface area",
        unit="m2",
        method="height and weight",
        rule=SOURCES[formula],
    )
    height, weight = subject.height_cm, subject.weight_kg
    reason = _why_not("height", height) or _why_not("weight", weight)
    if reason or height is None or weight is None:
        return definition.absent(reason or "height or weight is unknown")
    if formula == "mosteller":
        return definition.value((height * weight / 3600) ** 0.5)
    return definition.value(0.007184 * height**0.725 * weight**0.425)


def _why_not(name: str, value: float | None) -> str | None:
    low, high, unit = PLAUSIBLE[name]
    if value is None:
        return f"{name} is unknown; give it to have indexed values"
    if not low <= value <= high:
        return f"{name} {value:g} {unit} is not plausible (expected {low:g} to {high:g} {unit})"
    return None


def heart_rate(subject: Subject, cine: Cine | None) -> Measurement:
    """Heart rate per minute from the scan's tags, else from its R-R interval; absent without either."""
    known, rr_ms = subject.heart_rate_bpm, cine.rr_interval_ms if cine else None
    rate, method = known, "heart rate of the scan or given by the user"
    if known is None and rr_ms:
        rate, method = 60000 / rr_ms, "60000 / R-R interval in ms of the short-axis cine"
    definition = Definition(
        name="heart_rate_bpm",
        title="heart rate",
        unit="1/min",
        method=method,
        rule="as recorded during the scan; never guessed",
    )
    low, high = PLAUSIBLE_RATE_BPM
    if rate is None:
        return definition.absent("neither the heart rate nor the R-R interval is known")
    if not low <= rate <= high:
        return definition.absent(f"heart rate {rate:g} / min is not plausible ({low:g} to {high:g})")
    return definition.value(rate)
