"""The order of a slice's frames in time, and where in that order a frame is missing; from headers alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.io.dicom.header import FrameHeader

__all__ = [
    "FILE_ORDER",
    "MIN_FRAMES",
    "TimeOrder",
    "frame_times_ms",
    "gap_slots",
    "order_in_time",
    "places_in_cycle",
    "why_no_cine",
]

FILE_ORDER = "file order"
"""What orders frames where nothing in them tells their time: a guess."""

MIN_FRAMES = 8
"""Fewer frames at one place are no cine: late enhancement has 1 or 2, T2 maps 3 or 4."""

_MAX_STEP_MS = 200.0
"""Above this step even a cycle of 1.6 s would have fewer than `MIN_FRAMES` frames."""
_MIN_STEP_MS = 5.0
_BEAT_STEP_MS = 300.0
"""Frames further apart than this on the clock are one to a heartbeat (200 beats a minute), not a cine."""
_MAX_HOLES = 3
"""More missing frames than this in a row of slices are a different number of frames, not an accident."""

_SOURCES = (
    ("trigger time", "trigger_ms"),
    ("temporal position", "temporal_index"),
    ("acquisition time", "acquired_ms"),
    ("instance number", "instance_number"),
    ("frame number", "frame"),
)


@dataclass(frozen=True, kw_only=True)
class TimeOrder:
    """Frames of one slice in the order of their time."""

    frames: tuple[int, ...]
    """Header indices."""
    values: tuple[float, ...]
    """What they were ordered by, ascending."""
    source: str
    """Where `values` come from: "trigger time" if it can be, "file order" if nothing tells."""
    repeats: tuple[int, ...] = ()
    """Header indices of frames at a time that another frame, taken later, stands for."""

    @property
    def step(self) -> float:
        """Median step of `values`."""
        return float(np.median(np.diff(self.values)))


def order_in_time(headers: Sequence[FrameHeader], frames: Sequence[int]) -> TimeOrder:
    """Frames of one slice in time: by trigger time, or by the next best thing that tells them apart.

    Frames that share a time were acquired again: of each such group the one taken last is kept, since a
    repeat is made to replace what it repeats.
    """
    for source, name in _SOURCES:
        values = [getattr(headers[k], name) for k in frames]
        if None not in values and _tells_apart(source, values):
            return _ordered(headers, frames, [float(value) for value in values], source)
    return TimeOrder(frames=tuple(frames), values=tuple(map(float, range(len(frames)))), source=FILE_ORDER)


def _tells_apart(source: str, values: Sequence[float]) -> bool:
    """True where values are all distinct or, for times in the cycle, each occurs about equally often."""
    n, distinct = len(values), len(set(values))
    if n == distinct:
        return n > 1
    if source not in ("trigger time", "temporal position") or distinct < MIN_FRAMES:
        return False
    times_each = n / distinct
    return n - distinct <= _MAX_HOLES or abs(times_each - round(times_each)) < 0.1 * times_each


def _ordered(headers: Sequence[FrameHeader], frames: Sequence[int], values: Sequence[float], source: str) -> TimeOrder:
    def taken(k: int) -> tuple[bool, float, float, float]:
        header = headers[k]
        return (
            not header.derived,
            header.acquisition_number or 0,
            header.acquired_ms or 0.0,
            header.instance_number or 0,
        )

    at_time: dict[float, list[int]] = defaultdict(list)
    for k, value in zip(frames, values, strict=True):
        at_time[value].append(k)
    times = sorted(at_time)
    kept = [max(at_time[value], key=taken) for value in times]
    return TimeOrder(
        frames=tuple(kept),
        values=tuple(times),
        source=source,
        repeats=tuple(sorted(set(frames) - set(kept))),
    )


def why_no_cine(headers: Sequence[FrameHeader], order: TimeOrder) -> str | None:
    """Why frames at one place are no cine though there are several; None where they are one."""
    chosen = [headers[k] for k in order.frames]
    if len({header.echo_time_ms for header in chosen}) >= 3:
        return "several echo times (a T2* measurement)"
    if len({header.inversion_time_ms for header in chosen}) >= 3:
        return "several inversion times (a T1 measurement or an inversion scout)"
    if order.source == "trigger time" and _MIN_STEP_MS <= order.step <= _MAX_STEP_MS:
        return None
    clock = [header.acquired_ms for header in chosen if header.acquired_ms is not None]
    beat_by_clock = len(clock) == len(chosen) and float(np.median(np.diff(sorted(clock)))) >= _BEAT_STEP_MS
    beat_by_trigger = order.source == "trigger time" and order.step > _MAX_STEP_MS
    if beat_by_clock or beat_by_trigger:
        return "one image per heartbeat (perfusion or another dynamic series)"
    return None


def gap_slots(values: Sequence[float]) -> NDArray[np.int64]:
    """The place of each value in a regular row that begins at 0: wide gaps leave places empty.

    Where steps are irregular, or more places would be empty than an accident explains, all values follow each
    other.

    >>> gap_slots([0.0, 40.0, 120.0, 160.0, 200.0]).tolist()
    [0, 1, 3, 4, 5]
    """
    together = np.arange(len(values))
    steps = np.diff(np.asarray(values, dtype=np.float64))
    step = float(np.median(steps))
    if step <= 0:
        return together
    whole = np.round(steps / step)
    if (whole < 1).any() or np.abs(steps / step - whole).max() > 0.3:
        return together
    slots = np.concatenate([[0], np.cumsum(whole)]).astype(np.int64)
    return slots if slots[-1] + 1 - len(values) <= _MAX_HOLES else together


def places_in_cycle(
    orders: Sequence[TimeOrder], *, rr_ms: Sequence[float | None], n_said: Sequence[int | None]
) -> list[tuple[int | None, ...]]:
    """For each slice of a stack its header indices by frame, None where a frame is missing.

    Inner gaps are seen in the steps. A slice that is short at its start or end is filled up to the number of
    frames that most slices have, unless its own steps cover its own cycle: then it was acquired with fewer
    frames. `rr_ms` is each slice's cycle; `n_said` the number of frames its file says, believed where so many
    steps make the cycle.
    """
    slots = [gap_slots(order.values) for order in orders]
    totals = [int(own[-1]) + 1 for own in slots]
    common = _most_common([_confirmed(*facts) for facts in zip(orders, totals, rr_ms, n_said, strict=True)])
    usual = _usual_start([_start(one, common) for one, n in zip(orders, totals, strict=True) if n == common])
    rows: list[tuple[int | None, ...]] = []
    for order, own, total, rr in zip(orders, slots, totals, rr_ms, strict=True):
        missing = common - total
        if missing < 0 and len(order.frames) == common:
            # A pause, not a hole: the slice has as many frames as the others.
            rows.append(order.frames)
            continue
        if missing < 0 or missing > _MAX_HOLES or _covers_cycle(order, total, rr):
            missing = 0
        lead = int(np.clip(round(_start(order, common) - usual), 0, missing))
        row: list[int | None] = [None] * (total + missing)
        for slot, frame in zip(own, order.frames, strict=True):
            row[lead + int(slot)] = frame
        rows.append(tuple(row))
    return rows


def _confirmed(order: TimeOrder, total: int, rr_ms: float | None, said: int | None) -> int:
    """The number of frames that the file says, where as many steps make the cycle; else the number found."""
    if rr_ms is None or said is None or not 0 < said - total <= _MAX_HOLES:
        return total
    return said if _covers_cycle(order, said, rr_ms) else total


def _usual_start(starts: Sequence[float]) -> float:
    """Where complete slices start, in steps: scanners time a frame by its beginning (0) or middle (0.5)."""
    regular = bool(starts) and max(starts) - min(starts) < 0.3
    return float(np.median(starts)) if regular else 0.3


def _most_common(totals: Sequence[int]) -> int:
    counts = Counter(totals)
    return max(counts, key=lambda total: (counts[total], total))


def _start(order: TimeOrder, count: int) -> float:
    """How many steps after the cycle's start the first frame lies, as far as the ordering value tells."""
    first = order.values[0]
    if order.source == "instance number":
        # Numbers run through the slices one after the other (step 1), or through all slices at each time.
        return (first - 1) % count if order.step <= 1 else (first - 1) // order.step
    return first / order.step if order.source in ("trigger time", "temporal position") else 0.0


def _covers_cycle(order: TimeOrder, total: int, rr_ms: float | None) -> bool:
    if order.source != "trigger time" or rr_ms is None:
        return False
    return abs(rr_ms / order.step - total) < 0.5


def frame_times_ms(order: TimeOrder, row: Sequence[int | None]) -> NDArray[np.float64] | None:
    """(t,) times of a slice's frames, missing ones by the step; None where the order has no unit."""
    if order.source not in ("trigger time", "acquisition time"):
        return None
    if not _MIN_STEP_MS <= order.step <= _MAX_STEP_MS:
        return None
    known = [k for k, frame in enumerate(row) if frame is not None]
    places = np.arange(len(row), dtype=np.float64)
    times = np.interp(places, known, order.values)
    times += order.step * (np.minimum(places - known[0], 0) + np.maximum(places - known[-1], 0))
    return times
