"""Key frames of the cycle between ED and ES: mid-systole, peak filling and mid-diastole, with their uncertainty.

The five key frames of cine cardiac MRI are ED, mid-systole (fastest ejection), ES, peak filling (fastest early filling)
and mid-diastole (slowest filling before the atrial contraction); see Koehler et al., STACOM 2022, arXiv 2209.05778.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.results import Measurement
from cinema_cmr.measure.definition import Definition
from cinema_cmr.measure.function import Chamber
from cinema_cmr.measure.phases import Phases, find_phases, override_phases
from cinema_cmr.measure.rates import cycle_length_ms, frames_between, missing_input, volume_slopes

__all__ = ["find_key_frames", "key_frame_values"]

Curve = NDArray[np.float64]

N_DRAWS = 200
"""Curves with redrawn noise that the uncertainty of a frame is estimated from."""

_SEED = 0

_RULES: Mapping[str, tuple[str, str]] = {
    "ed": ("end-diastole", ""),
    "mid_systole": ("mid-systole", "steepest fall of the volume from ED to ES"),
    "es": ("end-systole", ""),
    "peak_filling": ("peak filling", "steepest rise of the volume in the first half of the frames from ES to ED"),
    "mid_diastole": ("mid-diastole", "slowest filling between peak filling and the atrial contraction"),
}

UNCERTAINTY = (
    f"root-mean-square distance over {N_DRAWS} curves whose noise was redrawn, and of times within a frame's step; the"
    " noise is what parabolas through five frames leave, bends sharper than a parabola included"
)

GIVEN = "the frame was given by the user"


@dataclass(frozen=True, kw_only=True)
class _Times:
    times_ms: Curve
    rr_interval_ms: float | None
    cycle_ms: float | None


def find_key_frames(slopes: Curve, phases: Phases, *, periodic: bool) -> dict[str, int]:
    """Return the frame of each key phase from the slopes (t,) of a volume curve; ED and ES are those of `phases`.

    A phase that the frames do not reach (a cine that ends after systole) is left out.
    """
    if phases.ed is None or phases.es is None:
        return {}
    n_frames = len(slopes)
    found = {"ed": phases.ed, "es": phases.es}
    systole = frames_between(phases.ed, phases.es, n_frames, periodic=periodic)
    found["mid_systole"] = systole[int(np.argmin(slopes[systole]))]
    diastole = frames_between(phases.es, phases.ed, n_frames, periodic=periodic)[1:]
    if len(diastole) >= 4:
        early = diastole[: max(2, (len(diastole) + 1) // 2)]
        peak = int(np.argmax(slopes[early]))
        found["peak_filling"] = early[peak]
        rest = diastole[peak + 1 : -1]
        if len(rest):
            found["mid_diastole"] = _slowest(rest, slopes)
    return found


def _slowest(frames: list[int], slopes: Curve) -> int:
    """Return the frame of slowest filling before the last acceleration, that of the atrial contraction.

    Filling accelerates once more when the atria contract; the slowest frame is looked for before that second peak.
    """
    rates = slopes[frames]
    half = len(rates) // 2
    atrial = half + int(np.argmax(rates[half:]))
    before = max(atrial, 1)
    return frames[int(np.argmin(np.abs(rates[:before])))]


def key_frame_values(
    chamber: Chamber, *, times_ms: Curve | None, rr_interval_ms: float | None = None
) -> tuple[Measurement, ...]:
    """Return mid-systole, peak filling and mid-diastole, as frames from 0, and the uncertainty of all five (ms).

    Absent for the same reasons as the peak rates: no frame times, too few frames, a frame without the ventricle.
    """
    reason = missing_input(chamber, times_ms)
    definitions = {name: _definitions(chamber, name) for name in _RULES}
    if reason or times_ms is None:
        return tuple(d.absent(reason or "") for pair in definitions.values() for d in pair if d is not None)
    cycle_ms = cycle_length_ms(chamber.volumes_ml, times_ms, rr_interval_ms)
    clock = _Times(times_ms=times_ms, rr_interval_ms=rr_interval_ms, cycle_ms=cycle_ms)
    slopes = volume_slopes(chamber.volumes_ml, times_ms, cycle_ms=clock.cycle_ms)
    found = find_key_frames(slopes, chamber.phases, periodic=clock.cycle_ms is not None)
    spread = _uncertainty_ms(chamber, clock, found)
    values = []
    for name, (frame, uncertainty) in definitions.items():
        missing = f"the frames do not reach {_RULES[name][0]}"
        if frame is not None:
            values.append(frame.value(found[name], frames=(found[name],)) if name in found else frame.absent(missing))
        if name in spread:
            values.append(uncertainty.value(spread[name]))
        else:
            values.append(uncertainty.absent(GIVEN if name in chamber.phases.given else missing))
    return tuple(values)


def _definitions(chamber: Chamber, name: str) -> tuple[Definition | None, Definition]:
    title, rule = _RULES[name]
    frame = Definition(
        name=f"{chamber.name}_{name}_frame",
        title=f"{chamber.title} {title} frame",
        unit="frame",
        method="volume curve",
        rule=f"{rule}; frames counted from 0",
    )
    uncertainty = Definition(
        name=f"{chamber.name}_{name}_uncertainty_ms",
        title=f"{chamber.title} {title}, uncertainty",
        unit="ms",
        method="volume curve",
        rule=UNCERTAINTY,
    )
    return (frame if rule else None), uncertainty


def _uncertainty_ms(chamber: Chamber, clock: _Times, found: Mapping[str, int]) -> dict[str, float]:
    """Return the root-mean-square distance in ms of each frame that was found over curves with redrawn noise.

    A phase lies anywhere within half a step of its frame, a root-mean-square distance of the step over the root of 12,
    which is added in quadrature. ED and ES of each curve are looked for by the rule that found them; frames that the
    user gave stay where they are.
    """
    smooth = _smoothed(chamber.volumes_ml, clock)
    noise = float(np.std(chamber.volumes_ml - smooth)) * _NOISE_FACTOR
    generator = np.random.default_rng(_SEED)
    offsets: dict[str, list[float]] = {name: [] for name in found if name not in chamber.phases.given}
    weights = np.stack([volume_slopes(one, clock.times_ms, cycle_ms=clock.cycle_ms) for one in np.eye(len(smooth))])
    for _ in range(N_DRAWS):
        drawn = smooth + generator.normal(0.0, noise, len(smooth))
        drawn_frames = find_key_frames(
            drawn @ weights, _phases(drawn, clock, chamber.phases), periodic=clock.cycle_ms is not None
        )
        for name in offsets.keys() & drawn_frames.keys():
            offsets[name].append(_apart_ms(clock, drawn_frames[name], found[name]))
    within = float(np.median(np.diff(clock.times_ms))) ** 2 / 12
    return {name: float(np.sqrt(np.mean(np.square(values)) + within)) for name, values in offsets.items() if values}


def _phases(volumes_ml: Curve, clock: _Times, like: Phases) -> Phases:
    """Return ED and ES of a curve as they were found or given for another."""
    found = find_phases(volumes_ml, times_ms=clock.times_ms, rr_interval_ms=clock.rr_interval_ms)
    ed, es = (getattr(like, name) if name in like.given else None for name in ("ed", "es"))
    return override_phases(found, ed, es, len(volumes_ml))


_NOISE_FACTOR = float(1 / np.sqrt(1 - 17 / 35))
"""SD of the residuals of a five-frame parabola at its middle -> SD of the noise (its weight there is 17/35)."""


def _smoothed(volumes_ml: Curve, clock: _Times) -> Curve:
    """Return the (t,) value in the middle of the parabola through each frame and two on each side."""
    padded = np.pad(volumes_ml, 2, mode="reflect" if clock.cycle_ms is None else "wrap")
    return np.convolve(padded, np.array([-3.0, 12.0, 17.0, 12.0, -3.0]) / 35, mode="valid")


def _apart_ms(clock: _Times, frame: int, other: int) -> float:
    apart = float(clock.times_ms[frame] - clock.times_ms[other])
    if clock.cycle_ms is None:
        return apart
    return (apart + clock.cycle_ms / 2) % clock.cycle_ms - clock.cycle_ms / 2
