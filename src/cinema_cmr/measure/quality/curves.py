"""Quality of the curves and what follows: noise, closure, odd phases, disagreement.

How often each check fires on the experts' labels of ACDC's 100 training patients (ED and ES only) stands
beside it; curves over the whole cycle are judged by simulated noise on one real curve.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.results import Flag
from cinema_cmr.measure.phases import CLOSED_SHARE, odd_frames
from cinema_cmr.measure.quality.context import Check, QualityContext

__all__ = ["CURVE_CHECKS"]

FEWEST_FRAMES = 10
"""Fewer frames do not show the shape of a cycle."""

ROUGH_SHARE = 0.1
"""Of the curve's range: root mean square distance of the frames from the line between their neighbours."""

SYSTOLE = (0.15, 0.65)
"""Share of the cycle from ED at which ES is ordinary; at rest it comes at 0.3 to 0.45."""

LATE_OR_EARLY = 0.25
"""Share of the cycle by which ED may lie off the first frame, before or after (ACDC's patient090: 0.25)."""

LAST_TENTH = 0.9

PHASES_APART = 0.15
"""Share of the cycle between the two ventricles' end-systoles."""

SV_MISMATCH = 0.4
"""Of the larger stroke volume; on ACDC's expert labels 20 % fires on 52 of 100, 40 % on 22."""

EF_PERCENT = (5.0, 85.0)

MASS_RATIO = (0.8, 1.5)
"""Mass at ES over mass at ED; muscle does not change, masks do. ACDC's experts: 0.89 to 1.47."""


def rough_curve(context: QualityContext) -> Flag | None:
    """Frames that jump from their neighbours: the mask fails in them."""
    for ventricle, curve in (("LV", context.volumes.lv_ml), ("RV", context.volumes.rv_ml)):
        roughness, odd = _roughness(curve)
        if odd or roughness > ROUGH_SHARE:
            return Flag(
                code="irregular-curve",
                severity="warning",
                message=f"the {ventricle} curve is not smooth; frames unlike their neighbours: {odd}",
                evidence={"ventricle": ventricle, "odd_frames": odd, "roughness": round(roughness, 3)},
            )
    return None


def _roughness(curve: NDArray[np.float64]) -> tuple[float, int]:
    """Root mean square way off the neighbours' middle, of the range; and how many frames are odd."""
    values = curve[np.isfinite(curve)]
    if len(values) < FEWEST_FRAMES or np.ptp(values) == 0:
        return 0.0, 0
    off = values[1:-1] - (values[:-2] + values[2:]) / 2
    return float(np.sqrt(np.mean(off**2)) / np.ptp(values)), int(odd_frames(values, periodic=False).sum())


def open_curve(context: QualityContext) -> Flag | None:
    """A curve that does not come back to where it began: part of the cycle is missing, or the mask drifts."""
    curve = context.volumes.lv_ml
    if len(curve) < FEWEST_FRAMES or not np.isfinite(curve[[0, -1]]).all():
        return None
    gap = float(abs(curve[-1] - curve[0]) / max(np.ptp(curve[np.isfinite(curve)]), 1e-9))
    if gap <= CLOSED_SHARE:
        return None
    return Flag(
        code="incomplete-cycle",
        severity="warning",
        message=f"the LV's first and last volumes differ by {gap:.0%} of the curve's range; cycle cut?",
        evidence={"first_ml": round(float(curve[0]), 1), "last_ml": round(float(curve[-1]), 1)},
    )


def odd_phases(context: QualityContext) -> Flag | None:
    """ED in the middle of the cycle, or ES in its last tenth or far from where systole ends."""
    n_frames, ed, es = context.cine.n_frames, context.lv.ed, context.lv.es
    if n_frames < FEWEST_FRAMES or ed is None or es is None:
        return None
    ed_off, systole = min(ed, n_frames - ed) / n_frames, (es - ed) % n_frames / n_frames
    late = ed_off >= LATE_OR_EARLY
    if not (late or es >= LAST_TENTH * n_frames or not SYSTOLE[0] <= systole <= SYSTOLE[1]):
        return None
    return Flag(
        code="unusual-phases",
        severity="warning",
        message=f"ED in frame {ed} and ES in frame {es} of {n_frames} is unusual in a cine from ED on",
        evidence={"ed_frame": ed, "es_frame": es, "frames": n_frames, "systole_share": round(systole, 2)},
    )


def phases_apart(context: QualityContext) -> Flag | None:
    """The ventricles' end-systoles lie far apart in the cycle."""
    n_frames, lv, rv = context.cine.n_frames, context.lv.es, context.rv.es
    if n_frames < FEWEST_FRAMES or lv is None or rv is None:
        return None
    apart = min((lv - rv) % n_frames, (rv - lv) % n_frames) / n_frames
    if apart <= PHASES_APART:
        return None
    return Flag(
        code="end-systole-mismatch",
        severity="warning",
        message=f"LV and RV end-systole are {apart:.0%} of the cycle apart (frames {lv} and {rv})",
        evidence={"lv_es_frame": lv, "rv_es_frame": rv},
    )


def stroke_volumes_differ(context: QualityContext) -> Flag | None:
    """What both ventricles pump differs: a leaking valve, a shunt, or a mask that fails; ACDC: 22 of 100."""
    lv, rv = context.value("lv_sv_ml"), context.value("rv_sv_ml")
    if lv is None or rv is None or max(lv, rv) <= 0:
        return None
    apart = abs(lv - rv) / max(lv, rv)
    if apart <= SV_MISMATCH:
        return None
    return Flag(
        code="sv-mismatch",
        severity="warning",
        message=f"stroke volumes of LV ({lv:.0f} ml) and RV ({rv:.0f} ml): {apart:.0%} of the larger apart",
        evidence={"lv_sv_ml": round(lv, 1), "rv_sv_ml": round(rv, 1), "apart": round(apart, 2)},
    )


def implausible_fraction(context: QualityContext) -> Flag | None:
    """An ejection fraction that hardly any living heart has; ACDC: 3 of 100, all RV."""
    low, high = EF_PERCENT
    values = {name: context.value(name) for name in ("lv_ef_percent", "rv_ef_percent")}
    outside = {name: value for name, value in values.items() if value is not None and not low <= value <= high}
    if not outside:
        return None
    said = ", ".join(f"{name[:2].upper()} {value:.0f} %" for name, value in outside.items())
    return Flag(
        code="implausible-ef",
        severity="warning",
        message=f"ejection fraction outside {low:g} to {high:g} %: {said}",
        evidence={name: round(value, 1) for name, value in outside.items()},
    )


def mass_changes(context: QualityContext) -> Flag | None:
    """Mass at ES far from mass at ED; ACDC: none."""
    ed, es = context.value("lv_mass_g"), context.value("lv_mass_es_g")
    if ed is None or es is None or MASS_RATIO[0] <= es / ed <= MASS_RATIO[1]:
        return None
    return Flag(
        code="mass-mismatch",
        severity="warning",
        message=f"LV mass is {ed:.0f} g at ED and {es:.0f} g at ES; muscle does not change, so a mask fails",
        evidence={"lv_mass_g": round(ed, 1), "lv_mass_es_g": round(es, 1)},
    )


CURVE_CHECKS: tuple[Check, ...] = (
    rough_curve,
    open_curve,
    odd_phases,
    phases_apart,
    stroke_volumes_differ,
    implausible_fraction,
    mass_changes,
)
"""In the order in which they are reported."""
