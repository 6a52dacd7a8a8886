"""Temporal order of a slice's frames and detection of missing frames, from headers alone."""

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
    "TRIGGER_TIME",
    "TimeOrder",
    "assign_frame_slots",
    "frame_times_ms",
    "gap_slots",
    "non_cine_reason",
    "order_in_time",
]

TRIGGER_TIME = "trigger time"
"""Order of frames by their times after the R wave."""
TEMPORAL_POSITION = "temporal position"
ACQUISITION_TIME = "acquisition time"
INSTANCE_NUMBER = "instance number"
FRAME_NUMBER = "frame number"
FILE_ORDER = "file order"
"""Order of frames without any time information: a guess."""

_FIELDS = {
    TRIGGER_TIME: "trigger_ms",
    TEMPORAL_POSITION: "temporal_index",
    ACQUISITION_TIME: "acquired_ms",
    INSTANCE_NUMBER: "instance_number",
    FRAME_NUMBER: "frame",
}
"""Field of `FrameHeader` that each order sorts by, the most trusted first."""

MIN_FRAMES = 8
"""Minimum number of frames of a cine: late enhancement has 1 or 2, T2 maps 3 or 4."""

_MAX_STEP_MS = 200.0
"""At a larger step, even a cycle of 1.6 s would have fewer than `MIN_FRAMES` frames."""
_MIN_STEP_MS = 5.0
"""Smallest step of a cine; real-time and gated cines have 15 to 60 ms."""
_OTHER_UNIT = 5.0
"""Times are in another unit only if their step, taken as ms, is outside the range of a cine by this factor."""
_SAME_SPAN = 0.03
"""Largest difference of the span of times in another unit from that of a whole cycle in it, as a share."""
_DAY_MS = 86_400_000.0
_BEAT_STEP_MS = 300.0
"""Frames acquired further apart than this are one per heartbeat (200 beats per minute), not a cine."""
_ANOTHER_ECHO = 1.2
"""Ratio of echo times from which they are several, not one that is rounded or adjusted from frame to frame."""
_IF_CINE = "; if it is a cine, name it with --use"
_MAX_MISSING = 3
"""More missing frames than this are a different number of frames rather than a loss."""

_EVEN = 0.45
"""Largest deviation of a step from a whole number of steps among evenly spaced times, as a share of the step."""
_REGULAR = 0.3
"""The same where steps place missing frames; also the largest difference of the starts of complete slices, in steps."""
_UNKNOWN_START = 0.3
"""Where slices start if the complete ones do not agree, in steps: between beginning (0) and middle (0.5) of a frame."""
_ROUNDED_DISTINCT = 5
"""Fewest distinct values that show the even step of rounded times."""


@dataclass(frozen=True, kw_only=True)
class TimeOrder:
    """Frames of one slice in temporal order."""

    frames: tuple[int, ...]
    """Header indices."""
    values: tuple[float, ...]
    """Values that the frames were sorted by, ascending."""
    source: str
    """Source of `values`: `TRIGGER_TIME` if available, `FILE_ORDER` if there is no time information."""
    repeats: tuple[int, ...] = ()
    """Header indices of frames replaced by a later acquisition at the same time."""

    @property
    def step(self) -> float:
        """Median step of `values`."""
        return float(np.median(np.diff(self.values)))


def order_in_time(headers: Sequence[FrameHeader], frames: Sequence[int]) -> TimeOrder:
    """Sort the frames of one slice by trigger time, or by the next best value that distinguishes them.

    A trigger time that is rounded or broken gives way to a cleaner value. Frames with equal times were acquired again:
    the latest of each group is kept, since a repeat replaces what it repeats.
    """
    orders = [order for source in _FIELDS if (order := _order_by_source(headers, frames, source))]
    if not orders:
        return TimeOrder(frames=tuple(frames), values=tuple(map(float, range(len(frames)))), source=FILE_ORDER)
    first = orders[0]
    if first.source == TRIGGER_TIME and not _is_even(first.values):
        numbered = [one for one in orders if one.source in (TEMPORAL_POSITION, INSTANCE_NUMBER)]
        same_size = [one for one in numbered if len(one.frames) == len(first.frames)]
        clean = next((one for one in same_size if _is_even(one.values)), None)
        if clean is not None and not _same_cycle(clean.frames, first.frames):
            return clean
    return first


