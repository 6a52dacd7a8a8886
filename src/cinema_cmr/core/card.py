"""Model cards: the description that stands beside a model's weights, readable without torch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cinema_cmr.core.errors import UsageError, WeightsError
from cinema_cmr.core.vocabulary import LABEL_SCHEMES, View

__all__ = ["TTA_CHOICES", "Grid", "ModelCard", "OutputKind", "SeenFrames", "TaskName", "check_tta", "seen_facts"]

TaskName = str
"""Name of a task in `tasks.registry`."""

OutputKind = Literal["classes", "heatmaps", "coordinates", "numbers", "tokens"]
"""What a network's outputs are: logits over classes, a logit per pixel for each landmark, landmark positions as
fractions of the image, standardised numbers, or the tokens of an autoencoder."""

_OUTPUT_KINDS: Mapping[TaskName, OutputKind] = {
    "segment": "classes",
    "classify": "classes",
    "landmark": "heatmaps",
    "regress": "numbers",
    "pretrain": "tokens",
}

TTA_CHOICES = (1, 2, 4, 8)
"""Passes of test-time augmentation. 1: the image as it is; 2: also mirrored; 4 and 8: also rotated by 90 degrees."""


_MAX_VOXELS = 4096
"""Of a grid along an axis; images have up to 1024."""
_MAX_GRID_VOXELS = 1 << 26
"""Of a whole grid: a hundred times that of any model of the heart, 256 MB."""
_SPACING_MM = (0.1, 100.0)
"""Of hearts of mice to those of horses; a network's input is as large as the image over the spacing."""


def check_tta(tta: int) -> None:
    """Raise `UsageError` for a number of passes that is not among `TTA_CHOICES`."""
    if tta not in TTA_CHOICES:
        expected = ", ".join(map(str, TTA_CHOICES))
        raise UsageError(f"test-time augmentation of {tta} passes; expected one of {expected}")


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Grid and intensity scale on which a model works, for one view."""

    spacing_mm: float
    """Voxel size in plane."""
    size: tuple[int, int]
    """Size in plane (x, y), in voxels, of the crop around the heart."""
    slice_spacing_mm: float | None = None
    """Distance between slices after resampling along the normal; None keeps the acquired slices."""
    n_slices: int | None = None
    """Number of slices, centred and padded; None accepts any number."""
    percentiles: tuple[float, float] = (0.95, 99.5)
    """Percentiles of the foreground that are mapped to 0 and 1; values outside are clipped."""

    def __post_init__(self) -> None:
        if not _is_distance(self.spacing_mm) or not 1 <= min(self.size) <= max(self.size) <= _MAX_VOXELS:
            raise UsageError(
                f"grid of {self.size} voxels of {self.spacing_mm} mm; expected 1 to {_MAX_VOXELS} voxels of"
                f" {_SPACING_MM[0]:g} to {_SPACING_MM[1]:g} mm"
            )
        n_slices = 1 if self.n_slices is None else self.n_slices
        if not 1 <= n_slices <= _MAX_VOXELS or not (
            self.slice_spacing_mm is None or _is_distance(self.slice_spacing_mm)
        ):
            raise UsageError(
                f"grid of {self.n_slices} slices, {self.slice_spacing_mm} mm apart; expected 1 to {_MAX_VOXELS} slices"
                f" at distances of {_SPACING_MM[0]:g} to {_SPACING_MM[1]:g} mm"
            )
        if math.prod(self.size) * n_slices > _MAX_GRID_VOXELS:
            raise UsageError(
                f"grid of {self.size} voxels in {n_slices} slices; expected at most {_MAX_GRID_VOXELS} voxels"
            )
        if not 0 <= self.percentiles[0] < self.percentiles[1] <= 100:
            raise UsageError(f"intensity percentiles {self.percentiles}; expected 0 <= lower < upper <= 100")


def _is_distance(mm: float) -> bool:
    return _SPACING_MM[0] <= mm <= _SPACING_MM[1]


@dataclass(frozen=True, kw_only=True)
class SeenFrames:
    """Hashes, as `data.seen_frames` makes them, of the labelled frames that a model's weights depend on."""

    learned: frozenset[str] = frozenset()
    """Frames of the studies that it, its start or its teachers were trained on."""
    chosen: frozenset[str] = frozenset()
    """Frames of the studies on whose scores its weights or settings were chosen."""


_SEEN = "seen"
"""Key of the seen frames in a card's training facts."""
_KINDS = ("learned", "chosen")


