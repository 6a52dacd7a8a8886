"""Placement of each slice's frames in the cycle by their times after the R wave, so that a frame is one phase."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.study import Issue
from cinema_cmr.io.dicom.stack import CineSlice
from cinema_cmr.io.dicom.timing import TRIGGER_TIME

__all__ = ["place_in_cycle"]

Array = NDArray[np.float64]

_WHOLE = 0.9
"""Share of the cycle that a slice's frames span at least if they cover it."""
_BEYOND = 1.1
"""Frames that span more than this share of the cycle run into the next beat."""
_IN_PHASE = 0.75
"""Offset in frames up to which a slice is in phase with the others as it is."""
_SAME_STEP = 0.04
_LATE = 1.5
"""Frames after the R wave from which a cine that covers the cycle is reordered to start at the R wave."""


@dataclass(frozen=True, kw_only=True)
class _Window:
    """Part of the cycle that one slice's frames cover, as shares of the cycle."""

    start: float
    step: float
    count: int
    step_ms: float

    @property
    def whole(self) -> bool:
        return self.count * self.step >= _WHOLE


def place_in_cycle(slices: Sequence[CineSlice]) -> tuple[tuple[CineSlice, ...], list[Issue]]:
    """Return slices whose frame k is the same phase in each, as far as their trigger times show, and notes.

    Frames are reordered and dropped, never mixed; a phase that a slice lacks is None, to be interpolated in time. The
    times are taken modulo the cycle: they may be delayed or run past the next R wave. Slices without trigger times are
    left as they are; so is a stack whose slices are in phase already.
    """
    cycle_ms = _cycle_ms(slices)
    if cycle_ms is None:
        return tuple(slices), []
    stated = any(one.rr_interval_ms for one in slices)
    usual = _usual_sampling(slices)
    cut = [_one_beat(one, cycle_ms) if stated or _runs_on(one, usual) else one for one in slices]
    usual = _usual_sampling(cut)
    windows = [_window(one, cycle_ms, usual) for one in cut]
    grid = _usual_window([window for window in windows if window])
    placed = [one if window is None else _placed(one, window, grid) for one, window in zip(cut, windows, strict=True)]
    return tuple(placed), _placement_issues(slices, placed, windows, grid)


def _is_timed(one: CineSlice) -> bool:
    return one.order_source == TRIGGER_TIME and one.times_ms is not None and len(one.frames) > 1


def _step_ms(one: CineSlice) -> float:
    return float(np.median(np.diff(one.times_ms or (0.0, 0.0))))


def _cycle_ms(slices: Sequence[CineSlice]) -> float | None:
    """Return the usual cycle by the tags; without one the span of the frames, to compare slices with each other."""
    timed = [one for one in slices if _is_timed(one)]
    if not timed:
        return None
    stated = [one.rr_interval_ms for one in timed if one.rr_interval_ms]
    return float(np.median(stated or [len(one.frames) * _step_ms(one) for one in timed]))


def _runs_on(one: CineSlice, usual: _Sampling) -> bool:
    """Return True for a slice of the usual step with many more frames, which run beyond those of the others."""
    more = len(one.frames) > _BEYOND * usual.count
    return more and _is_timed(one) and abs(_step_ms(one) / usual.step_ms - 1) < _SAME_STEP


def _one_beat(one: CineSlice, cycle_ms: float) -> CineSlice:
    """Return a slice without the frames that run into the next beat."""
    own = one.rr_interval_ms or cycle_ms
    if not _is_timed(one) or one.times_ms is None or len(one.frames) * _step_ms(one) <= _BEYOND * own:
        return one
    count = sum(time < one.times_ms[0] + own - 0.5 * _step_ms(one) for time in one.times_ms)
    return replace(one, frames=one.frames[:count], times_ms=one.times_ms[:count])


def _window(one: CineSlice, cycle_ms: float, usual: _Sampling) -> _Window | None:
    """Return the window of a slice: of its own cycle if it covers it, else of the usual one, as systole is as long."""
    if not _is_timed(one) or one.times_ms is None:
        return None
    count, step_ms = len(one.frames), _step_ms(one)
    own = one.rr_interval_ms or cycle_ms
    if one.rr_interval_ms is None and count == usual.count and abs(step_ms / usual.step_ms - 1) >= _SAME_STEP:
        # Of unknown cycles, as many frames at another step are a beat of another length.
        own = count * step_ms
    if count * step_ms >= _WHOLE * own:
        return _Window(start=one.times_ms[0] / own, step=1 / count, count=count, step_ms=step_ms)
    return _Window(start=one.times_ms[0] / cycle_ms, step=step_ms / cycle_ms, count=count, step_ms=step_ms)


