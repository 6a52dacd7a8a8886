"""The record of one run of a benchmark, as `result.json` holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["PatientValues", "RunIdentity", "ScoredRun"]


@dataclass(frozen=True, kw_only=True)
class PatientValues:
    """One held-out patient's values: scores, signed differences of measurements, and the baseline."""

    patient: str
    target: str | None = None
    """True class, of a classification."""
    values: Mapping[str, float]
    """NaN where a value is undefined."""


@dataclass(frozen=True, kw_only=True)
class ScoredRun:
    """What a run was, and each patient's values."""

    model: str
    hash: str
    n_steps: int
    """Updates that were made."""
    seconds: float
    """Of training."""
    seconds_to_score: float
    data: str
    split_sha256: str
    n_train_patients: int
    patients: tuple[PatientValues, ...]
    choosing_patients: tuple[str, ...] = ()
    """On whom the weights were chosen; none without patience, and where nothing was trained."""
    split_rule: str = ""
    """How the patients were drawn; empty in a record of an older version."""


@dataclass(frozen=True, kw_only=True)
class RunIdentity:
    """Everything that determines a run and may differ between two calls on one folder."""

    task: str
    model: str
    recipe: str
    seed: int
    preset: str
    n_steps: int
    start: str
    """Hash of the weights that the run starts from; empty for random weights."""
    train: str
    """Hash of the training studies' names."""
    val: str
    """Hash of the held-out studies' names."""
    patience: int = 0
    validate_every: int = 0
    choosing: str = ""
    """Hash of the names of the studies that choose the weights; empty without patience."""
