"""What a pre-trained start gained over random weights, patient by patient, and what may be concluded from it.

The verdict rests on the task's primary score alone, chosen before any comparison; the others are listed with it,
corrected after Holm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cinema_cmr.data.seen_frames import SeenPatients
from cinema_cmr.evaluation.compare import (
    MIN_PATIENTS,
    Comparison,
    Difference,
    Values,
    compare_values,
    compared_names,
)
from cinema_cmr.tasks.result import Result, patient_values

if TYPE_CHECKING:
    from cinema_cmr.tasks.registry import TaskType

__all__ = ["MIN_FOR_TEST", "ComparedRuns", "Gain", "PatientPair", "StartFacts", "Verdict", "compare_starts"]

MIN_FOR_TEST = 6
"""With fewer patients Wilcoxon's two-sided p cannot fall below 0.05 even where all of them are better: 2 / 2**n."""

_LEVEL = 0.05
_FOLDS = ", or hold each out once with --folds"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What may be concluded: a code ("gained", "lost", "not shown", "inconclusive") and sentences for a reader."""

    code: str
    text: str
    n: int
    """Patients with the primary score from both starts."""
    n_better: int


@dataclass(frozen=True, kw_only=True)
class StartFacts:
    """The weights that the pre-trained run started from."""

    name: str
    hash: str = ""


@dataclass(frozen=True, kw_only=True)
class ComparedRuns:
    """What two runs of one recipe have in common, and the start of the first."""

    recipe: str
    task: str
    dataset: str
    start: StartFacts
    learned: str
    """Which weights the pre-trained run changed."""
    n_train_patients: int
    n_steps: int
    seed: int = 0
    compared_on: str
    """"the validation part", or the folds."""


@dataclass(frozen=True, kw_only=True)
class PatientPair:
    """One patient's scores from both starts; NaN where a run has none."""

    patient: str
    start: Mapping[str, float]
    scratch: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Gain(ComparedRuns):
    """The paired comparison of two runs, pre-trained start minus random weights: `gain.json`."""

    primary: str
    higher_is_better: bool
    verdict: Verdict
    comparison: Comparison
    patients: tuple[PatientPair, ...]
    seen: SeenPatients | None = None
    """Compared patients that the start has seen before; None if it does not state its frames."""

    @property
    def warning(self) -> str:
        """Why the gain is no estimate for new patients; empty if nothing is known against it."""
        return "" if self.seen is None else self.seen.sentence(self.start.name, len(self.patients))


def compare_starts(start: Sequence[Result], scratch: Sequence[Result], task: TaskType, runs: ComparedRuns) -> Gain:
    """Compare results from a pre-trained start with those from random weights; intervals are drawn with the runs' seed.

    Patients without the primary score on either side do not count.
    """
    names = compared_names([*start, *scratch], task, suffix="_percent")
    first, second = ({name: patient_values(side, name) for name in names} for side in (start, scratch))
    rows = compare_values(first, second, seed=runs.seed)
    patients = dict.fromkeys(result.patient for result in (*start, *scratch))
    more = "" if "fold" in runs.compared_on else _FOLDS
    return Gain(
        **vars(runs),
        primary=task.primary,
        higher_is_better=task.higher_is_better,
        verdict=_verdict(task, rows, first, second, more=more),
        comparison=Comparison(
            first="pre-trained start", second="random weights", n_patients=len(patients), rows=tuple(rows)
        ),
        patients=tuple(
            PatientPair(patient=patient, start=_values_of(patient, first), scratch=_values_of(patient, second))
            for patient in patients
        ),
    )


def _values_of(patient: str, values: Values) -> dict[str, float]:
    return {name: its.get(patient, float("nan")) for name, its in values.items()}


def _verdict(task: TaskType, rows: Sequence[Difference], start: Values, scratch: Values, *, more: str) -> Verdict:
    sign = 1 if task.higher_is_better else -1
    pairs = {p: (a, scratch[task.primary].get(p, np.nan)) for p, a in start.get(task.primary, {}).items()}
    changes = [sign * (a - b) for a, b in pairs.values() if np.isfinite(a - b)]
    n, n_better = len(changes), sum(change > 0 for change in changes)
    if n < MIN_PATIENTS:
        found = f"{n} {'patient' if n == 1 else 'patients'} to compare on"
        text = f"Inconclusive: {found}. One heart does not predict the next. Label more patients{more}."
        return Verdict(code="inconclusive", text=text, n=n, n_better=n_better)
    row = next(row for row in rows if row.name == task.primary)
    numbers = _numbers(task, row, n, n_better)
    if n < MIN_FOR_TEST:
        text = (
            f"Inconclusive with {n} patients: {numbers}. Even if all {n} were better, the paired test could not give"
            f" less than p = {2 / 2**n:.2g}; the interval of so few is rough. Label more patients{more}."
        )
        return Verdict(code="inconclusive", text=text, n=n, n_better=n_better)
    code, text = _tested(row, numbers, sign)
    return Verdict(code=code, text=text, n=n, n_better=n_better)


def _tested(row: Difference, numbers: str, sign: int) -> tuple[str, str]:
    tested = f"{numbers}; p = {row.p_value:.2g} (Wilcoxon's signed-rank test)"
    if row.p_value >= _LEVEL:
        end = row.difference.high if sign > 0 else row.difference.low
        held = f"up to {end:+.3f} is within the interval" if sign * end > 0 else "the interval holds none"
        return "not shown", f"No gain shown: {tested}. That is no proof of none: {held}."
    better = sign * row.difference.value > 0
    return ("gained", f"Gained: {tested}.") if better else ("lost", f"Lost: {tested}.")


def _numbers(task: TaskType, row: Difference, n: int, n_better: int) -> str:
    difference = row.difference
    return (
        f"{task.primary_title} {row.first:.3f} from the pre-trained start and {row.second:.3f} from random weights;"
        f" difference {difference.value:+.3f} (95 % interval {difference.low:+.3f} to {difference.high:+.3f},"
        f" from {n} patients), better in {n_better} of {n}"
    )
