"""Two evaluations of the same patients, compared patient by patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import InputError
from cinema_cmr.score.statistics import finite_mean, holm, mean_interval, paired_wilcoxon

__all__ = ["LEAST_PATIENTS", "Values", "compare", "compare_values", "values_of"]

Document = Mapping[str, Any]
Values = Mapping[str, Mapping[str, float]]
"""What was scored -> patient -> value, NaN where a patient has none."""

LEAST_PATIENTS = 2
"""Fewer have no difference to speak of."""


def compare(first: Document, second: Document, *, seed: int = 0) -> dict[str, Any]:
    """Differences, first minus second, of every Dice and of every measurement's absolute error over shared patients.

    Both are documents of `evaluation.record` in plain values. A patient with several studies counts once, with
    their mean. Each row has both means, the mean difference with its BCa interval, and the p-value of Wilcoxon's
    signed-rank test, alone and corrected after Holm over the rows. Raises `InputError` for fewer than two shared
    patients, and for an evaluation of another experts' reading (the references differ).
    """
    sides = [_by_patient(document) for document in (first, second)]
    patients = [name for name in sides[0] if name in sides[1]]
    if len(patients) < LEAST_PATIENTS:
        raise InputError(
            f"{len(patients)} patients are in both evaluations; expected at least {LEAST_PATIENTS}: evaluate both"
            " models on the same part of the same data"
        )
    _check_references(sides, patients)
    names = [name for name in _names(first) if name in _names(second)]
    values = [values_of(document["patients"], names) for document in (first, second)]
    return {
        "first": _title(first, second),
        "second": _title(second, first),
        "n_patients": len(patients),
        "rows": compare_values(*values, seed=seed),
    }


def values_of(rows: Sequence[Document], names: Sequence[str]) -> dict[str, dict[str, float]]:
    """The named values of each patient, means over its studies, from the patients of an evaluation document.

    A name is that of a score, or of a measurement with " absolute error" behind.
    """
    by_patient = _by_patient({"patients": rows})
    return {name: {patient: _value(its, name) for patient, its in by_patient.items()} for name in names}


def compare_values(first: Values, second: Values, *, seed: int = 0) -> list[dict[str, Any]]:
    """One row, as in `compare`, for each thing that both sides have of two patients or more, first minus second."""
    rows = []
    for name in (name for name in first if name in second):
        patients = [patient for patient in first[name] if patient in second[name]]
        a, b = (np.array([side[name][patient] for patient in patients]) for side in (first, second))
        rows.append(_row(name, a, b, seed))
    known = [row for row in rows if row["difference"]["n"] >= LEAST_PATIENTS]
    for row, corrected in zip(known, holm([row["p_value"] for row in known]), strict=True):
        row["p_holm"] = float(corrected)
    return known


def _by_patient(document: Document) -> dict[str, list[Document]]:
    found: dict[str, list[Document]] = {}
    for row in document["patients"]:
        found.setdefault(row["patient"], []).append(row)
    return found


def _check_references(sides: list[dict[str, list[Document]]], patients: list[str]) -> None:
    for patient in patients:
        first, second = ([row["reference"] for row in side[patient]] for side in sides)
        for a, b in zip(first, second, strict=False):
            shared = [(a[name], b[name]) for name in a if name in b and a[name] is not None and b[name] is not None]
            if len(first) != len(second) or not np.allclose([x for x, _ in shared], [y for _, y in shared]):
                raise InputError(
                    f"the experts' values of '{patient}' differ between the two evaluations; expected the same labels"
                    " of the same studies"
                )


def _names(document: Document) -> list[str]:
    dices = [name for name in document["scores"] if name.startswith("dice_")]
    return [*dices, *(f"{name} absolute error" for name in document["measurements"])]


def _value(rows: list[Document], name: str) -> float:
    if name.startswith("dice_"):
        return finite_mean(_number(row["scores"].get(name)) for row in rows)
    measurement = name.removesuffix(" absolute error")
    return finite_mean(
        abs(_number(row["measured"].get(measurement)) - _number(row["reference"].get(measurement))) for row in rows
    )


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _row(name: str, first: NDArray[np.float64], second: NDArray[np.float64], seed: int) -> dict[str, Any]:
    both = np.isfinite(first - second)
    interval = mean_interval((first - second)[both], seed=seed)
    enough = int(both.sum()) >= LEAST_PATIENTS
    return {
        "name": name,
        "first": finite_mean(first[both]),
        "second": finite_mean(second[both]),
        "difference": {key: getattr(interval, key) for key in ("value", "low", "high", "n")},
        "p_value": paired_wilcoxon(first[both], second[both]).p_value if enough else float("nan"),
    }


def _title(document: Document, other: Document) -> str:
    """The model's name, with its hash where both have the same."""
    name = str(document["model"])
    return f"{name} {str(document.get('hash', ''))[:8]}".strip() if name == other["model"] else name
