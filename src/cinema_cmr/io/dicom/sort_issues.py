"""Issues of sorting a study into stacks: copies, missing frames, repeats, frame counts and orders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from cinema_cmr.core.study import Issue
from cinema_cmr.io.dicom.header import FrameHeader
from cinema_cmr.io.dicom.merge import RepeatedSlice
from cinema_cmr.io.dicom.stack import MIN_STACK_SLICES, CineSlice, Stack
from cinema_cmr.io.dicom.timing import FILE_ORDER, MIN_FRAMES, TimeOrder

__all__ = [
    "copies_issue",
    "count_issues",
    "cut_slice_issues",
    "lost_slice_issues",
    "missing_issue",
    "order_issues",
    "repeat_issues",
    "retake_issues",
]

_MIN_REMAINS = 3
"""Images whose two steps show a cine; fewer show none."""
_MAX_CINE_STEP_MS = 100.0
"""Frames of a cine follow each other faster; maps and late enhancement are taken once a heartbeat."""
_SAME_PLACE_MM = 2.0
"""Distance along the normal below which an image lies at the place of a slice."""


def copies_issue(count: int) -> Issue:
    """Return a note on images that are in the input more than once."""
    return Issue(
        code="duplicate-images",
        severity="info",
        message=f"{count} images are duplicated in the input (same instance, or same position, time and pixels); "
        f"one of each was used",
        evidence={"images": count},
    )


def missing_issue(series: str, position: int, frame: int) -> Issue:
    """Return an issue on a frame that a slice lacks."""
    return Issue(
        code="missing-frame",
        severity="warning",
        message=f"{series}: frame {frame} of slice {position} is missing; it was interpolated in time",
        evidence={"series": series, "slice": position, "frame": frame},
    )


def lost_slice_issues(series: str, n_images: Sequence[int], slices: Sequence[CineSlice]) -> list[Issue]:
    """Return an issue on positions of a series with too few images for a cine, where its other slices are cines.

    `n_images` are the images at each such position, `slices` the cines of the same orientation and matrix.
    """
    lost = [n for n in n_images if 2 * n >= MIN_FRAMES]
    if not lost or sum(one.series == series for one in slices) < MIN_STACK_SLICES - 1:
        return []
    return [_lost_slice_issue(series, lost)]


def cut_slice_issues(headers: Sequence[FrameHeader], frames: Sequence[int], slices: Sequence[CineSlice]) -> list[Issue]:
    """Return an issue on what is left of cines in series of their own, at places where the stack then has no slice.

    `frames` are all images of the geometry of `slices`. Those of a few frames are remains if they have the steps of a
    cine and their header states more of them, or they are half of a cine: maps and late enhancement have neither.
    """
    used = {k for one in slices for k in one.frames}
    remains: dict[tuple[str, float], list[int]] = {}
    for k in frames:
        if k not in used:
            along = round(float(np.dot(headers[k].position, headers[k].normal)), 0)
            remains.setdefault((headers[k].series, along), []).append(k)
    cut = [own for own in remains.values() if _is_cut(headers, own) and not _is_replaced(headers[own[0]], slices)]
    if not cut or len(slices) < MIN_STACK_SLICES:
        return []
    series = sorted({headers[k].series for own in cut for k in own})
    return [_lost_slice_issue(", ".join(series), [len(own) for own in cut])]


def _lost_slice_issue(series: str, n_images: Sequence[int]) -> Issue:
    """Return the issue on slices left out, of which so many usable images are there each."""
    slices = "a slice was" if len(n_images) == 1 else f"{len(n_images)} slices were"
    return Issue(
        code="lost-slice",
        severity="error",
        message=f"{series}: {slices} left out with {max(n_images)} usable images at most; expected at least"
        f" {MIN_FRAMES} frames: images are missing or damaged, copy the series again from its source",
        evidence={"series": series, "slices": len(n_images)},
    )


def _is_cut(headers: Sequence[FrameHeader], frames: Sequence[int]) -> bool:
    """Return True if a few images of one place are what is left of a cine."""
    times = sorted(time for k in frames if (time := headers[k].trigger_ms) is not None)
    if not _MIN_REMAINS <= len(times) == len(frames) < MIN_FRAMES:
        return False
    stated = headers[frames[0]].n_phases or 0
    is_fast = 0 < float(np.median(np.diff(times))) <= _MAX_CINE_STEP_MS
    return is_fast and (stated >= MIN_FRAMES or 2 * len(times) > MIN_FRAMES)


def _is_replaced(header: FrameHeader, slices: Sequence[CineSlice]) -> bool:
    """Return True if one of the slices lies at the place of an image."""
    return any(abs(float(np.subtract(header.position, one.origin) @ header.normal)) < _SAME_PLACE_MM for one in slices)


def count_issues(stack: Stack) -> list[Issue]:
    """Return one issue on all slices with another number of frames than most."""
    deviating = {
        k: len(cine_slice.frames)
        for k, cine_slice in enumerate(stack.slices)
        if len(cine_slice.frames) != stack.n_frames
    }
    if not deviating:
        return []
    counts = ", ".join(f"slice {k}: {count}" for k, count in deviating.items())
    return [
        Issue(
            code="frame-count-differs",
            severity="warning",
            message=f"most slices have {stack.n_frames} frames, some a different number ({counts}); "
            f"these were resampled over the cycle",
            evidence={"n_frames": stack.n_frames, "slices": len(deviating)},
        )
    ]


def order_issues(stack: Stack) -> list[Issue]:
    """Report frames in file-name order: that order is a guess, and ejection fraction depends on the true one."""
    series = dict.fromkeys(cine_slice.series for cine_slice in stack.slices if cine_slice.order_source == FILE_ORDER)
    return [
        Issue(
            code="frame-order-unknown",
            severity="error",
            message=f"{one}: its frames have no trigger time, temporal position, acquisition time or instance number;"
            " they were taken in file-name order, which may not be that of the cycle, so that volumes at ED and ES and"
            " the ejection fraction may be wrong: export the series again with its times",
            evidence={"series": one},
        )
        for one in series
    ]


def repeat_issues(headers: Sequence[FrameHeader], orders: Sequence[TimeOrder]) -> list[Issue]:
    """Return an issue for each series with several images at one position and time."""
    counts = Counter(headers[k].series for order in orders for k in order.repeats)
    return [
        Issue(
            code="repeat-within-series",
            severity="warning",
            message=f"{series}: {count} images repeat others in position and time; the latest was used",
            evidence={"series": series, "images": count},
        )
        for series, count in counts.items()
    ]


def retake_issues(parts: Sequence[Sequence[CineSlice]], repeats: Sequence[RepeatedSlice]) -> list[Issue]:
    """Return one issue on all slices of stacks that were taken twice, which could change a number."""
    in_stacks = {one for part in parts if len(part) >= MIN_STACK_SLICES for one in part}
    twice = [repeat for repeat in repeats if repeat.kept in in_stacks and not repeat.excluded.derived]
    if not twice:
        return []
    kept, left = (", ".join(sorted({one.series for one in some})) for some in _kept_and_left(twice))
    return [
        Issue(
            code="slices-repeated",
            severity="warning",
            message=f"{len(twice)} slices of the stack were taken twice: those of {kept} were used, those of {left}"
            f" left out ({twice[0].reason}); make sure that the better ones were used",
            evidence={"n_slices": len(twice), "kept": kept, "left_out": left},
        )
    ]


def _kept_and_left(repeats: Sequence[RepeatedSlice]) -> tuple[list[CineSlice], list[CineSlice]]:
    return [repeat.kept for repeat in repeats], [repeat.excluded for repeat in repeats]
