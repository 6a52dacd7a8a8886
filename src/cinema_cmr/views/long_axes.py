"""Which long-axis view a plane is: whether it holds the left ventricle's axis, and its turn about it.

The walls of the left ventricle (AHA, Circulation 2002;105:539) put the three views 60 degrees apart: seen
along the axis, with 0 towards the right ventricle, the 4-chamber plane lies at -30 (inferoseptal to
anterolateral), the 3-chamber plane at 30 (anteroseptal to inferolateral) and the 2-chamber plane at 90
(anterior to inferior). How far a whole heart is turned in its chest, against that, is estimated from all
planes together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.geometry import plane_angle_deg
from cinema_cmr.core.vocabulary import View
from cinema_cmr.views.axis import LongAxis, Plane, rotation_deg
from cinema_cmr.views.verdict import Candidate, Verdict, hinted_view

__all__ = ["VIEW_ROTATIONS_DEG", "judge_planes"]

VIEW_ROTATIONS_DEG: Mapping[View, float] = {View.LAX_4C: -30.0, View.LAX_3C: 30.0, View.LAX_2C: 90.0}
"""Turn of each view's plane about the axis, as `views_axis.rotation_deg` counts it."""

_VIEWS = tuple(VIEW_ROTATIONS_DEG)
_MIN_TILT_DEG = {"motion": 65.0, "where planes meet": 65.0, "usual direction": 50.0}
"""A plane that holds the axis has 90; planning is off by a few degrees, a guessed axis by more."""
_MAX_DISTANCE_MM = 15.0
"""About half the width of the cavity: planes planned through the axis pass within 5 mm."""
_HINTED_DISTANCE_MM = 20.0
_PLANNING_SD_DEG = 10.0
_ANATOMY_SD_DEG = {"motion": 15.0, "where planes meet": 15.0, "usual direction": 25.0}
"""How far hearts are turned about their axis in the chest, and the error of the axis itself added to it."""
_SURE_COST = 4.0
"""Odds of about 7 to 1 against the next best view."""
_HINT_COST = 4.0
"""A description against a view weighs as much as geometry may lack to be sure, never more for one plane."""


@dataclass(frozen=True, kw_only=True)
class _Cut:
    """One slice of one candidate against the axis."""

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


def judge_planes(candidates: Sequence[Candidate], axis: LongAxis, *, indices: Sequence[int]) -> dict[int, Verdict]:
    """Verdicts for the candidates of `indices`: 2-, 3-, 4-chamber or other; at most one kept per view."""
    cuts = {k: _nearest_cut(k, candidates[k], axis) for k in indices}
    verdicts: dict[int, Verdict] = {}
    holding = []
    for k, cut in cuts.items():
        reason = _why_not_long_axis(cut, axis, hinted_view(candidates[k].hints))
        if reason:
            evidence = {**cut.evidence, "axis_from": axis.source}
            verdicts[k] = Verdict(view=View.OTHER, kept=False, reason=reason, evidence=evidence)
        else:
            holding.append(cut)
    if holding:
        rotations = [cut.rotation_deg for cut in holding]
        hinted = [hinted_view(candidates[cut.candidate].hints) for cut in holding]
        alone = _view_costs(rotations, [None] * len(holding), _ANATOMY_SD_DEG[axis.source])
        described = _view_costs(rotations, hinted, _ANATOMY_SD_DEG[axis.source])
        for cut, geometry, both in zip(holding, alone, described, strict=True):
            verdicts[cut.candidate] = _view_verdict(cut, (geometry, both), candidates[cut.candidate], axis)
    return _one_per_view(verdicts, cuts, candidates)


def _nearest_cut(k: int, candidate: Candidate, axis: LongAxis) -> _Cut:
    """The slice of a candidate that passes nearest to the axis."""
    cuts = []
    for position, plane in enumerate(candidate.planes):
        cuts.append(
            _Cut(
                candidate=k,
                slice=position,
                tilt_deg=plane_angle_deg(plane.normal, axis.direction),
                distance_mm=float(axis.distances_mm(plane).mean()),
                rotation_deg=_rotation(plane, axis),
            )
        )
    return min(cuts, key=lambda cut: cut.distance_mm)


def _rotation(plane: Plane, axis: LongAxis) -> float:
    return rotation_deg(plane.normal, axis.direction)


def _why_not_long_axis(cut: _Cut, axis: LongAxis, hinted: View | None) -> str | None:
    if cut.tilt_deg < 30:
        return f"cuts the left ventricle across ({cut.tilt_deg:.0f} degrees to short axis), beside the stack"
    if cut.tilt_deg < _MIN_TILT_DEG[axis.source]:
        return f"is turned {90 - cut.tilt_deg:.0f} degrees out of the left ventricle's long axis"
    if axis.source == "usual direction":
        return None
    limit = _HINTED_DISTANCE_MM if hinted and hinted.is_long_axis else _MAX_DISTANCE_MM
    if cut.distance_mm > limit:
        return f"passes {cut.distance_mm:.0f} mm beside the left ventricle's long axis"
    return None


