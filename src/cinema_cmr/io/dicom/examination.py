"""Check that the images are of one person on one day, as far as the headers show; no personal data is reported."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.study import Issue
from cinema_cmr.io.dicom.header import FrameHeader, distinct_values

__all__ = ["check_single_examination"]

_OWN_UIDS = 3
"""From this many series, a separate study UID for each is due to anonymisation, not to different people."""


def check_single_examination(headers: Sequence[FrameHeader]) -> list[Issue]:
    """Raise `InputError` for several patients or days, which must never be measured as one; return issues.

    Blank or constant patient IDs and dates do not identify anybody; several study UIDs, or a different sex or height,
    are then refused as well. If patient and date do identify, an examination may have been reopened under a second UID;
    the subject's facts are then compared, and a difference is an issue.
    """
    by_series: dict[str, list[FrameHeader]] = {}
    for header in headers:
        by_series.setdefault(header.series, []).append(header)
    for field, plural in (("patient", "patients"), ("day", "different days")):
        count = len(distinct_values(headers, field))
        if count > 1:
            raise _several_subjects_error(f"{count} {plural}")
    studies = distinct_values(headers, "study")
    differing = _differing_facts([group[0] for group in by_series.values()])
    if all(header.identified for header in headers):
        return [_facts_issue(differing)] if len(studies) > 1 and differing else []
    if {"sex", "height"}.intersection(differing) or (len(studies) > 1 and differing):
        raise _several_subjects_error(f"subjects who differ in {' and '.join(differing)}, without patient ID and date")
    one_uid_per_series = len(studies) == len(by_series) >= _OWN_UIDS
    if len(studies) > 1 and not one_uid_per_series:
        raise _several_subjects_error(
            f"{len(studies)} study UIDs, without a patient ID and date to show that they are of one person"
        )
    return []


def _differing_facts(firsts: Sequence[FrameHeader]) -> list[str]:
    """Return the names of the facts that two series both state, with different values."""
    facts = [dict(header.body) for header in firsts]
    names = ("sex", "birth date", "height")
    return [
        name
        for name in names
        if any(one[name] != other[name] for one, other in combinations(facts, 2) if name in one and name in other)
    ]


def _several_subjects_error(found: str) -> InputError:
    return InputError(f"the cines are of {found}; expected one study: pass each study's folder separately")


def _facts_issue(differing: Sequence[str]) -> Issue:
    facts = " and ".join(differing)
    return Issue(
        code="subject-differs",
        severity="warning",
        message=f"the series have several study UIDs and differ in {facts}; they were taken as one person, since"
        " patient ID and date are equal: make sure that this is right",
        evidence={"facts": facts},
    )