@dataclass(frozen=True, kw_only=True)
class _Sampling:
    """Number of frames and step of most slices."""

    count: int
    step_ms: float


def _usual_sampling(slices: Sequence[CineSlice]) -> _Sampling:
    timed = [one for one in slices if _is_timed(one)]
    counts = Counter(len(one.frames) for one in timed)
    count = max(counts, key=lambda count: (counts[count], count))
    steps = [_step_ms(one) for one in timed if len(one.frames) == count]
    return _Sampling(count=count, step_ms=float(np.median(steps)))


def _usual_window(windows: Sequence[_Window]) -> _Window:
    """Return the window of most slices; if it covers the cycle, it starts at the R wave."""
    counts = Counter(window.count for window in windows)
    count = max(counts, key=lambda count: (counts[count], count))
    same = [window for window in windows if window.count == count]
    step = float(np.median([window.step for window in same]))
    near = [sum(abs(other.start - window.start) < step / 2 for other in same) for window in same]
    start = same[int(np.argmax(near))].start
    step_ms = float(np.median([window.step_ms for window in same]))
    usual = _Window(start=start, step=step, count=count, step_ms=step_ms)
    late = usual.whole and start > _LATE * step
    # A quarter of a frame of tolerance, so that rounding does not move a start at the R wave by a frame.
    return replace(usual, start=(start + step / 4) % step - step / 4) if late else usual


def _placed(one: CineSlice, window: _Window, grid: _Window) -> CineSlice:
    offset = (window.start - grid.start) / grid.step
    if abs(offset) < _IN_PHASE:
        whole = window.whole and grid.whole
        same_step = min(abs(window.step / grid.step - 1), abs(window.step_ms / grid.step_ms - 1)) < _SAME_STEP
        if whole or (window.count == grid.count and same_step):
            return one
    if window.whole and grid.whole and window.count != grid.count:
        first = round(window.start * window.count)
        return replace(one, frames=tuple(np.roll(np.array(one.frames, dtype=object), first).tolist()))
    at = (window.start + window.step * np.arange(window.count)) % 1.0
    row: list[int | None] = []
    times = []
    for k in range(grid.count):
        phase = (grid.start + k * grid.step) % 1.0
        apart = np.abs((at - phase + 0.5) % 1.0 - 0.5)
        nearest = int(apart.argmin())
        row.append(one.frames[nearest] if apart[nearest] < _IN_PHASE * max(window.step, grid.step) else None)
        times.append(k * grid.step)
    own = one.times_ms or ()
    scale = _step_ms(one) / window.step if own else 1.0
    return replace(one, frames=tuple(row), times_ms=tuple(scale * (grid.start + time) for time in times))


def _placement_issues(
    slices: Sequence[CineSlice], placed: Sequence[CineSlice], windows: Sequence[_Window | None], grid: _Window
) -> list[Issue]:
    """Return one note on all slices that were moved in the cycle, and one on all that do not cover it."""
    moved = [k for k, (before, after) in enumerate(zip(slices, placed, strict=True)) if before.frames != after.frames]
    short = [k for k in moved if placed[k].frames.count(None) > slices[k].frames.count(None)]
    issues = []
    if late := [k for k in moved if k not in short]:
        issues.append(
            Issue(
                code="frames-rephased",
                severity="info",
                message=f"slices {_listed(late)} of {len(slices)} start at another phase than the others, or run into"
                " the next beat; their frames were put in phase by their times after the R wave",
                evidence={"slices": _listed(late), "n_slices": len(late)},
            )
        )
    if short:
        shares = [window.count * window.step for k in short if (window := windows[k]) is not None]
        issues.append(
            Issue(
                code="window-incomplete",
                severity="warning",
                message=f"slices {_listed(short)} of {len(slices)} cover {100 * min(shares):.0f} % of the phases of the"
                f" cycle, the others {100 * min(1.0, grid.count * grid.step):.0f} %; their frames were placed by their"
                " times after the R wave, and the phases they lack interpolated",
                evidence={"slices": _listed(short), "n_slices": len(short), "covered": round(min(shares), 2)},
            )
        )
    return issues


def _listed(slices: Sequence[int]) -> str:
    return ", ".join(map(str, slices))
