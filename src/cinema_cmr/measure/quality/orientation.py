"""Quality checks of what a stack and its long axes show, from the masks: whether the slices cut the LV across, which
end is the base, whether each long-axis plane lies where its view does, and whether the heart is a mirror image.

Views are recognised before any mask exists. A transverse stack in a rotated export may lie by chance as a short axis
usually does, and the hand of a heart in an unusual position may be mistaken; the masks show both. A
direction of the body enters for the base alone, beside the masks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.geometry import apply_affine, unit
from cinema_cmr.core.results import Flag
from cinema_cmr.measure.basal.end import BasalEvidence
from cinema_cmr.measure.basal.rim import enclosed_fractions
from cinema_cmr.measure.quality.context import Check, QualityContext
from cinema_cmr.measure.quality.image_edge import is_lv_cut
from cinema_cmr.views.axis import rotation_deg
from cinema_cmr.views.long_axes import VIEW_ROTATIONS_DEG

__all__ = [
    "ORIENTATION_CHECKS",
    "CutShape",
    "base_uncertain",
    "cut_shape",
    "is_base_uncertain",
    "long_axes_misplaced",
    "not_short_axis",
]

Array = NDArray[np.float64]

MIN_ODDS = 0.6
"""Log odds from which a stack is no short axis: in the middle of the gap (`_WEIGHTS`)."""

MAX_ROTATION_DEG = 35.0
"""Largest rotation of a long-axis plane from its view, about the axis. Neighbouring views are 60 degrees apart; of 34
phantoms in any position no plane is off by more than 18, of the multi-view study none by more than 15."""

MIN_TURN_DEG = 25.0
"""Turn of the RV about the LV from base to apex, towards the front, from which the heart is a mirror image. About two
thirds of mirrored hearts reach it; the masks of 34 phantoms, whose RV does not turn, stay within 22 either way."""

_MIN_TURN_SLICES = 4
_SLICE_SHARE = 0.2
"""Slices count whose wall and blood have this share of the largest area."""
_OPEN_END_SHARE = 0.4
"""A stack ends within the heart if its end slice has this share of the largest area."""
_OPEN_ENDS_DEG = 30.0
"""Where it does at both ends, the longest axis of the masks is that of the slab, and counts up to here."""
_MIN_RV_SHARE = 0.1
"""Volume of the RV, as a share of the LV's blood, from which its side is certain."""

_CONFIDENCE = (0.88, 0.94)
"""Range in which confidence counts, so that a weak model alone does not decide."""
_WEIGHTS = (2.04, 1.61, 0.65, 4.70, 1.16, 4.72)
_BIAS = 16.0
"""Log odds per value of `CutShape.log_odds`, by logistic regression on masks of one pass of `cinema-sax`: 60 transverse
and 5 coronal stacks of phantoms against 91 real short axes (ACDC, 20 patients with an overloaded RV among them, whole
cycles of cropped ACDC stacks, Kaggle, Sunnybrook, multi-view) and 34 of phantoms. Each left out in turn, the short
axes reach -0.5 (a ventricle flattened by its RV), and the others begin at 1.7."""


@dataclass(frozen=True, kw_only=True)
class CutShape:
    """How wall and blood of the LV lie in a stack, over ED and ES."""

    elongation: float
    """Largest over smallest standard deviation within a slice, mean by area; 1 for a circle."""
    axis_deg: float
    """Angle of the longest axis to the normal of the slices."""
    drift: float
    """Drift of the centre per mm along the normal."""
    length_ratio: float
    """Largest over middle standard deviation in space."""
    enclosed: float
    """Share of the rim of the blood that is myocardium."""
    confidence: float
    """Mean probability of the labels, the lower of both frames."""

    @property
    def log_odds(self) -> float:
        """Log odds that the slices do not cut the LV across."""
        values = (
            np.log(self.elongation - 0.97),
            min(self.axis_deg, 60.0) / 30,
            np.log(self.drift + 0.05),
            max(0.0, self.length_ratio - 1.7),
            np.log(1.02 - self.enclosed),
            np.log(1.02 - np.clip(self.confidence, *_CONFIDENCE)),
        )
        return float(np.dot(_WEIGHTS, values) + _BIAS)


