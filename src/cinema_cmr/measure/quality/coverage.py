"""Coverage of the left ventricle by the short-axis stack: a base or an apex beyond the last slice, in millimetres.

The long-axis landmarks decide where the study has them: the distance of the mitral hinge points and of the apex from
the outer face of the last slice, along the normal of the stack. Without them the areas decide. The area of a ventricle
falls to zero towards the apex, linearly near a round tip. The mitral valve descends in systole: a last slice that holds
a large ventricle at end-systole too lies below the valve by the whole descent at end-diastole.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import Landmarks
from cinema_cmr.core.geometry import apply_affine, unit
from cinema_cmr.core.results import Flag
from cinema_cmr.measure.quality.context import Check, QualityContext

__all__ = ["COVERAGE_CHECKS", "apex_not_covered", "base_not_covered"]

Array = NDArray[np.float64]
End = Literal["base", "apex"]

MIN_MISSING_MM = 5.0
"""Smallest distance between landmarks and stack that is no error of either, if half the slice distance is not larger:
landmarks are off by 2 to 4 mm, breath holds differ by about as much."""

LARGE_APEX_SHARE = 0.4
"""Share of the largest LV area above which the last apical slice is not the apex."""

LARGE_BASE_SHARE = 0.8
"""Share of the largest LV area at ED above which the stack may end below the base. In phantoms whose basal slices were
left out, the base was missing by 7 mm or more in each stack with more, and by 4 mm or less in most with less."""

CLOSED_BASE_SHARE = 0.3
"""Share of the largest LV area at ES below which the valve has passed the last slice: the stack reaches the base."""

DESCENT_SHARE = 0.15
"""Descent of the mitral valve as a share of the length, in a ventricle whose mid-ventricular area halves in systole:
12 to 15 mm of 90 mm (Kawel-Boehm et al., JCMR 2020;22:87)."""

MIN_LENGTH_RATIO = 1.1
"""Labelled LV length over LV diameter at end-diastole; a shorter stack with a large basal end is incomplete."""

USUAL_LENGTH_RATIO = 1.5
"""LV length over diameter at ED of a whole ventricle, at least; about 1.8 in healthy adults (Kawel-Boehm et al.)."""

MAX_STROKE_RATIO = 0.85
"""LV over RV stroke volume below which a large last slice is a sign of a missing base; without shunt or regurgitation
they are equal."""


MAX_RV_STROKE_RATIO = 0.6
"""RV over LV stroke volume below which a base that the areas show to be missing is confirmed."""


@dataclass(frozen=True, kw_only=True)
class _StackEnd:
    """Last slice at base or apex, with the LV areas at ED and ES counted from it."""

    slice: int
    areas_mm2: Array
    """(z,) at ED, the last slice first."""
    es_areas_mm2: Array | None
    """(z,) at ES; None if the LV has no ES."""
    spacing_mm: float

    @property
    def share(self) -> float:
        """Share of the largest LV area at ED."""
        return float(self.areas_mm2[0] / self.areas_mm2.max())

    @property
    def es_share(self) -> float | None:
        """Share of the largest LV area at ES."""
        if self.es_areas_mm2 is None or not self.es_areas_mm2.any():
            return None
        return float(self.es_areas_mm2[0] / self.es_areas_mm2.max())

    @property
    def tolerance_mm(self) -> float:
        """Smallest distance from landmarks that is reported."""
        return max(MIN_MISSING_MM, self.spacing_mm / 2)


def apex_not_covered(context: QualityContext) -> Flag | None:
    """Report an apex beyond the last slice; ACDC, without landmarks: 1 of 100."""
    end = _stack_end(context, "apex")
    if end is None or not end.areas_mm2[0]:
        return None
    missing_mm = _missing_by_landmarks_mm(context, end, "apex")
    if missing_mm is not None:
        return _landmark_flag(end, missing_mm, "apex") if missing_mm > end.tolerance_mm else None
    if end.share <= LARGE_APEX_SHARE:
        return None
    evidence: dict[str, str | int | float] = {"slice": end.slice, "area_share": round(end.share, 2)}
    message = (
        f"the stack ends in slice {end.slice} with {100 * end.share:.0f} % of the largest LV area, without the apex"
    )
    missing_mm = _apex_by_areas_mm(end)
    if missing_mm is not None:
        evidence |= {"missing_mm": round(missing_mm, 1), "missing_from": "areas"}
        message += f", which is about {missing_mm:.0f} mm beyond it by the decrease of the areas"
    return Flag(code="apex-not-covered", severity="warning", message=message, evidence=evidence)


def base_not_covered(context: QualityContext) -> Flag | None:
    """Report a base beyond the last slice, or a last slice with most of the largest LV area at ED.

    A warning if landmarks, unequal stroke volumes or a ventricle shorter than wide confirm that the base is missing,
    else an info. ACDC's stacks end with the last labelled slice and have no landmarks: many have one or the other.
    """
    end = _stack_end(context, "base")
    if end is None or not end.areas_mm2[0]:
        return None
    missing_mm = _missing_by_landmarks_mm(context, end, "base")
    if missing_mm is not None:
        return _landmark_flag(end, missing_mm, "base") if missing_mm > end.tolerance_mm else None
    es_share = end.es_share
    if end.share <= LARGE_BASE_SHARE or (es_share is not None and es_share < CLOSED_BASE_SHARE):
        return None
    return _base_flag_by_areas(context, end)


def _base_flag_by_areas(context: QualityContext, end: _StackEnd) -> Flag:
    length, diameter = _length_and_diameter_mm(context)
    at_least = _base_by_descent_mm(end, length)
    missing, short = at_least >= MIN_MISSING_MM, length < MIN_LENGTH_RATIO * diameter
    strokes = _unequal_strokes_ml(context, missing=missing)
    message = f"the stack ends in slice {end.slice} with {100 * end.share:.0f} % of the largest LV area at ED"
    evidence: dict[str, str | int | float] = {
        "slice": end.slice,
        "area_share": round(end.share, 2),
        "length_over_diameter": round(length / diameter, 2),
    }
    if end.es_share is not None:
        message += f" and {100 * end.es_share:.0f} % at ES"
        evidence["es_area_share"] = round(end.es_share, 2)
    if missing:
        message += f": by the valve's descent in systole the base is about {at_least:.0f} mm or more beyond it"
        evidence |= {"missing_mm": round(at_least, 1), "missing_from": "areas"}
    elif short:
        message += f"; the LV is only {length / diameter:.1f} times as long as wide, so the base is missing"
    else:
        message += "; the base may be missing"
    if strokes:
        message += f", as a stroke volume of {strokes[0]:.0f} ml for the LV and {strokes[1]:.0f} ml for the RV suggests"
        evidence |= {"lv_sv_ml": round(strokes[0], 1), "rv_sv_ml": round(strokes[1], 1)}
    severity: Literal["warning", "info"] = "warning" if short or strokes else "info"
    message += "; volumes are too small" if short or (missing and strokes) else "; volumes may be too small"
    return Flag(code="base-not-covered", severity=severity, message=message, evidence=evidence)


def _landmark_flag(end: _StackEnd, missing_mm: float, name: End) -> Flag:
    points = "mitral hinge points" if name == "base" else "apex"
    return Flag(
        code=f"{name}-not-covered",
        severity="warning",
        message=f"the stack ends in slice {end.slice}, {missing_mm:.0f} mm before the {points} of the long-axis views;"
        f" the {name} is missing and volumes are too small",
        evidence={
            "slice": end.slice,
            "area_share": round(end.share, 2),
            "missing_mm": round(missing_mm, 1),
            "missing_from": "landmarks",
        },
    )


def _stack_end(context: QualityContext, name: End) -> _StackEnd | None:
    """Return the outermost slice at base or apex; None if either is unknown or nothing is labelled at ED."""
    areas = context.areas_mm2("lv", context.ed_frame)
    if context.volumes.base is None or not areas.any():
        return None
    first = (context.volumes.base == "first") == (name == "base")
    inwards = slice(None, None, 1 if first else -1)
    es = context.lv.es
    weights = context.cine.slice_weights_mm
    return _StackEnd(
        slice=0 if first else len(areas) - 1,
        areas_mm2=areas[inwards],
        es_areas_mm2=None if es is None or es == context.ed_frame else context.areas_mm2("lv", es)[inwards],
        spacing_mm=float(weights[0 if first else -1]),
    )


def _missing_by_landmarks_mm(context: QualityContext, end: _StackEnd, name: End) -> float | None:
    """Return the distance of the landmarks at ED beyond the outer face of the last slice, mean of the views.

    Negative inside the stack; None without landmarks or a known orientation of the stack.
    """
    cine = context.cine
    if not cine.orientation_known or cine.n_slices < 2:
        return None
    depths = [_along_stack_mm(context, point) for point in _end_points(context.landmarks.values(), name)]
    if not depths:
        return None
    position = float(np.mean(depths))
    extent = float(cine.slice_positions_mm[-1] - cine.slice_positions_mm[0])
    beyond = -position if end.slice == 0 else position - extent
    return float(beyond) - end.spacing_mm / 2


def _end_points(landmarks: Iterable[Landmarks], name: End) -> list[Array]:
    """Return one RAS point of each view at ED, its longest frame: the middle of the hinge points, or the apex."""
    points = []
    for one in landmarks:
        first, second, apex = one.tracks()
        middle = (first + second) / 2
        lengths = np.linalg.norm(apex - middle, axis=1)
        if np.isfinite(lengths).any():
            points.append((middle if name == "base" else apex)[int(np.nanargmax(lengths))])
    return points


def _along_stack_mm(context: QualityContext, point: Array) -> float:
    """Return the position of a RAS point along the normal of the stack, from its first slice towards its last."""
    affine = context.cine.affine
    normal = unit(np.cross(affine[:3, 0], affine[:3, 1]))
    normal = normal if normal @ affine[:3, 2] > 0 else -normal
    return float((point - apply_affine(affine, np.zeros(3))) @ normal)


def _apex_by_areas_mm(end: _StackEnd) -> float | None:
    """Return where the area falls to zero beyond the outer face of the last slice; None if it does not fall.

    The area of an ellipsoid is a parabola along its axis: fitted from the widest slice to the last.
    """
    to_widest = end.areas_mm2[: int(np.argmax(end.areas_mm2)) + 1]
    if len(to_widest) < 3:
        return None
    outwards = -np.arange(len(to_widest)) * end.spacing_mm
    roots = np.roots(np.polyfit(outwards, to_widest, 2))
    beyond = roots[np.isreal(roots) & (roots.real > 0)].real
    return float(max(0.0, beyond.min() - end.spacing_mm / 2)) if len(beyond) else None


def _base_by_descent_mm(end: _StackEnd, length_mm: float) -> float:
    """Return the least distance of the base beyond the outer face of the last slice, from the descent of the valve.

    At ES the valve is still beyond the middle of the slice, so at ED it is further by the whole descent.
    """
    if end.es_areas_mm2 is None:
        return 0.0
    wide = end.areas_mm2 >= 0.5 * end.areas_mm2.max()
    shortening = float(np.median(1 - end.es_areas_mm2[wide] / end.areas_mm2[wide]))
    diameter_mm = float(np.sqrt(4 * end.areas_mm2.max() / np.pi))
    descent = DESCENT_SHARE * max(length_mm, USUAL_LENGTH_RATIO * diameter_mm) * float(np.clip(shortening / 0.5, 0, 1))
    return descent - end.spacing_mm / 2


def _unequal_strokes_ml(context: QualityContext, *, missing: bool) -> tuple[float, float] | None:
    """Return the stroke volumes of LV and RV if that of the LV is much the smaller, as without its base.

    Where the valve's descent shows that the base is missing, also if that of the RV is by far the smaller: most of the
    RV lies near the base.
    """
    lv, rv = context.value("lv_sv_ml"), context.value("rv_sv_ml")
    if lv is None or rv is None or lv <= 0:
        return None
    return (lv, rv) if lv < MAX_STROKE_RATIO * rv or (missing and rv < MAX_RV_STROKE_RATIO * lv) else None


def _length_and_diameter_mm(context: QualityContext) -> tuple[float, float]:
    areas = context.areas_mm2("lv", context.ed_frame)
    length = float(context.cine.slice_weights_mm[areas > 0].sum())
    return length, float(np.sqrt(4 * areas.max() / np.pi))


COVERAGE_CHECKS: tuple[Check, ...] = (apex_not_covered, base_not_covered)
"""Checks in the order of their report."""
