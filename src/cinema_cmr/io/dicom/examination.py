"""Whether the images used are of one person on one day, as far as headers tell; nothing personal is said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.study import Issue
from cinema_cmr.io.dicom.header import FrameHeader

__all__ = ["check_one_examination"]

_OWN_UIDS = 3
"""From so many series on, a study UID of its own for each is an anonymiser's work, not so many people."""


def check_one_examination(used: Iterable[FrameHeader]) -> list[Issue]:
    """Raise `InputError` for several patients or days: they must never be measured as one.

    Where patient and date were blanked or made constant they tell nobody apart: then several study UIDs, or
    another sex or height, are refused too. Where they do tell, an examination may have been re-opened under a
    second UID; the subject's facts are compared then, and what differs is an issue.
    """
    by_series: dict[str, list[FrameHeader]] = {}
    for header in used:
        by_series.setdefault(header.series, []).append(header)
    for what, whose in (("patient", "patients"), ("day", "different days")):
        count = len(_values(by_series, what))
        if count > 1:
            raise _refusal(f"{count} {whose}")
    studies = _values(by_series, "study")
    differing = _differing_facts([headers[0] for headers in by_series.values()])
    if all(header.identified for headers in by_series.values() for header in headers):
        return [_facts_issue(differing)] if len(studies) > 1 and differing else []
    if {"sex", "height"}.intersection(differing) or (len(studies) > 1 and differing):
        raise _refusal(f"subjects who differ in {' and '.join(differing)}, and no patient and date tell them apart")
    one_each = len(studies) == len(by_series) >= _OWN_UIDS
    if len(studies) > 1 and not one_each:
        raise _refusal(f"{len(studies)} studies by their UIDs, and no patient and date tell whether of one person")
    return []


def _values(by_series: Mapping[str, Sequence[FrameHeader]], what: str) -> set[str]:
    """All values but the blank one; none where a series has several."""
    own = [{getattr(header, what) for header in headers} for headers in by_series.values()]
    # Some de-identifiers give every image an identity of its own: then it says nothing.
    return set() if any(len(values) > 1 for values in own) else set().union(*own) - {""}


def _differing_facts(firsts: Sequence[FrameHeader]) -> list[str]:
    """Names of the facts that two series both tell, each otherwise."""
    facts = [dict(header.body) for header in firsts]
    names = ("sex", "birth date", "height")
    return [
        name
        for name in names
        if any(one[name] != other[name] for one, other in combinations(facts, 2) if name in one and name in other)
    ]


def _refusal(whose: str) -> InputError:
    return InputError(f"the cines are of {whose}; expected one study: give each one's folder by itself")


def _facts_issue(differing: Sequence[str]) -> Issue:
    facts = " and ".join(differing)
    return Issue(
        code="subject-differs",
        severity="warning",
        message=f"the series have several study UIDs and differ in {facts}; they were taken as one person's, since"
        " patient and date are equal: make sure that they are",
        evidence={"facts": facts},
    )
