"""The record of one changed stack, as `benchmarks/robustness.py` keeps it line by line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["ChangedCase"]

FrameValues = Mapping[str, float]
"""Structure -> value in one frame; NaN where the structure is in neither mask."""


@dataclass(frozen=True, kw_only=True)
class ChangedCase:
    """What a model made of a study's labelled frames after one change, beside what the expert drew."""

    patient: str
    change: str
    dice: tuple[FrameValues, ...]
    """Of each frame, on the changed grid."""
    measured: Mapping[str, float]
    """EF of the predicted masks; NaN where it cannot be measured."""
    reference: Mapping[str, float]
    """EF of the expert's masks before the change."""
    flags: tuple[str, ...]
    """Codes above "info" that the report would show."""
    notes: tuple[str, ...]
    """Codes of severity "info"."""
    confidence: tuple[float, ...]
    """Of each frame."""
    estimators: tuple[Mapping[str, FrameValues], ...]
    """Of each frame, estimator -> structure -> value."""
    part: str = ""
    """Part of the split, or "phantom"."""
    seconds: float = float("nan")
    model: str = ""
    """Hash of the weights."""
    inference_settings: str = "tta 1"
