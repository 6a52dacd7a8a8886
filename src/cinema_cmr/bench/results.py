"""From finished runs to the rows of the benchmark: means over patients, and models compared on the same patients.

A run's document (`recipes.trial`) has one entry a patient with its values. Seeds are averaged patient by patient
first, so that an interval is over patients and never over seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cinema_cmr.bench.tasks import Measure
from cinema_cmr.score.classification import balanced_accuracy
from cinema_cmr.score.statistics import Interval, bootstrap_interval, holm, mean_interval, paired_wilcoxon

__all__ = ["compared", "result_of", "with_holm"]

Run = Mapping[str, Any]

_LEAST_PATIENTS = 2


def result_of(measures: Sequence[Measure], runs: Sequence[Run], *, seed: int = 0) -> dict[str, Any]:
    """The measures of a model's runs (one a seed) with intervals over patients, and what the runs took.

    Further measures that no patient has are left out; the first one says how many could not be measured.
    """
    found = {measure.key: _interval_of(measure, runs, seed) for measure in measures}
    return {
        "n_seeds": len(runs),
        "n_learned_from": sorted({run["n_learned_from"] for run in runs}),
        "n_steps": sorted({run["n_steps"] for run in runs}),
        "seconds": float(np.mean([run["seconds"] for run in runs])),
        "measures": {key: _plain(its) for key, its in found.items() if its.n > 0 or key == measures[0].key},
        "over_seeds": [_mean_of_run(measures[0], run) for run in runs],
    }


def compared(measure: Measure, first: Sequence[Run], second: Sequence[Run], *, seed: int = 0) -> dict[str, Any] | None:
    """First minus second over the patients that both have: mean, interval, Wilcoxon's p; None for fewer than two."""
    a, b = (_by_patient(measure, runs) for runs in (first, second))
    pairs = np.array([(a[name], b[name]) for name in a if name in b and np.isfinite(a[name] - b[name])])
    if len(pairs) < _LEAST_PATIENTS:
        return None
    interval = mean_interval(pairs[:, 0] - pairs[:, 1], seed=seed)
    return {**_plain(interval), "p_value": paired_wilcoxon(pairs[:, 0], pairs[:, 1]).p_value}


def with_holm(differences: Sequence[dict[str, Any] | None]) -> None:
    """Put `p_holm` into each of the differences of one table, corrected over those that there are."""
    known = [row for row in differences if row is not None]
    for row, corrected in zip(known, holm([row["p_value"] for row in known]), strict=True):
        row["p_holm"] = float(corrected)


def _by_patient(measure: Measure, runs: Sequence[Run]) -> dict[str, float]:
    """Patient -> mean over seeds; a patient that a seed could not measure has the mean of the others."""
    found: dict[str, list[float]] = {}
    for run in runs:
        for patient in run["patients"]:
            found.setdefault(patient["patient"], []).append(measure.of(patient))
    return {name: _mean(values) for name, values in found.items()}


def _interval_of(measure: Measure, runs: Sequence[Run], seed: int) -> Interval:
    if measure.key != "right_by_class":
        return mean_interval(list(_by_patient(measure, runs).values()), seed=seed)
    right = _by_patient(Measure(key="right", title=""), runs)
    classes = {patient["patient"]: patient["known"] for run in runs for patient in run["patients"]}
    codes = {name: code for code, name in enumerate(sorted(set(classes.values())))}
    labels = [float(codes[classes[name]]) for name in right]
    return bootstrap_interval(balanced_accuracy, labels, list(right.values()), seed=seed)


def _mean_of_run(measure: Measure, run: Run) -> float:
    return _mean(list(_by_patient(measure, [run]).values()))


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def _plain(interval: Interval) -> dict[str, Any]:
    return {key: getattr(interval, key) for key in ("value", "low", "high", "method", "n", "n_excluded")}
