"""The datasets of a benchmark, read once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cinema_cmr.bench.tasks import BenchTask, fitting, why_not
from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.data.cases import AnnotatedStudy, Split, stratified_split
from cinema_cmr.data.training_set import TrainingData
from cinema_cmr.datasets.reading import LabelledSource, open_training_data

__all__ = ["CHOOSING_SEED", "BenchDataset", "ReadDataset", "read_datasets"]

_CHOOSING = "validation"
"""Part of a split on which runs with patience choose their weights."""
CHOOSING_SEED = 0
"""Of the draw of the training patients that are set apart to choose by."""
_APART = "choosing"
"""Part of a split with these patients."""

Labelled = TrainingData[AnnotatedStudy]


@dataclass(frozen=True, kw_only=True)
class BenchDataset:
    """One dataset of a call: its name among the others, and its studies."""

    name: str
    data: Labelled
    choosing: Sequence[AnnotatedStudy] = ()
    """Studies on which runs with patience choose their weights; neither trained on nor scored."""
    choose_by: int = 0
    """Training patients that `fitting` has yet to set apart for this; 0 takes the validation part."""

    @property
    def title(self) -> str:
        """The dataset's own title."""
        return self.data.card.title

    @property
    def groups(self) -> dict[str, str]:
        """Training patient -> its group; "all" where the facts state none."""
        return {study.patient: str(study.facts.get("group", "all")) for study in self.data.train}

    def select(self, train: Sequence[AnnotatedStudy], val: Sequence[AnnotatedStudy]) -> BenchDataset:
        """Return the same dataset with fewer studies."""
        return replace(self, data=replace(self.data, train=train, val=val))

    def fitting(self, task: BenchTask) -> tuple[BenchDataset, str | None]:
        """Return the studies that fit a task, and why no run can be made of them, if so; then all studies.

        Those that fit in part, as where one structure alone was drawn, are taken where no study fits whole. The
        patients to choose by are set apart from those that fit. Raises `UsageError` if they are all of these.
        """
        in_part = not fitting(task, [*self.data.train, *self.data.val])
        train, val = (fitting(task, part, in_part=in_part) for part in (self.data.train, self.data.val))
        why = why_not(task, train, val)
        if why:
            return self, why
        fits = self.select(train, val)
        if not self.choose_by:
            return replace(fits, choosing=fitting(task, self.choosing, in_part=in_part)), None
        fits = fits.set_apart()
        why = why_not(task, fits.data.train, val)
        return (self, f"{why}, beside the {self.choose_by} set apart to choose by") if why else (fits, None)

    def set_apart(self) -> BenchDataset:
        """Draw `choose_by` of the training patients, stratified by group, as those to choose by; the others train.

        The split has the drawn ones as a part of their own, and states the draw. Raises `UsageError` if no patient is
        left to train on, or if the split has a part of that name.
        """
        n, n_all, split = self.choose_by, len(self.groups), self.data.split
        if n >= n_all:
            raise UsageError(
                f"{n} of {n_all} training patients to choose by; expected at most {n_all - 1}, so that one is left to"
                " train on: give a smaller --choose-by"
            )
        if _APART in split.parts:
            raise UsageError(f"the split has a part '{_APART}' already; expected none: leave --choose-by out")
        drawn = stratified_split(
            split.dataset, self.groups, shares={_APART: n / n_all, "train": 1 - n / n_all}, seed=CHOOSING_SEED
        )
        rule = f"{split.rule}; {n} of {n_all} training patients to choose by, stratified by group, seed {CHOOSING_SEED}"
        parted = Split(dataset=split.dataset, parts={**split.parts, **drawn.parts}, rule=rule)
        apart = set(drawn[_APART])
        train, choosing = (
            [study for study in self.data.train if (study.patient in apart) is chosen] for chosen in (False, True)
        )
        return replace(self, data=replace(self.data, split=parted, train=train), choosing=choosing, choose_by=0)


@dataclass(frozen=True, kw_only=True)
class ReadDataset:
    """What became of one `--data`: a dataset, or the reason why it cannot be read."""

    name: str
    dataset: BenchDataset | None = None
    reason: str = ""


def read_datasets(
    sources: Sequence[str],
    root: Path,
    *,
    split: Path | None,
    part: str,
    note: Callable[[str], None],
    codes: Sequence[str] = (),
    with_choosing: bool = False,
    choose_by: int = 0,
) -> list[ReadDataset]:
    """Read datasets given as NAME:FOLDER or FOLDER; one that cannot be read is noted, and the others follow.

    `part` is the held-out part. Splits are kept under `root/splits`. `with_choosing`: read the validation part too, for
    runs with patience; raises `UsageError` if that is the held-out part. `choose_by`: in place of that part, so many of
    the training patients.
    """
    with_choosing = with_choosing and not choose_by
    if with_choosing and part == _CHOOSING:
        raise UsageError(
            f"patience with the held-out part '{part}', on which the weights are chosen; expected another part to"
            " score: --part test, or --choose-by N to choose by N of the training patients"
        )
    for name, value in (("--split", split), ("--codes", codes)):
        if value and len(sources) > 1:
            raise UsageError(f"one {name} for {len(sources)} datasets; give it with one --data")
    found: list[ReadDataset] = []
    for source in sources:
        name = _unique_name(source, [its.name for its in found])
        labelled = LabelledSource(data=source, codes=codes, split=split, val_part=part, labelled_only=False)
        try:
            data = open_training_data(labelled, root / "splits" / name, note=note)
            choosing: Sequence[AnnotatedStudy] = ()
            if with_choosing:
                choosing = open_training_data(replace(labelled, val_part=_CHOOSING), root / "splits" / name).val
        except InputError as error:
            note(f"left out: {name}: {error}")
            found.append(ReadDataset(name=name, reason=str(error)))
            continue
        dataset = BenchDataset(name=name, data=data, choosing=choosing, choose_by=choose_by)
        found.append(ReadDataset(name=name, dataset=dataset))
    return found


def _unique_name(source: str, taken: Sequence[str]) -> str:
    """The dataset's name, or that of a folder of one's own; numbered where two are alike."""
    name, colon, root = source.partition(":")
    folder = Path(root if colon and not Path(source).exists() else source).resolve().name
    first = folder if name == "folder" or not colon or Path(source).exists() else name
    found, number = first, 2
    while found in taken:
        found, number = f"{first}-{number}", number + 1
    return found
