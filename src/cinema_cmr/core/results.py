"""Results: predictions in patient space, measurements with their rule, and flags with their evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap, Landmarks
from cinema_cmr.core.errors import unknown_name
from cinema_cmr.core.study import Facts
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

_MOST_PRINTED = 5
"""Number of flags that a repr lists."""


@dataclass(frozen=True, kw_only=True)
class Flag:
    """A reason to review a result, with the numbers that raised it."""

    code: str
    """Stable kebab-case name, e.g. "sv-mismatch"."""
    severity: Literal["info", "warning", "error"]
    message: str
    evidence: Facts = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class HeartLocation:
    """Position of the heart in a cine, and the method that found it."""

    centre: tuple[float, float]
    """In-plane voxel indices (i, j), fractional, on the cine's own grid."""
    method: str
    """"motion", "planes" (where those of other views meet), "image middle", "coarse pass" or "given"."""
    evidence: Facts = field(default_factory=dict)

    @property
    def magnification(self) -> float:
        """How many times finer than the model's own grid a small heart is segmented; 1 for the model's own."""
        return float(self.evidence.get("magnification") or 1.0)


@dataclass(frozen=True, kw_only=True)
class RemovedComponent:
    """A connected component of a predicted structure that post-processing removed."""

    structure: str
    frame: int
    volume_ml: float


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """Label maps of all frames of one view on the cine's native grid."""

    view: View
    labels: LabelMap
    confidence: NDArray[np.float32]
    """(t,) mean probability of the predicted class over predicted foreground voxels, 0 to 1; NaN without any."""
    location: HeartLocation
    removed_components: tuple[RemovedComponent, ...] = ()
    model: str = ""
    least_confidence: float = 0.8
    """The model's threshold: a lower mean confidence raises a flag."""
    fov_mm: tuple[float, float] | None = None
    """Extent (x, y) of the model's field of view around the heart."""
    fov_expansions: int = 0
    """Number of times the field of view was expanded beyond that of training, as labels reached its edge."""
    truncated: bool = False
    """Whether labels still reach an edge of the field of view inside the image."""

    def __repr__(self) -> str:
        finite = self.confidence[np.isfinite(self.confidence)]
        confidence = f"{finite.mean():.2f}" if len(finite) else "unknown"
        return f"Prediction({self.view}: {self.labels!r}, confidence {confidence}, model '{self.model}')"


@dataclass(frozen=True, kw_only=True)
class LandmarkPrediction:
    """Landmarks of all frames of one view, with the confidence of each."""

    landmarks: Landmarks
    confidence: Mapping[str, NDArray[np.float64]]
    """Name -> (t,) height of the heatmap at the point, 0 to 1; raised where a mask of the plane agrees, 0.55 where the
    mask alone shows the point; NaN from a coordinate model, which has no heatmaps."""
    centre: tuple[float, float]
    """In-plane voxel indices (i, j) of the cine: centre of the last field of view."""
    model: str = ""
    corrected_frames: frozenset[int] = frozenset()
    """Frames in which a reader moved a point: measured even where the limits of plausible points exclude them."""

    def __repr__(self) -> str:
        return f"LandmarkPrediction({self.landmarks!r}, model '{self.model}')"


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One number with its method and rule; `value` is None where it could not be measured, with the reason."""

    name: str
    """Snake case, unit last, e.g. "lv_edv_ml"."""
    title: str
    value: float | None
    unit: str
    method: str
    """Source of the number, e.g. "sum of slices, SAX"."""
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
    """Disease-group probabilities of one study; without `probabilities` there is no result, for the `reason` given."""

    probabilities: Mapping[str, float] = field(default_factory=dict)
    """Group -> calibrated probability, largest first; they sum to 1."""
    contributions: Mapping[str, float] = field(default_factory=dict)
    """Feature -> its shift of the log odds of the first group against the second; largest absolute values first."""
    features: Mapping[str, float] = field(default_factory=dict)
    out_of_distribution: tuple[str, ...] = ()
    """Features far outside the training data."""
    titles: Mapping[str, str] = field(default_factory=dict)
    """Group or feature -> its name in words."""
    reason: str | None = None
    model: str = ""
    notice: str = ""
    """Limits of use."""

    @property
    def group(self) -> str | None:
        """The most probable group, or None."""
        return next(iter(self.probabilities), None)


@dataclass(frozen=True, kw_only=True)
class Measurements(Mapping[str, Measurement]):
    """All measurements of one study: a mapping of name to `Measurement`, with curves and flags.

    An unknown name raises `UnknownNameError` (a `KeyError`) with the nearest known one.
    """

    measured: tuple[Measurement, ...] = ()
    curves: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """Name -> (t,), e.g. "lv_volume_ml"."""
    times_ms: NDArray[np.float64] | None = None
    """(t,) of the curves; None where frame times are unknown."""
    flags: tuple[Flag, ...] = ()
    classification: DiseaseClassification | None = None
    """The disease group that the numbers resemble; None without a disease model."""

    def __repr__(self) -> str:
        n_values = sum(one.value is not None for one in self.measured)
        flags = ", ".join(flag.code for flag in self.flags[:_MOST_PRINTED])
        curves = f"{len(self.curves)} curve{'s' * (len(self.curves) != 1)}"
        return f"Measurements({n_values} of {len(self)} measured, {curves}; flags: {flags or 'none'})"

    def __len__(self) -> int:
        return len(self._by_name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __getitem__(self, name: str) -> Measurement:
        if name not in self._by_name:
            raise unknown_name("measurement", name, self._by_name)
        return self._by_name[name]

    def value(self, name: str) -> float | None:
        """Return the value of a measurement, None where it could not be measured."""
        return self[name].value

    def to_dict(self) -> dict[str, float | None]:
        """Return name -> value, e.g. for a row of a table."""
        return {name: one.value for name, one in self.items()}

    @cached_property
    def _by_name(self) -> dict[str, Measurement]:
        return {one.name: one for one in self.measured}
