"""What a reader did with a study: slices, landmarks and frames as corrected, and the sign-off; one file beside them.

The masks of the model are never written. A correction holds the labels of whole slices, each with its time and the
version of this package, and the hash of the mask that it was drawn on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.edits import Edits, Position
from cinema_cmr.core.errors import InputError, UnreadableFileError, UsageError
from cinema_cmr.core.run_facts import OptionValue
from cinema_cmr.core.serialise import from_dict, to_dict
from cinema_cmr.core.vocabulary import View
from cinema_cmr.files.text import read_json
from cinema_cmr.io.atomic import write_json
from cinema_cmr.measure.volumes import BasalRule
from cinema_cmr.report.record.label_runs import from_runs, to_runs

__all__ = [
    "REVIEW_FILE",
    "CorrectedPoint",
    "CorrectedSlice",
    "Entry",
    "Review",
    "Stamp",
    "State",
    "now",
    "read_review",
    "review_stamp",
    "write_review",
]

REVIEW_FILE = "review.json"

State = Literal["new", "looked at", "corrected", "signed off"]

Stamp = tuple[int, int, int]
"""Inode, size and time of a file, others each time that it is written."""

_MAX_ENTRIES = 2000
"""Oldest entries of a longer history are dropped."""


def now() -> str:
    """Return the present time in UTC, to the second, by ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, kw_only=True)
class CorrectedSlice:
    """Labels that a reader gave one slice of one frame."""

    view: View
    frame: int
    slice: int
    runs: tuple[int, ...]
    """Codes and lengths along x first (`label_runs.to_runs`), on the grid of the stored mask."""
    changed: str
    """Time of the last change."""
    version: str
    """Version of this package that stored it."""
    in_results: bool = False
    """Whether the mask of the results had these labels when review and results were last brought together."""


