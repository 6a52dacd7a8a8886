"""Interface of a dataset: its card, the functions that list and read its cases, and its splits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.study import Study
from cinema_cmr.data.cases import AnnotatedStudy, Case, DatasetCard, Split, official_split, stratified_split

__all__ = ["Dataset"]

_SEED = 0
_TRAINING_SHARES = {"train": 0.8, "validation": 0.2}
"""Division of an official training part that has no validation part."""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """One dataset of the registry; each dataset's file ends with one."""

    card: DatasetCard
    list_cases: Callable[[Path], list[Case]]
    """Lists every case under a folder, including broken ones; raises `InputError` only if there is none."""
    read_case: Callable[[Case], AnnotatedStudy]
    """Reads a case with its reference annotations; raises an `InputError` if it is incomplete or broken."""
    read_cycle: Callable[[Case], Study] | None = None
    """Reads the whole cycle of a case if `read_case` returns only the labelled frames; None if it returns all."""
    split: Callable[[], Split] | None = None
    """Returns the split included in the package; None if there is none."""
    remarks: Callable[[Path], Sequence[str]] | None = None
    """Describes files of a folder that are not used, one sentence each; None if not applicable."""
    shares: Mapping[str, float] = field(default_factory=lambda: dict(_TRAINING_SHARES))
    """Shares of the parts drawn if the dataset has no official split."""

    def study(self, case: Case) -> Study:
        """Read the images of a case without labels, over the whole cycle if available."""
        return self.read_case(case).study if self.read_cycle is None else self.read_cycle(case)

    def predefined_split(self, cases: Sequence[Case]) -> Split | None:
        """Return the split included in the package, or the official one; None if there is neither."""
        return self.split() if self.split is not None else official_split(self.card.name, cases)

    def training_split(self, cases: Sequence[Case]) -> Split:
        """Return the predefined split, completed by a validation part, or a split drawn from all patients.

        A missing validation part is drawn from "train". Drawn by patient, stratified by group, and identical for the
        same patients.
        """
        predefined = self.predefined_split(cases)
        if predefined is None:
            return self._draw(cases, self.shares)
        if "train" not in predefined.parts or "validation" in predefined.parts:
            return predefined
        drawn = self._draw([case for case in cases if case.patient in predefined["train"]], _TRAINING_SHARES)
        return Split(
            dataset=predefined.dataset,
            parts={**predefined.parts, **drawn.parts},
            rule=f"{predefined.rule}; train divided {drawn.rule}",
        )

    def draw_split(self, cases: Sequence[Case]) -> Split:
        """Draw training and validation from the labelled patients, but for those of an official test part."""
        return self._draw([case for case in cases if case.facts.get("part") != "test"], _TRAINING_SHARES)

    def patients(self, cases: Sequence[Case], part: str) -> tuple[str, ...]:
        """Return the patients of a predefined part.

        Raises `UsageError` if there is no such part: parts drawn for a run are in the run's split file.
        """
        predefined = self.predefined_split(cases)
        if predefined is not None and part in predefined.parts:
            return predefined[part]
        listed = {case.patient for case in cases if case.facts.get("part") == part}
        if listed:
            return tuple(sorted(listed))
        expected = (
            f"expected one of: {', '.join(predefined.parts)}"
            if predefined is not None
            else "it has no split of its own"
        )
        raise UsageError(
            f"dataset '{self.card.name}' has no part '{part}'; {expected}; pass --split FILE, or --part all"
        )

    def _draw(self, cases: Sequence[Case], shares: Mapping[str, float]) -> Split:
        drawable = [case for case in cases if case.facts.get("part") != "unlabelled"]
        strata = {case.patient: str(case.facts.get("group", "all")) for case in drawable}
        return stratified_split(self.card.name, strata, shares=shares, seed=_SEED)
