"""The cycle of a NIfTI cine whose frames show more than one beat: frames times step is then no heartbeat."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cinema_cmr.core.study import Issue
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.dicom.stack import MIN_STACK_SLICES
from cinema_cmr.io.nifti.frame_times import count_repeats
from cinema_cmr.views.motion import moving_images
from cinema_cmr.views.phase_shift import beat_lengths, frame_distances, moving_slices

__all__ = ["with_true_beat"]

_SAME = 0.02
"""Largest difference of the cycle from frames times step, as a share, for one that was taken from them."""
_LESS = 0.9
"""Share of the frames below which a beat is shorter than the window: a single beat returns at its very end. None of 84
slices of 12 patients of ACDC shows a beat within its cycle, and all do where that is repeated."""
_MOST = 0.5
"""Share of the moving slices that must show the beat."""


def with_true_beat(cine: Cine) -> tuple[Cine, tuple[Issue, ...]]:
    """Return the cine with the beat that its images show as its cycle, and a warning, where its frames span several.

    Only a cycle that was taken from frames and step is corrected, and only of a stack. All frames are kept.
    """
    times, cycle_ms = cine.frame_times_ms, cine.rr_interval_ms
    if times is None or cycle_ms is None or cine.n_slices < MIN_STACK_SLICES:
        return cine, ()
    step_ms = float(np.median(np.diff(times)))
    if abs((cine.n_frames - count_repeats(cine.array)) * step_ms / cycle_ms - 1) > _SAME:
        return cine, ()
    distances = frame_distances(moving_images(cine))
    beats = beat_lengths(distances)[moving_slices(distances)]
    found = beats[np.isfinite(beats)]
    if not len(found) > _MOST * len(beats) or float(np.median(found)) > _LESS * cine.n_frames:
        return cine, ()
    beat = float(np.median(found))
    issue = Issue(
        code="window-longer",
        severity="warning",
        message=f"the {cine.n_frames} frames show more than one beat, of {beat:.1f} frames in the median by the images;"
        f" that is the heart cycle, {beat * step_ms:.0f} ms, not the {cycle_ms:.0f} ms of all frames",
        evidence={"n_frames": cine.n_frames, "beat_frames": round(beat, 2), "beat_ms": round(beat * step_ms, 1)},
    )
    return replace(cine, rr_interval_ms=beat * step_ms), (issue,)
