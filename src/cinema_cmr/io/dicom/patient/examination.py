"""Check that the images are of one person on one day, as far as the headers show; no personal data is reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.study import Issue
from cinema_cmr.io.dicom.header import FrameHeader, distinct_values

__all__ = ["check_single_examination"]

_OWN_UIDS = 3
"""From this many series or images, a separate identity for each is due to anonymisation, not to different people."""
_STEADY = ("sex", "birth date", "height")
"""Facts that a second registration of a person on one day rarely changes."""
_AT_ONCE_MS = 1000.0
"""A cine takes a heartbeat at least, and may state its start alone."""
_IMAGES_PER_IDENTITY = 2
"""With fewer images for each identity of a series, on average, the images were given theirs one by one."""


def check_single_examination(headers: Sequence[FrameHeader]) -> list[Issue]:
    """Raise `InputError` for several patients or days, which must never be measured as one; return issues.

    Blank or constant patient IDs and dates do not identify anybody; several study UIDs, or a different sex or height,
    are then refused as well. If patient and date do identify, an examination may have been reopened under a second UID;
    the subject's facts are then compared, and a difference is an issue. Series are compared with each other and the
    images of a series among themselves. An absent ID or date is that of no second patient or day. One scanner takes one
    series at a time: series of two study UIDs at the same time of day are of two people, whatever their identities,
    unless each series or image was given a UID of its own.
    """
    by_series: dict[str, list[FrameHeader]] = {}
    for header in headers:
        by_series.setdefault(header.series, []).append(header)
    for field, plural in (("patient", "patients"), ("day", "different days")):
        _check_one_value(by_series, field, plural)
    studies = distinct_values(headers, "study")
    if 1 < len(studies) < max(_OWN_UIDS, len(by_series)):
        _check_not_simultaneous(by_series)
    differing = _differing_facts(list(by_series.values()))
    if all(header.identified for header in headers):
        differing = [name for name in differing if name in _STEADY]
        return [_facts_issue(differing)] if len(studies) > 1 and differing else []
    if {"sex", "height"}.intersection(differing) or (len(studies) > 1 and differing):
        raise _several_subjects_error(f"subjects who differ in {' and '.join(differing)}, without patient ID and date")
    one_uid_per_series = len(studies) == len(by_series) >= _OWN_UIDS
    count = 0 if one_uid_per_series else len(studies)
    count = max(count, *(_mixed_studies(group) for group in by_series.values()))
    if count > 1 and not differing and _share_one_reference(headers):
        return [_two_uids_issue(count)]
    if count > 1:
        raise _several_subjects_error(
            f"{count} study UIDs, without a patient ID and date to show that they are of one person"
        )
    return []


def _share_one_reference(headers: Sequence[FrameHeader]) -> bool:
    """Return True if frame of reference, patient ID and date are stated, and the same in all images."""
    shared = ({getattr(header, name) for header in headers} for name in ("reference", "patient", "day"))
    return all(len(values) == 1 and "" not in values for values in shared)


def _two_uids_issue(count: int) -> Issue:
    return Issue(
        code="subject-differs",
        severity="warning",
        message=f"the series have {count} study UIDs; they were taken as one examination, since frame of reference,"
        " patient ID and date are equal: make sure that this is right",
        evidence={"studies": count},
    )


def _mixed_studies(group: Sequence[FrameHeader]) -> int:
    """Return 2 for a series whose images are of two studies, else 0: more UIDs than that are due to anonymisation."""
    own = {header.file: header.study for header in group if header.study}
    n = len(set(own.values()))
    return n if 1 < n < min(_OWN_UIDS, len(own)) else 0


def _check_one_value(by_series: dict[str, list[FrameHeader]], field: str, plural: str) -> None:
    """Raise `InputError` if the images of a series, or the series, differ in a field.

    Some de-identification tools give every image its own identity, which then carries no information.
    """
    values: set[str] = set()
    for label, group in by_series.items():
        own = [value for header in group if (value := getattr(header, field))]
        if _are_given_singly(own):
            continue
        if len(set(own)) > 1:
            raise InputError(
                f"the images of {label} are of {len(set(own))} {plural}; expected one study: sort the images by patient"
                " and day into folders, and pass each separately"
            )
        values.update(own)
    if len(values) > 1:
        raise _several_subjects_error(f"{len(values)} {plural}")


def _are_given_singly(identities: Sequence[str]) -> bool:
    """Return whether the identities of a series' frames were given to them one by one; a multi-frame object has one."""
    n = len(set(identities))
    return n >= _OWN_UIDS and len(identities) < _IMAGES_PER_IDENTITY * n


def _differing_facts(series: Sequence[Sequence[FrameHeader]]) -> list[str]:
    """Return the names of the facts that two images state with different values."""
    names = (*_STEADY, "weight", "age", "scanner")
    return [name for name in names if len(_stated(series, name)) > 1]


def _check_not_simultaneous(by_series: Mapping[str, Sequence[FrameHeader]]) -> None:
    """Raise `InputError` for series of two study UIDs at the same time and at different places.

    Derived images have the time of their source; times that are equal in all series were made so.
    """
    spans: list[_Span] = [span for group in by_series.values() for span in _spans(group)]
    if len({(span.start, span.end) for span in spans}) < 2:
        return
    for one, other in combinations(spans, 2):
        together = one.start < other.end + _AT_ONCE_MS and other.start < one.end + _AT_ONCE_MS
        if together and one.study != other.study and not one.places & other.places:
            raise _several_subjects_error("two study UIDs, with series taken at the same time: they are of two people")


@dataclass(frozen=True, kw_only=True)
class _Span:
    """Time of day that the original images of one series and study took, and where they lie."""

    study: str
    start: float
    end: float
    places: frozenset[tuple[float, ...]]


def _spans(group: Sequence[FrameHeader]) -> list[_Span]:
    by_study: dict[str, list[FrameHeader]] = {}
    for header in group:
        if header.study and not header.derived and header.acquired_ms is not None:
            by_study.setdefault(header.study, []).append(header)
    spans = []
    for study, own in by_study.items():
        times = [header.acquired_ms or 0.0 for header in own]
        places = frozenset(tuple(round(value, 1) + 0.0 for value in header.position) for header in own)
        spans.append(_Span(study=study, start=min(times), end=max(times), places=places))
    return spans


def _stated(series: Sequence[Sequence[FrameHeader]], name: str) -> set[str]:
    values: set[str] = set()
    for group in series:
        own = [value for header in group if (value := dict(header.body).get(name))]
        if not _are_given_singly(own):
            values.update(own)
    return values


def _several_subjects_error(found: str) -> InputError:
    return InputError(
        f"the cines are of {found}; expected one study: pass the folder, or the zips, of each study separately"
    )


def _facts_issue(differing: Sequence[str]) -> Issue:
    facts = " and ".join(differing)
    return Issue(
        code="subject-differs",
        severity="warning",
        message=f"the series have several study UIDs and differ in {facts}; they were taken as one person, since"
        " patient ID and date are equal: make sure that this is right",
        evidence={"facts": facts},
    )