def cut_shape(context: QualityContext) -> CutShape | None:
    """Return the shape of the LV in the slices; None without a model's confidence, or with less than two slices."""
    if context.prediction is None:
        return None
    confidence = context.prediction.confidence[list(context.key_frames)]
    enclosed = enclosed_fractions(context.cine, context.labels)
    shapes = [_frame_shape(context, frame, enclosed[:, frame]) for frame in context.key_frames]
    found = np.array([shape for shape in shapes if shape is not None])
    if not len(found) or not np.isfinite(confidence).any():
        return None
    elongation, axis_deg, drift, length_ratio, share = found.mean(axis=0).tolist()
    return CutShape(
        elongation=elongation,
        axis_deg=axis_deg,
        drift=drift,
        length_ratio=length_ratio,
        enclosed=share,
        confidence=float(np.nanmin(confidence)),
    )


def _frame_shape(context: QualityContext, frame: int, enclosed: Array) -> tuple[float, ...] | None:
    """Return the values of `CutShape` but the confidence, of one frame; None with less than two slices."""
    heart = context.mask("lv", frame) | context.mask("myo", frame)
    areas = np.count_nonzero(heart, axis=(0, 1)).astype(np.float64)
    slices = np.flatnonzero(areas > _SLICE_SHARE * areas.max())
    if len(slices) < 2:
        return None
    dx, dy, _ = context.cine.spacing_mm
    position_mm = context.cine.slice_positions_mm
    x, y, z = np.nonzero(heart)
    points = np.stack([x * dx, y * dy, position_mm[z]], axis=1)
    in_plane = [points[z == k, :2] for k in slices]
    spread, axes = np.linalg.eigh(np.cov(points.T))
    angle = float(np.degrees(np.arccos(min(1.0, abs(axes[2, 2])))))
    open_ends = bool((areas[[0, -1]] > _OPEN_END_SHARE * areas.max()).all())
    weights = areas[slices] / areas[slices].sum()
    from_middle = position_mm[slices] - weights @ position_mm[slices]
    centres = np.array([one.mean(axis=0) for one in in_plane])
    drift = np.linalg.norm((weights * from_middle) @ centres) / max(float(weights @ from_middle**2), 1.0)
    blood = context.areas_mm2("lv", frame)
    return (
        float(weights @ [_elongation(one) for one in in_plane]),
        min(angle, _OPEN_ENDS_DEG) if open_ends else angle,
        float(drift),
        float(np.sqrt(spread[2] / max(float(spread[1]), 1e-6))),
        float(np.nan_to_num(enclosed) @ blood / max(float(blood.sum()), 1e-6)),
    )


def _elongation(points_mm: Array) -> float:
    """Return the ratio of the standard deviations of points (n, 2) along their longest and shortest axis."""
    spread = np.linalg.eigvalsh(np.cov(points_mm.T) + 0.3 * np.eye(2)) if len(points_mm) > 1 else np.ones(2)
    return float(np.sqrt(spread[1] / spread[0]))