def _order_by_source(headers: Sequence[FrameHeader], frames: Sequence[int], source: str) -> TimeOrder | None:
    """Return the order by one source; None if a frame lacks its value, or it does not distinguish the frames."""
    values: Sequence[float] = [getattr(headers[k], _FIELDS[source]) for k in frames]
    if not values or None in values:
        return None
    if source == TRIGGER_TIME:
        values = _in_ms(values, _cycle_ms(headers, frames))
        if not values:
            return None
        if rounded := _rounded_order(headers, frames, values):
            return rounded
    if source == ACQUISITION_TIME:
        values = _past_midnight(values)
    if not _is_distinct(source, values):
        return None
    return _order_by(headers, frames, [float(value) for value in values], source)


def _cycle_ms(headers: Sequence[FrameHeader], frames: Sequence[int]) -> float | None:
    """Return the usual cycle that the frames of a slice state."""
    rates = [60000 / rate for k in frames if (rate := headers[k].heart_rate_bpm)]
    cycles = [cycle for k in frames if (cycle := headers[k].rr_interval_ms)] or rates
    return float(np.median(cycles)) if cycles else None


def _in_ms(times: Sequence[float], cycle_ms: float | None) -> Sequence[float]:
    """Return trigger times in ms that were written in another unit, which step or span shows.

    Those are microseconds, seconds, hundredths of a second, and percent or fractions of the cycle; empty for percent of
    an unknown cycle.
    """
    distinct = np.unique(times)
    step = float(np.median(np.diff(distinct))) if len(distinct) >= MIN_FRAMES else 0.0
    span = float(distinct[-1] - distinct[0]) + step
    if _MIN_STEP_MS / _OTHER_UNIT <= step <= _OTHER_UNIT * _MAX_STEP_MS:
        # No cine is as short as a tenth of a second.
        if abs(span / 100 - 1) < _SAME_SPAN:
            return [time * cycle_ms / 100 for time in times] if cycle_ms else []
        if cycle_ms and span < 10 * MIN_FRAMES * _MIN_STEP_MS and abs(10 * span / cycle_ms - 1) < _SAME_SPAN:
            return [10 * time for time in times]
        return times
    if cycle_ms and abs(span - 1) < _SAME_SPAN < abs(1000 / cycle_ms - 1):
        return [time * cycle_ms for time in times]
    for scale in (0.001, 1000.0):
        if _MIN_STEP_MS <= step * scale <= _MAX_STEP_MS:
            return [time * scale for time in times]
    return times


def _past_midnight(times: Sequence[float]) -> Sequence[float]:
    """Return clock times that ascend over midnight."""
    if max(times) - min(times) < _DAY_MS / 2:
        return times
    return [time + _DAY_MS if time < _DAY_MS / 2 else time for time in times]


def _rounded_order(headers: Sequence[FrameHeader], frames: Sequence[int], values: Sequence[float]) -> TimeOrder | None:
    """Return the order of times rounded so coarsely that some are equal; None if they are not.

    They never decrease with the instance number, and equal ones are no repeats, which would come one by one for each
    time, or after all others. The times are those of an even step.
    """
    distinct = len(set(values))
    numbers = [headers[k].instance_number for k in frames]
    if distinct == len(values) or distinct < _ROUNDED_DISTINCT or None in numbers or len(set(numbers)) < len(numbers):
        return None
    if len(set(Counter(values).values())) == 1:
        return None
    order = sorted(range(len(frames)), key=lambda k: numbers[k] or 0)
    times = np.array([values[k] for k in order], dtype=np.float64)
    if (np.diff(times) < 0).any():
        return None
    even = np.polyval(np.polyfit(np.arange(len(times)), times, 1), np.arange(len(times)))
    if np.abs(even - times).max() > np.diff(np.unique(times)).max():
        return None
    return TimeOrder(frames=tuple(frames[k] for k in order), values=tuple(even.tolist()), source=TRIGGER_TIME)


