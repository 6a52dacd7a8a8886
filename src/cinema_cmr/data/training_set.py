"""Training data: the studies of a run, divided into those that it trains on and those that it validates with."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from cinema_cmr.core.errors import InputError
from cinema_cmr.data.cases import AnnotatedStudy, DatasetCard, Split
from cinema_cmr.data.store import StoredStudy

__all__ = ["AnyTrainingData", "TrainingData", "split_by_name"]

StudyT = TypeVar("StudyT", AnnotatedStudy, StoredStudy)

_MAX_HELD_OUT = 64


@dataclass(frozen=True, kw_only=True)
class TrainingData(Generic[StudyT]):
    """Studies of a dataset, annotated for fine-tuning or stored for pre-training, divided by a split.

    Raises `InputError` if there is no training study, or if both parts share a patient (a study, of a store).
    """

    card: DatasetCard
    split: Split
    train: Sequence[StudyT]
    val: Sequence[StudyT]
    source: Mapping[str, str | int | None] = field(default_factory=dict)
    """Options that open the data again, as they were given; empty if it was made in memory."""

    def __post_init__(self) -> None:
        if not self.train:
            raise InputError(f"'{self.card.name}' has no study to train on; expected at least one")
        shared = {_subject(study) for study in self.train} & {_subject(study) for study in self.val}
        if shared:
            raise InputError(
                f"{len(shared)} patients or studies are in both parts of the split, e.g. {min(shared)}; divide them"
                " so that none is"
            )

    @property
    def sha256(self) -> str:
        """Hash that identifies the training studies: over the content of a store's, else over names and patients."""
        keys = (_content_key(study) for study in self.train)
        return hashlib.sha256("\n".join(keys).encode()).hexdigest()


AnyTrainingData = TrainingData[AnnotatedStudy] | TrainingData[StoredStudy]


def split_by_name(
    studies: Sequence[StoredStudy], *, val_fraction: float = 0.05
) -> tuple[list[StoredStudy], list[StoredStudy]]:
    """Divide the studies of a store into train and val by a hash of their names; at most 64 are held out.

    At least one of two or more is. A patient's other studies have other names: to hold out by patient, give two
    stores.
    """
    n_val = min(_MAX_HELD_OUT, max(1, round(len(studies) * val_fraction)), len(studies) - 1)
    by_hash = sorted(studies, key=lambda study: hashlib.sha256(study.name.encode()).hexdigest())
    held_out = {study.name for study in by_hash[: max(0, n_val)]}
    return [s for s in studies if s.name not in held_out], [s for s in studies if s.name in held_out]


def _subject(study: AnnotatedStudy | StoredStudy) -> str:
    return study.patient if isinstance(study, AnnotatedStudy) else study.sha256


def _content_key(study: AnnotatedStudy | StoredStudy) -> str:
    return f"{study.patient} {study.study.name}" if isinstance(study, AnnotatedStudy) else study.sha256
