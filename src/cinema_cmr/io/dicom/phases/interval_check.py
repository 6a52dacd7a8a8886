"""Whether the images repeat themselves after the stated R-R interval, where the frames span clearly more than that.

Such frames either run into the next beat, or show one beat under an interval that is too short, as that of half a beat.
The former look alike one interval apart, the latter do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from cinema_cmr.core.study import Issue
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.dicom.files import FoundFiles
from cinema_cmr.io.dicom.header import FrameHeader
from cinema_cmr.io.dicom.pixels import assemble
from cinema_cmr.io.dicom.sort import SortedStacks
from cinema_cmr.io.dicom.stack import CineSlice, Stack
from cinema_cmr.views.motion import moving_images
from cinema_cmr.views.phase_shift import frame_distances, moving_slices

__all__ = ["without_false_intervals"]

_BEYOND = 1.25
"""Span of the frames, in stated beats, from which images one stated beat apart are compared."""
_UNLIKE = 0.6
"""Distance of frames one stated beat apart, as a share of that at the lag where they differ most, above which they show
other phases: a beat apart the images return, to below 0.45 (`views.phase_shift`). In the cines of three Sunnybrook
patients and the multi-view study it is 0.9 to 1 half a beat apart, and 0.61 to 0.93 at 0.8 of a beat."""


def without_false_intervals(
    found: FoundFiles, stacks: SortedStacks, *, sort: Callable[[FoundFiles], SortedStacks]
) -> tuple[FoundFiles, SortedStacks]:
    """Return the study without the R-R intervals and heart rates that its images contradict, with an issue on each.

    `sort` sorts files into stacks. No pixel is read unless the frames of a stack span over 1.25 stated beats.
    """
    suspects = {name for one in stacks.stacks if _stated_beats(one, found.headers) > _BEYOND for name in one.series}
    if not suspects:
        return found, stacks
    # Sorted without an interval, slices keep the frames beyond it.
    whole = _without_intervals(found, suspects)
    denied: dict[str, float] = {}
    for stack in sort(whole).stacks:
        beat_ms = _stated_ms(stack, found.headers)
        if beat_ms is not None and suspects.intersection(stack.series) and _differs_after(whole, stack, beat_ms):
            denied.update(dict.fromkeys(stack.series, beat_ms))
    if not denied:
        return found, stacks
    cleared = _without_intervals(found, denied)
    again = sort(cleared)
    return cleared, replace(again, stacks=tuple(_with_issue(stack, denied) for stack in again.stacks))


def _stated_beats(stack: Stack, headers: Sequence[FrameHeader]) -> float:
    """Return how many stated beats the frames of most slices span; 0 if span or beat is unknown."""
    beat_ms = _stated_ms(stack, headers)
    spans = [one.span_ms for one in stack.slices if one.span_ms is not None]
    return float(np.median(spans)) / beat_ms if spans and beat_ms else 0.0


def _stated_ms(stack: Stack, headers: Sequence[FrameHeader]) -> float | None:
    """Return the median R-R interval of the slices, or of their heart rates where no interval is stated."""
    beats = [beat for one in stack.slices if (beat := _slice_beat_ms(one, headers))]
    return float(np.median(beats)) if beats else None


def _slice_beat_ms(one: CineSlice, headers: Sequence[FrameHeader]) -> float | None:
    if one.rr_interval_ms:
        return one.rr_interval_ms
    first = next((headers[k] for k in one.frames if k is not None), None)
    if first is None or first.rr_interval_ms:
        return None if first is None else first.rr_interval_ms
    return 60000 / first.heart_rate_bpm if first.heart_rate_bpm else None


def _without_intervals(found: FoundFiles, series: Iterable[str]) -> FoundFiles:
    names = set(series)
    headers = (
        replace(one, rr_interval_ms=None, heart_rate_bpm=None) if one.series in names else one for one in found.headers
    )
    return replace(found, headers=tuple(headers))


def _differs_after(found: FoundFiles, stack: Stack, beat_ms: float) -> bool:
    """Return True if most moving slices show another phase one stated beat later."""
    steps = [float(np.median(np.diff(one.times_ms))) for one in stack.slices if one.times_ms and len(one.times_ms) > 1]
    array = assemble(found, stack).array
    n_frames = array.shape[3]
    lag = round(beat_ms / float(np.median(steps))) if steps else 0
    if not array.shape[2] or not 0 < lag < n_frames:
        return False
    positions = stack.positions_mm[: array.shape[2]]
    cine = Cine(array=array, affine=stack.affine, view=View.OTHER, slice_positions_mm=positions)
    distances = frame_distances(moving_images(cine))
    by_lag = np.array([np.diagonal(distances, k, axis1=1, axis2=2).mean(axis=1) for k in range(n_frames - 1)])
    moving = moving_slices(distances) & (by_lag.max(axis=0) > 0)
    if not moving.any() or lag >= len(by_lag):
        return False
    return float(np.median(by_lag[lag, moving] / by_lag[:, moving].max(axis=0))) > _UNLIKE


def _with_issue(stack: Stack, denied: dict[str, float]) -> Stack:
    beat_ms = next((denied[name] for name in stack.series if name in denied), None)
    spans = [one.span_ms for one in stack.slices if one.span_ms is not None]
    if beat_ms is None or not spans:
        return stack
    span_ms = float(np.median(spans))
    message = (
        f"the frames of {stack.series[0]} span {span_ms:.0f} ms by their trigger times, and those one stated interval"
        f" of {beat_ms:.0f} ms ({60000 / beat_ms:.0f} / min) apart show other phases of the cycle: one of the two is"
        " wrong; heart rate and cardiac output are absent unless the images show a whole beat: give --heart-rate"
    )
    evidence = {"rr_interval_ms": round(beat_ms, 1), "span_ms": round(span_ms, 1)}
    issue = Issue(code="heart-rate-differs", severity="warning", message=message, evidence=evidence)
    return replace(stack, issues=(*stack.issues, issue))
