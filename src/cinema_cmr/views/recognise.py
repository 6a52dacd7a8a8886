"""Recognition of the view of each cine from images and geometry; descriptions decide only if these are inconclusive.

First the short-axis stack, then the left ventricular long axis (from the stack's motion, else from the intersection of
long-axis planes, else the typical direction), then the long-axis planes by their position and rotation relative to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cinema_cmr.core.study import Issue
from cinema_cmr.core.vocabulary import View
from cinema_cmr.views.appearance import stack_appearance
from cinema_cmr.views.axis import EXPECTED_AXIS, LongAxis, axis_from_planes
from cinema_cmr.views.candidate import VIEW_HINTS, Candidate, ViewDecision
from cinema_cmr.views.chosen import ChosenView, apply_chosen
from cinema_cmr.views.competing import left_out_issues
from cinema_cmr.views.long_axes import classify_planes
from cinema_cmr.views.motion import axis_from_motion
from cinema_cmr.views.pose import axis_in_pose
from cinema_cmr.views.short_axis import classify_stacks

__all__ = ["Candidate", "ViewDecision", "ViewRecognition", "recognise_views"]

_UNCERTAIN = ("description", "geometry, uncertain", "images", "long-axis planes", "geometry, against images")
"""Grounds of a decision that is reported as uncertain."""


_MIRRORED = Issue(
    code="body-mirrored",
    severity="warning",
    message="the heart lies as in a mirrored body: dextrocardia, or a file whose left and right were exchanged; compare"
    " with another series of the patient before using left and right",
)


@dataclass(frozen=True, kw_only=True)
class ViewRecognition:
    """A decision for each candidate, in order, and issues."""

    decisions: tuple[ViewDecision, ...]
    issues: tuple[Issue, ...]


def recognise_views(
    candidates: Sequence[Candidate], *, chosen: Mapping[int, ChosenView] | None = None
) -> ViewRecognition:
    """Recognise the view of each candidate; at most one is kept for each of short axis, 2-, 3- and 4-chamber.

    `chosen`, by index of the candidate, is what the user decided; it overrules what is recognised.
    Needs cines in true patient space (`Cine.orientation_known`), with pixels for the motion of the short-axis stack.
    """
    chosen = chosen or {}
    decisions = apply_chosen(classify_stacks(candidates), candidates, chosen)
    stack = next((k for k, decision in decisions.items() if decision.view is View.SAX and decision.kept), None)
    rest = [k for k in range(len(candidates)) if k not in decisions]
    mirrored = False
    if rest:
        axis = _long_axis(candidates, stack, rest)
        mirrored = axis.mirrored
        decisions.update(classify_planes(candidates, axis, indices=rest))
        decisions = apply_chosen(decisions, candidates, chosen)
    ordered = tuple(_add_hint(decisions[k], candidates[k]) for k in range(len(candidates)))
    return ViewRecognition(
        decisions=ordered, issues=(*_issues(candidates, ordered), *([_MIRRORED] if mirrored else []))
    )


def _long_axis(candidates: Sequence[Candidate], stack: int | None, rest: Sequence[int]) -> LongAxis:
    if stack is not None:
        cine = candidates[stack].cine
        axis, appearance = axis_from_motion(cine), stack_appearance(cine)
        if appearance is None or appearance.towards_rv is None:
            return axis
        return axis_in_pose(axis, appearance.towards_rv)
    planes = [candidates[k].middle_plane for k in rest]
    common = axis_from_planes(planes)
    if common is not None:
        return common[0]
    # One plane, or no plausible intersection: only the typical direction remains.
    centre = sum((plane.centre for plane in planes), start=0 * planes[0].centre) / len(planes)
    return LongAxis(centre=centre, direction=EXPECTED_AXIS, half_length_mm=0.0, source="typical direction")


def _add_hint(decision: ViewDecision, candidate: Candidate) -> ViewDecision:
    named = [hint for hint in candidate.hints if hint in VIEW_HINTS or hint in ("right ventricle", "transverse")]
    hint = f"description names {' and '.join(named)}" if named else "description names no view"
    return replace(decision, evidence={**decision.evidence, "hint": hint})


def _issues(candidates: Sequence[Candidate], decisions: Sequence[ViewDecision]) -> list[Issue]:
    issues = []
    stacks = [k for k, decision in enumerate(decisions) if decision.view is View.SAX and decision.kept]
    if not stacks:
        message = "no short-axis stack was found; volumes cannot be measured"
        issues.append(Issue(code="no-short-axis", severity="warning", message=message))
    for k in stacks:
        count = candidates[k].cine.n_slices
        if count < 3:
            message = f"the short axis has only {count} slices; volumes need the whole ventricle"
            issues.append(Issue(code="few-slices", severity="warning", message=message, evidence={"n_slices": count}))
    issues += left_out_issues(candidates, decisions)
    for k, decision in enumerate(decisions):
        if decision.kept and decision.evidence.get("decided_by") in _UNCERTAIN:
            message = f"the view of {candidates[k].cine.label} is uncertain: {decision.reason}"
            issues.append(Issue(code="view-uncertain", severity="warning", message=message, evidence=decision.evidence))
    return issues
