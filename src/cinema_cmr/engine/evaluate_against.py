"""Two evaluations of the same patients, compared patient by patient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import InputError
from cinema_cmr.engine.known import mean_of_known
from cinema_cmr.score.statistics import holm, mean_interval, paired_wilcoxon

__all__ = ["compare"]

Document = Mapping[str, Any]

_LEAST_PATIENTS = 2


def compare(first: Document, second: Document, *, seed: int = 0) -> dict[str, Any]:
    """Differences, first minus second, of every Dice and of every measurement's absolute error over shared patients.

    Both are documents of `engine.evaluate_document` in plain values. A patient with several studies counts once, with
    their mean. Each row has both means, the mean difference with its BCa interval, and the p-value of Wilcoxon's
    signed-rank test, alone and corrected after Holm over the rows. Raises `InputError` for fewer than two shared
    patients, and for an evaluation of another experts' reading (the references differ).
    """
    sides = [_by_patient(document) for document in (first, second)]
    patients = [name for name in sides[0] if name in sides[1]]
    if len(patients) < _LEAST_PATIENTS:
        raise InputError(
            f"{len(patients)} patients are in both evaluations; expected at least {_LEAST_PATIENTS}: evaluate both"
            " models on the same part of the same data"
        )
    _check_references(sides, patients)
    names = [name for name in _names(first) if name in _names(second)]
    tables = [np.array([[_value(side[p], name) for p in patients] for name in names]) for side in sides]
    rows = [_row(name, a, b, seed) for name, a, b in zip(names, *tables, strict=True)]
    known = [row for row in rows if row["difference"]["n"] >= _LEAST_PATIENTS]
    for row, corrected in zip(known, holm([row["p_value"] for row in known]), strict=True):
        row["p_holm"] = float(corrected)
    return {
        "first": _title(first, second),
        "second": _title(second, first),
        "n_patients": len(patients),
        "rows": known,
    }


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
        return mean_of_known(_number(row["scores"].get(name)) for row in rows)
    measurement = name.removesuffix(" absolute error")
    return mean_of_known(
        abs(_number(row["measured"].get(measurement)) - _number(row["reference"].get(measurement))) for row in rows
    )


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _row(name: str, first: NDArray[np.float64], second: NDArray[np.float64], seed: int) -> dict[str, Any]:
    both = np.isfinite(first - second)
    interval = mean_interval((first - second)[both], seed=seed)
    enough = int(both.sum()) >= _LEAST_PATIENTS
    return {
        "name": name,
        "first": mean_of_known(first[both]),
        "second": mean_of_known(second[both]),
        "difference": {key: getattr(interval, key) for key in ("value", "low", "high", "n")},
        "p_value": paired_wilcoxon(first[both], second[both]).p_value if enough else float("nan"),
    }


def _title(document: Document, other: Document) -> str:
    """The model's name, with its hash where both have the same."""
    name = str(document["model"])
    return f"{name} {str(document.get('hash', ''))[:8]}".strip() if name == other["model"] else name
