"""Types of measurements.json: the JSON form of an `Analysis`, without identity. null means unknown or not measurable.

`measurements.schema.json` is generated from these types (`report.record.schema`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from msgspec import Meta

from cinema_cmr.core.edits import Edits
from cinema_cmr.core.results import Flag, Measurement
from cinema_cmr.core.study import Facts, Issue, SeriesDecision, Subject
from cinema_cmr.core.vocabulary import NOTICE, View

__all__ = [
    "SCHEMA_VERSION",
    "CineRecord",
    "Curves",
    "DiseaseRecord",
    "LandmarkRecord",
    "ModelRecord",
    "PredictionRecord",
    "RemovedComponentRecord",
    "StudyIdentity",
    "StudyRecord",
    "Summary",
]

SCHEMA_VERSION: Final = "2.2"
"""First number: a key was renamed, removed or changed its meaning. Second number: something was added."""

Index = Annotated[int, Meta(ge=0)]
Numbers = tuple[float | None, ...]
Point = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class StudyIdentity:
    """The input of the analysis."""

    name: str
    """Stem of the input, never from patient tags."""
    modality: Literal["cine", "lge"]
    input_sha256: str | None
    """Hash of the input; null for a study built in memory."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The principal measurements; those of infarcts are for late enhancement only."""

    lv_edv_ml: float | None = None
    lv_esv_ml: float | None = None
    lv_sv_ml: float | None = None
    lv_ef_percent: float | None = None
    lv_mass_g: float | None = None
    rv_edv_ml: float | None = None
    rv_esv_ml: float | None = None
    rv_sv_ml: float | None = None
    rv_ef_percent: float | None = None
    ed_frame: Index | None = None
    """End-diastolic frame of the left ventricle, counted from 0."""
    es_frame: Index | None = None
    """End-systolic frame of the left ventricle, counted from 0."""
    heart_rate_bpm: float | None = None
    cardiac_output_l_min: float | None = None
    infarct_percent: float | None = None
    no_reflow_percent: float | None = None
    infarct_ml: float | None = None
    infarct_g: float | None = None
    lge_myocardium_g: float | None = None


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Measurements over the cardiac cycle."""

    times_ms: Numbers | None
    """Time of each frame from the first."""
    values: Mapping[str, Numbers]
    """Name -> one value a frame."""

    @property
    def known_times_ms(self) -> list[float] | None:
        """The frame times if all of them are known."""
        times = [time for time in self.times_ms or () if time is not None]
        return times if self.times_ms is not None and len(times) == len(self.times_ms) else None


@dataclass(frozen=True, kw_only=True)
class DiseaseRecord:
    """The group of a disease model's training data that the measurements resemble."""

    notice: str
    model: str
    group: str | None
    """The most probable group; null with the reason."""
    probabilities: Mapping[str, float]
    """Group -> calibrated probability, largest first."""
    contributions: Mapping[str, float]
    """Feature -> its shift of the log odds of the first group against the second."""
    features: Mapping[str, float]
    out_of_distribution: tuple[str, ...]
    """Features far outside the training data."""
    titles: Mapping[str, str]
    """Group or feature -> its name in words."""
    reason: str | None
    """Why there are no probabilities."""


@dataclass(frozen=True, kw_only=True)
class CineRecord:
    """Grid and times of a cine, as acquired."""

    view: View
    label: str
    n_slices: int
    n_frames: int
    size_voxels: tuple[int, int]
    """Columns and rows."""
    spacing_mm: tuple[float, float]
    """Pixel size along columns and rows."""
    slice_positions_mm: Numbers
    """Along the normal, from the first slice."""
    slice_thickness_mm: float | None
    frame_times_ms: Numbers | None
    rr_interval_ms: float | None
    orientation_known: bool
    in_phase: bool = True
    """Whether a frame shows one phase of the cycle in all slices; without it there is no ED and ES."""
    on_file_grid: bool = False
    """Whether it has the grid of one NIfTI file, named as the label: no copy of it is in the results."""


@dataclass(frozen=True, kw_only=True)
class RemovedComponentRecord:
    """A connected component that post-processing removed."""

    structure: str
    frame: Index
    volume_ml: float


@dataclass(frozen=True, kw_only=True)
class PredictionRecord:
    """A segmented view."""

    view: View
    cine: str
    """Label of the cine."""
    mask: str
    """Path of the mask, relative to this file."""
    model: str
    location_method: str
    """Method that located the heart."""
    centre_voxels: tuple[float, float]
    evidence: Facts
    confidence: Numbers
    """Mean probability of the predicted class over the foreground, by frame."""
    removed_components: tuple[RemovedComponentRecord, ...]


@dataclass(frozen=True, kw_only=True)
class LandmarkRecord:
    """Landmarks of a long-axis view, implausible frames included; the flags list those not measured."""

    view: View
    cine: str
    """Label of the cine."""
    model: str
    points_ras_mm: Mapping[str, tuple[Point | None, ...]]
    """Name -> one point a frame."""
    confidence: Mapping[str, Numbers]


@dataclass(frozen=True, kw_only=True)
class ModelRecord:
    """The segmentation model, and the device that it ran on."""

    name: str
    hash: str | None
    """SHA-256 of the weights file."""
    inference_settings: str
    device: str
    precision: str


@dataclass(frozen=True, kw_only=True)
class StudyRecord:
    """Measurements of one study by cinema-cmr.

    For research use only; not a medical device. null means unknown or not measurable; frames and slices count from 0.
    """

    schema_version: Literal["2.2"] = SCHEMA_VERSION
    notice: str = NOTICE
    study: StudyIdentity
    subject: Subject
    summary: Summary
    measurements: tuple[Measurement, ...]
    curves: Curves
    flags: tuple[Flag, ...]
    """Reasons to review the results."""
    disease: DiseaseRecord | None
    """Result of the disease model; null without one."""
    views: tuple[SeriesDecision, ...]
    """Outcome for each series of the input."""
    cines: tuple[CineRecord, ...]
    predictions: tuple[PredictionRecord, ...]
    landmarks: tuple[LandmarkRecord, ...]
    issues: tuple[Issue, ...]
    """Defects and oddities of the input."""
    edits: Edits | None = None
    """What a reader changed against the model's own run; null for that run itself."""
    model: ModelRecord
    versions: Mapping[str, str | None]
    seconds: Mapping[str, float]
    """Stage -> seconds."""
