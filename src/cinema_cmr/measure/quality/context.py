"""Input of the quality checks: one short-axis study with its mask, volume curves and measurements."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap, Landmarks
from cinema_cmr.core.results import Flag, Measurement, Prediction
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.phases import Phases
from cinema_cmr.measure.volumes import CODES, Volumes

__all__ = ["Check", "QualityContext"]


@dataclass(frozen=True, kw_only=True)
class QualityContext:
    """One measured short-axis stack."""

    study: Study
    cine: Cine
    labels: LabelMap
    volumes: Volumes
    lv: Phases
    rv: Phases
    values: Mapping[str, Measurement]
    prediction: Prediction | None = None
    """The prediction that `labels` belong to; None for a mask from elsewhere, which has no confidence."""
    landmarks: Mapping[View, Landmarks] = field(default_factory=dict)
    """Plausible landmarks of the long-axis views, RAS mm."""

    @property
    def ed_frame(self) -> int:
        """End-diastolic frame of the LV; 0 if the LV has no phases."""
        return self.lv.ed or 0

    @property
    def key_frames(self) -> tuple[int, ...]:
        """End-diastolic and end-systolic frame of the LV; (0,) if the LV has no phases."""
        frames = {frame for frame in (self.lv.ed, self.lv.es) if frame is not None}
        return tuple(sorted(frames)) or (0,)

    def mask(self, structure: str, frame: int) -> NDArray[np.bool_]:
        """Return the (x, y, z) mask of a structure in one frame."""
        return np.asarray(self.labels.array[..., frame] == CODES[structure])

    def areas_mm2(self, structure: str, frame: int) -> NDArray[np.float64]:
        """Return the (z,) area of a structure in each slice of one frame."""
        dx, dy, _ = self.cine.spacing_mm
        return np.asarray(np.count_nonzero(self.mask(structure, frame), axis=(0, 1)) * dx * dy)

    def value(self, name: str) -> float | None:
        """Return the value of a measurement, or None if it is absent."""
        return self.values[name].value if name in self.values else None


Check = Callable[[QualityContext], Flag | None]
"""A quality check: returns a flag with its evidence, or None if there is nothing to report."""
