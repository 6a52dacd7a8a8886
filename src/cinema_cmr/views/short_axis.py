"""Which stack of parallel slices cuts the left ventricle across: not every one does.

Transverse, coronal and long-axis stacks are parallel too. A short-axis stack's normal lies along the
ventricle's long axis: where that usually points in a chest, and where the study's long-axis planes meet.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.geometry import plane_angle_deg
from cinema_cmr.core.vocabulary import View
from cinema_cmr.views.axis import Plane, angle_to_expected_deg, axis_from_planes, meeting_lines
from cinema_cmr.views.verdict import Candidate, Verdict, hinted_view

__all__ = ["judge_stacks"]

Array = NDArray[np.float64]

_USUAL_DEG = 40.0
"""An axis further than this from the usual one is believed only where long-axis planes meet along it."""
_SUPPORTED_DEG = 55.0
_BODY_DEG = 20.0
"""A normal nearer than this to a body axis is a body plane's; hearts lie obliquely."""
_BODY_SUPPORTED_DEG = 12.0
_ALONG_DEG = 15.0
_AGAINST_DEG = 35.0
_FEW_SLICES_DEG = 30.0
_USUAL_KEY = "normal_to_usual_axis_deg"
_BODY_KEY = "normal_to_nearest_body_axis_deg"
_BODY_PLANES = ("sagittal", "coronal", "transverse")


def judge_stacks(candidates: Sequence[Candidate]) -> dict[int, Verdict]:
    """Verdicts for the stacks, by index of the candidate: at most one is kept as short axis.

    Candidates without a verdict may be long-axis planes. Of several short-axis stacks the one with more
    slices is kept, then more frames, more coverage, the later. One or two slices are taken only where no
    stack is found.
    """
    verdicts = {k: _judged(k, candidates) for k, one in enumerate(candidates) if one.cine.n_slices >= 3}
    across = [k for k, verdict in verdicts.items() if verdict.view is View.SAX]
    if not across:
        across = [k for k, one in enumerate(candidates) if _few_slices_across(one)]
        verdicts.update({k: _judged(k, candidates) for k in across})
        across = [k for k in across if verdicts[k].view is View.SAX]
    if across:
        best = max(across, key=lambda k: _worth(candidates[k]))
        for k in across:
            if k != best:
                verdicts[k] = _second_best(candidates[k], candidates[best], verdicts[k])
    return {k: verdict for k, verdict in verdicts.items() if not _may_hold_axis(verdict)}


def _judged(k: int, candidates: Sequence[Candidate]) -> Verdict:
    """Short axis or not, for one stack beside the planes of all others."""
    own = candidates[k]
    normal = own.middle_plane.normal
    others = [one.middle_plane for j, one in enumerate(candidates) if j != k]
    usual = angle_to_expected_deg(normal)
    along = sum(
        plane_angle_deg(line.direction, normal) <= _ALONG_DEG
        and angle_to_expected_deg(line.direction) <= _SUPPORTED_DEG
        for line in meeting_lines(others)
    )
    evidence = {
        _USUAL_KEY: round(usual, 1),
        _BODY_KEY: round(float(_body_angles_deg(normal).min()), 1),
        "long_axis_pairs_meeting_along_normal": along,
        "n_slices": own.cine.n_slices,
    }
    count = f"{own.cine.n_slices} parallel slices" if own.cine.n_slices > 1 else "a single slice"
    objection = _why_not_across(normal, others, supported=along > 0)
    if objection:
        return Verdict(view=View.OTHER, kept=False, reason=f"{count} {objection}", evidence=evidence)
    support = f"; {along} pairs of long-axis planes meet along it" if along else ""
    reason = f"{count} across the left ventricle: normal {usual:.0f} degrees from its usual axis{support}"
    return Verdict(view=View.SAX, kept=True, reason=reason, evidence=evidence)


def _why_not_across(normal: Array, others: Sequence[Plane], *, supported: bool) -> str | None:
    """What speaks against a normal being the ventricle's axis; None where nothing does."""
    body = _body_angles_deg(normal)
    if float(body.min()) < (_BODY_SUPPORTED_DEG if supported else _BODY_DEG):
        plane = _BODY_PLANES[int(body.argmin())]
        return f"in a {plane} plane (within {body.min():.0f} degrees), not across the left ventricle"
    usual = angle_to_expected_deg(normal)
    if usual > (_SUPPORTED_DEG if supported else _USUAL_DEG):
        return f"whose normal is {usual:.0f} degrees from a left ventricle's usual axis: not across it"
    common = axis_from_planes(others)
    if common is None or common[1] < 3:
        return None
    against = plane_angle_deg(common[0].direction, normal)
    if against <= _AGAINST_DEG:
        return None
    return f"whose normal is {against:.0f} degrees from the line where the long-axis planes meet"


def _body_angles_deg(normal: Array) -> Array:
    """(3,) angles of a line to the left-right, back-front and foot-head axes."""
    angles: Array = np.degrees(np.arccos(np.clip(np.abs(normal), 0, 1)))
    return angles


def _few_slices_across(one: Candidate) -> bool:
    hinted = hinted_view(one.hints)
    if {"right ventricle", "valve or vessel"} & set(one.hints) or hinted not in (None, View.SAX):
        return False
    return one.cine.n_slices < 3 and angle_to_expected_deg(one.middle_plane.normal) <= _FEW_SLICES_DEG


def _worth(one: Candidate) -> tuple[object, ...]:
    cine = one.cine
    usual = angle_to_expected_deg(one.middle_plane.normal) <= _USUAL_DEG
    return (usual, cine.n_slices, cine.n_frames, float(cine.slice_positions_mm[-1]), one.taken)


def _second_best(left: Candidate, best: Candidate, verdict: Verdict) -> Verdict:
    said = f"{left.cine.n_slices} slices x {left.cine.n_frames} frames"
    kept = f"{best.cine.label} with {best.cine.n_slices} x {best.cine.n_frames}"
    reason = f"another short-axis stack ({said}); {kept} was kept"
    if _worth(left)[:4] == _worth(best)[:4]:
        reason += " as the later acquisition"
    return Verdict(view=View.SAX, kept=False, reason=reason, evidence=verdict.evidence)


def _may_hold_axis(verdict: Verdict) -> bool:
    """True for a stack of parallel planes along the usual axis, one of which may be a long-axis view."""
    usual, body = (float(verdict.evidence[name] or 0) for name in (_USUAL_KEY, _BODY_KEY))
    return verdict.view is View.OTHER and usual > _SUPPORTED_DEG and body >= _BODY_DEG
