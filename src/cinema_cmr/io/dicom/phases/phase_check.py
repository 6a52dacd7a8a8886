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
from cinema_cmr.views.motion import moving_images
from cinema_cmr.views.phase_shift import SliceShifts, beat_lengths, frame_distances, moving_slices, slice_shifts

__all__ = ["PHASES_UNKNOWN", "PhasedStack", "check_phases", "cut_as_stack"]

Array = NDArray[np.float64]

PHASES_UNKNOWN = "phases-unknown"
"""Code of the issue that the frames of a stack are not one phase each: nothing that compares frames is measured."""

_MIN_SLICES = 3
_CLEAR_SHIFT = 0.2
"""Shift as a share of the cycle from which a slice is out of phase; gated slices of real scans are within 0.15."""
_CLEAR_GAIN = 0.12
_CLEAR_MOTION = 0.5
"""Gain of the motion's own correlation that is as clear."""
_CONTRADICTION_MOTION = 1.0
_CONTRADICTION_GAIN = 0.3
"""Gain from which images contradict trigger times; those of gated slices of real scans are at most 0.26."""
_RELIABLE_SHARE = 0.7
"""Smallest share of the moving slices whose motion must agree for the stack to be in phase."""
_GAP_STEPS = 2.0
"""Distance of the last frame from the first, in largest steps, from which the window does not close a beat."""
_CLOSED_SHARE = 0.9
_CYCLE_MS = (300.0, 2000.0)
_STATED_BEAT = (0.75, 1.25)
"""Span of frames, in stated beats, that are one beat by their tags."""
_SEVERAL_BEATS = 1.5
_SAME_BEAT = 0.25
"""Difference of a long axis' own beat from that of the stack, as a share, up to which they are the same."""
_SHORTER = 0.7
"""Share of such frames up to which the images show that the stated beat is several, as of missed R waves."""


@dataclass(frozen=True, kw_only=True)
class PhasedStack:
    """A stack with its pixels, its frames in phase as far as tags and images show."""

    assembled: AssembledStack
    in_phase: bool = True
    beat_ms: float | None = None
    """Length of a beat, from the return of the images; None if they do not return within the cine, as stated."""
    frame_times_ms: Array | None = None
    """(t,) times of the frames of one beat, if the frames are another number than in the files."""
    issues: tuple[Issue, ...] = ()


def check_phases(
    one: AssembledStack, *, step_ms: float | None, cycle_known: bool, covered: float | None = None
) -> PhasedStack:
    """Return the stack in phase; with trigger times in all slices only a contradiction by the images is reported.

    `step_ms` is the time between frames if it is known; `cycle_known` is whether tags state the length of the cycle,
    and `covered` the share of it that the frames span: if about one beat, the images show whether it is one.
    """
    if one.array.shape[2] < _MIN_SLICES or one.array.shape[3] < MIN_FRAMES:
        return PhasedStack(assembled=one)
    moving = moving_images(_cine(one))
    phased = PhasedStack(assembled=one)
    is_stated_beat = covered is not None and _STATED_BEAT[0] <= covered <= _STATED_BEAT[1]
    if not cycle_known or is_stated_beat:
        phased = _one_beat(one, frame_distances(moving), step_ms, stated=cycle_known)
        moving = moving if phased.assembled is one else moving_images(_cine(phased.assembled))
    shifts = slice_shifts(moving)
    timed = np.array([s.order_source == TRIGGER_TIME for s in one.stack.slices])
    if timed.all():
        return replace(phased, issues=(*phased.issues, *_contradiction_issues(shifts, moving.shape[3])))
    return _in_phase(phased, shifts, timed, frame_distances(moving))


