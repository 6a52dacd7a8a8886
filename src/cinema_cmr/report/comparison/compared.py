"""Types of a comparison of two results: the sides with their masks, and the record that is written as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from cinema_cmr.core.annotation import LabelMap, has_atria
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import NOTICE, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.report.record.run_record import RunRecord
from cinema_cmr.report.record.study_record import StudyRecord

__all__ = [
    "SCHEMA_VERSION",
    "ComparedFrame",
    "ComparedSetting",
    "ComparedSide",
    "ComparedValue",
    "ComparedView",
    "ComparisonRecord",
    "SideRecord",
]

SCHEMA_VERSION: Final = "1.0"
"""First number: a key was renamed, removed or changed its meaning. Second number: something was added."""


@dataclass(frozen=True, kw_only=True)
class ComparedSide:
    """One of the two results, with what its masks and images need."""

    title: str
    """Name on the page, "A" unless the user gives another; never of the study."""
    record: StudyRecord
    run: RunRecord
    study: Study
    grids: Mapping[View, Cine]
    """View with a mask -> the grid of its file."""
    labels: Mapping[View, LabelMap]
    """View -> mask on that grid; a long-axis mask of a model without atria is in the scheme "cine"."""

    @property
    def has_atria(self) -> bool:
        """Whether any of the masks has an atrium."""
        return any(has_atria(labels) for labels in self.labels.values())


@dataclass(frozen=True, kw_only=True)
class SideRecord:
    """One of the two results, without anything of the patient."""

    title: str
    model: str
    model_hash: str | None
    """SHA-256 of the weights."""
    version: str | None
    """Version of cinema-cmr that measured."""
    has_corrected_masks: bool
    """Whether a reader changed any mask."""
    corrections: tuple[str, ...]
    """A sentence on each mask and rule that a reader changed; empty for a model's own results."""
    ed_frame: int | None
    """End-diastolic frame of the left ventricle, counted from 0."""
    es_frame: int | None
    n_frames: int | None
    """Frames of the short-axis stack."""


@dataclass(frozen=True, kw_only=True)
class ComparedValue:
    """A measurement of both results."""

    name: str
    title: str
    unit: str
    first: float | None
    second: float | None
    difference: float | None
    """Second minus first; null where either is unknown."""
    limit: float | None
    """Published limit of the difference between two scans of one heart, in the unit; null where none is published."""
    is_beyond: bool | None
    """Whether the difference exceeds that limit; null without one."""
    same_rule: bool
    """Whether both were measured by one rule."""


@dataclass(frozen=True, kw_only=True)
class ComparedFrame:
    """Both masks of a view in one frame."""

    title: str
    frame: int
    dice: Mapping[str, float | None]
    """Structure -> Dice of the two masks; null where it is in neither."""


@dataclass(frozen=True, kw_only=True)
class ComparedView:
    """The masks of a view that both results have."""

    view: View
    reason: str
    """Why the masks cannot lie over each other; empty where they do."""
    frames: tuple[ComparedFrame, ...] = ()
    dice: Mapping[str, float | None]
    """Structure -> Dice over all frames; empty with a reason."""


@dataclass(frozen=True, kw_only=True)
class ComparedSetting:
    """Something of model, options or rules that differs."""

    name: str
    first: str
    second: str


@dataclass(frozen=True, kw_only=True)
class ComparisonRecord:
    """Two results beside each other. For research use only; not a medical device. null means unknown."""

    schema_version: Literal["1.0"] = SCHEMA_VERSION
    notice: str = NOTICE
    same_images: bool | None
    """Whether both are of the same images; null where it cannot be known."""
    first: SideRecord
    second: SideRecord
    values: tuple[ComparedValue, ...]
    views: tuple[ComparedView, ...]
    settings: tuple[ComparedSetting, ...]

    @property
    def beyond(self) -> tuple[ComparedValue, ...]:
        """The values whose difference exceeds the noise between two scans."""
        return tuple(value for value in self.values if value.is_beyond)
