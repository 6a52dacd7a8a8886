"""Which instance belongs to which stack, slice and frame: decided from headers alone, by place and time.

No description, no file order and no single tag decides: instances are grouped by orientation, pixel spacing
and matrix, then by their position along the normal, then ordered by their time in the cycle.
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
from cinema_cmr.io.dicom.stack import CineSlice, Repeat, Stack, geometry_issues, merge_slices
from cinema_cmr.io.dicom.timing import (
    FILE_ORDER,
    MIN_FRAMES,
    TimeOrder,
    frame_times_ms,
    order_in_time,
    places_in_cycle,
    why_no_cine,
)

__all__ = ["LeftOut", "SortedStacks", "instance_places", "same_place_and_time", "sort_headers"]

_SAME_DIRECTION = 0.01
"""Largest difference of direction cosines within one stack (half a degree)."""
_SAME_POSITION_MM = 0.5


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """Images of one series that became part of no cine."""

    series: str
    reason: str
    n_images: int
    repeat_of: str | None = None
    """The series that was kept instead, where these images are a cine that repeats it."""


@dataclass(frozen=True, kw_only=True)
class SortedStacks:
    """All cines of a study as stacks of header indices, and what did not fit."""

    stacks: tuple[Stack, ...]
    left_out: tuple[LeftOut, ...]
    issues: tuple[Issue, ...]


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Frames of one series at one position."""

    series: str
    frames: tuple[int, ...]


def same_place_and_time(headers: Sequence[FrameHeader]) -> tuple[int, ...]:
    """Indices of frames that share place, time and number with another: copies if their pixels agree."""
    groups: dict[object, list[int]] = defaultdict(list)
    for k, header in enumerate(headers):
        groups[_place_and_time(header)].append(k)
    return tuple(sorted(k for group in groups.values() if len(group) > 1 for k in group))


def _place_and_time(header: FrameHeader) -> tuple[object, ...]:
    place = (*header.position, *header.orientation, *header.pixel_spacing)
    time = (header.trigger_ms, header.temporal_index, header.acquired_ms, header.instance_number)
    kind = (header.echo_time_ms, header.inversion_time_ms, header.rows, header.columns)
    return (*(round(value, 2) for value in place), *time, *kind)


def sort_headers(headers: Sequence[FrameHeader], *, digests: Mapping[int, str] | None = None) -> SortedStacks:
    """Stacks of the cines among the frames of a study, each frame by its index in `headers`.

    `digests` (header index -> digest of its pixels) for the frames of `same_place_and_time` lets copies under
    other UIDs be told from repeats; without it only equal instance UIDs count as copies.
    """
    unique, copies = _without_copies(headers, digests or {})
    left_out = [
        LeftOut(series=series, reason="copies of other images", n_images=count)
        for series, count in Counter(headers[k].series for k in copies).items()
    ]
    issues = [_copies_issue(len(copies))] if copies else []
    stacks: list[Stack] = []
    for group in _by_geometry(headers, unique):
        found = _sorted_group(headers, group)
        stacks.extend(found.stacks)
        left_out.extend(found.left_out)
        issues.extend(found.issues)
    return SortedStacks(stacks=tuple(stacks), left_out=tuple(left_out), issues=tuple(issues))


def _without_copies(headers: Sequence[FrameHeader], digests: Mapping[int, str]) -> tuple[list[int], list[int]]:
    """Indices of the frames to use, and of those that are in the input already."""
    suspects = set(same_place_and_time(headers))
    seen: set[object] = set()
    unique, copies = [], []
    size = Counter(header.series for header in headers)
    # Originals first, then the larger series: what goes is the derived copy, or the key image of a cine.
    for k in sorted(range(len(headers)), key=lambda k: (headers[k].derived, -size[headers[k].series], k)):
        header = headers[k]
        keys: list[object] = [(header.instance_uid, header.frame)] if header.instance_uid else []
        if k in suspects and k in digests:
            keys.append((digests[k], _place_and_time(header)))
        if seen.intersection(keys):
            copies.append(k)
        else:
            unique.append(k)
        seen.update(keys)
    return sorted(unique), copies


def _copies_issue(count: int) -> Issue:
    return Issue(
        code="duplicate-images",
        severity="info",
        message=f"{count} images are in the input twice (same instance, or same place, time and pixels); "
        f"one of each was used",
        evidence={"images": count},
    )


