"""What a trained model is and wants: the facts that stand beside its weights, readable without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.vocabulary import LABEL_SCHEMES, View

__all__ = ["TTA_CHOICES", "Grid", "ModelCard", "check_tta"]

TTA_CHOICES = (1, 2, 4, 8)
"""1: an image as it is; 2: also mirrored; 4 and 8: also turned by quarters."""


def check_tta(tta: int) -> None:
    """Raises `UsageError` for a number of passes that is none of `TTA_CHOICES`."""
    if tta not in TTA_CHOICES:
        raise UsageError(f"{tta} turns; expected one of {', '.join(map(str, TTA_CHOICES))}")


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The grid and intensities on which a model of one view works."""

    spacing_mm: float
    """Voxel size in plane."""
    size: tuple[int, int]
    """Voxels in plane (x, y) that are cut out around the heart."""
    slice_spacing_mm: float | None = None
    """Distance between slices after resampling along the normal; None keeps the true slices."""
    n_slices: int | None = None
    """Slices the model takes, centred and padded; None takes as many as there are."""
    percentiles: tuple[float, float] = (0.95, 99.5)
    """Percentiles of the foreground that are mapped to 0 and 1, with clipping."""

    def __post_init__(self) -> None:
        if self.spacing_mm <= 0 or min(self.size) < 1:
            raise UsageError(f"grid of {self.size} voxels of {self.spacing_mm} mm; both must be above 0")
        if (self.slice_spacing_mm is not None and self.slice_spacing_mm <= 0) or (self.n_slices or 1) < 1:
            raise UsageError(f"grid of {self.n_slices} slices, {self.slice_spacing_mm} mm apart; both must be above 0")
        if not 0 <= self.percentiles[0] < self.percentiles[1] <= 100:
            raise UsageError(f"intensity percentiles {self.percentiles}; expected 0 <= lower < upper <= 100")


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """A model's description: enough, with its weights, to predict; written as card.json beside them."""

    name: str
    task: Literal["segment", "landmark", "classify", "regress", "pretrain"]
    architecture: str
    """Name in the registry of architectures, e.g. "conv_unetr"."""
    config: Mapping[str, Any]
    """The architecture's own configuration, as plain values."""
    grids: Mapping[View, Grid]
    """The grid of each view that the model takes."""
    outputs: tuple[str, ...] = ()
    """Names of the output channels or values, background first for a segmentation."""
    label_scheme: str = "cine"
    modality: Literal["cine", "lge"] = "cine"
    tta: int = 1
    """Of a segmentation: mirrored and turned passes that are averaged where the user names no number of them."""
    logit_offsets: Mapping[str, float] = field(default_factory=dict)
    """Of a segmentation: added to the logits of these outputs before labels are taken, so that what is rare is found
    at a lower probability than what is common."""
    least_confidence: float = 0.8
    """Of a segmentation of cines: a frame whose labels have a lower mean probability is flagged. Models differ."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """Data, split with its hash, recipe, seed, steps, versions, and the scores on validation."""
    licence: str = ""
    """Condition under which the weights may be used, inherited from the data they learned from."""
    weights_sha256: str = ""
    """Hash of the weights file; empty until written."""

    def __post_init__(self) -> None:
        if self.label_scheme not in LABEL_SCHEMES:
            raise UsageError(
                f"model '{self.name}' has label scheme '{self.label_scheme}'; known: {sorted(LABEL_SCHEMES)}"
            )
        check_tta(self.tta)
        if not 0 <= self.least_confidence <= 1:
            raise UsageError(f"model '{self.name}' has least confidence {self.least_confidence}; expected 0 to 1")
        unknown = sorted(set(self.logit_offsets) - set(self.outputs))
        if unknown:
            raise UsageError(f"model '{self.name}' has offsets for {unknown}; its outputs are {list(self.outputs)}")
        if not self.grids:
            raise UsageError(f"model '{self.name}' names no view; its card must give a grid for each view it takes")
