"""From finished runs to the rows of the benchmark: means over patients, and models compared on the same patients.

A run's record (`bench.run`) has one entry a patient with its values. Seeds are averaged patient by patient
first, so that an interval is over patients and never over seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cinema_cmr.bench.tasks import Measure
from cinema_cmr.evaluation.compare import paired_difference
from cinema_cmr.score.classification import balanced_accuracy
from cinema_cmr.score.statistics import Interval, bootstrap_interval, finite_mean, holm, mean_interval

__all__ = ["add_holm", "compare_runs", "summarise_runs"]

Run = Mapping[str, Any]


def summarise_runs(measures: Sequence[Measure], runs: Sequence[Run], *, seed: int = 0) -> dict[str, Any]:
    """Summarise the runs of a model (one a seed): measures with intervals over patients, and cost.

    Further measures that no patient has are left out; the first one states how many could not be measured.
    """
    found = {measure.key: _interval(measure, runs, seed) for measure in measures}
    return {
        "n_seeds": len(runs),
        "n_train_patients": sorted({run["n_train_patients"] for run in runs}),
        "n_steps": sorted({run["n_steps"] for run in runs}),
        "seconds": float(np.mean([run["seconds"] for run in runs])),
        "measures": {key: vars(its) for key, its in found.items() if its.n > 0 or key == measures[0].key},
        "over_seeds": [finite_mean(_by_patient(measures[0], [run]).values()) for run in runs],
    }


def compare_runs(
    measure: Measure, first: Sequence[Run], second: Sequence[Run], *, seed: int = 0
) -> dict[str, Any] | None:
    """Compare over the patients that both have, first minus second; None for fewer than two patients."""
    row = paired_difference(_by_patient(measure, first), _by_patient(measure, second), seed=seed)
    return None if row is None else {**vars(row.difference), "p_value": row.p_value}


def add_holm(differences: Sequence[dict[str, Any] | None]) -> None:
    """Add `p_holm` to the differences of one table, corrected over those that exist."""
    rows = [row for row in differences if row is not None]
    for row, corrected in zip(rows, holm([row["p_value"] for row in rows]), strict=True):
        row["p_holm"] = float(corrected)


def _by_patient(measure: Measure, runs: Sequence[Run]) -> dict[str, float]:
    """Patient -> mean over seeds; a patient without a value from one seed has the mean of the others."""
    found: dict[str, list[float]] = {}
    for run in runs:
        for patient in run["patients"]:
            found.setdefault(patient["patient"], []).append(measure.of(patient))
    return {name: finite_mean(values) for name, values in found.items()}


def _interval(measure: Measure, runs: Sequence[Run], seed: int) -> Interval:
    if measure.key != "balanced_accuracy":
        return mean_interval(list(_by_patient(measure, runs).values()), seed=seed)
    correct = _by_patient(Measure(key="correct", title=""), runs)
    classes = {patient["patient"]: patient["target"] for run in runs for patient in run["patients"]}
    codes = {name: code for code, name in enumerate(sorted(set(classes.values())))}
    labels = [float(codes[classes[name]]) for name in correct]
    return bootstrap_interval(balanced_accuracy, labels, list(correct.values()), seed=seed)
