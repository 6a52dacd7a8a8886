"""Recognises the view of each cine from geometry and motion; descriptions are a hint where these are unsure.

First the short-axis stack, then the left ventricle's long axis (from that stack's motion, else from where
long-axis planes meet, else where it usually points), then the long-axis planes by how they hold it and are
turned about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cinema_cmr.core.study import Issue
from cinema_cmr.core.vocabulary import View
from cinema_cmr.views.axis import EXPECTED_AXIS, LongAxis, axis_from_planes
from cinema_cmr.views.long_axes import judge_planes
from cinema_cmr.views.motion import axis_from_motion
from cinema_cmr.views.short_axis import judge_stacks
from cinema_cmr.views.verdict import VIEW_HINTS, Candidate, Verdict

__all__ = ["Candidate", "RecognisedViews", "Verdict", "recognise_views"]


@dataclass(frozen=True, kw_only=True)
class RecognisedViews:
    """A verdict for each candidate, in their order, and what to know about them."""

    verdicts: tuple[Verdict, ...]
    issues: tuple[Issue, ...]


def recognise_views(candidates: Sequence[Candidate]) -> RecognisedViews:
    """The view of each candidate; at most one is kept for each of short axis, 2-, 3- and 4-chamber.

    Needs cines in true patient space (`Cine.orientation_known`) and their pixels for the short-axis stack's
    motion.
    """
    verdicts = judge_stacks(candidates)
    stack = next((k for k, verdict in verdicts.items() if verdict.view is View.SAX and verdict.kept), None)
    rest = [k for k in range(len(candidates)) if k not in verdicts]
    if rest:
        axis = _long_axis(candidates, stack, rest)
        verdicts.update(judge_planes(candidates, axis, indices=rest))
    ordered = tuple(_with_hint(verdicts[k], candidates[k]) for k in range(len(candidates)))
    return RecognisedViews(verdicts=ordered, issues=tuple(_issues(candidates, ordered)))


def _long_axis(candidates: Sequence[Candidate], stack: int | None, rest: Sequence[int]) -> LongAxis:
    if stack is not None:
        return axis_from_motion(candidates[stack].cine)
    planes = [candidates[k].middle_plane for k in rest]
    common = axis_from_planes(planes)
    if common is not None:
        return common[0]
    # One plane, or none that meet as they may: the axis is only known by its usual direction.
    middle = sum((plane.centre for plane in planes), start=0 * planes[0].centre) / len(planes)
    return LongAxis(centre=middle, direction=EXPECTED_AXIS, half_length_mm=0.0, source="usual direction")


def _with_hint(verdict: Verdict, candidate: Candidate) -> Verdict:
    said = [hint for hint in candidate.hints if hint in VIEW_HINTS or hint in ("right ventricle", "transverse")]
    hint = f"description says {' and '.join(said)}" if said else "description names no view"
    return replace(verdict, evidence={**verdict.evidence, "hint": hint})


def _issues(candidates: Sequence[Candidate], verdicts: Sequence[Verdict]) -> list[Issue]:
    issues = []
    stacks = [k for k, verdict in enumerate(verdicts) if verdict.view is View.SAX and verdict.kept]
    if not stacks:
        message = "no stack of slices across the left ventricle was found; volumes cannot be measured"
        issues.append(Issue(code="no-short-axis", severity="warning", message=message))
    for k in stacks:
        count = candidates[k].cine.n_slices
        if count < 3:
            message = f"the short axis has {count} slices only; a volume needs the whole ventricle"
            issues.append(Issue(code="few-slices", severity="warning", message=message, evidence={"n_slices": count}))
    for k, verdict in enumerate(verdicts):
        if verdict.kept and verdict.evidence.get("decided_by") in ("description", "geometry, uncertain"):
            message = f"the view of {candidates[k].cine.label} is uncertain: {verdict.reason}"
            issues.append(Issue(code="view-uncertain", severity="warning", message=message, evidence=verdict.evidence))
    return issues