def not_short_axis(context: QualityContext) -> Flag | None:
    """Report masks that do not look like slices across the LV: oblong, along another axis, open, uncertain.

    ACDC: none of 42 patients with masks of `cinema-sax`, 20 of them with an overloaded RV, whose LV is oblong. A heart
    that was magnified has `small-heart` instead: the weights are those of adults, and an infant's heart, as wide as
    long and labelled with less certainty, passes for another plane. An LV that the edge of the image cuts is oblong by
    that alone, and has the error `heart-exceeds-image`.
    """
    if context.prediction is not None and context.prediction.location.magnification > 1:
        return None
    shape = cut_shape(context)
    if shape is None or shape.log_odds < MIN_ODDS or is_lv_cut(context):
        return None
    return Flag(
        code="not-short-axis",
        severity="error",
        message=(
            "the masks are not those of slices across the LV: wall and blood are"
            f" {shape.elongation:.2f} times as long as wide in the slices, their longest axis lies"
            f" {shape.axis_deg:.0f} degrees from the normal, {100 * shape.enclosed:.0f} % of the rim of the blood is"
            f" myocardium, and the mean probability of the labels is {shape.confidence:.2f}; do not use these"
            " measurements unless the images show a short axis"
        ),
        evidence={
            "log_odds": round(shape.log_odds, 1),
            "elongation": round(shape.elongation, 2),
            "axis_to_normal_deg": round(shape.axis_deg, 1),
            "length_ratio": round(shape.length_ratio, 2),
            "enclosed_share": round(shape.enclosed, 2),
        },
    )


def is_base_uncertain(evidence: BasalEvidence) -> bool:
    """Return whether nothing clear shows the base, or something shows it at the other end.

    Masks and long axes that agree leave no doubt: the heart or the file lies in an unusual position. Without a labelled
    wall the base changes no volume and is never uncertain.
    """
    settled = {source for source, end in evidence.votes.items() if end == evidence.end} >= {"masks", "long axes"}
    return evidence.walled and not settled and bool(not evidence.votes or evidence.opposed)


def base_uncertain(context: QualityContext) -> Flag | None:
    """Report a stack whose base may be at the other end; ACDC, whole: none of 100."""
    evidence = context.volumes.base_evidence
    if not is_base_uncertain(evidence) or context.cine.n_slices < 2:
        return None
    consequence = "; if it is the other one, the basal rule applies at the apex: compare with the images"
    if evidence.end is None:
        message = "masks, long axes and orientation do not show which end of the stack is the base; every slice counts"
    elif evidence.opposed:
        message = (
            f"the {evidence.end} slice is taken as the basal one (by {_words(evidence, agreeing=True)}), though"
            f" {_words(evidence, agreeing=False)} would have it at the other end{consequence}"
        )
    else:
        message = (
            f"the {evidence.end} slice is taken as the basal one, by masks whose area hardly falls to either"
            f" end{consequence}"
        )
    return Flag(
        code="base-uncertain",
        severity="warning",
        message=message,
        evidence={
            "base": evidence.end or "unknown",
            "tilt": round(evidence.tilt, 3),
            **{str(source).replace(" ", "_"): str(end) for source, end in evidence.votes.items()},
        },
    )


def _words(evidence: BasalEvidence, *, agreeing: bool) -> str:
    agree = [source for source, end in evidence.votes.items() if end == evidence.end]
    return " and ".join(agree if agreeing else evidence.opposed)


def long_axes_misplaced(context: QualityContext) -> Flag | None:
    """Report long-axis planes that, by the sides of base and RV in the masks, lie where another view does.

    Of a mirrored body 3- and 4-chamber are exchanged alike, which these directions do not show (`heart_mirrored`).
    """
    side = _rv_side(context)
    if side is None:
        return None
    off = {
        cine.view: _off_deg(cine.affine, side.axis, side.towards_rv) - VIEW_ROTATIONS_DEG[cine.view]
        for cine in context.study.cines
        if cine.view in VIEW_ROTATIONS_DEG and cine.orientation_known
    }
    misplaced = {view: (angle + 90) % 180 - 90 for view, angle in off.items()}
    wrong = {str(view): round(angle) for view, angle in misplaced.items() if abs(angle) > MAX_ROTATION_DEG}
    if not wrong:
        return None
    planes = ", ".join(f"{view} {abs(angle)}" for view, angle in wrong.items())
    return Flag(
        code="long-axes-misplaced",
        severity="warning",
        message=f"by base and RV in the masks these planes are rotated about the axis from where their view lies, in"
        f" degrees: {planes}; they may show another view: look at them, and name them with --view",
        evidence={f"{view}_off_deg": angle for view, angle in wrong.items()},
    )