def seen_facts(parts: Iterable[SeenFrames | None]) -> dict[str, dict[str, str]]:
    """Return the entry of a card's training facts for all of these together; empty where none states any."""
    stated = [part for part in parts if part is not None]
    if not stated:
        return {}
    learned = frozenset[str]().union(*(part.learned for part in stated))
    chosen = frozenset[str]().union(*(part.chosen for part in stated))
    return {_SEEN: {"learned": " ".join(sorted(learned)), "chosen": " ".join(sorted(chosen - learned))}}


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """Description of a model: with its weights, enough to predict. Stored as card.json beside them."""

    name: str
    task: TaskName
    architecture: str
    """Name in the registry of architectures, e.g. "conv_unetr"; "ensemble" for several networks."""
    config: Mapping[str, Any]
    """Configuration of the architecture, as plain values."""
    grids: Mapping[View, Grid]
    """Input grid for each view of the model."""
    outputs: tuple[str, ...] = ()
    """Names of the output channels or values; background first in a segmentation."""
    label_scheme: str = "cine"
    modality: Literal["cine", "lge"] = "cine"
    tta: int = 1
    """Segmentation: default number of passes of test-time augmentation."""
    logit_offsets: Mapping[str, float] = field(default_factory=dict)
    """Segmentation: offsets added to the logits of these outputs before the labels are taken, so that a rare class is
    found at a lower probability than a common one."""
    least_confidence: float = 0.8
    """Segmentation of cines: mean probability of the labels below which a frame is flagged."""
    requires: tuple[str, ...] = ()
    """Packages that network and task come from, with their versions then, e.g. "lab-net 1.2"; empty for ours."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """Data, split and its hash, recipe, seed, steps, versions and validation scores."""
    author: str = ""
    """People or lab to name and ask."""
    description: str = ""
    """What the model is for and was made of, in its author's words."""
    licence: str = ""
    """Terms of use of the weights, inherited from the training data."""
    weights_sha256: str = ""
    """SHA-256 of the weights file; empty until it is written."""

    def __post_init__(self) -> None:
        if self.label_scheme not in LABEL_SCHEMES:
            expected = sorted(LABEL_SCHEMES)
            raise UsageError(f"model '{self.name}' has label scheme '{self.label_scheme}'; expected one of {expected}")
        check_tta(self.tta)
        if not 0 <= self.least_confidence <= 1:
            raise UsageError(f"model '{self.name}' has least confidence {self.least_confidence}; expected 0 to 1")
        if not all(map(math.isfinite, self.logit_offsets.values())):
            raise UsageError(f"model '{self.name}' has offsets that are NaN or infinite; expected finite numbers")
        unknown = sorted(set(self.logit_offsets) - set(self.outputs))
        if unknown:
            raise UsageError(f"model '{self.name}' has offsets for {unknown}; expected some of {list(self.outputs)}")
        if not self.grids:
            raise UsageError(f"model '{self.name}' has no grids; expected one for each view of the model")

    def has_same_use(self, other: ModelCard) -> bool:
        """Return whether two models have the same task, inputs and outputs, so that their outputs can be averaged."""
        facts = [
            (one.task, one.grids, one.outputs, one.label_scheme, one.modality, one.training.get("target"))
            for one in (self, other)
        ]
        return facts[0] == facts[1]

    @property
    def install_hint(self) -> str:
        """End of an error about a missing part: the packages to install; empty where the model needs none."""
        return f"; it was made with {', '.join(self.requires)}: install that package" if self.requires else ""

    @property
    def output_kind(self) -> OutputKind:
        """Kind of the network's outputs; decides how those of several networks are averaged."""
        if self.architecture == "ensemble":
            kind: OutputKind = self.config["output_kind"]
            return kind
        if self.task == "landmark" and self.architecture == "conv_vit":
            return "coordinates"
        return _OUTPUT_KINDS.get(self.task, "numbers")

    @property
    def seen_frames(self) -> SeenFrames | None:
        """Labelled frames that the weights depend on; None for a card that does not state them.

        Raises `WeightsError` for a card that states them in another form.
        """
        stated = self.training.get(_SEEN)
        if stated is None:
            return None
        if not isinstance(stated, Mapping) or not all(isinstance(stated.get(kind), str) for kind in _KINDS):
            raise WeightsError(
                f"model '{self.name}' states in another form which frames it has seen; expected texts of hashes under"
                f" {' and '.join(_KINDS)}: fetch the model again, or take training.{_SEEN} out of its card"
            )
        return SeenFrames(learned=frozenset(stated["learned"].split()), chosen=frozenset(stated["chosen"].split()))

    def check_task(self, *names: TaskName) -> None:
        """Raise `WeightsError` if the model was trained for a task other than these."""
        if self.task not in names:
            raise WeightsError(
                f"model '{self.name}' was trained for the task '{self.task}'; expected a model for {' or '.join(names)}"
            )
