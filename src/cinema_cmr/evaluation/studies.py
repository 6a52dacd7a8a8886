"""Choose the studies of an evaluation: a part of a dataset, by the split of the model's own run where there is one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.errors import CinemaError
from cinema_cmr.data.cases import AnnotatedStudy, Case, Split, read_split
from cinema_cmr.datasets.dataset import Dataset
from cinema_cmr.datasets.reading import SPLIT_FILE, find_cases, ignore_note, read_patients
from cinema_cmr.models.cards import split_pin

__all__ = ["StudySource"]

Note = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class StudySource:
    """Where the studies of an evaluation come from."""

    data: str
    """NAME:FOLDER of a dataset, or a folder of images with masks."""
    part: str = "validation"
    """Part of the split, or "all", which needs no split."""
    split: Path | None = None
    """Split file; None for that of the run in which the model lies, else the dataset's own."""
    codes: Sequence[str] = ()
    """Codes of the label maps of a folder, e.g. "1=lv"; empty for those of its labels.json, or ours."""
    model: str | None = None
    """The evaluated model: a name or a path."""

    def read(
        self, card: ModelCard | None = None, *, labelled_only: bool = True, note: Note = ignore_note
    ) -> tuple[str, list[AnnotatedStudy]]:
        """Return the dataset's name and the studies; `card` is that of the evaluated model.

        `note` receives a message for each study that is left out, and which split is used.
        """
        dataset, cases = find_cases(self.data, codes=self.codes, note=note)
        patients = self._patients(dataset, cases, card, note)
        return dataset.card.name, read_patients(dataset, cases, patients, note=note, labelled_only=labelled_only)

    def _patients(self, dataset: Dataset, cases: Sequence[Case], card: ModelCard | None, note: Note) -> list[str]:
        known = {case.patient for case in cases}
        if self.part == "all":
            return sorted(known)
        if self.split:
            return list(read_split(self.split, patients=known)[self.part])
        path = None if card is None or self.model is None else _split_beside(Path(split_pin(self.model)[0]))
        if path is None or card is None:
            return self._of_dataset(dataset, cases, note)
        try:
            split = read_split(path)
            why = _why_not(split, self.part, card, dataset, known)
        except CinemaError as error:
            why = str(error)
        if why is not None:
            note(f"split: {path.name} beside the model is not used: {why}")
            return self._of_dataset(dataset, cases, note)
        note(f"split: of the run beside the model{_quick_scores(card, self.part)}")
        return list(split[self.part])

    def _of_dataset(self, dataset: Dataset, cases: Sequence[Case], note: Note) -> list[str]:
        patients, known = list(dataset.patients(cases, self.part)), {case.patient for case in cases}
        there = [patient for patient in patients if patient in known]
        if len(there) < len(patients):
            note(f"{len(there)} of {len(patients)} patients of the part '{self.part}' are in the data: they are scored")
        return there


def _split_beside(model: Path) -> Path | None:
    """The split file of the run in which a model's folder lies, as `cinema finetune` writes it."""
    place = model.resolve()
    path = (place if place.is_dir() else place.parent).parent / SPLIT_FILE
    return path if place.exists() and path.is_file() else None


def _why_not(split: Split, part: str, card: ModelCard, dataset: Dataset, known: set[str]) -> str | None:
    """Why a run's split does not apply to the data; None where it does."""
    named = {patient for patients in split.parts.values() for patient in patients}
    if split.dataset != dataset.card.name:
        return f"it is of the dataset '{split.dataset}', the data of '{dataset.card.name}'"
    if named - known:
        return f"{len(named - known)} of its {len(named)} patients are not in the data"
    if card.training.get("split_sha256", split.sha256) != split.sha256:
        return "the model was trained with another one"
    return None if part in split.parts else f"it has no part '{part}'"


def _quick_scores(card: ModelCard, part: str) -> str:
    """Say why the scores in the card of the same patients are others; "" where it has none."""
    scores = card.training.get("validation")
    if part != "validation" or not isinstance(scores, dict):
        return ""
    found = ", ".join(f"{name} {value:.3f}" for name, value in scores.items() if isinstance(value, float))
    return (
        f"; its card has quick scores of these patients ({found}), on the model's own grid around the reference: the"
        " scores here are on each image's own grid, with the heart found in the images"
    )