def _by_geometry(headers: Sequence[FrameHeader], frames: Sequence[int]) -> list[list[int]]:
    """Frames with the same orientation, pixel spacing, matrix and study, in groups."""
    groups: list[list[int]] = []
    firsts: list[FrameHeader] = []
    for k in frames:
        home = next((g for g, first in enumerate(firsts) if _same_geometry(first, headers[k])), None)
        if home is None:
            firsts.append(headers[k])
            groups.append([k])
        else:
            groups[home].append(k)
    return groups


def _same_geometry(one: FrameHeader, other: FrameHeader) -> bool:
    if (one.rows, one.columns) != (other.rows, other.columns):
        return False
    turned = max(abs(a - b) for a, b in zip(one.orientation, other.orientation, strict=True))
    scaled = max(abs(a / b - 1) for a, b in zip(one.pixel_spacing, other.pixel_spacing, strict=True))
    return turned < _SAME_DIRECTION and scaled < 0.01


def _sorted_group(headers: Sequence[FrameHeader], group: Sequence[int]) -> SortedStacks:
    first = headers[group[0]]
    normal = first.normal
    places, orders, left_out = _cine_places(headers, _places(headers, group, normal))
    issues = _repeat_issues(headers, orders)
    slices = _slices(headers, places, orders)
    parts, repeats = merge_slices(slices, normal)
    left_out += [_left_for_repeat(repeat) for repeat in repeats]
    stacks = []
    for part in parts:
        completed, filled = _completed(headers, part, {cut: order for cut, order in zip(slices, orders, strict=True)})
        stack = Stack(
            slices=completed,
            orientation=first.orientation,
            pixel_spacing=first.pixel_spacing,
            rows=first.rows,
            columns=first.columns,
            hints=_hints(headers, completed),
        )
        stacks.append(stack)
        issues += [*filled, *_order_issues(stack), *_count_issues(stack), *geometry_issues(stack)]
    return SortedStacks(stacks=tuple(stacks), left_out=tuple(left_out), issues=tuple(issues))


def _places(headers: Sequence[FrameHeader], group: Sequence[int], normal: NDArray[np.float64]) -> list[_Place]:
    """Frames by series and position along the normal."""
    by_series: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for k in group:
        by_series[headers[k].series].append((float(np.array(headers[k].position) @ normal), k))
    places = []
    for series, members in by_series.items():
        members.sort()
        along = np.array([position for position, _ in members])
        edges = [0, *(np.flatnonzero(np.diff(along) > _SAME_POSITION_MM) + 1).tolist(), len(members)]
        for a, b in pairwise(edges):
            places.append(_Place(series=series, frames=tuple(k for _, k in members[a:b])))
    return places


def _cine_places(
    headers: Sequence[FrameHeader], places: Sequence[_Place]
) -> tuple[list[_Place], list[TimeOrder], list[LeftOut]]:
    """The places that have a cine, their frames in time, and the reason for each of the others, by series."""
    kept, orders = [], []
    refused: dict[tuple[str, str], list[_Place]] = defaultdict(list)
    for place in places:
        order = order_in_time(headers, sorted(place.frames))
        reason = "too few" if len(order.frames) < MIN_FRAMES else why_no_cine(headers, order)
        if reason is None:
            kept.append(place)
            orders.append(order)
        else:
            refused[(place.series, reason)].append(place)
    return kept, orders, [_refusal(*key, found) for key, found in refused.items()]


def _refusal(series: str, reason: str, places: Sequence[_Place]) -> LeftOut:
    counts = [len(place.frames) for place in places]
    if reason == "too few":
        reason = f"{max(counts)} frames at most at {len(places)} positions; a cine needs {MIN_FRAMES}"
    return LeftOut(series=series, reason=reason, n_images=sum(counts))


def _slices(headers: Sequence[FrameHeader], places: Sequence[_Place], orders: Sequence[TimeOrder]) -> list[CineSlice]:
    slices = []
    for place, order in zip(places, orders, strict=True):
        first = headers[order.frames[0]]
        chosen = [headers[k] for k in order.frames]
        slices.append(
            CineSlice(
                series=place.series,
                origin=first.position,
                frames=order.frames,
                order_source=order.source,
                thickness_mm=first.thickness_mm,
                spacing_between_mm=first.spacing_between_mm,
                rr_interval_ms=_median([header.rr_interval_ms for header in chosen]),
                taken=(float(first.series_number or 0), first.acquired_ms or 0.0),
                derived=first.derived,
            )
        )
    return slices


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None


