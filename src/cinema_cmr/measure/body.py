"""Body surface area and heart rate, from metadata of the subject and the scan; never estimated."""

from __future__ import annotations

from typing import Literal, get_args

from cinema_cmr.core.errors import unknown_name
from cinema_cmr.core.results import Measurement
from cinema_cmr.core.study import Subject
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.definition import Definition

__all__ = ["BsaFormula", "body_mass_index", "body_surface_area", "heart_rate"]

BsaFormula = Literal["mosteller", "du-bois"]

SOURCES: dict[str, str] = {
    "mosteller": "square root of height in cm x weight in kg / 3600 (Mosteller, N Engl J Med 1987;317:1098)",
    "du-bois": ("0.007184 x height in cm ^ 0.725 x weight in kg ^ 0.425 (Du Bois, Arch Intern Med 1916;17:863)"),
}

PLAUSIBLE = {"height": (40.0, 250.0, "cm"), "weight": (2.0, 350.0, "kg")}
"""Name -> plausible range; values outside are in another unit or mistyped."""

POSSIBLE_BMI = (7.0, 120.0)
"""Body mass index in kg/m2, from premature infants to the heaviest people; outside, a unit is another one."""

PLAUSIBLE_RATE_BPM = (20.0, 250.0)


def body_surface_area(subject: Subject, formula: BsaFormula = "mosteller") -> Measurement:
    """Return the body surface area in m2 from height and weight; absent if either is unknown or implausible.

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
    reason = _check_plausible("height", height) or _check_plausible("weight", weight) or _check_index(subject)
    if reason or height is None or weight is None:
        return definition.absent(reason or "height or weight is unknown")
    if formula == "mosteller":
        return definition.value((height * weight / 3600) ** 0.5)
    return definition.value(0.007184 * height**0.725 * weight**0.425)


def _check_plausible(name: str, value: float | None) -> str | None:
    """Return the reason why a height or weight cannot be used, or None."""
    low, high, unit = PLAUSIBLE[name]
    if value is None:
        return f"{name} is unknown; supply it for indexed values"
    if not low <= value <= high:
        return f"{name} {value:g} {unit} is not plausible (expected {low:g} to {high:g} {unit})"
    return None


def body_mass_index(height_cm: float, weight_kg: float) -> float:
    """Return weight in kg by the square of the height in m.

    >>> round(body_mass_index(180, 81), 1)
    25.0
    """
    return weight_kg / (height_cm / 100) ** 2


def _check_index(subject: Subject) -> str | None:
    """Return the reason why height and weight cannot be those of one person, or None."""
    if subject.height_cm is None or subject.weight_kg is None:
        return None
    low, high = POSSIBLE_BMI
    index = body_mass_index(subject.height_cm, subject.weight_kg)
    if low <= index <= high:
        return None
    return (
        f"height {subject.height_cm:g} cm and weight {subject.weight_kg:g} kg cannot be those of one person: a body"
        f" mass index of {index:.0f} kg/m2 (expected {low:g} to {high:g})"
    )


def heart_rate(subject: Subject, cine: Cine | None) -> Measurement:
    """Return the heart rate from the metadata of the scan, else from its R-R interval; absent without either."""
    recorded, rr_ms = subject.heart_rate_bpm, cine.rr_interval_ms if cine else None
    rate, method = recorded, "heart rate of the scan or given by the user"
    if recorded is None and rr_ms:
        rate, method = 60000 / rr_ms, "60000 / R-R interval in ms of the short-axis cine"
    definition = Definition(
        name="heart_rate_bpm",
        title="heart rate",
        unit="1/min",
        method=method,
        rule="as recorded during the scan; never estimated",
    )
    low, high = PLAUSIBLE_RATE_BPM
    if rate is None:
        return definition.absent("neither the heart rate nor the R-R interval is known")
    if not low <= rate <= high:
        return definition.absent(f"heart rate {rate:g} / min is not plausible ({low:g} to {high:g})")
    return definition.value(rate)
