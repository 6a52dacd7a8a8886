"""Recognition of the short-axis stack among stacks of parallel slices.

Transverse, coronal and long-axis stacks are parallel too. The normal of a short-axis stack is along the ventricular
long axis: its typical direction in the chest, and the intersection of the study's long-axis planes. These directions
are a prior: a stack that the images show to cut the ventricle across (`views.appearance`), or along whose normal all
long-axis planes intersect, is a short axis wherever it lies, and one that the images contradict is uncertain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.geometry import plane_angle_deg
from cinema_cmr.core.vocabulary import View
from cinema_cmr.views.appearance import StackAppearance, stack_appearance
from cinema_cmr.views.axis import Plane, angle_to_expected_deg, axis_from_planes, intersection_lines
from cinema_cmr.views.candidate import Candidate, ViewDecision, view_from_hints
from cinema_cmr.views.competing import describe_preference, preferred_stack
from cinema_cmr.views.pose import mirrored_angle_deg

__all__ = ["classify_stacks"]

Array = NDArray[np.float64]

_TYPICAL_DEG = 40.0
"""An axis further than this from the typical one is accepted only if long-axis planes intersect along it."""
_SUPPORTED_DEG = 55.0
_BODY_DEG = 20.0
"""A normal nearer than this to a body axis belongs to a body plane; the heart is oblique."""
_BODY_SUPPORTED_DEG = 12.0
_ALONG_DEG = 15.0
_AGAINST_DEG = 35.0
_FEW_SLICES_DEG = 30.0
_PLANE_PAIRS = 2
"""Pairs of long-axis planes that intersect along a normal; localiser planes make one pair along a body axis."""
_AGAINST_ODDS = -4.5
"""Log odds of the images that raise doubts about a usual direction: below those of 46 real stacks not fitted on."""
_SURE_ODDS = 2.0
_SURE_BODY_ODDS = 4.0
"""Log odds of the images above which they decide against the direction, away from and near a body plane."""
_HINT_ODDS = 1.5
_MIN_RINGS = 4
_PRIOR = 3.0
"""Log odds of a usual direction, and of long-axis planes that intersect along the normal."""
_LESS_LIKELY = 3.0
_IMAGES_KEY = "images_log_odds"
_PRIOR_KEY = "geometry_log_odds"
_TYPICAL_KEY = "normal_to_typical_axis_deg"
_BODY_KEY = "normal_to_nearest_body_axis_deg"
_OUTDONE = "{} parallel slices much less likely to cut the left ventricle across than those of another series"
_BODY_PLANES = ("sagittal", "coronal", "transverse")


def classify_stacks(candidates: Sequence[Candidate]) -> dict[int, ViewDecision]:
    """Classify the stacks, by index of the candidate; at most one is kept as the short axis.

    Candidates without a decision may be long-axis planes. Of several short-axis stacks one is kept
    (`competing.preferred_stack`). One or two slices are accepted only if no stack is found.
    """
    decisions = {k: _classify_stack(k, candidates) for k, one in enumerate(candidates) if one.cine.n_slices >= 3}
    across = _most_likely(decisions)
    if not across:
        across = [k for k, one in enumerate(candidates) if _few_slices_across(one)]
        decisions.update({k: _classify_stack(k, candidates) for k in across})
        across = [k for k in across if decisions[k].view is View.SAX]
    for k, decision in decisions.items():
        if decision.view is View.SAX and k not in across:
            decisions[k] = replace(decision, view=View.OTHER, kept=False, reason=_OUTDONE.format(candidates[k].cine.n_slices))
    if across:
        typical = [k for k in across if _is_typical(candidates[k])]
        best = preferred_stack(typical or across, candidates)
        for k in across:
            if k != best:
                decisions[k] = _reject(candidates[k], candidates[best], decisions[k])
    kept = next((candidates[k] for k, decision in decisions.items() if decision.kept), None)
    return {k: one for k, one in decisions.items() if not _may_contain_axis(one, candidates[k], kept)}


def _most_likely(decisions: dict[int, ViewDecision]) -> list[int]:
    """Return the stacks across the ventricle, without those that are much less likely than the likeliest."""
    likelihood = {
        k: float(one.evidence[_PRIOR_KEY] or 0) + float(np.clip(float(one.evidence[_IMAGES_KEY] or 0), -4, 4))
        for k, one in decisions.items()
        if one.view is View.SAX
    }
    return [k for k, value in likelihood.items() if value >= max(likelihood.values()) - _LESS_LIKELY]


def _classify_stack(k: int, candidates: Sequence[Candidate]) -> ViewDecision:
    """Decide whether one stack is a short axis, given the planes of all other candidates."""
    own = candidates[k]
    normal = own.middle_plane.normal
    others = [one.middle_plane for j, one in enumerate(candidates) if j != k]
    typical = angle_to_expected_deg(normal)
    along = sum(
        plane_angle_deg(line.direction, normal) <= _ALONG_DEG
        and angle_to_expected_deg(line.direction) <= _SUPPORTED_DEG
        for line in intersection_lines(others)
    )
    evidence: dict[str, str | int | float | bool | None] = {
        _TYPICAL_KEY: round(typical, 1),
        _BODY_KEY: round(float(_body_angles_deg(normal).min()), 1),
        "long_axis_pairs_along_normal": along,
        "n_slices": own.cine.n_slices,
    }
    count = f"{own.cine.n_slices} parallel slices" if own.cine.n_slices > 1 else "a single slice"
    objection = _objection(normal, others, supported=along > 0)
    appearance = stack_appearance(own.cine)
    odds = None if appearance is None else appearance.log_odds
    pairs = sum(plane_angle_deg(line.direction, normal) <= _ALONG_DEG for line in intersection_lines(others))
    evidence[_IMAGES_KEY] = None if odds is None else round(odds, 1)
    evidence[_PRIOR_KEY] = (0 if objection else _PRIOR) + (_PRIOR if pairs >= _PLANE_PAIRS else 0)
    support = f"; {along} pairs of long-axis planes intersect along it" if along else ""
    if objection is None:
        reason = f"{count} across the left ventricle: normal {typical:.0f} degrees from its typical axis{support}"
        if odds is not None and odds < _AGAINST_ODDS:
            reason += "; its images do not show a round ring of wall around blood"
            evidence["decided_by"] = "geometry, against images"
        return ViewDecision(view=View.SAX, kept=True, reason=reason, evidence=evidence)
    ground = _ground_despite(objection, own, pairs, appearance)
    if ground is None:
        reason = f"{count} {objection}"
        if odds is not None and odds > 0:
            reason += "; its images may show the left ventricle cut across: name it as sax if it is the short axis"
        return ViewDecision(view=View.OTHER, kept=False, reason=reason, evidence=evidence)
    evidence["decided_by"], shown = ground
    reason = f"{count} across the left ventricle, as {shown}, although {objection.replace('whose', 'their')}"
    return ViewDecision(view=View.SAX, kept=True, reason=reason, evidence=evidence)


def _ground_despite(
    objection: str, own: Candidate, pairs: int, appearance: StackAppearance | None
) -> tuple[str, str] | None:
    """Return how a stack in an unusual direction is recognised as a short axis, and in words; None if it is not."""
    odds = None if appearance is None else appearance.log_odds
    if pairs >= _PLANE_PAIRS and (odds is None or odds > _AGAINST_ODDS):
        return "long-axis planes", f"{pairs} pairs of long-axis planes intersect along its normal"
    if odds is None or appearance is None or appearance.n_rings < _MIN_RINGS:
        return None
    normal = own.middle_plane.normal
    oblique = float(_body_angles_deg(normal).min()) >= _BODY_DEG
    ring = "its images show a ring of wall around blood that moves with the beat"
    if oblique and odds > 0 and mirrored_angle_deg(normal) <= _TYPICAL_DEG:
        return "images", f"{ring}, and the heart lies as in a mirrored body"
    if view_from_hints(own.hints) is View.SAX:
        odds += _HINT_ODDS
    return ("images", ring) if odds > (_SURE_ODDS if oblique else _SURE_BODY_ODDS) else None


def _objection(normal: Array, others: Sequence[Plane], *, supported: bool) -> str | None:
    """Return what contradicts a normal being the ventricular axis; None if nothing does."""
    body = _body_angles_deg(normal)
    if float(body.min()) < (_BODY_SUPPORTED_DEG if supported else _BODY_DEG):
        plane = _BODY_PLANES[int(body.argmin())]
        return f"in a {plane} plane (within {body.min():.0f} degrees), not across the left ventricle"
    typical = angle_to_expected_deg(normal)
    if typical > (_SUPPORTED_DEG if supported else _TYPICAL_DEG):
        return f"whose normal is {typical:.0f} degrees from the typical left ventricular axis: not a short axis"
    common = axis_from_planes(others)
    if common is None or common[1] < 3:
        return None
    deviation = plane_angle_deg(common[0].direction, normal)
    if deviation <= _AGAINST_DEG:
        return None
    return f"whose normal is {deviation:.0f} degrees from the intersection of the long-axis planes"


def _body_angles_deg(normal: Array) -> Array:
    """Return the (3,) angles of a line to the left-right, posterior-anterior and inferior-superior axes."""
    angles: Array = np.degrees(np.arccos(np.clip(np.abs(normal), 0, 1)))
    return angles


def _few_slices_across(one: Candidate) -> bool:
    hinted = view_from_hints(one.hints)
    if {"right ventricle", "valve or vessel"} & set(one.hints) or hinted not in (None, View.SAX):
        return False
    return one.cine.n_slices < 3 and angle_to_expected_deg(one.middle_plane.normal) <= _FEW_SLICES_DEG


def _is_typical(one: Candidate) -> bool:
    return angle_to_expected_deg(one.middle_plane.normal) <= _TYPICAL_DEG


def _reject(rejected: Candidate, best: Candidate, decision: ViewDecision) -> ViewDecision:
    size = f"{rejected.cine.n_slices} slices x {rejected.cine.n_frames} frames"
    kind = describe_preference(rejected, best)
    kept = f"{best.cine.label} with {best.cine.n_slices} x {best.cine.n_frames}"
    reason = f"another short-axis stack ({size}{', ' + kind if kind else ''}); {kept} was kept"
    same_size = rejected.cine.shape[2:] == best.cine.shape[2:]
    if same_size and not kind and best.acquisition_order > rejected.acquisition_order:
        reason += " as the later acquisition"
    return ViewDecision(view=View.SAX, kept=False, reason=reason, evidence=decision.evidence)


def _may_contain_axis(decision: ViewDecision, own: Candidate, kept: Candidate | None) -> bool:
    """Return True for a stack of planes parallel to the axis, one of which may be a long-axis view.

    The axis is the normal of the short axis kept, where that is not the typical direction.
    """
    if kept is not None and angle_to_expected_deg(kept.middle_plane.normal) > _TYPICAL_DEG:
        across = plane_angle_deg(own.middle_plane.normal, kept.middle_plane.normal)
        return decision.view is View.OTHER and across > _SUPPORTED_DEG
    typical, body = (float(decision.evidence[name] or 0) for name in (_TYPICAL_KEY, _BODY_KEY))
    return decision.view is View.OTHER and typical > _SUPPORTED_DEG and body >= _BODY_DEG