def heart_mirrored(context: QualityContext) -> Flag | None:
    """Report an RV that turns about the LV, from base to apex, as that of a mirror image does.

    From the outflow tract to the apex the RV turns towards the diaphragm: on the expert labels of ACDC's 100 training
    patients, whose hand is the same in all, by 30 degrees in the median, and by more than 15 the other way in none.
    """
    side = _rv_side(context)
    known = any(issue.code == "body-mirrored" for issue in context.study.issues)
    if side is None or known or len(side.depths_mm) < _MIN_TURN_SLICES:
        return None
    anterior = np.cross(side.towards_rv, side.axis)
    angles = np.degrees(np.arctan2(side.offsets_mm @ anterior, side.offsets_mm @ side.towards_rv))
    turn = float(np.polyfit(side.depths_mm, angles, 1)[0] * np.ptp(side.depths_mm))
    if turn < MIN_TURN_DEG:
        return None
    return Flag(
        code="body-mirrored",
        severity="warning",
        message=f"from base to apex the RV turns by {turn:.0f} degrees towards the front, as in the mirror image of a"
        " heart: dextrocardia, or a file whose left and right were exchanged; compare with another series of the"
        " patient before using left and right",
        evidence={"rv_turn_deg": round(turn)},
    )


@dataclass(frozen=True, kw_only=True)
class _RvSide:
    """Where the RV lies about the LV at ED; directions are RAS."""

    axis: Array
    """(3,) from base to apex, along the normal of the slices."""
    towards_rv: Array
    """(3,) from the LV to the RV, across the axis."""
    offsets_mm: Array
    """(n, 3) from the centre of LV blood to that of the RV, in each slice with both."""
    depths_mm: Array
    """(n,) position of these slices, towards the apex."""


def _rv_side(context: QualityContext) -> _RvSide | None:
    """Return where the RV lies; None without an orientation, a base, or enough of an RV."""
    cine, base = context.cine, context.volumes.base
    if not cine.orientation_known or base is None:
        return None
    blood, rv = (context.mask(name, context.ed_frame) for name in ("lv", "rv"))
    if np.count_nonzero(rv) < max(1, _MIN_RV_SHARE * np.count_nonzero(blood)):
        return None
    normal = unit(np.cross(cine.affine[:3, 0], cine.affine[:3, 1]))
    upwards = normal if normal @ cine.affine[:3, 2] > 0 else -normal
    sign = 1.0 if base == "first" else -1.0
    axis = sign * upwards
    slices = np.flatnonzero(blood.any(axis=(0, 1)) & rv.any(axis=(0, 1)))
    centres = ([np.array([*np.argwhere(mask[:, :, k]).mean(axis=0), k]) for k in slices] for mask in (blood, rv))
    of_lv, of_rv = (apply_affine(cine.affine, np.array(one).reshape(-1, 3)) for one in centres)
    offsets = of_rv - of_lv
    towards = np.count_nonzero(rv[:, :, slices], axis=(0, 1)) @ offsets
    towards = towards - (towards @ axis) * axis
    if not np.linalg.norm(towards) > 0:
        return None
    depths = sign * cine.slice_positions_mm[slices]
    return _RvSide(axis=axis, towards_rv=unit(towards), offsets_mm=offsets, depths_mm=depths)


def _off_deg(affine: Array, axis: Array, towards_rv: Array) -> float:
    """Return the rotation of a plane about the axis, 0 towards the RV."""
    return rotation_deg(unit(np.cross(affine[:3, 0], affine[:3, 1])), axis, towards_rv=towards_rv)


ORIENTATION_CHECKS: tuple[Check, ...] = (not_short_axis, base_uncertain, long_axes_misplaced, heart_mirrored)
"""Checks in the order of their report."""
