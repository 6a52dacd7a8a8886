"""What the quality checks look at: one short-axis study with its mask, curves and values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.results import Flag, Measurement, Prediction
from cinema_cmr.core.study import Study
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.phases import Phases
from cinema_cmr.measure.volumes import CODES, Volumes

__all__ = ["Check", "QualityContext"]


@dataclass(frozen=True, kw_only=True)
class QualityContext:
    """One measured short-axis stack."""

    study: Study
    cine: Cine
    prediction: Prediction
    volumes: Volumes
    lv: Phases
    rv: Phases
    values: Mapping[str, Measurement]

    @property
    def ed_frame(self) -> int:
        """The LV's end-diastole, or the first frame where there is none."""
        return self.lv.ed or 0

    @property
    def key_frames(self) -> tuple[int, ...]:
        """The LV's end-diastole and end-systole; the first frame where there are none."""
        found = {frame for frame in (self.lv.ed, self.lv.es) if frame is not None}
        return tuple(sorted(found)) or (0,)

    def mask(self, structure: str, frame: int) -> NDArray[np.bool_]:
        """(x, y, z) where a structure is labelled in a frame."""
        return np.asarray(self.prediction.labels.array[..., frame] == CODES[structure])

    def areas_mm2(self, structure: str, frame: int) -> NDArray[np.float64]:
        """(z,) area of a structure in each slice of a frame."""
        dx, dy, _ = self.cine.spacing_mm
        return np.asarray(np.count_nonzero(self.mask(structure, frame), axis=(0, 1)) * dx * dy)

    def value(self, name: str) -> float | None:
        """A measured value, None where it is absent."""
        return self.values[name].value if name in self.values else None


Check = Callable[[QualityContext], Flag | None]
"""One reason to look again: a flag with its evidence, or None."""
