"""Quality check of the phase of each slice: the LV areas of a stack rise and fall together, whatever the tags say.

It needs masks only, so that it holds for NIfTI and other stacks without times too. Slices out of phase blur the sum:
the volume at ED is too small, that at ES too large.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.results import Flag
from cinema_cmr.measure.quality.context import Check, QualityContext
from cinema_cmr.measure.quality.curves import MIN_FRAMES

__all__ = ["SLICE_PHASE_CHECKS", "slices_out_of_phase"]

Array = NDArray[np.float64]

MIN_AREA_SHARE = 0.1
"""Largest area of a slice, as a share of that of any slice, from which its curve is compared."""

MIN_CHANGE = 0.15
"""Range of the areas of a slice as a share of the largest, from which they show a phase."""

MIN_SLICES = 3

MIN_APART = 0.15
"""Shift as a share of the cycle from which a slice is out of phase. Conduction delays shift regions by up to a tenth;
slices of the multi-view study are within 0.04, of phantoms within 0.05."""

MIN_ALIKE = 0.8
"""Correlation with the areas of the others, at the shift, that shows the same cycle."""

MIN_GAIN = 0.3
"""Gain of that correlation by the shift."""

EF_POINTS = 3.0
"""Change of EF by putting the slices in phase from which the flag is an error; below, it is a note: a wall that moves
paradoxically, as in all three Sunnybrook patients at hand (0.6 to 1.9 points), looks like a late slice."""


@dataclass(frozen=True, kw_only=True)
class _Shifts:
    """Shift of each slice, in frames, relative to most others; 0 where the areas show none."""

    frames: NDArray[np.int64]
    apart: NDArray[np.bool_]


def slices_out_of_phase(context: QualityContext) -> Flag | None:
    """Report slices whose LV areas change at another time of the cycle than those of most others.

    An error if EF would change by more than `EF_POINTS` with these slices in phase, else a note.
    """
    areas = np.array([context.areas_mm2("lv", t) for t in range(context.cine.n_frames)]).T * context.volumes.lv_counted
    if areas.shape[1] < MIN_FRAMES:
        return None
    shifts = _slice_shifts(areas)
    slices = np.flatnonzero(shifts.apart)
    if not len(slices):
        return None
    moved = np.array([np.roll(row, -int(shift)) for row, shift in zip(areas, shifts.frames, strict=True)])
    weights = context.cine.slice_weights_mm
    measured, in_phase = (_ef_percent(weights @ rows) for rows in (areas, moved))
    share = float(np.abs(shifts.frames[slices]).max()) / areas.shape[1]
    listed = ", ".join(map(str, slices))
    change = abs(in_phase - measured)
    return Flag(
        code="slices-out-of-phase",
        severity="error" if change > EF_POINTS else "info",
        message=f"the LV areas of slices {listed} change up to {100 * share:.0f} % of a cycle apart from those of the"
        f" others: EF is {measured:.0f} %, and {in_phase:.0f} % with them in phase; check their times, unless the"
        " wall moves paradoxically there",
        evidence={
            "slices": listed,
            "n_slices": len(slices),
            "cycle_share": round(share, 2),
            "ef_percent": round(measured, 1),
            "ef_in_phase_percent": round(in_phase, 1),
        },
    )


def _slice_shifts(areas: Array) -> _Shifts:
    """Return the shifts of the slices' areas (z, t), relative to the slices that agree with each other most."""
    z, n = areas.shape
    none = _Shifts(frames=np.zeros(z, dtype=np.int64), apart=np.zeros(z, dtype=bool))
    largest, change = areas.max(axis=1), np.ptp(areas, axis=1)
    used = (largest >= MIN_AREA_SHARE * largest.max()) & (change >= MIN_CHANGE * largest)
    used &= (areas > 0).mean(axis=1) >= 0.25
    if not areas.any() or used.sum() < MIN_SLICES:
        return none
    curves = _standardised(areas)
    lags = np.array([[_signed(_correlations(one, other).argmax(), n) for other in curves] for one in curves])
    near = (np.abs(lags) < MIN_APART * n) & used
    reference = int(np.where(used, near @ change, -1).argmax())
    scores = np.array([_correlations(curves[near[reference]].sum(axis=0), one) for one in curves])
    scores /= max(float(np.linalg.norm(curves[near[reference]].sum(axis=0))), 1e-9)
    frames = np.array([_signed(k, n) for k in scores.argmax(axis=1)])
    best = scores.max(axis=1)
    apart = used & (np.abs(frames) >= MIN_APART * n) & (best >= MIN_ALIKE) & (best - scores[:, 0] >= MIN_GAIN)
    return _Shifts(frames=np.where(apart, frames, 0), apart=apart)


def _standardised(areas: Array) -> Array:
    """Return curves of mean 0 and norm 1."""
    curves = areas - areas.mean(axis=1, keepdims=True)
    unit: Array = curves / np.maximum(np.linalg.norm(curves, axis=1, keepdims=True), 1e-9)
    return unit


def _correlations(reference: Array, curve: Array) -> Array:
    """Return the (t,) product of a curve, moved back by each number of frames, with a reference."""
    product: Array = np.fft.irfft(np.conj(np.fft.rfft(reference)) * np.fft.rfft(curve), len(curve))
    return product


def _signed(shift: np.int64 | int, n: int) -> int:
    return (int(shift) + n // 2) % n - n // 2


def _ef_percent(curve: Array) -> float:
    return float(100 * np.ptp(curve) / max(float(curve.max()), 1e-9))


SLICE_PHASE_CHECKS: tuple[Check, ...] = (slices_out_of_phase,)
"""Checks in the order of their report."""
