"""Subject facts needed for measurements, from DICOM tags; nothing that identifies a person."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Literal

from cinema_cmr.core.study import Issue, Subject
from cinema_cmr.io.dicom.values import number_of, text_of

__all__ = ["fill_subject", "read_subject"]

_HEIGHT_CM = (30.0, 250.0)
_WEIGHT_KG = (1.0, 350.0)
_AGE_YEARS = (0.0, 120.0)
_BLANKED_BIRTH_YEAR, _FIRST_STUDY_YEAR = 1900, 1980
"""Dates up to the one and before the other are what anonymisation writes in place of the true ones."""
_YEARS_PER_UNIT = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}


def fill_subject(subject: Subject, dataset: Any, *, issues: dict[str, Issue]) -> Subject:
    """Fill unknown facts of the subject from one more dataset; issues are collected by fact."""
    if None not in (subject.sex, subject.age_years, subject.height_cm, subject.weight_kg):
        return subject
    found, new = read_subject(dataset)
    for issue in new:
        issues.setdefault(str(issue.evidence["fact"]), issue)
    return subject.fill_from(found)


def read_subject(dataset: Any) -> tuple[Subject, tuple[Issue, ...]]:
    """Read sex, age in years, height in cm and weight in kg; an implausible value becomes None, with an issue."""
    issues: list[Issue] = []
    subject = Subject(
        sex=_sex(text_of(dataset, "PatientSex")),
        age_years=_plausible("age", "years", _age_years(dataset), _AGE_YEARS, issues),
        height_cm=_plausible("height", "cm", _height_cm(number_of(dataset, "PatientSize"), issues), _HEIGHT_CM, issues),
        weight_kg=_plausible("weight", "kg", number_of(dataset, "PatientWeight"), _WEIGHT_KG, issues),
    )
    return subject, tuple(issues)


def _height_cm(height: float | None, issues: list[Issue]) -> float | None:
    """Convert height from metres (DICOM); a value above 3, impossible in metres, is taken as centimetres."""
    if height is None or height <= 3:
        return None if height is None else round(height * 100, 1)
    message = "the height in the file is above 3 m; it was taken as centimetres"
    issues.append(Issue(code="height-unit", severity="info", message=message, evidence={"fact": "height unit"}))
    return height


def _plausible(
    fact: str, unit: str, value: float | None, bounds: tuple[float, float], issues: list[Issue]
) -> float | None:
    if value is None or bounds[0] <= value <= bounds[1]:
        return value
    # The value is not reported: an impossible age comes from a birth date, which is personal.
    issues.append(
        Issue(
            code="implausible-subject",
            severity="warning",
            message=f"the {fact} in the file is implausible (expected {bounds[0]:g} to {bounds[1]:g} {unit}); "
            f"it was treated as unknown",
            evidence={"fact": fact},
        )
    )
    return None


def _sex(text: str) -> Literal["F", "M"] | None:
    return "F" if text.upper() == "F" else "M" if text.upper() == "M" else None


def _age_years(dataset: Any) -> float | None:
    match = re.fullmatch(r"(\d{1,3})([YMWD])", text_of(dataset, "PatientAge").upper())
    if match and (int(match[1]) or match[2] != "Y"):  # the age of an infant is stated in months, weeks or days
        return round(int(match[1]) * _YEARS_PER_UNIT[match[2]], 2)
    born, studied = (_date(text_of(dataset, word)) for word in ("PatientBirthDate", "StudyDate"))
    if born is None or studied is None or born.year <= _BLANKED_BIRTH_YEAR or studied.year < _FIRST_STUDY_YEAR:
        return None
    before_birthday = (studied.month, studied.day) < (born.month, born.day)
    return float(studied.year - born.year - before_birthday)


def _date(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y%m%d")
    except ValueError:
        return None
