"""All checks in one list, and the data's own issues passed on."""

from __future__ import annotations

from dataclasses import replace

from hearts import context_of, heart, study_of

from cinema_cmr.core.study import Issue
from cinema_cmr.measure.quality.checks import CHECKS, issue_flags, quality_flags

ISSUES = (
    Issue(
        code="missing-frame",
        severity="warning",
        message="frame 3 of slice 2 is missing",
        evidence={"slice": 2},
    ),
    Issue(code="sorted", severity="info", message="slices were in reverse order"),
)


def test_codes_are_distinct_and_every_check_is_listed_once() -> None:
    assert len({check.__name__ for check in CHECKS}) == len(CHECKS) == 33


def test_issues_are_passed_on_from_warnings_up() -> None:
    flags = issue_flags(study_of(issues=ISSUES))
    assert [(flag.code, flag.severity, flag.evidence) for flag in flags] == [("missing-frame", "warning", {"slice": 2})]


def test_flags_of_a_study_of_two_frames() -> None:
    context = context_of(*heart((1.0, 0.75)))
    context = replace(context, study=replace(context.study, issues=ISSUES))
    assert [flag.code for flag in quality_flags(context)] == ["few-frames", "base-not-covered", "missing-frame"]