def _view_costs(rotations: Sequence[float], hinted: Sequence[View | None], anatomy_sd: float) -> NDArray[np.float64]:
    """(planes, views) cost of each plane being each view, the others and the heart's turn at their best.

    Costs are squared deviations over their variance, summed over all planes and the turn common to all; a
    plane that is not what its description says costs `_HINT_COST` more.
    """
    turns = np.arange(-60.0, 61.0)
    targets = np.array([VIEW_ROTATIONS_DEG[view] for view in _VIEWS])
    off = np.array(rotations)[:, None, None] - targets[None, :, None] - turns
    off = (off + 90) % 180 - 90
    against = [[_HINT_COST * (said in _VIEWS and said is not view) for view in _VIEWS] for said in hinted]
    own = (off / _PLANNING_SD_DEG) ** 2 + np.array(against)[:, :, None]
    best = own.min(axis=1)
    others = best.sum(axis=0, keepdims=True) - best + (turns / anatomy_sd) ** 2
    costs: NDArray[np.float64] = (own + others[:, None, :]).min(axis=2)
    return costs


def _view_verdict(
    cut: _Cut, costs: tuple[NDArray[np.float64], NDArray[np.float64]], candidate: Candidate, axis: LongAxis
) -> Verdict:
    """The view with the lowest cost by geometry; by geometry and descriptions where geometry is not sure."""
    view, decided_by = _decided(costs, candidate.hints, axis)
    evidence = {
        **cut.evidence,
        "expected_rotation_deg": VIEW_ROTATIONS_DEG.get(view),
        "margin": round(_margin(costs[0]), 1),
        "axis_from": axis.source,
        "decided_by": decided_by,
    }
    if candidate.cine.n_slices > 1:
        evidence["slice"] = cut.slice
    reason = _said(view, cut, decided_by, axis)
    hinted = hinted_view(candidate.hints)
    if hinted and hinted is not view:
        reason += f"; its description says {hinted.title}"
    return Verdict(view=view, kept=view is not View.OTHER, reason=reason, evidence=evidence, slice=cut.slice)


def _margin(costs: NDArray[np.float64]) -> float:
    """How much more the second best view costs than the best."""
    lowest, second = np.sort(costs)[:2]
    return float(second - lowest)


def _decided(
    costs: tuple[NDArray[np.float64], NDArray[np.float64]], hints: tuple[str, ...], axis: LongAxis
) -> tuple[View, str]:
    """The view of a plane and what decided it: geometry where it is sure, else descriptions too."""
    by_geometry, by_both = (_VIEWS[int(own.argmin())] for own in costs)
    if _margin(costs[0]) >= _SURE_COST:
        return by_geometry, "geometry"
    if by_both is not by_geometry:
        return by_both, "description"
    if _margin(costs[1]) >= _SURE_COST:
        return by_geometry, "geometry and description"
    if axis.source != "motion" and {"right ventricle", "valve or vessel"} & set(hints):
        return View.OTHER, "description"
    if axis.source == "usual direction":
        return View.OTHER, "nothing"
    return by_geometry, "geometry, uncertain"


def _said(view: View, cut: _Cut, decided_by: str, axis: LongAxis) -> str:
    if view is View.OTHER and decided_by == "nothing":
        return "a long-axis plane alone, which may be any view; neither geometry nor description tells which"
    if view is View.OTHER:
        return "geometry leaves its view open; its description names the right ventricle, a valve or a vessel"
    where = f"holds the left ventricle's axis (off by {cut.distance_mm:.0f} mm)"
    if axis.source == "usual direction":
        where = "lies along a left ventricle's usual direction"
    reason = f"{where}, turned {cut.rotation_deg:.0f} degrees about it, {view.title} being near "
    reason += f"{VIEW_ROTATIONS_DEG[view]:.0f}"
    return reason + _DECIDED_SAID[decided_by]


_DECIDED_SAID = {
    "geometry": "",
    "geometry and description": "; not sure by itself, but descriptions agree",
    "description": "; geometry left two views open, descriptions decided",
    "geometry, uncertain": "; not sure, and its description does not help",
}


def _one_per_view(
    verdicts: dict[int, Verdict], cuts: Mapping[int, _Cut], candidates: Sequence[Candidate]
) -> dict[int, Verdict]:
    for view in _VIEWS:
        rivals = [k for k, verdict in verdicts.items() if verdict.view is view and verdict.kept]
        if len(rivals) < 2:
            continue
        misfits = {k: _misfit(cuts[k], view) for k in rivals}
        near = [k for k in rivals if misfits[k] < min(misfits.values()) + 1]
        best = max(near, key=lambda k: (candidates[k].cine.n_frames, candidates[k].taken))
        for k in rivals:
            if k != best:
                reason = f"another {view.title} plane; {candidates[best].cine.label} was kept as the "
                reason += "better aligned" if k not in near else "one with more frames, or the later"
                verdicts[k] = replace(verdicts[k], kept=False, reason=reason)
    return verdicts


def _misfit(cut: _Cut, view: View) -> float:
    """How far a plane is from its view's ideal: 1 for 8 degrees of tilt, 5 mm or 15 degrees of turn."""
    turn = abs((cut.rotation_deg - VIEW_ROTATIONS_DEG[view] + 90) % 180 - 90)
    return (90 - cut.tilt_deg) / 8 + cut.distance_mm / 5 + turn / 15