def _is_even(values: Sequence[float]) -> bool:
    """Return True if values ascend in equal steps, but for a few missing ones."""
    steps = np.diff(values)
    step = float(np.median(steps)) if len(steps) else 0.0
    if step <= 0:
        return False
    return bool(np.abs(steps / step - np.maximum(np.round(steps / step), 1)).max() < _EVEN and (steps < 4 * step).all())


def _same_cycle(one: Sequence[int], other: Sequence[int]) -> bool:
    """Return True if two orders of the same frames differ at most in the frame they start with."""
    if set(one) != set(other):
        return False
    start = list(other).index(one[0])
    return tuple(one) == (*other[start:], *other[:start])


def _is_distinct(source: str, values: Sequence[float]) -> bool:
    """Return True if values are all distinct or, for times in the cycle, occur about equally often."""
    n, distinct = len(values), len(set(values))
    if n == distinct:
        return n > 1
    if source not in (TRIGGER_TIME, TEMPORAL_POSITION) or distinct < MIN_FRAMES:
        return False
    if source == TRIGGER_TIME and _is_even(sorted(set(values))):
        return True
    repeats = n / distinct
    return n - distinct <= _MAX_MISSING or abs(repeats - round(repeats)) < 0.1 * repeats


def _order_by(headers: Sequence[FrameHeader], frames: Sequence[int], values: Sequence[float], source: str) -> TimeOrder:
    def acquisition_rank(k: int) -> tuple[bool, float, float, float]:
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
    kept = [max(at_time[value], key=acquisition_rank) for value in times]
    return TimeOrder(
        frames=tuple(kept),
        values=tuple(times),
        source=source,
        repeats=tuple(sorted(set(frames) - set(kept))),
    )


def non_cine_reason(headers: Sequence[FrameHeader], order: TimeOrder) -> str | None:
    """Return why several frames at one position are not a cine; None if they are."""
    chosen = [headers[k] for k in order.frames]
    echoes = {header.echo_time_ms for header in chosen if header.echo_time_ms}
    if len(echoes) >= 3 and max(echoes) > _ANOTHER_ECHO * min(echoes):
        return f"several echo times (a T2* measurement{_IF_CINE})"
    if len({header.inversion_time_ms for header in chosen}) >= 3:
        return f"several inversion times (a T1 measurement, or images to choose the inversion time{_IF_CINE})"
    if order.source == TRIGGER_TIME and _MIN_STEP_MS <= order.step <= _MAX_STEP_MS:
        return None
    clock = [header.acquired_ms for header in chosen if header.acquired_ms is not None]
    beat_by_clock = len(clock) == len(chosen) and float(np.median(np.diff(sorted(clock)))) >= _BEAT_STEP_MS
    beat_by_trigger = order.source == TRIGGER_TIME and order.step > _MAX_STEP_MS
    if beat_by_clock or beat_by_trigger:
        return "one image per heartbeat (perfusion or another dynamic series)"
    return None


def gap_slots(values: Sequence[float]) -> NDArray[np.int64]:
    """Return the slot of each value on a regular time axis starting at 0: wide gaps leave slots empty.

    Values are consecutive if the steps are irregular, or if more slots would be empty than a loss explains.

    >>> gap_slots([0.0, 40.0, 120.0, 160.0, 200.0]).tolist()
    [0, 1, 3, 4, 5]
    """
    consecutive = np.arange(len(values))
    steps = np.diff(np.asarray(values, dtype=np.float64))
    step = float(np.median(steps))
    if step <= 0:
        return consecutive
    whole = np.round(steps / step)
    if (whole < 1).any() or np.abs(steps / step - whole).max() > _REGULAR:
        return consecutive
    slots = np.concatenate([[0], np.cumsum(whole)]).astype(np.int64)
    return slots if slots[-1] + 1 - len(values) <= _MAX_MISSING else consecutive