def _completed(
    headers: Sequence[FrameHeader], part: Sequence[CineSlice], order_of: Mapping[CineSlice, TimeOrder]
) -> tuple[tuple[CineSlice, ...], list[Issue]]:
    """Slices with places for their missing frames and with times, and an issue for each missing frame."""
    orders = [order_of[cut] for cut in part]
    rr_ms = [cut.rr_interval_ms or _from_rate(headers, cut) for cut in part]
    n_said = [headers[order.frames[0]].n_phases for order in orders]
    rows = places_in_cycle(orders, rr_ms=rr_ms, n_said=n_said)
    completed, issues = [], []
    for k, (cut, order, row) in enumerate(zip(part, orders, rows, strict=True)):
        times = frame_times_ms(order, row)
        completed.append(replace(cut, frames=row, times_ms=None if times is None else tuple(times.tolist())))
        issues += [_missing_issue(cut.series, k, t) for t, frame in enumerate(row) if frame is None]
    return tuple(completed), issues


def _from_rate(headers: Sequence[FrameHeader], cut: CineSlice) -> float | None:
    rate = _median([headers[k].heart_rate_bpm for k in cut.frames if k is not None])
    return None if rate is None else 60000 / rate


def _missing_issue(series: str, position: int, frame: int) -> Issue:
    return Issue(
        code="missing-frame",
        severity="warning",
        message=f"{series}: frame {frame} of slice {position} is missing; it was filled from its neighbours in time",
        evidence={"series": series, "slice": position, "frame": frame},
    )


def _hints(headers: Sequence[FrameHeader], slices: Sequence[CineSlice]) -> tuple[str, ...]:
    firsts = [next(k for k in cut.frames if k is not None) for cut in slices]
    return tuple(dict.fromkeys(hint for k in firsts for hint in headers[k].hints))


def _count_issues(stack: Stack) -> list[Issue]:
    odd = {k: len(cut.frames) for k, cut in enumerate(stack.slices) if len(cut.frames) != stack.n_frames}
    if not odd:
        return []
    said = ", ".join(f"slice {k}: {count}" for k, count in odd.items())
    return [
        Issue(
            code="frame-count-differs",
            severity="warning",
            message=f"most slices have {stack.n_frames} frames, some another number ({said}); "
            f"these were resampled over the cycle",
            evidence={"n_frames": stack.n_frames, "slices": len(odd)},
        )
    ]


def _order_issues(stack: Stack) -> list[Issue]:
    """Frames in the order of their files' names are a guess, and ejection fraction needs the true one."""
    series = dict.fromkeys(cut.series for cut in stack.slices if cut.order_source == FILE_ORDER)
    return [
        Issue(
            code="frame-order-unknown",
            severity="error",
            message=f"{one}: no trigger time, temporal position, acquisition time or instance number orders its frames;"
            " they were taken in the order of the files' names, which may not be that of the cycle: export the series"
            " again with its times, for volumes at ED and ES and the ejection fraction may be wrong",
            evidence={"series": one},
        )
        for one in series
    ]


def _repeat_issues(headers: Sequence[FrameHeader], orders: Sequence[TimeOrder]) -> list[Issue]:
    counts = Counter(headers[k].series for order in orders for k in order.repeats)
    return [
        Issue(
            code="repeat-within-series",
            severity="warning",
            message=f"{series}: {count} images repeat others in place and time; the one taken last was used",
            evidence={"series": series, "images": count},
        )
        for series, count in counts.items()
    ]


def _left_for_repeat(repeat: Repeat) -> LeftOut:
    return LeftOut(
        series=repeat.left_out.series,
        reason=f"repeats a slice of {repeat.kept.series}, which was kept because {repeat.reason}",
        n_images=len(repeat.left_out.frames),
        repeat_of=repeat.kept.series,
    )


def instance_places(stack: Stack, headers: Sequence[FrameHeader]) -> dict[tuple[str, int], tuple[int, int]]:
    """(series, InstanceNumber) -> (slice, frame), both from 0: where each image of a stack went."""
    places = {}
    for position, cut in enumerate(stack.slices):
        for time, k in enumerate(cut.frames):
            number = None if k is None else headers[k].instance_number
            if number is not None:
                places[(cut.series, number)] = (position, time)
    return places
