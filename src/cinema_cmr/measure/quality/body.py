"""Quality check of height and weight, which every value by body surface depends on."""

from __future__ import annotations

from cinema_cmr.core.results import Flag
from cinema_cmr.measure.body import body_mass_index
from cinema_cmr.measure.quality.context import Check, QualityContext

__all__ = ["BODY_CHECKS"]

USUAL_BMI = (10.0, 40.0)
"""Body mass index in kg/m2: infants have 10 at least; 18.5, the least of normal weight, is 41 in pounds."""

_CM_PER_INCH, _KG_PER_POUND, _KG_PER_STONE = 2.54, 0.45359237, 6.35029318
_NORMAL_BMI = (16.0, 40.0)
"""Body mass index that shows that another unit explains the two numbers."""
_MAX_HEIGHT_CM = 215.0


def unusual_body(context: QualityContext) -> Flag | None:
    """Report a height and a weight that hardly any person has together, as of pounds, inches or exchanged fields."""
    height, weight = context.study.subject.height_cm, context.study.subject.weight_kg
    if height is None or weight is None or min(height, weight) <= 0:
        return None
    index = body_mass_index(height, weight)
    if USUAL_BMI[0] <= index <= USUAL_BMI[1]:
        return None
    return Flag(
        code="unusual-body",
        severity="warning",
        message=f"a height of {height:g} cm and a weight of {weight:g} kg are a body mass index of {index:.3g} kg/m2;"
        f" all values by body surface depend on them{_other_readings(height, weight)}: give --height and --weight",
        evidence={"body_mass_index": round(index, 1)},
    )


def _other_readings(height: float, weight: float) -> str:
    """Return what the numbers would be in the other units that make them those of a usual person."""
    readings = (
        ("in pounds", height, weight * _KG_PER_POUND),
        ("in inches", height * _CM_PER_INCH, weight),
        ("in inches and pounds", height * _CM_PER_INCH, weight * _KG_PER_POUND),
        ("in stones", height, weight * _KG_PER_STONE),
        ("exchanged", weight, height),
    )
    found = [
        f"{unit} {height_cm:.0f} cm and {weight_kg:.0f} kg"
        for unit, height_cm, weight_kg in readings
        if height_cm < _MAX_HEIGHT_CM and _NORMAL_BMI[0] <= body_mass_index(height_cm, weight_kg) <= _NORMAL_BMI[1]
    ]
    return f" (they would be {', or '.join(found)})" if found else ""


BODY_CHECKS: tuple[Check, ...] = (unusual_body,)
