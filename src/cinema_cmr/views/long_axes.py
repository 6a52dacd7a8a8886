"""Recognition of long-axis views: whether a plane contains the left ventricular axis, and its rotation about it.

The walls of the left ventricle (AHA, Circulation 2002;105:539) put the three views 60 degrees apart: viewed along the
axis, with 0 towards the right ventricle, the 4-chamber plane is at -30 (inferoseptal to anterolateral), the 3-chamber
plane at 30 (anteroseptal to inferolateral) and the 2-chamber plane at 90 (anterior to inferior). The rotation of the
whole heart within the chest relative to this is estimated from all planes together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.geometry import plane_angle_deg
from cinema_cmr.core.vocabulary import View
from cinema_cmr.views.axis import LongAxis, Plane, rotation_deg
from cinema_cmr.views.candidate import Candidate, ViewDecision, view_from_hints

__all__ = ["VIEW_ROTATIONS_DEG", "classify_planes"]

VIEW_ROTATIONS_DEG: Mapping[View, float] = {View.LAX_4C: -30.0, View.LAX_3C: 30.0, View.LAX_2C: 90.0}
"""Rotation of each view's plane about the axis, as defined by `views.axis.rotation_deg`."""

_VIEWS = tuple(VIEW_ROTATIONS_DEG)
_MIN_TILT_DEG = {"motion": 65.0, "plane intersection": 65.0, "typical direction": 50.0}
"""A plane that contains the axis has 90; planning is off by a few degrees, an assumed axis by more."""
_MAX_DISTANCE_MM = 15.0
"""About half the width of the cavity: planes planned through the axis pass within 5 mm."""
_HINTED_DISTANCE_MM = 20.0
_PLANNING_SD_DEG = 10.0
_ANATOMY_SD_DEG = {"motion": 15.0, "plane intersection": 15.0, "typical direction": 25.0}
"""Variation of the heart's rotation within the chest, combined with the error of the axis itself."""
_SURE_COST = 4.0
"""Odds of about 7 to 1 against the second-best view."""
_HINT_COST = 4.0
"""A contradicting description costs as much as geometry may fall short of certainty, for any one plane."""


@dataclass(frozen=True, kw_only=True)
class _PlaneFit:
    """Position of one slice of a candidate relative to the axis."""

    candidate: int
    slice: int
    tilt_deg: float
    distance_mm: float
    rotation_deg: float

    @property
    def evidence(self) -> dict[str, str | int | float | bool | None]:
        return {
            "angle_to_short_axis_deg": round(self.tilt_deg, 1),
            "distance_to_axis_mm": round(self.distance_mm, 1),
            "rotation_deg": round(self.rotation_deg, 1),
        }


def classify_planes(
    candidates: Sequence[Candidate], axis: LongAxis, *, indices: Sequence[int]
) -> dict[int, ViewDecision]:
    """Classify the candidates in `indices` as 2-, 3-, 4-chamber or other; at most one is kept per view.

    Where the hand of the heart is unknown (`LongAxis.handed`), 3- and 4-chamber are exchanged if their descriptions
    agree better; without descriptions they are uncertain.
    """
    decisions = _classify_planes(candidates, axis, indices)
    if axis.handed:
        return decisions
    exchanged = _classify_planes(candidates, replace(axis, mirrored=True), indices)
    agreement = [_hint_agreement(one, candidates) for one in (decisions, exchanged)]
    chosen = exchanged if agreement[1] > agreement[0] else decisions
    described = agreement[0] != agreement[1]
    return {k: _mark_hand(decision, described=described) for k, decision in chosen.items()}


def _hint_agreement(decisions: Mapping[int, ViewDecision], candidates: Sequence[Candidate]) -> int:
    """Return the number of kept planes whose description names their view, less those that name another."""
    named = [(view_from_hints(candidates[k].hints), decision) for k, decision in decisions.items() if decision.kept]
    return sum(1 if hint is decision.view else -1 for hint, decision in named if hint)


def _mark_hand(decision: ViewDecision, *, described: bool) -> ViewDecision:
    """Return the decision of a 3- or 4-chamber plane marked as uncertain: directions do not distinguish the two."""
    if decision.view not in (View.LAX_3C, View.LAX_4C) or not decision.kept:
        return decision
    reason = f"{decision.reason}; in this position of the heart 3- and 4-chamber cannot be distinguished by directions"
    decided_by = "description" if described else "geometry, uncertain"
    return replace(decision, reason=reason, evidence={**decision.evidence, "decided_by": decided_by})


