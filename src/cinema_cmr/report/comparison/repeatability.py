"""Published differences between two scans of one heart: what a difference must exceed to be more than noise."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["REPEATABILITY", "Repeatability", "repeatability_limit"]

_GROTHUES = "Grothues et al., Am J Cardiol 2002;90:29-34, doi 10.1016/S0002-9149(02)02381-0"
_BLALOCK = "Blalock et al., JCMR 2012;14(Suppl 1):P104, doi 10.1186/1532-429X-14-S1-P104"
_TWO_SIDED_95 = 1.96


@dataclass(frozen=True, kw_only=True)
class Repeatability:
    """The limit that 95 of 100 differences between two scans of an unchanged heart stay within."""

    name: str
    """The measurement's name."""
    limit: float
    """In the measurement's unit, or as a fraction of the mean of both values."""
    is_fraction: bool
    meaning: str
    """How the limit follows from the published figure, and of whom that is."""
    citation: str


def _of_variability(name: str, percent: float) -> Repeatability:
    """Return the limit of a coefficient of variability: SD of the differences of two scans over the mean, in %."""
    return Repeatability(
        name=name,
        limit=_TWO_SIDED_95 * percent / 100,
        is_fraction=True,
        meaning=f"1.96 times the interstudy coefficient of variability (SD of the differences over the mean) of"
        f" {percent:g} %, the largest of three groups of 20: healthy, heart failure, hypertrophy",
        citation=_GROTHUES,
    )


def _of_coefficient(name: str, limit: float, unit: str) -> Repeatability:
    """Return a published repeatability coefficient, twice the SD of the differences, as the limit."""
    return Repeatability(
        name=name,
        limit=limit,
        is_fraction=False,
        meaning=f"repeatability coefficient (twice the SD of the differences) of {limit:g} {unit} between two scans on"
        " one day, 30 patients with repaired tetralogy of Fallot",
        citation=_BLALOCK,
    )


REPEATABILITY: tuple[Repeatability, ...] = (
    _of_variability("lv_ef_percent", 7.3),
    _of_variability("lv_edv_ml", 4.9),
    _of_variability("lv_esv_ml", 9.2),
    _of_variability("lv_mass_g", 4.8),
    _of_coefficient("rv_ef_percent", 5.8, "percentage points"),
    _of_coefficient("rv_edv_ml", 24.1, "ml"),
)
"""Measurements with a published figure that is sure; differences of all others are marked by none."""


def repeatability_limit(
    name: str, first: float, second: float, table: Iterable[Repeatability] = REPEATABILITY
) -> float | None:
    """Return the limit of a measurement's difference, in its unit, for two values; None where none is published.

    >>> round(repeatability_limit("lv_edv_ml", 150.0, 150.0), 1), repeatability_limit("rv_edv_ml", 90.0, 110.0)
    (14.4, 24.1)
    >>> repeatability_limit("lv_sv_ml", 90.0, 80.0) is None
    True
    """
    row = next((one for one in table if one.name == name), None)
    if row is None:
        return None
    return row.limit * abs(first + second) / 2 if row.is_fraction else row.limit