@dataclass(frozen=True, kw_only=True)
class CorrectedPoint:
    """A landmark that a reader moved."""

    view: View
    name: str
    frame: int
    position_ras_mm: Position
    changed: str
    """Time of the last change."""
    version: str
    """Version of this package that stored it."""
    in_results: bool = False
    """Whether the results had this point when review and results were last brought together."""

    @property
    def key(self) -> tuple[View, str, int]:
        """View, name and frame."""
        return self.view, self.name, self.frame


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One act of the reader."""

    when: str
    what: str
    version: str


@dataclass(frozen=True, kw_only=True)
class Review:
    """Content of review.json."""

    schema_version: Literal["1.0"] = "1.0"
    mask_sha256: Mapping[str, str] = field(default_factory=dict)
    """View -> hash of the model's mask that the corrections were drawn on."""
    applied: Mapping[str, str] = field(default_factory=dict)
    """View -> hash of the mask of the results that these corrections were last written into or taken over from; empty
    before the first time."""
    slices: tuple[CorrectedSlice, ...] = ()
    points: tuple[CorrectedPoint, ...] = ()
    ed_frame: int | None = None
    """ED frame chosen by the reader, from 0."""
    es_frame: int | None = None
    """ES frame chosen by the reader, from 0."""
    basal_rule: BasalRule | None = None
    """Basal rule chosen by the reader that the results were not measured with yet."""
    looked_at: str | None = None
    """Time of the first opening."""
    signed_off: str | None = None
    """Time of the sign-off; any later change takes it back."""
    history: tuple[Entry, ...] = ()
    values: Mapping[str, float | None] = field(default_factory=dict)
    """Principal numbers of what is not in the results yet; empty once the results hold all of it."""

    @property
    def is_corrected(self) -> bool:
        """Whether anything differs from the model's results."""
        return bool(self.slices or self.points) or any(one is not None for one in self.chosen.values())

    @property
    def chosen(self) -> dict[str, OptionValue]:
        """Option -> the reader's choice of frames and basal rule; None where there is none."""
        return {"ed_frame": self.ed_frame, "es_frame": self.es_frame, "basal_rule": self.basal_rule}

    @property
    def last_act(self) -> str:
        """Time of the reader's last act; empty before the first."""
        return self.history[-1].when if self.history else ""

    def is_older(self, edits: Edits | None) -> bool:
        """Whether the results were changed after the reader's last act, by this server or another program."""
        return edits is not None and edits.last_time > self.last_act

    def state(self, edits: Edits | None) -> State:
        """Return the state of the study in the list, with what `cinema remeasure` has changed in its results."""
        if self.signed_off and (edits is None or edits.last_time <= self.signed_off):
            return "signed off"
        if self.is_corrected or (edits is not None and edits.is_corrected and not self.values):
            return "corrected"
        return "looked at" if self.looked_at else "new"

    def acted(self, what: str, *, after: str = "") -> Review:
        """Return the review with one more entry in its history, never earlier than the last one, or `after`."""
        entry = Entry(when=max(now(), self.last_act, after), what=what, version=version("cinema-cmr"))
        return replace(self, history=(*self.history, entry)[-_MAX_ENTRIES:])

    def with_frames(self, frames: Mapping[str, int | None]) -> Review:
        """Return the review with other frames of `ed_frame` and `es_frame`; None leaves one as it is."""
        ed, es = frames.get("ed_frame"), frames.get("es_frame")
        return replace(self, ed_frame=self.ed_frame if ed is None else ed, es_frame=self.es_frame if es is None else es)

    def without_frames(self) -> Review:
        """Return the review without chosen frames."""
        return replace(self, ed_frame=None, es_frame=None, signed_off=None)

    def with_slice(
        self, view: View, frame: int, index: int, codes: NDArray[np.uint8] | None, *, in_results: bool = False
    ) -> Review:
        """Return the review with other labels (x, y) for one slice; None takes its correction back."""
        kept = tuple(one for one in self.slices if (one.view, one.frame, one.slice) != (view, frame, index))
        if codes is None:
            return replace(self, slices=kept, signed_off=None)
        added = CorrectedSlice(
            view=view,
            frame=frame,
            slice=index,
            runs=tuple(to_runs(codes)),
            changed=now(),
            version=version("cinema-cmr"),
            in_results=in_results,
        )
        return replace(self, slices=(*kept, added), signed_off=None)

    def with_point(
        self, view: View, name: str, frame: int, position: Position | None, *, in_results: bool = False
    ) -> Review:
        """Return the review with another place of a landmark (RAS mm); None takes its correction back."""
        kept = tuple(one for one in self.points if one.key != (view, name, frame))
        if position is None:
            return replace(self, points=kept, signed_off=None)
        added = CorrectedPoint(
            view=view,
            name=name,
            frame=frame,
            position_ras_mm=position,
            changed=now(),
            version=version("cinema-cmr"),
            in_results=in_results,
        )
        return replace(self, points=(*kept, added), signed_off=None)

    def written(self, masks: Mapping[str, str]) -> Review:
        """Return the review once the results hold all of it; `masks` is view -> hash of the mask as written."""
        slices = tuple(replace(one, in_results=True) for one in self.slices)
        points = tuple(replace(one, in_results=True) for one in self.points)
        return replace(self, slices=slices, points=points, applied=masks, values={}, basal_rule=None).acted(
            "results written"
        )

    def brought_together(self, view: View, mask: str) -> Review:
        """Return the review once the labels of a view's mask in the results, of this hash, were taken over."""
        return replace(self, applied={**self.applied, view: mask})

    def apply(self, view: View, labels: NDArray[np.uint8], *, n_codes: int) -> NDArray[np.uint8]:
        """Return a copy of a view's labels (x, y, z, t) with the corrected slices in place.

        Raises `InputError` for a slice or frame that the mask does not have.
        """
        corrected = labels.copy()
        for one in (one for one in self.slices if one.view == view):
            if not (0 <= one.slice < labels.shape[2] and 0 <= one.frame < labels.shape[3]):
                raise InputError(
                    f"correction of slice {one.slice} in frame {one.frame}; expected the {labels.shape[2]} slices and"
                    f" {labels.shape[3]} frames of the mask: remove {REVIEW_FILE}"
                )
            plane = from_runs(one.runs, (labels.shape[0], labels.shape[1]), n_codes=n_codes)
            corrected[:, :, one.slice, one.frame] = plane
        return corrected


def read_review(results: Path) -> Review:
    """Read the review of a results folder; an empty one if there is none.

    Raises `UnreadableFileError` for a damaged file.
    """
    path = results / REVIEW_FILE
    if not path.exists():
        return Review()
    try:
        return from_dict(Review, read_json(path), REVIEW_FILE)
    except (UsageError, UnreadableFileError, OSError) as error:
        raise UnreadableFileError(
            f"'{REVIEW_FILE}' of '{results.name}' cannot be read ({error}); expected a review of this program: move it"
            " away, or put an intact copy in its place"
        ) from error


def review_stamp(results: Path) -> Stamp | None:
    """Return what differs once another review was written into a results folder; None without one."""
    try:
        facts = (results / REVIEW_FILE).stat()
    except FileNotFoundError:
        return None
    return facts.st_ino, facts.st_size, facts.st_mtime_ns


def write_review(review: Review, results: Path) -> None:
    """Write the review beside the results, whole or not at all."""
    write_json(results / REVIEW_FILE, to_dict(review), overwrite=True)
