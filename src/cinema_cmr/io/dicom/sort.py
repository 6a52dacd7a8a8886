"""Assignment of instances to stacks, slices and frames, from headers alone, by position and time.

No description, file order or single tag decides: instances are grouped by plane, ordered by their time in the cycle,
then parallel slices are merged into stacks, whatever their matrix and field of view.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.study import Issue
from cinema_cmr.io.dicom.header import FrameHeader
from cinema_cmr.io.dicom.merge import Rejection, RepeatedSlice, merge_slices
from cinema_cmr.io.dicom.phases.phase_grid import place_in_cycle
from cinema_cmr.io.dicom.phases.rate import agreed_interval_ms
from cinema_cmr.io.dicom.places.scatter import mark_scattered
from cinema_cmr.io.dicom.regrid import on_common_grid
from cinema_cmr.io.dicom.series_groups import drop_copies
from cinema_cmr.io.dicom.sort_issues import (
    copies_issue,
    count_issues,
    cut_slice_issues,
    lost_slice_issues,
    missing_issue,
    order_issues,
    repeat_issues,
    retake_issues,
)
from cinema_cmr.io.dicom.stack import (
    MIN_STACK_SLICES,
    PARALLEL,
    CineSlice,
    SliceGrid,
    Stack,
    geometry_issues,
    slice_centre,
)
from cinema_cmr.io.dicom.timing import (
    MIN_FRAMES,
    TRIGGER_TIME,
    TimeOrder,
    assign_frame_slots,
    frame_times_ms,
    non_cine_reason,
    order_in_time,
)

__all__ = ["ExcludedImages", "SortedStacks", "instance_positions", "sort_headers"]

_SAME_DIRECTION = 0.01
"""Largest difference of direction cosines within one stack (half a degree)."""
_SAME_POSITION_MM = 0.5
_DISTINCT_MM = 2.0


@dataclass(frozen=True, kw_only=True)
class ExcludedImages:
    """Images of one series that are not part of a cine."""

    series: str
    reason: str
    n_images: int
    repeat_of: str | None = None
    """The series kept instead, if these images are a repeated cine."""
    too_few: tuple[int, ...] = ()
    """Number of images at each position, if they are too few for a cine."""


@dataclass(frozen=True, kw_only=True)
class SortedStacks:
    """All cines of a study as stacks of header indices, and the excluded images."""

    stacks: tuple[Stack, ...]
    excluded: tuple[ExcludedImages, ...]
    issues: tuple[Issue, ...]
    repeats: tuple[RepeatedSlice, ...] = ()
    """Slices that were taken twice, as they were before stacks were put on one grid."""
    repeated: tuple[int, ...] = ()
    """Images that others of their series replaced, at the same position and time."""


@dataclass(frozen=True, kw_only=True)
class _Cine:
    """One slice over the cycle, its grid, and the order of its frames."""

    slice: CineSlice
    grid: SliceGrid
    order: TimeOrder


@dataclass(frozen=True, kw_only=True)
class _Position:
    """Frames of one series at one position."""

    series: str
    frames: tuple[int, ...]


def sort_headers(
    headers: Sequence[FrameHeader],
    *,
    digests: Mapping[int, str] | None = None,
    rejected: Mapping[int, Rejection] | None = None,
) -> SortedStacks:
    """Sort the frames of a study into stacks of cines; each frame is its index in `headers`.

    With `digests` (header index -> digest of its pixels) of the frames from `possible_duplicates`, copies under other
    UIDs are distinguished from repeated acquisitions; without it only equal instance UIDs count as copies. `rejected`
    are the indices of images not to be used.
    """
    rejected = rejected or {}
    unique, copies = drop_copies(headers, digests or {})
    unique = [k for k in unique if k not in rejected]
    excluded = [
        ExcludedImages(series=series, reason="copies of other images", n_images=count)
        for series, count in Counter(headers[k].series for k in copies).items()
    ]
    excluded += _rejected_images(headers, rejected)
    issues = [copies_issue(len(copies))] if copies else []
    stacks: list[Stack] = []
    repeats: list[RepeatedSlice] = []
    cines: list[_Cine] = []
    for group in _group_by_geometry(headers, unique):
        own, refused = _find_cines(headers, group)
        cines += own
        excluded += refused
        slices = [cine.slice for cine in own]
        lost = [i for one in refused for i in lost_slice_issues(one.series, one.too_few, slices)]
        issues += lost or cut_slice_issues(headers, group, slices)
    issues += repeat_issues(headers, [cine.order for cine in cines])
    for parallel in _group_parallel(cines):
        sorted_stacks = _sort_parallel(headers, parallel)
        stacks += sorted_stacks.stacks
        excluded += sorted_stacks.excluded
        issues += sorted_stacks.issues
        repeats += sorted_stacks.repeats
    found = SortedStacks(stacks=tuple(stacks), excluded=tuple(excluded), issues=tuple(issues), repeats=tuple(repeats))
    return replace(found, repeated=tuple(k for cine in cines for k in cine.order.repeats))


def _rejected_images(headers: Sequence[FrameHeader], rejected: Mapping[int, Rejection]) -> list[ExcludedImages]:
    counts = Counter((headers[k].series, one.reason, one.repeat_of) for k, one in rejected.items())
    return [
        ExcludedImages(series=series, reason=f"{reason}: {other} was used", n_images=count, repeat_of=other)
        for (series, reason, other), count in counts.items()
    ]


def _group_by_geometry(headers: Sequence[FrameHeader], frames: Sequence[int]) -> list[list[int]]:
    """Group frames with the same orientation, pixel spacing and matrix."""
    groups: list[list[int]] = []
    firsts: list[FrameHeader] = []
    for k in frames:
        match = next((g for g, first in enumerate(firsts) if _same_geometry(first, headers[k])), None)
        if match is None:
            firsts.append(headers[k])
            groups.append([k])
        else:
            groups[match].append(k)
    return groups


def _same_geometry(one: FrameHeader, other: FrameHeader) -> bool:
    if (one.rows, one.columns) != (other.rows, other.columns):
        return False
    direction_difference = max(abs(a - b) for a, b in zip(one.orientation, other.orientation, strict=True))
    spacing_difference = max(abs(a / b - 1) for a, b in zip(one.pixel_spacing, other.pixel_spacing, strict=True))
    return direction_difference < _SAME_DIRECTION and spacing_difference < 0.01


def _find_cines(headers: Sequence[FrameHeader], group: Sequence[int]) -> tuple[list[_Cine], list[ExcludedImages]]:
    """Return the slices with a cine among frames of one geometry, and the images of other kinds."""
    first = headers[group[0]]
    grid = SliceGrid(
        orientation=first.orientation, pixel_spacing=first.pixel_spacing, rows=first.rows, columns=first.columns
    )
    positions, orders, excluded = _select_cines(headers, _group_by_position(headers, group, first.normal))
    slices = _slices(headers, positions, orders, grid)
    cines = [_Cine(slice=one, grid=grid, order=order) for one, order in zip(slices, orders, strict=True)]
    return cines, excluded


def _group_parallel(cines: Sequence[_Cine]) -> list[list[_Cine]]:
    """Group slices whose planes are parallel to within a tilt, whatever their grids.

    Fewer than three positions are no stack: those of different grids stay apart.
    """
    counts = Counter(cine.grid for cine in cines)
    groups: list[list[_Cine]] = []
    for cine in sorted(cines, key=lambda cine: -counts[cine.grid]):
        match = next((g for g in groups if abs(float(g[0].grid.normal @ cine.grid.normal)) > PARALLEL), None)
        if match is None:
            groups.append([cine])
        else:
            match.append(cine)
    return [part for group in groups for part in _apart_if_few(group)]


def _apart_if_few(group: Sequence[_Cine]) -> list[list[_Cine]]:
    along = sorted(float(slice_centre(cine.slice) @ group[0].grid.normal) for cine in group)
    if 1 + sum(gap > _DISTINCT_MM for gap in np.diff(along)) >= MIN_STACK_SLICES:
        return [list(group)]
    by_grid: dict[SliceGrid, list[_Cine]] = {}
    for cine in group:
        by_grid.setdefault(cine.grid, []).append(cine)
    return list(by_grid.values())


def _sort_parallel(headers: Sequence[FrameHeader], cines: Sequence[_Cine]) -> SortedStacks:
    """Merge parallel slices into stacks on one grid each, and their frames into one cycle."""
    normal = cines[0].grid.normal
    slices = mark_scattered([cine.slice for cine in cines], normal)
    cines = [replace(cine, slice=one) for cine, one in zip(cines, slices, strict=True)]
    order_of = {cine.slice: cine.order for cine in cines}
    parts, repeats = merge_slices(slices, normal)
    excluded = [_repeat_exclusion(repeat) for repeat in repeats]
    stacks: list[Stack] = []
    issues: list[Issue] = []
    retakes = tuple(repeats)
    repeats += [repeat for cine in cines if (repeat := _repeat_in_series(headers, cine)) is not None]
    for part in parts:
        completed, filled = _complete_cycle(headers, part, order_of)
        placed, phases = place_in_cycle(completed)
        stack, moved = on_common_grid(placed, hints=_hints(headers, completed))
        found = [*retake_issues([part], retakes), *filled, *phases, *moved]
        found += [*order_issues(stack), *count_issues(stack), *geometry_issues(stack)]
        stacks.append(replace(stack, issues=tuple(found)))
        issues += found
    return SortedStacks(stacks=tuple(stacks), excluded=tuple(excluded), issues=tuple(issues), repeats=tuple(repeats))


def _repeat_in_series(headers: Sequence[FrameHeader], cine: _Cine) -> RepeatedSlice | None:
    """Return the earlier acquisition of a slice that its own series holds twice; None if there is none, or several."""
    again = order_in_time(headers, cine.order.repeats)
    if len(again.frames) < MIN_FRAMES or again.repeats:
        return None
    other = replace(cine.slice, frames=again.frames)
    return RepeatedSlice(excluded=other, kept=cine.slice, reason="it is the later acquisition")


def _group_by_position(
    headers: Sequence[FrameHeader], group: Sequence[int], normal: NDArray[np.float64]
) -> list[_Position]:
    """Group frames by series and position along the normal."""
    by_series: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for k in group:
        by_series[headers[k].series].append((float(np.array(headers[k].position) @ normal), k))
    positions = []
    for series, members in by_series.items():
        members.sort()
        along = np.array([position for position, _ in members])
        edges = [0, *(np.flatnonzero(np.diff(along) > _SAME_POSITION_MM) + 1).tolist(), len(members)]
        for a, b in pairwise(edges):
            positions.append(_Position(series=series, frames=tuple(k for _, k in members[a:b])))
    return positions


def _select_cines(
    headers: Sequence[FrameHeader], positions: Sequence[_Position]
) -> tuple[list[_Position], list[TimeOrder], list[ExcludedImages]]:
    """Return the positions with a cine, their frames in time, and the exclusions by series and reason."""
    kept, orders = [], []
    refused: dict[tuple[str, str], list[_Position]] = defaultdict(list)
    for position in positions:
        order = order_in_time(headers, sorted(position.frames))
        reason = "too few" if len(order.frames) < MIN_FRAMES else non_cine_reason(headers, order)
        if reason is None:
            kept.append(position)
            orders.append(order)
        else:
            refused[(position.series, reason)].append(position)
    return kept, orders, [_exclusion(*key, found) for key, found in refused.items()]


def _exclusion(series: str, reason: str, positions: Sequence[_Position]) -> ExcludedImages:
    counts = tuple(len(position.frames) for position in positions)
    if reason != "too few":
        return ExcludedImages(series=series, reason=reason, n_images=sum(counts))
    places = "1 position" if len(positions) == 1 else f"{len(positions)} positions"
    reason = f"{max(counts)} frames at most at {places}; expected at least {MIN_FRAMES} for a cine"
    return ExcludedImages(series=series, reason=reason, n_images=sum(counts), too_few=counts)


def _slices(
    headers: Sequence[FrameHeader], positions: Sequence[_Position], orders: Sequence[TimeOrder], grid: SliceGrid
) -> list[CineSlice]:
    slices = []
    for position, order in zip(positions, orders, strict=True):
        first = headers[order.frames[0]]
        chosen = [headers[k] for k in order.frames]
        slices.append(
            CineSlice(
                series=position.series,
                origin=first.position,
                frames=order.frames,
                order_source=order.source,
                thickness_mm=first.thickness_mm,
                spacing_between_mm=first.spacing_between_mm,
                rr_interval_ms=_interval_ms(chosen, order),
                span_ms=_span_ms(order),
                acquisition_order=(float(first.series_number or 0), first.acquired_ms or 0.0),
                derived=first.derived,
                grid=grid,
                gated=_is_gated(chosen, order),
                hints=first.hints,
            )
        )
    return slices


def _interval_ms(chosen: Sequence[FrameHeader], order: TimeOrder) -> float | None:
    stated, rate = (_median([getattr(one, name) for one in chosen]) for name in ("rr_interval_ms", "heart_rate_bpm"))
    return agreed_interval_ms(stated, rate, _span_ms(order))


def _span_ms(order: TimeOrder) -> float | None:
    return len(order.frames) * order.step if order.source == TRIGGER_TIME else None


def _is_gated(chosen: Sequence[FrameHeader], order: TimeOrder) -> bool:
    """Return True if tags relate the frames to the R wave."""
    if order.source == TRIGGER_TIME:
        return True
    return any(image.rr_interval_ms or image.heart_rate_bpm or image.n_phases for image in chosen)


def _median(values: Sequence[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return float(np.median(present)) if present else None


def _complete_cycle(
    headers: Sequence[FrameHeader], part: Sequence[CineSlice], order_of: Mapping[CineSlice, TimeOrder]
) -> tuple[tuple[CineSlice, ...], list[Issue]]:
    """Return slices with gaps for missing frames and with times, and an issue for each missing frame."""
    orders = [order_of[cine_slice] for cine_slice in part]
    rr_ms = [cine_slice.rr_interval_ms or _rr_from_rate(headers, cine_slice) for cine_slice in part]
    n_stated = [headers[order.frames[0]].n_phases for order in orders]
    rows = assign_frame_slots(orders, rr_ms=rr_ms, n_stated=n_stated)
    completed, issues = [], []
    for k, (cine_slice, order, row) in enumerate(zip(part, orders, rows, strict=True)):
        times = frame_times_ms(order, row)
        completed.append(replace(cine_slice, frames=row, times_ms=None if times is None else tuple(times.tolist())))
        issues += [missing_issue(cine_slice.series, k, t) for t, frame in enumerate(row) if frame is None]
    return tuple(completed), issues


def _rr_from_rate(headers: Sequence[FrameHeader], cine_slice: CineSlice) -> float | None:
    rate = _median([headers[k].heart_rate_bpm for k in cine_slice.frames if k is not None])
    return None if rate is None else 60000 / rate


def _hints(headers: Sequence[FrameHeader], slices: Sequence[CineSlice]) -> tuple[str, ...]:
    firsts = [next(k for k in cine_slice.frames if k is not None) for cine_slice in slices]
    return tuple(dict.fromkeys(hint for k in firsts for hint in headers[k].hints))


def _repeat_exclusion(repeat: RepeatedSlice) -> ExcludedImages:
    return ExcludedImages(
        series=repeat.excluded.series,
        reason=f"repeats a slice of {repeat.kept.series}, which was kept because {repeat.reason}",
        n_images=len(repeat.excluded.frames),
        repeat_of=repeat.kept.series,
    )


def instance_positions(stack: Stack, headers: Sequence[FrameHeader]) -> dict[tuple[str, int], tuple[int, int]]:
    """Map (series, InstanceNumber) to (slice, frame), both from 0, for the images of a stack."""
    positions = {}
    for position, cine_slice in enumerate(stack.slices):
        for time, k in enumerate(cine_slice.frames):
            number = None if k is None else headers[k].instance_number
            if number is not None:
                positions[(cine_slice.series, number)] = (position, time)
    return positions
