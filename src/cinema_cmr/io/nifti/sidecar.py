"""Times and slice distance in the JSON file beside a NIfTI image, as dcm2niix and BIDS write it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cinema_cmr.core.errors import UnreadableFileError
from cinema_cmr.core.study import Issue
from cinema_cmr.core.volume import Cine
from cinema_cmr.files.text import read_json
from cinema_cmr.io.names import file_stem

__all__ = ["Sidecar", "distance_issues", "read_sidecar", "with_sidecar_times"]

_STEP_MS = (5.0, 250.0)
_CYCLE_MS = (400.0, 1500.0)
_MAX_BYTES = 4 << 20
"""Of a sidecar; that of a study with a value for each image has some 100 KB."""
_SAME_STEP = 0.01
"""Largest difference of the header's time step from another time for one that was taken from it, as a share."""
_OTHER_DISTANCE_MM = 0.5
"""Difference of the stated slice distance from the header's, beyond rounding."""
_BELOW = 1e9
"""No time of a heart, in any unit, has as large a number."""


@dataclass(frozen=True, kw_only=True)
class Sidecar:
    """The times that a sidecar states, in ms, and the distance of slices; None where it does not."""

    trigger_ms: float | None = None
    """Time of a single frame after the R wave."""
    step_ms: float | None = None
    """Time between frames, stated as such."""
    repetition_ms: float | None = None
    """Repetition time: of some scanners the time between frames, of others that of the sequence."""
    cycle_ms: float | None = None
    slice_distance_mm: float | None = None


def read_sidecar(path: Path) -> Sidecar:
    """Return what is stated in the JSON file beside an image; an empty sidecar without one that can be read."""
    file = path.with_name(f"{file_stem(path)}.json")
    try:
        content = read_json(file, max_bytes=_MAX_BYTES)
    except (OSError, UnreadableFileError):
        return Sidecar()
    if not isinstance(content, dict):
        return Sidecar()
    return Sidecar(
        trigger_ms=_number(content, "TriggerTime", "TriggerDelayTime", "NominalCardiacTriggerDelayTime"),
        step_ms=_seconds_as_ms(_number(content, "FrameTime", "TimeStep", "TemporalResolution", "VolumeTimeStep")),
        repetition_ms=_seconds_as_ms(_number(content, "RepetitionTime")),
        cycle_ms=_number(content, "NominalInterval", "RRInterval"),
        slice_distance_mm=_number(content, "SpacingBetweenSlices"),
    )


def _number(content: Mapping[str, object], *names: str) -> float | None:
    found = (content.get(name) for name in names)
    return next((float(value) for value in found if isinstance(value, int | float) and abs(value) < _BELOW), None)


def _seconds_as_ms(value: float | None) -> float | None:
    """Return milliseconds: BIDS states seconds; a frame is never as long as 5 seconds."""
    return None if value is None else value * 1000 if value < 5 else value


def with_sidecar_times(cine: Cine, sidecar: Sidecar) -> tuple[Cine, list[Issue]]:
    """Return a cine with the cycle of its sidecar and, where its own file states none, the times; and their source."""
    if cine.n_frames == 1:
        return cine, []
    if cine.frame_times_ms is not None:
        return _with_stated_cycle(cine, sidecar), _repetition_issues(cine, sidecar)
    step, source, severity = sidecar.step_ms, "the time step", "info"
    if step is None:
        step, source, severity = sidecar.repetition_ms, "the repetition time", "warning"
    if step is None or not _STEP_MS[0] <= step <= _STEP_MS[1]:
        return cine, []
    cycle = sidecar.cycle_ms or step * cine.n_frames
    message = f"frames are {step:.4g} ms apart by {source} in the JSON file beside the image"
    if severity == "warning":
        message += ", which on some scanners is that of the sequence: check the heart rate"
    issue = Issue(
        code="frame-step-from-sidecar",
        severity="warning" if severity == "warning" else "info",
        message=message,
        evidence={"step_ms": round(step, 3)},
    )
    times = np.arange(cine.n_frames, dtype=np.float64) * step
    plausible = _CYCLE_MS[0] <= cycle <= _CYCLE_MS[1]
    return replace(cine, frame_times_ms=times, rr_interval_ms=cycle if plausible else None), [issue]


def _with_stated_cycle(cine: Cine, sidecar: Sidecar) -> Cine:
    """Return the cine with the cycle of its sidecar, which is none of frames times step."""
    cycle = sidecar.cycle_ms
    if cycle is None or not _CYCLE_MS[0] <= cycle <= _CYCLE_MS[1]:
        return cine
    return replace(cine, rr_interval_ms=cycle)


def _repetition_issues(cine: Cine, sidecar: Sidecar) -> list[Issue]:
    """Report a header's time step that is the repetition time, as dcm2niix writes it, where nothing states the step."""
    repetition_ms, times = sidecar.repetition_ms, cine.frame_times_ms
    if repetition_ms is None or times is None or sidecar.step_ms is not None:
        return []
    step = float(np.median(np.diff(times)))
    if abs(step - repetition_ms) > _SAME_STEP * step:
        return []
    message = (
        f"frames are {step:.4g} ms apart by the header, which is the repetition time in the JSON file beside the image;"
        " on some scanners that is not the time between frames: check the heart rate"
    )
    evidence = {"step_ms": round(step, 3)}
    return [Issue(code="frame-step-from-sidecar", severity="warning", message=message, evidence=evidence)]


def distance_issues(cine: Cine, sidecar: Sidecar) -> list[Issue]:
    """Report a slice distance in the header that is not the one stated beside it: it may be the thickness alone."""
    stated, used = sidecar.slice_distance_mm, cine.spacing_mm[2]
    if cine.n_slices == 1 or not stated or abs(stated - used) <= _OTHER_DISTANCE_MM:
        return []
    message = (
        f"the slice distance is {used:.4g} mm in the header and {stated:.4g} mm in the JSON file beside the image; the"
        " header's was used: all volumes depend on it, correct the wrong one"
    )
    evidence = {"stated_mm": round(stated, 2), "header_mm": round(used, 2)}
    return [Issue(code="spacing-disagrees", severity="warning", message=message, evidence=evidence)]