def cut_as_stack(plane: PhasedStack, *, step_ms: float | None, beat_ms: float) -> PhasedStack:
    """Return a plane with one beat of its frames, where the stack of the study was cut to one of `beat_ms`.

    The images of a few slices alone are no proof of several beats; they are where they return after the beat that the
    stack shows. Whole windows beside one beat would be compared at other phases, as landmarks with volumes.
    """
    one = plane.assembled
    n_slices, n_frames = one.array.shape[2:]
    is_longer = step_ms is not None and n_frames * step_ms > _SEVERAL_BEATS * beat_ms
    if plane.beat_ms is not None or not is_longer or n_frames < MIN_FRAMES or not 0 < n_slices < _MIN_SLICES:
        return plane
    assert step_ms is not None
    distances = frame_distances(moving_images(_cine(one)))
    beats = beat_lengths(distances)[moving_slices(distances)] * step_ms
    if not (abs(beats / beat_ms - 1) < _SAME_BEAT).any():
        return plane
    cut = _one_beat(one, distances, step_ms, stated=True)
    issue = Issue(
        code="window-longer",
        severity="warning",
        message="frames of long axes show more than one beat, as those of the stack; the first was used",
    )
    return plane if cut.beat_ms is None else replace(cut, issues=(*plane.issues, issue))


def _cine(one: AssembledStack) -> Cine:
    positions = one.stack.positions_mm
    return Cine(array=one.array, affine=one.stack.affine, view=View.OTHER, slice_positions_mm=positions)


def _one_beat(one: AssembledStack, distances: Array, step_ms: float | None, *, stated: bool) -> PhasedStack:
    """Cut one beat from each slice, where the images show that the window is longer than a beat.

    A window that is one beat by its tags (`stated`) is cut only where the images return well within it.
    """
    beats = beat_lengths(distances)
    moving = moving_slices(distances)
    if np.isfinite(beats[moving]).mean() <= 0.5:
        return PhasedStack(assembled=one)
    usual, n = float(np.nanmedian(beats[moving])), one.array.shape[3]
    if stated and usual > _SHORTER * n:
        return PhasedStack(assembled=one)
    # A slice whose own beat is not found, or is two beats, takes the usual one.
    near = np.isfinite(beats) & (abs(beats / usual - 1) < 0.35)
    beats = np.where(near, beats, usual)
    count = round(usual)
    slices = [_first_beat(one.array[:, :, k], beat, count) for k, beat in enumerate(beats)]
    array = np.stack(slices, axis=2).astype(np.float32)
    shown = tuple(
        tuple(row[t] for t in np.rint(_beat_places(len(row), beat, count)).astype(int))
        for row, beat in zip(one.shown, beats, strict=True)
    )
    beat_ms = None if step_ms is None else usual * step_ms
    if beat_ms is not None and not _CYCLE_MS[0] <= beat_ms <= _CYCLE_MS[1]:
        beat_ms = None
    why = "; the stated heart rate or R-R interval is that of several: give --heart-rate if it is right"
    issue = Issue(
        code="window-longer",
        severity="warning",
        message=f"the {n} frames of each slice show more than one beat; the first, of {usual:.1f} frames in the median,"
        f" was used, its length taken from the images{why if stated else ''}",
        evidence={"n_frames": n, "beat_frames": round(usual, 2), "beat_ms": beat_ms and round(beat_ms, 1)},
    )
    times = None if beat_ms is None else np.arange(count) * beat_ms / count
    return PhasedStack(
        assembled=replace(one, array=array, shown=shown), beat_ms=beat_ms, frame_times_ms=times, issues=(issue,)
    )


def _beat_places(n_frames: int, beat: float, count: int) -> Array:
    """Return the (count,) places of the first beat's frames among those of the file, fractional."""
    places: Array = np.minimum(np.arange(count) * beat / count, n_frames - 1)
    return places


def _first_beat(images: NDArray[np.float32], beat: float, count: int) -> NDArray[np.float32]:
    """Return `count` frames of the first beat of (x, y, t), linearly in time."""
    at = _beat_places(images.shape[-1], beat, count)
    before = np.floor(at).astype(int)
    after = np.minimum(before + 1, images.shape[-1] - 1)
    weight = (at - before).astype(np.float32)
    cut: NDArray[np.float32] = images[..., before] * (1 - weight) + images[..., after] * weight
    return cut


