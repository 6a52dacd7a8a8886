"""Quality checks of volume curves and derived values: noise, completeness, phases and consistency.

Docstrings state how often a check fires on the expert labels of ACDC's 100 training patients (ED and ES only);
thresholds of curves over the whole cycle rest on simulated noise on one real curve.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.results import Flag
from cinema_cmr.measure.phases import CLOSED_SHARE, covers_cycle, odd_frames
from cinema_cmr.measure.quality.context import Check, QualityContext
from cinema_cmr.measure.quality.coverage import base_not_covered
from cinema_cmr.measure.quality.image_edge import MAX_STROKE_DIFFERENCE, is_cut

__all__ = ["CURVE_CHECKS"]

MIN_FRAMES = 10
"""Smallest number of frames that shows the shape of a cycle."""

MAX_ROUGHNESS = 0.1
"""Root mean square distance of the frames from the midpoint of their neighbours, as a share of the range."""

SYSTOLE = (0.15, 0.65)
"""Usual range of ES after ED, as a share of the cycle; at rest it lies at 0.3 to 0.45."""

MAX_ED_OFFSET = 0.25
"""Offset of ED from the first frame, before or after, as a share of the cycle (ACDC's patient090: 0.25)."""

LATEST_ES = 0.9
"""Share of the frames after which no end-systole is expected."""

_SHOWN = 5
"""Deviating frames that a message names."""

MAX_ES_DIFFERENCE = 0.15
"""Largest distance between the end-systoles of both ventricles, as a share of the cycle."""

MIN_SV_SHARE = 0.08
"""Smallest difference of the stroke volumes that is no error of the masks, as a share of the larger EDV: the SD of the
RV's volumes against experts is 10 of some 170 ml, and a stroke volume is the difference of two."""

MAX_VOLUME_ML = 1000.0
"""End-diastolic volume of one ventricle, or grams of myocardium; the largest reported are near 800."""

MAX_DIAMETER_MM = 115.0
"""Widest LV with its wall; of ACDC's 100 patients, 20 of them with a dilated LV, the widest has 96 mm."""

EF_PERCENT = (5.0, 85.0)
"""Range of ejection fractions of living hearts."""

MASS_RATIO = (0.8, 1.5)
"""Range of mass at ES over mass at ED; only masks change, muscle does not. ACDC experts: 0.89 to 1.47."""


def irregular_curve(context: QualityContext) -> Flag | None:
    """Report frames that deviate from their neighbours, in which the mask fails.

    Where the curve covers the cycle, as for the choice of ED and ES, the first frame is a neighbour of the last.
    """
    cine = context.cine
    for ventricle, curve in (("LV", context.volumes.lv_ml), ("RV", context.volumes.rv_ml)):
        periodic = covers_cycle(curve, times_ms=cine.frame_times_ms, rr_interval_ms=cine.rr_interval_ms)
        roughness, odd = _roughness(curve, periodic=periodic)
        if len(odd) or roughness > MAX_ROUGHNESS:
            return Flag(
                code="irregular-curve",
                severity="warning",
                message=f"the {ventricle} curve is not smooth{_deviating(odd)}",
                evidence={"ventricle": ventricle, "odd_frames": len(odd), "roughness": round(roughness, 3)},
            )
    return None


def _deviating(frames: NDArray[np.intp]) -> str:
    """Return the end of the message: which frames deviate, if any.

    >>> _deviating(np.array([24])), _deviating(np.array([3, 9]))
    ('; frame 24 deviates from its neighbours', '; frames 3, 9 deviate from their neighbours')
    """
    if not len(frames):
        return ""
    listed = ", ".join(map(str, frames[:_SHOWN])) + ("..." if len(frames) > _SHOWN else "")
    one = len(frames) == 1
    return f"; frame{'' if one else 's'} {listed} deviate{'s from its' if one else ' from their'} neighbours"


def _roughness(curve: NDArray[np.float64], *, periodic: bool) -> tuple[float, NDArray[np.intp]]:
    """Return the root mean square distance from the neighbours' midpoint over the range, and the odd frames."""
    known = np.flatnonzero(np.isfinite(curve))
    values = curve[known]
    if len(values) < MIN_FRAMES or np.ptp(values) == 0:
        return 0.0, known[:0]
    off = values[1:-1] - (values[:-2] + values[2:]) / 2
    return float(np.sqrt(np.mean(off**2)) / np.ptp(values)), known[odd_frames(values, periodic=periodic)]


def incomplete_cycle(context: QualityContext) -> Flag | None:
    """Report a curve whose end does not meet its start: part of the cycle is missing, or the mask drifts."""
    curve = context.volumes.lv_ml
    if len(curve) < MIN_FRAMES or not np.isfinite(curve[[0, -1]]).all():
        return None
    gap = float(abs(curve[-1] - curve[0]) / max(np.ptp(curve[np.isfinite(curve)]), 1e-9))
    if gap <= CLOSED_SHARE:
        return None
    return Flag(
        code="incomplete-cycle",
        severity="warning",
        message=f"the first and last LV volumes differ by {100 * gap:.0f} % of the range; the cycle may be incomplete",
        evidence={"first_ml": round(float(curve[0]), 1), "last_ml": round(float(curve[-1]), 1)},
    )


def unusual_phases(context: QualityContext) -> Flag | None:
    """Report ED in the middle of the cycle, or ES in its last tenth or far from the usual end of systole."""
    n_frames, ed, es = context.cine.n_frames, context.lv.ed, context.lv.es
    if n_frames < MIN_FRAMES or ed is None or es is None:
        return None
    ed_offset, systole = min(ed, n_frames - ed) / n_frames, (es - ed) % n_frames / n_frames
    late = ed_offset >= MAX_ED_OFFSET
    if not (late or es >= LATEST_ES * n_frames or not SYSTOLE[0] <= systole <= SYSTOLE[1]):
        return None
    return Flag(
        code="unusual-phases",
        severity="warning",
        message=f"ED in frame {ed} and ES in frame {es} of {n_frames} are unusual for a cine that starts at ED",
        evidence={"ed_frame": ed, "es_frame": es, "frames": n_frames, "systole_share": round(systole, 2)},
    )


def end_systole_mismatch(context: QualityContext) -> Flag | None:
    """Report end-systoles of LV and RV that lie far apart in the cycle."""
    n_frames, lv, rv = context.cine.n_frames, context.lv.es, context.rv.es
    if n_frames < MIN_FRAMES or lv is None or rv is None:
        return None
    difference = min((lv - rv) % n_frames, (rv - lv) % n_frames) / n_frames
    if difference <= MAX_ES_DIFFERENCE:
        return None
    return Flag(
        code="end-systole-mismatch",
        severity="warning",
        message=f"LV and RV end-systole differ by {100 * difference:.0f} % of the cycle (frames {lv} and {rv})",
        evidence={"lv_es_frame": lv, "rv_es_frame": rv},
    )


def sv_mismatch(context: QualityContext) -> Flag | None:
    """Report different stroke volumes: a regurgitant valve, a shunt, or a wrong mask; ACDC: 6 of 100.

    Where another flag gives the cause or states the volumes (a heart cut by the edge of the image, a missing base, an
    implausible EF), that one is raised alone.
    """
    lv, rv = context.value("lv_sv_ml"), context.value("rv_sv_ml")
    if lv is None or rv is None or max(lv, rv) <= 0:
        return None
    difference = abs(lv - rv) / max(lv, rv)
    larger_edv_ml = max(context.value(name) or 0.0 for name in ("lv_edv_ml", "rv_edv_ml"))
    within_error = abs(lv - rv) < MIN_SV_SHARE * larger_edv_ml
    if difference <= MAX_STROKE_DIFFERENCE or within_error or _is_explained(context):
        return None
    return Flag(
        code="sv-mismatch",
        severity="warning",
        message=f"stroke volumes of LV ({lv:.0f} ml) and RV ({rv:.0f} ml) differ by {100 * difference:.0f} % of the"
        " larger",
        evidence={"lv_sv_ml": round(lv, 1), "rv_sv_ml": round(rv, 1), "difference": round(difference, 2)},
    )


def _is_explained(context: QualityContext) -> bool:
    """Return whether another flag gives the cause of different stroke volumes, or states them."""
    if is_cut(context) or implausible_ef(context) is not None:
        return True
    base = base_not_covered(context)
    return base is not None and base.severity == "warning" and "rv_sv_ml" in base.evidence


def implausible_ef(context: QualityContext) -> Flag | None:
    """Report an ejection fraction that hardly any living heart has; ACDC: 3 of 100, all RV.

    That of an RV which the edge of the image cuts is left to `heart-exceeds-image`.
    """
    low, high = EF_PERCENT
    values = {name: context.value(name) for name in ("lv_ef_percent", "rv_ef_percent")}
    outside = {name: value for name, value in values.items() if value is not None and not low <= value <= high}
    if "rv_ef_percent" in outside and is_cut(context):
        del outside["rv_ef_percent"]
    if not outside:
        return None
    listed = ", ".join(f"{name[:2].upper()} {value:.0f} %" for name, value in outside.items())
    return Flag(
        code="implausible-ef",
        severity="warning",
        message=f"ejection fraction outside {low:g} to {high:g} %: {listed}",
        evidence={name: round(value, 1) for name, value in outside.items()},
    )


def implausible_volume(context: QualityContext) -> Flag | None:
    """Report a size that no heart has: the voxel size or the distance of the slices is wrong."""
    values = {name: context.value(name) for name in ("lv_edv_ml", "rv_edv_ml", "lv_mass_g")}
    outside = {name: value for name, value in values.items() if value is not None and value > MAX_VOLUME_ML}
    diameter_mm = _outer_diameter_mm(context)
    if diameter_mm > MAX_DIAMETER_MM:
        outside["lv_outer_diameter_mm"] = diameter_mm
    if not outside:
        return None
    return Flag(
        code="implausible-volume",
        severity="error",
        message=f"volume or mass above {MAX_VOLUME_ML:g} ml or g, or an LV wider than {MAX_DIAMETER_MM:g} mm, beyond"
        " any heart: voxel size or slice distance are wrong, do not use these measurements",
        evidence={name: round(value, 1) for name, value in outside.items()},
    )


def _outer_diameter_mm(context: QualityContext) -> float:
    """Return the diameter of a circle with the area of the LV and its wall, in the widest slice at ED."""
    areas = context.areas_mm2("lv", context.ed_frame) + context.areas_mm2("myo", context.ed_frame)
    return float(np.sqrt(4 * areas.max() / np.pi))


def mass_mismatch(context: QualityContext) -> Flag | None:
    """Report a mass at ES far from the mass at ED; ACDC: none."""
    ed, es = context.value("lv_mass_g"), context.value("lv_mass_es_g")
    if ed is None or es is None or MASS_RATIO[0] <= es / ed <= MASS_RATIO[1]:
        return None
    return Flag(
        code="mass-mismatch",
        severity="warning",
        message=f"LV mass is {ed:.0f} g at ED and {es:.0f} g at ES; muscle does not change, so one mask is wrong",
        evidence={"lv_mass_g": round(ed, 1), "lv_mass_es_g": round(es, 1)},
    )


CURVE_CHECKS: tuple[Check, ...] = (
    irregular_curve,
    incomplete_cycle,
    unusual_phases,
    end_systole_mismatch,
    sv_mismatch,
    implausible_ef,
    implausible_volume,
    mass_mismatch,
)
"""Checks in the order of their report."""
