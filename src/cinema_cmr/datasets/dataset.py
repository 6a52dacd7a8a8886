"""What every dataset gives: its card, how its cases are found and read, and how they are divided."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.study import Study
from cinema_cmr.data.cases import AnnotatedStudy, Case, DatasetCard, Split, official_split, stratified_split

__all__ = ["Dataset"]

_SEED = 0
_OF_TRAINING = {"train": 0.8, "validation": 0.2}
"""How an official training part without a validation part is divided."""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """One dataset of the registry; its file ends with one of these."""

    card: DatasetCard
    list_cases: Callable[[Path], list[Case]]
    """Every case under a folder, broken ones too; raises `InputError` only where there is none."""
    read_case: Callable[[Case], AnnotatedStudy]
    """A case with what experts drew; raises an `InputError` for one that is incomplete or broken."""
    read_cycle: Callable[[Case], Study] | None = None
    """The whole cycle of a case of which `read_case` gives only the labelled frames; None where it gives all."""
    split: Callable[[], Split] | None = None
    """The split kept with the package; None where there is none."""
    remarks: Callable[[Path], Sequence[str]] | None = None
    """What a user should know of a folder's files that count for nothing, a sentence each; None where nothing can."""
    shares: Mapping[str, float] = field(default_factory=lambda: dict(_OF_TRAINING))
    """How patients are drawn into parts where the dataset itself makes none."""

    def study(self, case: Case) -> Study:
        """The images of a case without labels, over the whole cycle where they are there."""
        return self.read_case(case).study if self.read_cycle is None else self.read_cycle(case)

    def predefined_split(self, cases: Sequence[Case]) -> Split | None:
        """The split kept with the package, or the dataset's own; None where it has none."""
        return self.split() if self.split is not None else official_split(self.card.name, cases)

    def training_split(self, cases: Sequence[Case]) -> Split:
        """The dataset's own split, with a validation part drawn from "train" where it has none; else one drawn
        from all patients. Drawn by patient, stratified by group, the same for the same patients."""
        own = self.predefined_split(cases)
        if own is None:
            return self._drawn(cases, self.shares)
        if "train" not in own.parts or "validation" in own.parts:
            return own
        drawn = self._drawn([case for case in cases if case.patient in own["train"]], _OF_TRAINING)
        return Split(
            dataset=own.dataset, parts={**own.parts, **drawn.parts}, rule=f"{own.rule}; of its train {drawn.rule}"
        )

    def patients(self, cases: Sequence[Case], part: str) -> tuple[str, ...]:
        """The patients of a part that the dataset itself makes.

        Raises `UsageError` where it makes none of this name: such a part stands in the split file of a run.
        """
        own = self.predefined_split(cases)
        if own is not None and part in own.parts:
            return own[part]
        named = {case.patient for case in cases if case.facts.get("part") == part}
        if named:
            return tuple(sorted(named))
        its = f"it has: {', '.join(own.parts)}" if own is not None else "it has no split of its own"
        raise UsageError(f"dataset '{self.card.name}' has no part '{part}'; {its}: give --split FILE, or --part all")

    def _drawn(self, cases: Sequence[Case], shares: Mapping[str, float]) -> Split:
        useful = [case for case in cases if case.facts.get("part") != "unlabelled"]
        strata = {case.patient: str(case.facts.get("group", "all")) for case in useful}
        return stratified_split(self.card.name, strata, shares=shares, seed=_SEED)