def _classify_planes(
    candidates: Sequence[Candidate], axis: LongAxis, indices: Sequence[int]
) -> dict[int, ViewDecision]:
    fits = {k: _nearest_slice(k, candidates[k], axis) for k in indices}
    decisions: dict[int, ViewDecision] = {}
    containing = []
    for k, fit in fits.items():
        reason = _long_axis_objection(fit, axis, view_from_hints(candidates[k].hints))
        if reason:
            evidence = {**fit.evidence, "axis_from": axis.source}
            decisions[k] = ViewDecision(view=View.OTHER, kept=False, reason=reason, evidence=evidence)
        else:
            containing.append(fit)
    if containing:
        rotations = [fit.rotation_deg for fit in containing]
        hinted = [view_from_hints(candidates[fit.candidate].hints) for fit in containing]
        by_geometry = _view_costs(rotations, [None] * len(containing), _ANATOMY_SD_DEG[axis.source])
        by_both = _view_costs(rotations, hinted, _ANATOMY_SD_DEG[axis.source])
        for fit, geometry, both in zip(containing, by_geometry, by_both, strict=True):
            decisions[fit.candidate] = _view_decision(fit, (geometry, both), candidates[fit.candidate], axis)
    return _one_per_view(decisions, fits, candidates)


def _nearest_slice(k: int, candidate: Candidate, axis: LongAxis) -> _PlaneFit:
    """Return the slice of a candidate that passes nearest to the axis."""
    fits = []
    for position, plane in enumerate(candidate.planes):
        fits.append(
            _PlaneFit(
                candidate=k,
                slice=position,
                tilt_deg=plane_angle_deg(plane.normal, axis.direction),
                distance_mm=float(axis.distances_mm(plane).mean()),
                rotation_deg=_plane_rotation_deg(plane, axis),
            )
        )
    return min(fits, key=lambda fit: fit.distance_mm)


def _plane_rotation_deg(plane: Plane, axis: LongAxis) -> float:
    angle = rotation_deg(plane.normal, axis.direction, towards_rv=axis.towards_rv)
    # In a mirrored body anterior lies at the other hand.
    return -angle if axis.mirrored and angle < 90 else angle


def _long_axis_objection(fit: _PlaneFit, axis: LongAxis, hinted: View | None) -> str | None:
    if fit.tilt_deg < 30:
        return f"is transverse to the left ventricle ({fit.tilt_deg:.0f} degrees to short axis), outside the stack"
    if fit.tilt_deg < _MIN_TILT_DEG[axis.source]:
        return f"is tilted by {90 - fit.tilt_deg:.0f} degrees from the left ventricular long axis"
    if axis.source == "typical direction":
        return None
    limit = _HINTED_DISTANCE_MM if hinted and hinted.is_long_axis else _MAX_DISTANCE_MM
    if fit.distance_mm > limit:
        return f"passes {fit.distance_mm:.0f} mm from the left ventricular long axis"
    return None


def _view_costs(rotations: Sequence[float], hinted: Sequence[View | None], anatomy_sd: float) -> NDArray[np.float64]:
    """Return the (planes, views) cost of assigning each plane to each view, minimised over the other planes.

    Costs are squared deviations over their variance, summed over all planes and the common rotation of the heart, which
    is optimised too; a plane assigned to another view than its description names costs `_HINT_COST` more.
    """
    heart_rotations = np.arange(-60.0, 61.0)
    targets = np.array([VIEW_ROTATIONS_DEG[view] for view in _VIEWS])
    deviation = np.array(rotations)[:, None, None] - targets[None, :, None] - heart_rotations
    deviation = (deviation + 90) % 180 - 90
    penalties = [[_HINT_COST * (hint in _VIEWS and hint is not view) for view in _VIEWS] for hint in hinted]
    cost = (deviation / _PLANNING_SD_DEG) ** 2 + np.array(penalties)[:, :, None]
    best = cost.min(axis=1)
    others = best.sum(axis=0, keepdims=True) - best + (heart_rotations / anatomy_sd) ** 2
    costs: NDArray[np.float64] = (cost + others[:, None, :]).min(axis=2)
    return costs


