"""Bodies of requests and replies of the HTTP API, as OpenAPI describes them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from cinema_cmr.core.vocabulary import View
from cinema_cmr.measure.volumes import BasalRule
from cinema_cmr.report.record.review import State

__all__ = [
    "AgreementMessage",
    "ChangedPoint",
    "ChangedSlice",
    "Changes",
    "ChosenSeries",
    "ChosenViews",
    "ComparisonMessage",
    "Exported",
    "FlagMessage",
    "JobMessage",
    "NewComparison",
    "NewJob",
    "Numbers",
    "SegmentValues",
    "SeriesMessage",
    "SignOff",
    "StudyRow",
    "Submission",
    "ValueAgreement",
]

Coordinate = Annotated[float, Field(ge=-10_000, le=10_000, allow_inf_nan=False)]
StudyKey = Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
Revision = Annotated[str, Field(max_length=40)]
Index = Annotated[int, Field(ge=0, le=100_000)]
JobStatus = Literal["receiving", "queued", "running", "choosing", "done", "failed", "cancelled"]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FlagMessage(_Message):
    """A reason to review a result."""

    code: str
    severity: Literal["info", "warning", "error"]
    message: str
    evidence: dict[str, object] = {}


class StudyRow(_Message):
    """One study of the list."""

    id: str
    name: str
    modality: str
    state: State | Literal["unreadable"]
    values: dict[str, float | None]
    """Principal numbers, corrected ones of a corrected study."""
    flags: list[FlagMessage]
    has_images: bool
    model: str
    changed: str | None
    """Time of the reader's last act."""
    error: str | None = None
    """Why results or review cannot be read, and what to do; null for a study that can be opened."""


class ChangedSlice(_Message):
    """Labels of one slice of one frame, as shown (x runs right, y runs down)."""

    view: View
    frame: Index
    slice: Index
    runs: Annotated[list[int], Field(max_length=2_000_000)] | None
    """[code, length, ...] along x first; null takes the correction back."""


class ChangedPoint(_Message):
    """A landmark of one frame, and where a reader moved it."""

    view: View
    name: Annotated[str, Field(max_length=40)]
    frame: Index
    place: tuple[Coordinate, Coordinate] | None
    """x and y of the picture, whole at a pixel's centre; null for the model's own."""


class Changes(_Message):
    """What a reader changed: slices, landmarks, or the frames of end-diastole and end-systole."""

    what: Annotated[str, Field(max_length=120, pattern=r"^[\w ,.:+()/-]*$")] = "changed"
    """For the history."""
    slices: Annotated[list[ChangedSlice], Field(max_length=2000)] = []
    points: Annotated[list[ChangedPoint], Field(max_length=500)] = []
    ed_frame: Index | None = None
    es_frame: Index | None = None
    own_frames: bool = False
    """Take the chosen frames back first."""
    basal_rule: BasalRule | None = None
    """Rule that counts basal blood; null leaves it as it is."""
    seen: Revision | None = None
    """`revision` of the numbers that the reader saw: a change of anything else is refused; null: not checked."""


class SignOff(_Message):
    """Whether the study is signed off."""

    signed_off: bool
    seen: Revision | None = None
    """As of a change."""


class Numbers(_Message):
    """Measurements of the labels as they are."""

    state: State
    revision: str
    """Name of the corrections as they are, equal as long as nothing is corrected; for `seen` of the next change."""
    values: dict[str, float | None]
    own_values: dict[str, float | None]
    """The model's."""
    curves: dict[str, list[float | None]]
    slices: dict[str, list[int]]
    """Measurement -> slices that were counted."""
    flags: list[FlagMessage] | None
    """null in a quick answer: ask for all numbers."""
    corrected: list[tuple[str, int, int]]
    """View, frame and slice of each correction."""
    moved: list[tuple[str, str, int]]
    """View, name and frame of each landmark that was moved."""
    ed_frame: int | None
    es_frame: int | None
    chosen_frames: list[str]
    """Of "ed" and "es", those that the reader chose."""
    basal_rule: str
    """Rule that counted basal blood."""
    own_basal_rule: str
    """That of the model's run."""
    signed_off: str | None
    older_objects: bool
    """Whether DICOM objects beside the results were written before the results were last corrected."""
    history: list[dict[str, str]]


class NewJob(_Message):
    """A study that is about to be sent."""

    name: Annotated[str, Field(min_length=1, max_length=120)]
    """Name in the list; a file's or folder's name, for instance."""


class JobMessage(_Message):
    """A study in the queue."""

    id: str
    name: str
    status: JobStatus
    stage: str = ""
    done: int = 0
    total: int = 0
    error: str | None = None
    study: str | None = None
    """Key of the finished study."""
    created: str
    n_files: int = 0


class Submission(_Message):
    """How a study that was sent is analysed."""

    choose_views: bool = False
    """Stop once its series were read, until their views are given."""


class SeriesMessage(_Message):
    """A series of a study, as it was recognised."""

    series: str
    description: str
    view: View | None
    use: bool
    reason: str


class ChosenSeries(_Message):
    """What a series shows, and whether it is analysed."""

    series: Annotated[str, Field(max_length=400)]
    view: View | None = None
    """null: as recognised."""
    use: bool


class ChosenViews(_Message):
    """The user's word on series; those left out stay as they were recognised."""

    series: Annotated[list[ChosenSeries], Field(max_length=2000)]


class SegmentValues(_Message):
    """A measurement of the 16 AHA segments."""

    title: str
    unit: str
    low: float
    high: float
    values: list[float | None]


class ValueAgreement(_Message):
    """Bland-Altman agreement of one measurement, model minus reader."""

    title: str
    unit: str
    n: int
    bias: float
    lower: float
    upper: float


class AgreementMessage(_Message):
    """Agreement of model and reader over all studies that were corrected or signed off."""

    studies: int
    corrected: int
    left_out: int
    """Studies whose corrections belong to other masks than they have, or were made elsewhere since the last opening."""
    values: list[ValueAgreement]
    dice: dict[str, float]
    """Structure -> mean over the studies of the Dice of their corrected short-axis slices."""


class Exported(_Message):
    """Cases that were written for `cinema finetune --data`."""

    folder: str
    """Name of the folder in the server's folder `exports`."""
    cases: int
    frames: int
    """Labelled frames in all."""
    left_out: int
    """Studies whose corrections belong to other masks than they have, or were made elsewhere since the last opening."""


class NewComparison(_Message):
    """Studies to compare."""

    first: StudyKey
    second: StudyKey | None = None
    """null: model and reader of the first."""


class ComparisonMessage(_Message):
    """A comparison that was made."""

    id: str
    """Key of its page."""
