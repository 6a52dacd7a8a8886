"""End-diastole and end-systole: maximum and minimum of a ventricle's volume curve over all frames.

Rule: SCMR post-processing recommendations (JCMR 2020;22:19), applied to the curve instead of by eye. A frame that
deviates from its neighbours (a slice missed by the mask, a noisy last frame) is never chosen, and the curve is periodic
only if it covers the whole cycle.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import UsageError

__all__ = [
    "CLOSED_SHARE",
    "Phases",
    "check_given_frames",
    "covers_cycle",
    "find_phases",
    "odd_frames",
    "override_phases",
    "reconcile_phases",
]

Curve = NDArray[np.float64]

FRAMES_TO_COMPARE = 8
"""Smallest number of frames at which a frame is compared with its neighbours; with fewer, end-systole itself deviates
(phantoms of 5 frames lost it as a failed mask)."""

OUTLIER_WIDTH = 3.0
"""Hampel's rule: an outlier deviates from the median of its neighbourhood by more than this many robust SDs."""

MAD_TO_SD = 1.4826
"""Median absolute deviation -> standard deviation, for normally distributed noise."""

OUTLIER_SHARE = 0.2
"""Additional limit as a share of the range of the curve; atrial contraction after diastasis is up to 0.17 of it."""

SPIKE_SHARE = 0.35
"""Limit on a slope: deviation from the cubic through the neighbours, as a share of the range. A real curve of 25
frames, resampled to 8, stays below 0.25."""

CUBIC_THROUGH_NEIGHBOURS = np.array([-1.0, 4.0, 0.0, 4.0, -1.0]) / 6
"""Lagrange weights of the cubic through frames -2, -1, 1, 2 at frame 0."""

CLOSED_SHARE = 0.25
"""Without times, a curve covers the cycle if its first and last volumes differ by less than this share of its range."""

CYCLE_SHARE = 0.9
"""With times, a curve covers the cycle if its frames span at least this share of the R-R interval."""


@dataclass(frozen=True, kw_only=True)
class Phases:
    """Frames of end-diastole and end-systole; None if undefined, with the reason."""

    ed: int | None
    es: int | None
    rule: str
    """Rule that determined the frames, with its source."""
    reason: str | None = None
    """Reason why the frames are None."""
    given: tuple[Literal["ed", "es"], ...] = ()
    """Frames that the user gave; the others were found."""


OWN_CURVE = "maximum / minimum of the ventricle's own volume curve over all frames (SCMR, JCMR 2020;22:19)"
OF_TWO = "two frames: the one with the larger volume is end-diastole, whatever their order"
GIVEN = "frame given by the user"
OF_LV = "the LV's frames"


def find_phases(volumes_ml: Curve, *, times_ms: Curve | None = None, rr_interval_ms: float | None = None) -> Phases:
    """Find the ED and ES frames (from 0) of a volume curve (t,), which is NaN in frames without volume.

    Without two frames of different volumes both are None, with the reason.
    """
    measured = np.flatnonzero(np.isfinite(volumes_ml))
    reason = _missing_curve(volumes_ml, measured)
    if reason:
        return Phases(ed=None, es=None, rule=OWN_CURVE, reason=reason)
    periodic = covers_cycle(volumes_ml, times_ms=times_ms, rr_interval_ms=rr_interval_ms)
    values = volumes_ml[measured]
    odd = odd_frames(values, periodic=periodic)
    ed = measured[_supported_maximum(values, odd, periodic=periodic)]
    es = measured[_supported_maximum(-values, odd, periodic=periodic)]
    return Phases(ed=int(ed), es=int(es), rule=OF_TWO if len(volumes_ml) == 2 else OWN_CURVE)


def reconcile_phases(
    lv: Phases, rv: Phases, *, n_frames: int, rule: Literal["own", "lv"] = "own"
) -> tuple[Phases, Phases]:
    """Choose the phases of both ventricles: each its own, or those of the LV for both.

    In a study of two frames the LV decides, so that a failed RV mask cannot swap them unnoticed. If the LV has no
    phases, the RV keeps its own.
    """
    if lv.ed is None or not (rule == "lv" or n_frames == 2):
        return lv, rv
    return lv, replace(lv, rule=f"{OF_LV}; {lv.rule}")


def check_given_frames(ed: int | None, es: int | None, n_frames: int) -> None:
    """Raise `UsageError` for a frame that the study does not have."""
    for frame in (ed, es):
        if frame is not None and not 0 <= frame < n_frames:
            raise UsageError(f"frame {frame} was given; expected one of the frames 0 to {n_frames - 1} of the study")


