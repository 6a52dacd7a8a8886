"""Training data: the studies of a run, divided into those that it trains on and those that it validates with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.errors import InputError, UsageError, unknown_name
from cinema_cmr.data.cases import AnnotatedStudy, DatasetCard, Split
from cinema_cmr.data.store import StoredStudy

__all__ = ["AnyTrainingData", "TrainingData", "join_training_data", "joined_card", "joined_split", "split_by_name"]

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
    source: Mapping[str, str | int | bool | list[str] | None] = field(default_factory=dict)
    """Options that open the data again, as they were given; empty if it was made in memory."""
    times: Sequence[int] = ()
    """Times that each training study is used in an epoch; empty for once."""
    teachers: tuple[ModelCard, ...] = ()
    """Cards of the models whose predictions are learned from."""

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


def join_training_data(
    parts: Sequence[TrainingData[AnnotatedStudy]], *, times: Mapping[str, int] | None = None
) -> TrainingData[AnnotatedStudy]:
    """Join the studies of several data sets, with the conditions of all of them; `times` (name -> n) repeats one's.

    A name is that of the data set, or of its folder, as two folders of one's own have one data set's name. Raises
    `UsageError` if `times` names no part, or several, or an n below 1, `InputError` if two data sets share a patient's
    name.
    """
    times = times or {}
    numbers = _repetitions(parts, times)
    if len(parts) == 1 and not times:
        return parts[0]
    return TrainingData(
        card=joined_card([part.card for part in parts]),
        split=joined_split([part.split for part in parts]),
        train=[study for part in parts for study in part.train],
        val=[study for part in parts for study in part.val],
        times=[n for part, n in zip(parts, numbers, strict=True) for _ in part.train],
    )


def _repetitions(parts: Sequence[TrainingData[AnnotatedStudy]], times: Mapping[str, int]) -> list[int]:
    """Return how often each part's studies are used in an epoch."""
    names = [{part.card.name, _folder_name(part)} - {""} for part in parts]
    numbers = [1] * len(parts)
    for name, n in times.items():
        meant = [k for k, its in enumerate(names) if name in its]
        if not meant:
            raise unknown_name("data set", name, sorted(set().union(*names)))
        if len(meant) > 1:
            folders = sorted(_folder_name(parts[k]) for k in meant)
            raise UsageError(
                f"{len(meant)} data sets are meant by '{name}'; expected the name of one's folder: {', '.join(folders)}"
            )
        if n < 1:
            raise UsageError(f"studies of '{name}' to be used {n} times an epoch; expected 1 or more")
        numbers[meant[0]] = n
    return numbers


def _folder_name(part: TrainingData[AnnotatedStudy]) -> str:
    """Return the name of the folder that the data was opened from; empty if it was made in memory."""
    return Path(str(part.source.get("data", "")).rpartition(":")[2]).name


def joined_card(cards: Sequence[DatasetCard]) -> DatasetCard:
    """Return a card that names each data set, its citation and each condition once."""

    def joined(texts: Iterable[str]) -> str:
        return "; ".join(dict.fromkeys(text for text in texts if text))

    return DatasetCard(
        name="+".join(card.name for card in cards),
        title=joined(card.title for card in cards),
        licence=joined(f"{card.name}: {card.licence}" for card in cards),
        citation=joined(card.citation for card in cards),
        how_to_get=joined(card.how_to_get for card in cards),
        derived_licence=joined(f"{card.name}: {card.derived_licence or card.licence}" for card in cards),
    )


def joined_split(splits: Sequence[Split]) -> Split:
    """Return one split of several data sets; raises `InputError` for a patient's name in two of them."""
    patients = [name for split in splits for names in split.parts.values() for name in names]
    if len(set(patients)) < len(patients):
        repeated = next(name for name in patients if patients.count(name) > 1)
        raise InputError(f"patient '{repeated}' is in two data sets; expected distinct names: rename one's")
    parts: dict[str, tuple[str, ...]] = {}
    for split in splits:
        for part, names in split.parts.items():
            parts[part] = tuple(sorted((*parts.get(part, ()), *names)))
    rule = "; ".join(f"{split.dataset}: {split.rule}" for split in splits)
    return Split(dataset="+".join(split.dataset for split in splits), parts=parts, rule=rule)


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
