"""Times of the frames and length of the cycle by the time step in a NIfTI header."""

from __future__ import annotations

import numpy as np
from nibabel import Nifti1Header
from numpy.typing import NDArray

from cinema_cmr.core.study import Issue
from cinema_cmr.io.dicom.timing import MIN_FRAMES

__all__ = ["count_repeats", "frame_times"]

_MS_PER_UNIT = {8: 1000.0, 16: 1.0, 24: 0.001}
_FRAME_MS = (5.0, 250.0)
_CYCLE_MS = (400.0, 1500.0)
_MOST_REPEATS = 0.25
"""Share of the frames that may repeat others; more are no cine."""


def frame_times(
    header: Nifti1Header, array: NDArray[np.float32], step: float
) -> tuple[NDArray[np.float64] | None, float | None, list[Issue]]:
    """Return frame times, cycle length (ms) and notes of an image (x, y, z, t) with its stored time step.

    A step of 0 or 1, without unit or implausible for a cine is unknown. Last frames that repeat the first, as of a
    closed cycle, or each other, as of a padded one, are no time of the cycle.
    """
    n_frames = array.shape[3]
    if n_frames == 1:
        return None, None, []
    step_ms = step * _MS_PER_UNIT.get(int(header["xyzt_units"]) & 56, np.nan)
    # The dummies 0 and 1 lie outside of these limits in every unit.
    if not _FRAME_MS[0] <= step_ms <= _FRAME_MS[1]:
        message = "the time between frames is unknown; curves are plotted by frame, rates are absent"
        return None, None, [_issue("frame-times-unknown", message, stored_step=f"{step:g}")]
    issues = []
    n_repeats = count_repeats(array)
    if n_repeats:
        message = (
            f"the last {n_repeats} of {n_frames} frames repeat others exactly; the heart cycle is that of the rest"
        )
        issues.append(_issue("duplicate-images", message, frames=n_repeats))
    n_phases = n_frames - n_repeats
    cycle_ms = n_phases * step_ms
    plausible = n_phases >= MIN_FRAMES and _CYCLE_MS[0] <= cycle_ms <= _CYCLE_MS[1]
    if plausible:
        message = f"heart cycle taken as {n_phases} frames of {step_ms:.4g} ms"
        issues.append(_issue("cycle-from-frames", message, rr_interval_ms=cycle_ms))
    return np.arange(n_frames, dtype=np.float64) * step_ms, cycle_ms if plausible else None, issues


def count_repeats(array: NDArray[np.float32]) -> int:
    """Return how many frames at the end of (x, y, z, t) repeat the first frame, or their last one, exactly.

    0 where other frames repeat one too: a video at another rate keeps its length, and still images have none.
    """
    n_frames = array.shape[3]
    repeats = [np.array_equal(array[..., k], array[..., k - 1]) for k in range(n_frames)]
    at_end = n_frames - 1 - max(k for k in range(n_frames) if k == 0 or not repeats[k])
    found = at_end + repeats[0]
    return found if found == sum(repeats) and found <= _MOST_REPEATS * n_frames else 0


def _issue(code: str, message: str, **evidence: float | str) -> Issue:
    return Issue(code=code, severity="info", message=message, evidence=evidence)