def override_phases(phases: Phases, ed: int | None, es: int | None, n_frames: int) -> Phases:
    """Replace phases by the frames that the user supplies; others remain as found.

    The frames are never swapped: a wrong pair shows as a negative stroke volume. Raises `UsageError` for a
    frame that the study does not have.
    """
    check_given_frames(ed, es, n_frames)
    if ed is None and es is None:
        return phases
    frames: tuple[tuple[Literal["ed", "es"], int | None], ...] = (("ed", ed), ("es", es))
    given = tuple(name for name, frame in frames if frame is not None)
    found = replace(phases, ed=phases.ed if ed is None else ed, es=phases.es if es is None else es)
    complete = found.ed is not None and found.es is not None
    rule = f"{', '.join(given).upper()}: {GIVEN}" + ("" if len(given) == 2 else f"; {phases.rule}")
    return replace(found, rule=rule, reason=None if complete else phases.reason, given=given)


def _missing_curve(volumes_ml: Curve, measured: NDArray[np.intp]) -> str | None:
    """Return the reason why a curve has no phases, or None."""
    if measured.size == 0:
        return "it is labelled in no frame"
    if len(volumes_ml) == 1:
        return "the study has one frame; end-diastole and end-systole need at least two"
    if measured.size == 1:
        return f"it is labelled in one frame only (frame {measured[0]})"
    if np.ptp(volumes_ml[measured]) == 0:
        return "its volume is the same in all frames"
    return None


def covers_cycle(volumes_ml: Curve, *, times_ms: Curve | None = None, rr_interval_ms: float | None = None) -> bool:
    """Return whether the first frame follows the last, by times and R-R interval, else by the end volumes."""
    if len(volumes_ml) < FRAMES_TO_COMPARE:
        return False
    if times_ms is not None and rr_interval_ms is not None:
        span = times_ms[-1] - times_ms[0] + np.median(np.diff(times_ms))
        return bool(span >= CYCLE_SHARE * rr_interval_ms)
    finite = volumes_ml[np.isfinite(volumes_ml)]
    if finite.size < 2:
        return False
    return bool(abs(finite[-1] - finite[0]) <= CLOSED_SHARE * np.ptp(finite))


def _windows(values: Curve, reach: int, *, periodic: bool) -> Curve:
    """Return each frame with its neighbours, (t, 2 reach + 1), mirrored at the ends of a curve that is not periodic."""
    padded = np.pad(values, reach, mode="wrap" if periodic else "reflect")
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)


def odd_frames(values: Curve, *, periodic: bool) -> NDArray[np.bool_]:
    """Return the (t,) mask of frames that deviate from their two neighbours on each side.

    The reference is the median of the neighbours on a plateau (Hampel, J Am Stat Assoc 1974;69:383), and the cubic
    through them on a slope.
    """
    if len(values) < FRAMES_TO_COMPARE:
        return np.zeros(len(values), dtype=bool)
    windows = _windows(values, 2, periodic=periodic)
    return _deviates_from_median(values, windows) | _deviates_from_cubic(values, windows, periodic=periodic)


def _deviates_from_median(values: Curve, windows: Curve) -> NDArray[np.bool_]:
    median = np.median(windows, axis=1)
    spread = MAD_TO_SD * np.median(np.abs(windows - median[:, None]), axis=1)
    limit = np.maximum(OUTLIER_WIDTH * spread, OUTLIER_SHARE * np.ptp(values))
    return np.asarray(np.abs(values - median) > limit)


def _deviates_from_cubic(values: Curve, windows: Curve, *, periodic: bool) -> NDArray[np.bool_]:
    """Return the frames that deviate most from the cubic; an outlier also bends the cubics of its neighbours."""
    off = np.abs(values - windows @ CUBIC_THROUGH_NEIGHBOURS)
    furthest = off >= _windows(off, 1, periodic=periodic).max(axis=1)
    return np.asarray((off > SPIKE_SHARE * np.ptp(values)) & furthest)


def _supported_maximum(values: Curve, odd: NDArray[np.bool_], *, periodic: bool) -> int:
    """Return the index of the maximum that its neighbours support.

    The maximum is located on the lightly smoothed curve; the result is the highest measured frame next to it.
    """
    if len(values) < FRAMES_TO_COMPARE or odd.all():
        return int(np.argmax(values))
    repaired = np.where(odd, np.median(_windows(values, 2, periodic=periodic), axis=1), values)
    smooth = _windows(repaired, 1, periodic=periodic) @ np.array([0.25, 0.5, 0.25])
    beside = int(np.argmax(smooth)) + np.array([-1, 0, 1])
    beside = beside % len(values) if periodic else beside[(beside >= 0) & (beside < len(values))]
    allowed = beside[~odd[beside]]
    return int(allowed[np.argmax(values[allowed])]) if allowed.size else int(np.argmax(repaired))
