"""What a reader changed in a finished analysis: masks, landmarks, frames and rules, against the model's own run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cinema_cmr.core.run_facts import OptionValue
from cinema_cmr.core.vocabulary import View

__all__ = ["EditStep", "EditedSlice", "Edits", "MaskEdit", "MovedPoint", "PointEdit", "Position", "RuleChange"]

Position = tuple[float, float, float]
"""RAS mm."""

_GIVEN = "given_"
"""Start of the options of subject data, which are absent unless given."""


@dataclass(frozen=True, kw_only=True)
class EditedSlice:
    """A slice of one frame whose mask differs from the model's own."""

    frame: int
    slice: int
    voxels: int
    """Voxels with another code than in the model's own mask."""


@dataclass(frozen=True, kw_only=True)
class MaskEdit:
    """The difference of a view's mask from the model's own."""

    view: View
    frames: tuple[int, ...]
    """Corrected frames: those in which any voxel differs."""
    slices: tuple[EditedSlice, ...]
    model_mask: str
    """Path of the model's own mask, relative to measurements.json."""
    model_mask_sha256: str


@dataclass(frozen=True, kw_only=True)
class MovedPoint:
    """A landmark of one frame and the place that a reader gives it."""

    view: View
    name: str
    """As in `core.vocabulary.LANDMARKS`."""
    frame: int
    position_ras_mm: Position | None
    """None for the model's own."""


@dataclass(frozen=True, kw_only=True)
class PointEdit:
    """A landmark of one frame that lies elsewhere than the model's own."""

    view: View
    name: str
    """As in `core.vocabulary.LANDMARKS`."""
    frame: int
    model_ras_mm: Position | None
    """Null where the model found none."""
    model_confidence: float | None
    now_ras_mm: Position

    @property
    def key(self) -> tuple[View, str, int]:
        """View, name and frame."""
        return self.view, self.name, self.frame


@dataclass(frozen=True, kw_only=True)
class RuleChange:
    """A measurement rule, a frame or a fact of the subject that differs from the model's run."""

    name: str
    """Name of the option, e.g. "es_frame"."""
    model: OptionValue
    """Its value in the model's run; null where it was not given."""
    now: OptionValue


@dataclass(frozen=True, kw_only=True)
class EditStep:
    """One call that changed something."""

    time: str
    """UTC, ISO 8601."""
    version: str | None
    """Version of cinema-cmr that measured."""
    replaced_masks: Mapping[str, str] = field(default_factory=dict)
    """View -> SHA-256 of the mask file that was replaced."""
    rules: tuple[str, ...] = ()
    """Names of the options that this call changed."""
    points: int = 0
    """Landmarks that this call moved or took back."""


@dataclass(frozen=True, kw_only=True)
class Edits:
    """All differences from the model's own run, and the steps that made them."""

    masks: tuple[MaskEdit, ...] = ()
    points: tuple[PointEdit, ...] = ()
    rules: tuple[RuleChange, ...] = ()
    steps: tuple[EditStep, ...] = ()
    """From the first call to the last."""
    model_values: Mapping[str, float | None] = field(default_factory=dict)
    """Measurement -> its value from the model's own masks, by the rules of the model's run."""

    @property
    def is_corrected(self) -> bool:
        """Whether any mask, point or rule differs from the model's run; False after all changes were taken back."""
        return bool(self.masks or self.points or self.rules)

    @property
    def last_time(self) -> str:
        """Time of the last step, UTC by ISO 8601; empty without one."""
        return self.steps[-1].time if self.steps else ""

    def rules_since(self, time: str) -> frozenset[str]:
        """Return the names of the options that steps after a time (UTC, ISO 8601) have changed."""
        return frozenset(name for step in self.steps if step.time > time for name in step.rules)

    def moved_points_since(self, time: str) -> bool:
        """Return whether steps after a time (UTC, ISO 8601) have moved landmarks or taken them back."""
        return any(step.points for step in self.steps if step.time > time)

    def model_options(self, options: Mapping[str, OptionValue]) -> dict[str, OptionValue]:
        """Return the options of the model's run, given the present ones."""
        before = {**options, **{rule.name: rule.model for rule in self.rules}}
        absent = {rule.name for rule in self.rules if rule.model is None and rule.name.startswith(_GIVEN)}
        return {name: value for name, value in before.items() if name not in absent}
