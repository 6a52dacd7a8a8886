"""Two sets of results of the same patients, compared patient by patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import InputError
from cinema_cmr.score.statistics import Interval, finite_mean, holm, mean_interval, paired_wilcoxon
from cinema_cmr.tasks.result import ERROR_SUFFIX, Result, by_patient, patient_values

if TYPE_CHECKING:
    from cinema_cmr.tasks.registry import TaskType

__all__ = [
    "MIN_PATIENTS",
    "Comparison",
    "Difference",
    "compare",
    "compare_values",
    "compared_names",
    "paired_difference",
]

Values = Mapping[str, Mapping[str, float]]
"""Score -> patient -> value; NaN where a patient has none."""

MIN_PATIENTS = 2


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One score of two models on the same patients: both means, first minus second, and the paired test."""

    name: str
    first: float
    second: float
    difference: Interval
    p_value: float
    """Of Wilcoxon's signed-rank test."""
    p_holm: float = float("nan")
    """Corrected after Holm over the rows of the comparison."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All compared scores of two models."""

    first: str
    second: str
    n_patients: int
    rows: tuple[Difference, ...]


def compare(
    first: Sequence[Result],
    second: Sequence[Result],
    task: TaskType,
    *,
    names: tuple[str, str] = ("first", "second"),
    seed: int = 0,
) -> Comparison:
    """Compare the scores of `task` over the patients that both have, first minus second.

    A patient with several studies counts once, with their mean. Raises `InputError` for fewer than two shared
    patients, and where the references of the two evaluations differ.
    """
    sides = by_patient(first), by_patient(second)
    patients = [name for name in sides[0] if name in sides[1]]
    if len(patients) < MIN_PATIENTS:
        raise InputError(
            f"{len(patients)} patients are in both evaluations; expected at least {MIN_PATIENTS}: evaluate both models"
            " on the same part of the same data"
        )
    for patient in patients:
        _check_references(patient, sides[0][patient], sides[1][patient])
    compared = [name for name in compared_names(first, task) if name in compared_names(second, task)]
    values = ({name: patient_values(side, name) for name in compared} for side in (first, second))
    rows = compare_values(*values, seed=seed)
    return Comparison(first=names[0], second=names[1], n_patients=len(patients), rows=tuple(rows))


def compared_names(results: Sequence[Result], task: TaskType, *, suffix: str = "") -> list[str]:
    """Return the scores to compare for a task, and the absolute errors of measurements that end in `suffix`."""
    prefixes = task.compared or (task.primary,)
    scores = dict.fromkeys(name for result in results for name in result.scores if name.startswith(prefixes))
    measured = dict.fromkeys(name for result in results for name in result.measured if name.endswith(suffix))
    return [*scores, *(f"{name}{ERROR_SUFFIX}" for name in (measured if task.compares_measurements else ()))]


def compare_values(first: Values, second: Values, *, seed: int = 0) -> list[Difference]:
    """Return one row for each score that both sides have of two patients or more, first minus second."""
    rows = []
    for name in (name for name in first if name in second):
        patients = [patient for patient in first[name] if patient in second[name]]
        row = _difference(name, *(np.array([side[name][p] for p in patients]) for side in (first, second)), seed=seed)
        if row is not None:
            rows.append(row)
    corrected = holm([row.p_value for row in rows])
    return [replace(row, p_holm=float(p)) for row, p in zip(rows, corrected, strict=True)]


def _difference(
    name: str, first: NDArray[np.float64], second: NDArray[np.float64], *, seed: int = 0
) -> Difference | None:
    """Compare two values a patient; None for fewer than two patients that have both."""
    both = np.isfinite(first - second)
    if both.sum() < MIN_PATIENTS:
        return None
    return Difference(
        name=name,
        first=finite_mean(first[both]),
        second=finite_mean(second[both]),
        difference=mean_interval((first - second)[both], seed=seed),
        p_value=paired_wilcoxon(first[both], second[both]).p_value,
    )


def paired_difference(first: Mapping[str, float], second: Mapping[str, float], *, seed: int = 0) -> Difference | None:
    """Compare one value a patient over the patients that both have; None for fewer than two."""
    patients = [patient for patient in first if patient in second]
    return _difference("", *(np.array([side[p] for p in patients], float) for side in (first, second)), seed=seed)


def _check_references(patient: str, first: Sequence[Result], second: Sequence[Result]) -> None:
    same = len(first) == len(second)
    for a, b in zip(*(sorted(side, key=lambda one: one.study) for side in (first, second)), strict=False):
        pairs = [(x, b.reference.get(name)) for name, x in a.reference.items()]
        known = [(x, y) for x, y in pairs if x is not None and y is not None]
        equal = np.allclose([x for x, _ in known], [y for _, y in known], equal_nan=True)
        same = same and a.target == b.target and equal
    if not same:
        raise InputError(
            f"the references of '{patient}' differ between the two evaluations; expected the same labels of the same"
            " studies"
        )