def assign_frame_slots(
    orders: Sequence[TimeOrder], *, rr_ms: Sequence[float | None], n_stated: Sequence[int | None]
) -> list[tuple[int | None, ...]]:
    """Return, for each slice of a stack, its header indices by frame, with None for a missing frame.

    Inner gaps show in the steps. A slice that is short at its start or end is padded to the most common number of
    frames, unless its own steps cover its cycle: it was then acquired with fewer frames. `rr_ms` is the cycle length of
    each slice; `n_stated` is the number of frames in its header, accepted if that many steps make up the cycle.
    """
    slots = [gap_slots(order.values) for order in orders]
    totals = [int(own[-1]) + 1 for own in slots]
    common = _most_common([_frame_count(*facts) for facts in zip(orders, totals, rr_ms, n_stated, strict=True)])
    usual = _usual_start([_start(one, common) for one, n in zip(orders, totals, strict=True) if n == common])
    rows: list[tuple[int | None, ...]] = []
    for order, own, total, rr in zip(orders, slots, totals, rr_ms, strict=True):
        missing = common - total
        if missing < 0 and len(order.frames) == common:
            # A pause rather than a loss: the slice has as many frames as the others.
            rows.append(order.frames)
            continue
        if missing < 0 or missing > _MAX_MISSING or _covers_cycle(order, total, rr):
            missing = 0
        lead = int(np.clip(round(_start(order, common) - usual), 0, missing))
        row: list[int | None] = [None] * (total + missing)
        for slot, frame in zip(own, order.frames, strict=True):
            row[lead + int(slot)] = frame
        rows.append(tuple(row))
    return rows


def _frame_count(order: TimeOrder, total: int, rr_ms: float | None, stated: int | None) -> int:
    """Return the stated number of frames if that many steps make up the cycle; else the number found."""
    if rr_ms is None or stated is None or not 0 < stated - total <= _MAX_MISSING:
        return total
    return stated if _covers_cycle(order, stated, rr_ms) else total


def _usual_start(starts: Sequence[float]) -> float:
    """Return where complete slices start, in steps: frames are timed by their beginning (0) or middle (0.5)."""
    regular = bool(starts) and max(starts) - min(starts) < _REGULAR
    return float(np.median(starts)) if regular else _UNKNOWN_START


def _most_common(totals: Sequence[int]) -> int:
    counts = Counter(totals)
    return max(counts, key=lambda total: (counts[total], total))


def _start(order: TimeOrder, count: int) -> float:
    """Return the number of steps from the start of the cycle to the first frame, as far as the values show."""
    first = order.values[0]
    if order.source == INSTANCE_NUMBER:
        # Numbers run slice by slice (step 1), or through all slices at each time.
        return (first - 1) % count if order.step <= 1 else (first - 1) // order.step
    return first / order.step if order.source in (TRIGGER_TIME, TEMPORAL_POSITION) else 0.0


def _covers_cycle(order: TimeOrder, total: int, rr_ms: float | None) -> bool:
    """Return True if so many frames at the step of an order fill the cycle, to within half a step."""
    if order.source != TRIGGER_TIME or rr_ms is None:
        return False
    return abs(rr_ms / order.step - total) < 0.5


def frame_times_ms(order: TimeOrder, row: Sequence[int | None]) -> NDArray[np.float64] | None:
    """Return the (t,) times of a slice's frames, extrapolated for missing ones; None if the order has no unit."""
    if order.source not in (TRIGGER_TIME, ACQUISITION_TIME):
        return None
    if not _MIN_STEP_MS <= order.step <= _MAX_STEP_MS:
        return None
    present = [k for k, frame in enumerate(row) if frame is not None]
    positions = np.arange(len(row), dtype=np.float64)
    times = np.interp(positions, present, order.values)
    times += order.step * (np.minimum(positions - present[0], 0) + np.maximum(positions - present[-1], 0))
    return times