def _view_decision(
    fit: _PlaneFit, costs: tuple[NDArray[np.float64], NDArray[np.float64]], candidate: Candidate, axis: LongAxis
) -> ViewDecision:
    """Choose the view with the lowest cost by geometry; if geometry is inconclusive, by geometry and descriptions."""
    view, decided_by = _choose_view(costs, candidate.hints, axis)
    evidence = {
        **fit.evidence,
        "expected_rotation_deg": VIEW_ROTATIONS_DEG.get(view),
        "margin": round(_margin(costs[0]), 1),
        "axis_from": axis.source,
        "decided_by": decided_by,
    }
    if candidate.cine.n_slices > 1:
        evidence["slice"] = fit.slice
    reason = _describe(view, fit, decided_by, axis)
    hinted = view_from_hints(candidate.hints)
    if hinted and hinted is not view:
        reason += f"; its description names {hinted.title}"
    return ViewDecision(view=view, kept=view is not View.OTHER, reason=reason, evidence=evidence, slice=fit.slice)


def _margin(costs: NDArray[np.float64]) -> float:
    """Return the cost difference between the second-best view and the best."""
    lowest, second = np.sort(costs)[:2]
    return float(second - lowest)


def _choose_view(
    costs: tuple[NDArray[np.float64], NDArray[np.float64]], hints: tuple[str, ...], axis: LongAxis
) -> tuple[View, str]:
    """Return the view of a plane and the basis of the decision: geometry if conclusive, else descriptions too."""
    by_geometry, by_both = (_VIEWS[int(own.argmin())] for own in costs)
    if _margin(costs[0]) >= _SURE_COST:
        return by_geometry, "geometry"
    if by_both is not by_geometry:
        return by_both, "description"
    if _margin(costs[1]) >= _SURE_COST:
        return by_geometry, "geometry and description"
    if axis.source != "motion" and {"right ventricle", "valve or vessel"} & set(hints):
        return View.OTHER, "description"
    if axis.source == "typical direction":
        return View.OTHER, "nothing"
    return by_geometry, "geometry, uncertain"


def _describe(view: View, fit: _PlaneFit, decided_by: str, axis: LongAxis) -> str:
    if view is View.OTHER and decided_by == "nothing":
        return "a single long-axis plane, which may be any view; neither geometry nor description identifies it"
    if view is View.OTHER:
        return "geometry is inconclusive; its description names the right ventricle, a valve or a vessel"
    where = f"contains the left ventricular axis (off by {fit.distance_mm:.0f} mm)"
    if axis.source == "typical direction":
        where = "is parallel to the typical left ventricular axis"
    reason = f"{where}, rotated by {fit.rotation_deg:.0f} degrees about it; {view.title} is expected near "
    reason += f"{VIEW_ROTATIONS_DEG[view]:.0f}"
    return reason + _DECISION_NOTES[decided_by]


_DECISION_NOTES = {
    "geometry": "",
    "geometry and description": "; inconclusive by itself, but descriptions agree",
    "description": "; geometry left two views open, decided by descriptions",
    "geometry, uncertain": "; uncertain, and its description does not help",
}


def _one_per_view(
    decisions: dict[int, ViewDecision], fits: Mapping[int, _PlaneFit], candidates: Sequence[Candidate]
) -> dict[int, ViewDecision]:
    for view in _VIEWS:
        rivals = [k for k, decision in decisions.items() if decision.view is view and decision.kept]
        if len(rivals) < 2:
            continue
        misfits = {k: _misfit(fits[k], view) for k in rivals}
        near = [k for k in rivals if misfits[k] < min(misfits.values()) + 1]
        best = max(near, key=lambda k: (candidates[k].cine.n_frames, candidates[k].acquisition_order))
        for k in rivals:
            if k != best:
                reason = f"another {view.title} plane; {candidates[best].cine.label} was kept as the "
                reason += "better aligned" if k not in near else "one with more frames, or the later"
                decisions[k] = replace(decisions[k], kept=False, reason=reason)
    return decisions


def _misfit(fit: _PlaneFit, view: View) -> float:
    """Return the deviation from the ideal plane: 1 for 8 degrees of tilt, 5 mm or 15 degrees of rotation."""
    rotation = abs((fit.rotation_deg - VIEW_ROTATIONS_DEG[view] + 90) % 180 - 90)
    return (90 - fit.tilt_deg) / 8 + fit.distance_mm / 5 + rotation / 15
