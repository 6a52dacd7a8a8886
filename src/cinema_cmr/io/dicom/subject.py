"""Facts of the subject that measurements need, from DICOM tags; nothing that identifies anybody."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Literal

from cinema_cmr.core.study import Issue, Subject
from cinema_cmr.io.dicom.values import number_of, text_of

__all__ = ["filled_from_dataset", "subject_of"]

_HEIGHT_CM = (30.0, 250.0)
_WEIGHT_KG = (1.0, 350.0)
_AGE_YEARS = (0.0, 120.0)
_YEARS_PER_UNIT = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}


def filled_from_dataset(subject: Subject, dataset: Any, *, issues: dict[str, Issue]) -> Subject:
    """The subject with unknown facts taken from one more dataset; issues are collected by their fact."""
    if None not in (subject.sex, subject.age_years, subject.height_cm, subject.weight_kg):
        return subject
    found, new = subject_of(dataset)
    for issue in new:
        issues.setdefault(str(issue.evidence["fact"]), issue)
    return subject.fill_from(found)


def subject_of(dataset: Any) -> tuple[Subject, tuple[Issue, ...]]:
    """Sex, age in years, height in cm and weight in kg; what cannot be true is None, with an issue."""
    issues: list[Issue] = []
    subject = Subject(
        sex=_sex(text_of(dataset, "PatientSex")),
        age_years=_plausible("age", "years", _age_years(dataset), _AGE_YEARS, issues),
        height_cm=_plausible("height", "cm", _height_cm(number_of(dataset, "PatientSize"), issues), _HEIGHT_CM, issues),
        weight_kg=_plausible("weight", "kg", number_of(dataset, "PatientWeight"), _WEIGHT_KG, issues),
    )
    return subject, tuple(issues)


def _height_cm(height: float | None, issues: list[Issue]) -> float | None:
    """DICOM wants metres; a value that no body has in metres and one may have in centimetres was meant so."""
    if height is None or height <= 3:
        return None if height is None else round(height * 100, 1)
    message = "the file's height is above 3 m; it was taken as centimetres"
    issues.append(Issue(code="height-unit", severity="info", message=message, evidence={"fact": "height unit"}))
    return height


def _plausible(
    fact: str, unit: str, value: float | None, bounds: tuple[float, float], issues: list[Issue]
) -> float | None:
    if value is None or bounds[0] <= value <= bounds[1]:
        return value
    # The value itself stays here: an impossible age comes from a birth date, which is nobody's business.
    issues.append(
        Issue(
            code="implausible-subject",
            severity="warning",
            message=f"the file's {fact} cannot be true (not within {bounds[0]:g} to {bounds[1]:g} {unit}); "
            f"it was taken as unknown",
            evidence={"fact": fact},
        )
    )
    return None


def _sex(text: str) -> Literal["F", "M"] | None:
    return "F" if text.upper() == "F" else "M" if text.upper() == "M" else None


def _age_years(dataset: Any) -> float | None:
    match = re.fullmatch(r"(\d{1,3})([YMWD])", text_of(dataset, "PatientAge").upper())
    if match:
        return round(int(match[1]) * _YEARS_PER_UNIT[match[2]], 2)
    born, studied = (_date(text_of(dataset, word)) for word in ("PatientBirthDate", "StudyDate"))
    if born is None or studied is None:
        return None
    before_birthday = (studied.month, studied.day) < (born.month, born.day)
    return float(studied.year - born.year - before_birthday)


def _date(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y%m%d")
    except ValueError:
        return None
