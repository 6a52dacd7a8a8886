"""Slices of unknown phase: one beat is cut from longer windows, and slices are put in phase by their motion."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.study import Issue
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.dicom.pixels import AssembledStack
from cinema_cmr.io.dicom.timing import MIN_FRAMES, TRIGGER_TIME
from cinema_cmr.views.phase_shift import SliceShifts, beat_lengths, frame_distances, slice_shifts

__all__ = ["PHASES_UNKNOWN", "PhasedStack", "check_phases"]

Array = NDArray[np.float64]

PHASES_UNKNOWN = "phases-unknown"
"""Code of the issue that the frames of a stack are not one phase each: nothing that compares frames is measured."""

_MIN_SLICES = 3
_CLEAR_SHIFT = 0.2
"""Shift as a share of the cycle from which a slice is out of phase; gated slices of real scans are within 0.15."""
_CLEAR_GAIN = 0.12
_CONTRADICTION_GAIN = 0.3
"""Gain from which images contradict trigger times; those of gated slices of real scans are at most 0.26."""
_RELIABLE_SHARE = 0.7
"""Smallest share of the moving slices whose motion must agree for the stack to be in phase."""
_GAP_STEPS = 4.0
"""Distance of the last frame from the first, in usual steps, from which the window does not close a beat."""
_CYCLE_MS = (300.0, 2000.0)


@dataclass(frozen=True, kw_only=True)
class PhasedStack:
    """A stack with its pixels, its frames in phase as far as tags and images show."""

    assembled: AssembledStack
    in_phase: bool = True
    beat_ms: float | None = None
    """Length of a beat, from the return of the images; None if they do not return within the cine."""
    frame_times_ms: Array | None = None
    """(t,) times of the frames of one beat, if the frames are another number than in the files."""
    issues: tuple[Issue, ...] = ()


def check_phases(one: AssembledStack, *, step_ms: float | None, cycle_known: bool) -> PhasedStack:
    """Return the stack in phase; with trigger times in all slices only a contradiction by the images is reported.

    `step_ms` is the time between frames if it is known; `cycle_known` is whether tags state the length of the cycle.
    """
    if one.array.shape[2] < _MIN_SLICES or one.array.shape[3] < MIN_FRAMES:
        return PhasedStack(assembled=one)
    distances = frame_distances(_cine(one))
    phased = PhasedStack(assembled=one)
    if not cycle_known:
        phased = _one_beat(one, distances, step_ms)
        distances = distances if phased.assembled is one else frame_distances(_cine(phased.assembled))
    shifts = slice_shifts(distances)
    timed = np.array([s.order_source == TRIGGER_TIME for s in one.stack.slices])
    if timed.all():
        return replace(phased, issues=(*phased.issues, *_contradiction_issues(shifts, distances.shape[1])))
    return _in_phase(phased, shifts, timed, distances)


def _cine(one: AssembledStack) -> Cine:
    positions = one.stack.positions_mm
    return Cine(array=one.array, affine=one.stack.affine, view=View.OTHER, slice_positions_mm=positions)


def _one_beat(one: AssembledStack, distances: Array, step_ms: float | None) -> PhasedStack:
    """Cut one beat from each slice, where the images show that the window is longer than a beat."""
    beats = beat_lengths(distances)
    energy = distances.mean(axis=(1, 2))
    moving = energy > 0.25 * energy.max()
    if np.isfinite(beats[moving]).mean() <= 0.5:
        return PhasedStack(assembled=one)
    usual = float(np.nanmedian(beats[moving]))
    # A slice whose own beat is not found, or is two beats, takes the usual one.
    near = np.isfinite(beats) & (abs(beats / usual - 1) < 0.35)
    beats = np.where(near, beats, usual)
    count = round(usual)
    slices = [_first_beat(one.array[:, :, k], beat, count) for k, beat in enumerate(beats)]
    array = np.stack(slices, axis=2).astype(np.float32)
    beat_ms = None if step_ms is None else usual * step_ms
    if beat_ms is not None and not _CYCLE_MS[0] <= beat_ms <= _CYCLE_MS[1]:
        beat_ms = None
    n = one.array.shape[3]
    issue = Issue(
        code="window-longer",
        severity="warning",
        message=f"the {n} frames of each slice show more than one beat; the first, of {usual:.1f} frames in the median,"
        " was used, its length taken from the images",
        evidence={"n_frames": n, "beat_frames": round(usual, 2), "beat_ms": beat_ms and round(beat_ms, 1)},
    )
    times = None if beat_ms is None else np.arange(count) * beat_ms / count
    return PhasedStack(assembled=replace(one, array=array), beat_ms=beat_ms, frame_times_ms=times, issues=(issue,))


def _first_beat(images: NDArray[np.float32], beat: float, count: int) -> NDArray[np.float32]:
    """Return `count` frames of the first beat of (x, y, t), linearly in time."""
    at = np.minimum(np.arange(count) * beat / count, images.shape[-1] - 1)
    before = np.floor(at).astype(int)
    after = np.minimum(before + 1, images.shape[-1] - 1)
    weight = (at - before).astype(np.float32)
    cut: NDArray[np.float32] = images[..., before] * (1 - weight) + images[..., after] * weight
    return cut


def _clear(shifts: SliceShifts, n_frames: int, gain: float) -> NDArray[np.bool_]:
    """Return the slices that are clearly out of phase."""
    return shifts.reliable & (abs(shifts.frames) >= _CLEAR_SHIFT * n_frames) & (shifts.gain > gain)


def _contradiction_issues(shifts: SliceShifts, n_frames: int) -> list[Issue]:
    slices = np.flatnonzero(_clear(shifts, n_frames, _CONTRADICTION_GAIN))
    if not len(slices):
        return []
    listed = ", ".join(map(str, slices))
    return [
        Issue(
            code="phases-contradict",
            severity="error",
            message=f"slices {listed} are in phase with the others by their trigger times, but their motion is"
            f" {abs(shifts.frames[slices]).max() / n_frames:.0%} of a cycle apart: one of the two is wrong, and with it"
            " volumes and ejection fraction; check the trigger times",
            evidence={"slices": listed, "n_slices": len(slices)},
        )
    ]


def _in_phase(phased: PhasedStack, shifts: SliceShifts, timed: NDArray[np.bool_], distances: Array) -> PhasedStack:
    """Put slices of unknown phase in phase by their motion, or report that this is not possible."""
    one, n = phased.assembled, distances.shape[1]
    frames = shifts.frames
    if timed.any():
        # Slices with trigger times stay; the others follow them.
        frames = (frames - round(float(np.median(frames[timed]))) + n // 2) % n - n // 2
    apart = _clear(replace(shifts, frames=frames), n, _CLEAR_GAIN) & ~timed
    if not apart.any():
        return phased
    energy = distances.mean(axis=(1, 2))
    moving = energy > 0.25 * energy.max()
    agree = shifts.reliable[moving].mean() >= _RELIABLE_SHARE
    if not agree or not _closes(distances[moving]):
        return replace(phased, in_phase=False, issues=(*phased.issues, _unknown_issue(one, shifts)))
    array = one.array.copy()
    for k in np.flatnonzero(~timed):
        array[:, :, k] = np.roll(array[:, :, k], -int(frames[k]), axis=-1)
    return replace(phased, assembled=replace(one, array=array), issues=(*phased.issues, _aligned_issue(apart, timed)))


def _closes(distances: Array) -> bool:
    """Return True if the first frame follows the last: their distance is about that of neighbours in most slices."""
    neighbours = np.median(np.diagonal(distances, 1, axis1=1, axis2=2), axis=1)
    gaps = distances[:, 0, -1] / np.maximum(neighbours, 1e-9)
    return bool((gaps < _GAP_STEPS).mean() >= _RELIABLE_SHARE)


def _aligned_issue(apart: NDArray[np.bool_], timed: NDArray[np.bool_]) -> Issue:
    count = int((~timed).sum())
    return Issue(
        code="slices-aligned-by-motion",
        severity="warning",
        message=f"{count} of {len(timed)} slices have no trigger times, and {int(apart.sum())} of them start at another"
        " phase of the cycle than the others; they were put in phase by the motion in the images, so that ejection"
        " fraction depends on it: check the curves",
        evidence={"n_slices": count, "n_apart": int(apart.sum())},
    )


def _unknown_issue(one: AssembledStack, shifts: SliceShifts) -> Issue:
    return Issue(
        code=PHASES_UNKNOWN,
        severity="error",
        message=f"the {len(one.stack.slices)} slices have no trigger times, start at different phases of the cycle and"
        " could not be put in phase by the motion in the images; volumes at ED and ES and ejection fraction are"
        " absent: export the series with their times, or use a gated cine",
        evidence={"n_slices": len(one.stack.slices), "n_agree": int(shifts.reliable.sum())},
    )
