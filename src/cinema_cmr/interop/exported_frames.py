"""Which frames of a view are exported, and what they are called."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.results import Measurements, Prediction
from cinema_cmr.core.vocabulary import CINE_LABELS, View

__all__ = ["Phase", "PhaseChoice", "exported_phases"]

PhaseChoice = Literal["ed-es", "all"]
"""End-diastole and end-systole of each ventricle, or all frames."""

_FROM_VOLUMES = {
    "lv_edv_ml": "LV ED",
    "lv_esv_ml": "LV ES",
    "rv_edv_ml": "RV ED",
    "rv_esv_ml": "RV ES",
}
"""Measurement of one frame of the stack -> name of its phase."""
_LV_CODE = next(label.code for label in CINE_LABELS if label.name == "lv")


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One exported frame of a view."""

    frame: int
    """Index from 0."""
    names: tuple[str, ...] = ()
    """"LV ED", "RV ES", ...; none for a frame between."""

    @property
    def title(self) -> str:
        """Name for series descriptions, e.g. "LV ED, RV ED (frame 0)"."""
        names = ", ".join(self.names)
        return f"{names} (frame {self.frame})" if names else f"frame {self.frame}"


def exported_phases(analysis: Analysis, view: View, choice: PhaseChoice) -> tuple[Phase, ...]:
    """Return the frames of a view to export, ascending, without those that have no label.

    The stack's phases are the frames that its volumes were measured in; those of a long-axis view are the frames of
    its largest and smallest LV area. Where neither exists, every frame is exported.
    """
    prediction = analysis.predictions[view]
    names = _measured_frames(analysis.measurements) if view is View.SAX else _area_frames(prediction)
    n_frames = prediction.labels.array.shape[3]
    frames = range(n_frames) if choice == "all" or not names else sorted(names)
    labelled = np.count_nonzero(prediction.labels.array, axis=(0, 1, 2)).tolist()
    return tuple(Phase(frame=t, names=tuple(names.get(t, ()))) for t in frames if labelled[t])


def _measured_frames(measurements: Measurements) -> dict[int, list[str]]:
    frames: dict[int, list[str]] = defaultdict(list)
    for name, phase in _FROM_VOLUMES.items():
        one = measurements.get(name)
        if one is not None and one.value is not None and len(one.frames) == 1:
            frames[one.frames[0]].append(phase)
    return dict(frames)


def _area_frames(prediction: Prediction) -> dict[int, list[str]]:
    areas = np.count_nonzero(prediction.labels.array == _LV_CODE, axis=(0, 1, 2))
    present = np.flatnonzero(areas)
    if len(present) < 2:
        return {}
    largest, smallest = int(areas.argmax()), int(present[areas[present].argmin()])
    return {largest: ["LV ED"], smallest: ["LV ES"]} if largest != smallest else {}
