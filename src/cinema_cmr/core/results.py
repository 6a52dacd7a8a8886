"""Results: predictions in patient space, measurements with their rule, and flags with their evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap, Landmarks
from cinema_cmr.core.study import Evidence
from cinema_cmr.core.vocabulary import View

__all__ = [
    "DiseaseClassification",
    "Flag",
    "HeartLocation",
    "LandmarkPrediction",
    "Measurement",
    "Measurements",
    "Prediction",
    "RemovedComponent",
]


@dataclass(frozen=True, kw_only=True)
class Flag:
    """A reason to look again at a result, with the numbers that raised it."""

    code: str
    """Stable kebab-case name, e.g. "sv-mismatch"."""
    severity: Literal["info", "warning", "error"]
    message: str
    evidence: Evidence = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class HeartLocation:
    """Where the heart was found in a cine, and how."""

    centre: tuple[float, float]
    """In-plane voxel indices (i, j), fractional, on the cine's own grid."""
    method: str
    """"motion", "planes" (where those of other views meet), "image middle", "coarse pass" or "given"."""
    evidence: Evidence = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RemovedComponent:
    """A piece of a predicted structure that clean-up took away."""

    structure: str
    frame: int
    volume_ml: float


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """Label maps of all frames of one view on the cine's native grid."""

    view: View
    labels: LabelMap
    confidence: NDArray[np.float32]
    """(t,) mean probability of the predicted class over predicted foreground voxels, 0 to 1; NaN where none."""
    location: HeartLocation
    removed: tuple[RemovedComponent, ...] = ()
    model: str = ""
    least_confidence: float = 0.8
    """Of this model: what is lower is flagged."""
    fov_mm: tuple[float, float] | None = None
    """Extent of the planes (x, y) that the model saw about the heart."""
    fov_expansions: int = 0
    """How often the window was made larger than the model learned on, as labels reached its edge."""
    truncated: bool = False
    """Whether labels still reach an edge of the window behind which the image goes on."""


@dataclass(frozen=True, kw_only=True)
class LandmarkPrediction:
    """Points of all frames of one view, and how sure the model was of each."""

    landmarks: Landmarks
    confidence: Mapping[str, NDArray[np.float64]]
    """Name -> (t,) height of the heatmap at the point, 0 to 1, raised where a mask of the plane agrees, 0.55 where that
    alone shows the point; NaN from a model of coordinates, which has no heatmaps."""
    centre: tuple[float, float]
    """In-plane voxel indices (i, j) of the cine around which the last look was taken."""
    model: str = ""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One number with all it takes to trust it; `value` is None when it could not be measured, with the reason."""

    name: str
    """Snake case, unit last, e.g. "lv_edv_ml"."""
    title: str
    value: float | None
    unit: str
    method: str
    """What it was computed from, e.g. "sum of slices, SAX"."""
    rule: str
    """The rule applied, with its source."""
    frames: tuple[int, ...] = ()
    """Frame indices from 0."""
    slices: tuple[int, ...] = ()
    """Slice indices from 0."""
    reason: str | None = None
    """Why the value is None."""


@dataclass(frozen=True, kw_only=True)
class DiseaseClassification:
    """What a model says of one study; without `probabilities` it says nothing, for the reason given."""

    probabilities: Mapping[str, float] = field(default_factory=dict)
    """Group -> calibrated probability, largest first; they sum to 1."""
    contributions: Mapping[str, float] = field(default_factory=dict)
    """Feature -> how far it moves the first group's logarithmic odds against the second's; largest sizes first."""
    features: Mapping[str, float] = field(default_factory=dict)
    out_of_distribution: tuple[str, ...] = ()
    """Features that lie far outside of what the model learned from."""
    titles: Mapping[str, str] = field(default_factory=dict)
    """Group or feature -> its name in words."""
    reason: str | None = None
    model: str = ""
    notice: str = ""
    """What it must not be taken for."""

    @property
    def group(self) -> str | None:
        """The most probable group, or None."""
        return next(iter(self.probabilities), None)


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """All that was measured of one study."""

    values: tuple[Measurement, ...]
    curves: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """Name -> (t,), e.g. "lv_volume_ml"."""
    times_ms: NDArray[np.float64] | None = None
    """(t,) of the curves, or None where frame times are unknown."""
    flags: tuple[Flag, ...] = ()
    classification: DiseaseClassification | None = None
    """Which disease group the numbers resemble; None where no model was asked."""

    def __getitem__(self, name: str) -> Measurement:
        for measurement in self.values:
            if measurement.name == name:
                return measurement
        raise KeyError(name)

    def value(self, name: str) -> float | None:
        """The value of a measurement, None where it could not be measured; `KeyError` for an unknown name."""
        return self[name].value
