"""Peak ejection and filling rates: the steepest slopes of a volume curve, and their times.

The slope in a frame is that of the parabola through it and two frames on each side (Savitzky and Golay, Anal Chem
1964;36:1627): light smoothing that is valid for uneven frame times.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.results import Measurement
from cinema_cmr.measure.definition import Definition
from cinema_cmr.measure.function import Chamber
from cinema_cmr.measure.phases import CLOSED_SHARE, Phases, covers_cycle

__all__ = ["beat_length_ms", "cycle_length_ms", "frames_between", "missing_input", "rate_values", "volume_slopes"]

Curve = NDArray[np.float64]

FEWEST_FRAMES = 10
"""Smallest number of frames per cycle that resolves a peak rate."""

REACH = 2
"""Frames of the parabola on each side."""

RULE = (
    "slope of the parabola through five frames (Savitzky and Golay, Anal Chem 1964;36:1627), "
    "between end-diastole and end-systole"
)

OPEN_END = "the slope is steepest at the end of the frames, which do not cover the cycle"


def volume_slopes(volumes_ml: Curve, times_ms: Curve, *, cycle_ms: float | None = None) -> Curve:
    """Return the slope of a volume curve (t,) in ml/s at each frame.

    `cycle_ms` makes the curve periodic; without it the first and last frames use the parabola of the nearest complete
    window, evaluated at their own time.
    """
    volumes, times = _extend_periodically(volumes_ml, times_ms, cycle_ms)
    offset = 0 if cycle_ms is None else REACH
    slopes = []
    for frame in range(len(volumes_ml)):
        index = frame + offset
        start = min(max(index - REACH, 0), len(volumes) - (2 * REACH + 1))
        window = slice(start, start + 2 * REACH + 1)
        _, slope, _ = np.polynomial.polynomial.polyfit(times[window] - times[index], volumes[window], 2)
        slopes.append(1000 * slope)
    return np.array(slopes)


def _extend_periodically(volumes: Curve, times: Curve, cycle_ms: float | None) -> tuple[Curve, Curve]:
    if cycle_ms is None:
        return volumes, times
    before, after = times[-REACH:] - cycle_ms, times[:REACH] + cycle_ms
    return np.pad(volumes, REACH, mode="wrap"), np.concatenate([before, times, after])


def rate_values(
    chamber: Chamber, *, times_ms: Curve | None, rr_interval_ms: float | None = None
) -> tuple[Measurement, ...]:
    """Return the peak ejection and filling rates (ml/s, both positive) and their times after ED and ES (ms).

    Absent without frame times, with too few frames, or if the ventricle is missing in a frame.
    """
    definitions = _definitions(chamber)
    reason = missing_input(chamber, times_ms)
    if reason or times_ms is None:
        return tuple(definition.absent(reason or "") for definition in definitions)
    cycle_ms = cycle_length_ms(chamber.volumes_ml, times_ms, rr_interval_ms)
    slopes = volume_slopes(chamber.volumes_ml, times_ms, cycle_ms=cycle_ms)
    return _peaks(chamber.phases, slopes, times_ms, cycle_ms=cycle_ms, definitions=definitions)


def _definitions(chamber: Chamber) -> tuple[Definition, ...]:
    def define(short: str, title: str, unit: str, rule: str) -> Definition:
        return Definition(
            name=f"{chamber.name}_{short}",
            title=f"{chamber.title} {title}",
            unit=unit,
            method="volume curve",
            rule=rule,
        )

    return (
        define("peak_ejection_rate_ml_s", "peak ejection rate", "ml/s", RULE),
        define("time_to_peak_ejection_ms", "time to peak ejection", "ms", "from end-diastole"),
        define("peak_filling_rate_ml_s", "peak filling rate", "ml/s", RULE),
        define("time_to_peak_filling_ms", "time to peak filling", "ms", "from end-systole"),
    )


def missing_input(chamber: Chamber, times_ms: Curve | None) -> str | None:
    """Return the reason why rates cannot be measured, or None."""
    n_frames = chamber.volumes_ml.size
    if chamber.phases.ed is None or chamber.phases.es is None:
        return f"{chamber.title}: {chamber.phases.reason}"
    if n_frames < FEWEST_FRAMES:
        return f"{n_frames} frames; rates need at least {FEWEST_FRAMES}"
    if times_ms is None:
        return "the times of the frames are unknown"
    if (np.diff(times_ms) <= 0).any():
        return "the times of the frames do not ascend"
    if not np.isfinite(chamber.volumes_ml).all():
        return f"the {chamber.title} is not labelled in every frame"
    return None


def _peaks(
    phases: Phases,
    slopes: Curve,
    times_ms: Curve,
    *,
    cycle_ms: float | None,
    definitions: tuple[Definition, ...],
) -> tuple[Measurement, ...]:
    """Return the steepest fall from ED to ES and the steepest rise from ES to ED, each with its delay.

    Both are absent where the steepest slope lies at an open end of the curve: it may be steeper beyond.
    """
    values: list[Measurement] = []
    for (rate, delay), start, stop, sign in (
        (definitions[:2], phases.ed or 0, phases.es or 0, -1),
        (definitions[2:], phases.es or 0, phases.ed or 0, 1),
    ):
        frames = frames_between(start, stop, len(slopes), periodic=cycle_ms is not None)
        peak = _first_peak(frames, sign * slopes)
        if cycle_ms is None and not REACH <= peak < len(slopes) - REACH:
            values += [rate.absent(OPEN_END), delay.absent(OPEN_END)]
            continue
        after = times_ms[peak] - times_ms[start]
        values.append(rate.value(sign * slopes[peak], frames=(peak,)))
        values.append(delay.value(after % cycle_ms if cycle_ms else after, frames=(start, peak)))
    return tuple(values)


def _first_peak(frames: list[int], slopes: Curve) -> int:
    """Return the first frame whose slope equals the steepest one within rounding."""
    steepest = slopes[frames].max()
    return next(frame for frame in frames if slopes[frame] >= steepest - 1e-9 * abs(steepest))


def cycle_length_ms(volumes: Curve, times: Curve, rr_interval_ms: float | None) -> float | None:
    """Return the length of the cycle if the curve covers it, else None.

    A curve with a gap at its end does not, whatever its times say: a file without an R-R interval has its frames times
    their step as the cycle, frames that were cut off or never acquired or not.
    """
    if not covers_cycle(volumes, times_ms=times, rr_interval_ms=rr_interval_ms) or _has_gap(volumes):
        return None
    return beat_length_ms(times, rr_interval_ms)


def _has_gap(volumes: Curve) -> bool:
    """Return whether the last volume is further from the first than neighbours are, and than a closed curve's ends."""
    steps = np.abs(np.diff(volumes))
    return bool(abs(volumes[-1] - volumes[0]) > max(float(steps.max()), CLOSED_SHARE * float(np.ptp(volumes))))


def beat_length_ms(times: Curve, rr_interval_ms: float | None) -> float:
    """Return the R-R interval, or the time that the two frames or more fill where that is longer or alone known."""
    return max(rr_interval_ms or 0.0, float(times[-1] - times[0] + np.median(np.diff(times))))


def frames_between(start: int, stop: int, n_frames: int, *, periodic: bool) -> list[int]:
    """Return the frames from one phase to the other, across the end of a periodic curve."""
    if periodic:
        return [(start + step) % n_frames for step in range((stop - start) % n_frames + 1)]
    return list(range(start, stop + 1)) if stop > start else list(range(start, n_frames))