def _contradiction_issues(shifts: SliceShifts, n_frames: int) -> list[Issue]:
    limits = {"share": _CLEAR_SHIFT, "gain": _CONTRADICTION_GAIN, "motion_gain": _CONTRADICTION_MOTION}
    slices = np.flatnonzero(shifts.apart(shifts.reference, **limits))
    if not len(slices):
        return []
    listed = ", ".join(map(str, slices))
    return [
        Issue(
            code="phases-contradict",
            severity="error",
            message=f"slices {listed} are in phase with the others by their trigger times, but their motion is"
            f" {100 * _cycle_share(shifts, slices, n_frames):.0f} % of a cycle apart: one of the two is wrong,"
            " and with it volumes and ejection fraction; check the trigger times",
            evidence={"slices": listed, "n_slices": len(slices)},
        )
    ]


def _cycle_share(shifts: SliceShifts, slices: NDArray[np.intp], n_frames: int) -> float:
    difference = (shifts.frames[slices] - shifts.reference + n_frames // 2) % n_frames - n_frames // 2
    return float(np.abs(difference).max()) / n_frames


def _in_phase(phased: PhasedStack, shifts: SliceShifts, timed: NDArray[np.bool_], distances: Array) -> PhasedStack:
    """Put slices of unknown phase in phase by their motion, or report that this is not possible."""
    one = phased.assembled
    # Slices with trigger times stay, and the others follow them.
    reference = shifts.reference_of(timed) if timed.any() else shifts.reference
    frames = shifts.frames - reference
    limits = {"share": _CLEAR_SHIFT, "gain": _CLEAR_GAIN, "motion_gain": _CLEAR_MOTION}
    apart = shifts.apart(reference, **limits) & ~timed
    agree = shifts.reliable[shifts.moving].mean() >= _RELIABLE_SHARE
    if agree and not apart.any():
        return phased
    # Of another number of frames a slice may end before the beat does; stretched over it, its motion is no guide.
    uneven = len({len(s.frames) for s, known in zip(one.stack.slices, timed, strict=True) if not known}) > 1
    if not agree or uneven or not _closes(distances[shifts.moving]):
        return replace(phased, in_phase=False, issues=(*phased.issues, _unknown_issue(one, shifts, uneven=uneven)))
    array, shown = one.array.copy(), list(one.shown)
    for k in np.flatnonzero(~timed):
        shift = int(frames[k]) % array.shape[-1]
        array[:, :, k] = np.roll(array[:, :, k], -shift, axis=-1)
        shown[k] = (*shown[k][shift:], *shown[k][:shift])
    assembled = replace(one, array=array, shown=tuple(shown))
    return replace(phased, assembled=assembled, issues=(*phased.issues, _aligned_issue(apart, timed)))


def _closes(distances: Array) -> bool:
    """Return True if the first frame follows the last in nearly all slices: it is no farther than neighbours may be."""
    neighbours = np.diagonal(distances, 1, axis1=1, axis2=2).max(axis=1)
    return bool((distances[:, 0, -1] <= _GAP_STEPS * neighbours).mean() >= _CLOSED_SHARE)


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


def _unknown_issue(one: AssembledStack, shifts: SliceShifts, *, uneven: bool) -> Issue:
    other = " and differ in their numbers of frames" if uneven else ""
    return Issue(
        code=PHASES_UNKNOWN,
        severity="error",
        message=f"the {len(one.stack.slices)} slices have no trigger times{other}, and the motion in the images"
        " does not show that their frames are in phase, nor how to put them in phase; volumes at ED and ES and ejection"
        " fraction are absent: export the series with their times, or use a gated cine",
        evidence={"n_slices": len(one.stack.slices), "n_agree": int(shifts.reliable.sum())},
    )
