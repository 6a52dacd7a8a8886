"""From finished runs to the rows of the benchmark: means over patients, and models compared on the same patients.

Seeds are averaged patient by patient first, so that an interval is over patients and never over seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from cinema_cmr.bench.scored_run import ScoredRun
from cinema_cmr.bench.tasks import Measure
from cinema_cmr.evaluation.compare import paired_difference
from cinema_cmr.report.bench.bench_results import ModelDifference, RunSummary
from cinema_cmr.score.classification import balanced_accuracy
from cinema_cmr.score.statistics import Interval, bootstrap_interval, finite_mean, holm, mean_interval

__all__ = ["compare_runs", "correct_differences", "summarise_runs"]

Difference = TypeVar("Difference", bound=ModelDifference)


def summarise_runs(measures: Sequence[Measure], runs: Sequence[ScoredRun], *, seed: int = 0) -> RunSummary:
    """Summarise the runs of a model (one a seed): measures with intervals over patients, and cost.

    Further measures that no patient has are left out; the first one states how many could not be measured.
    """
    found = {measure.key: _interval(measure, runs, seed) for measure in measures}
    return RunSummary(
        n_seeds=len(runs),
        n_train_patients=tuple(sorted({run.n_train_patients for run in runs})),
        n_steps=tuple(sorted({run.n_steps for run in runs})),
        seconds=float(np.mean([run.seconds for run in runs])),
        measures={key: its for key, its in found.items() if its.n > 0 or key == measures[0].key},
        over_seeds=tuple(finite_mean(_by_patient(measures[0], [run]).values()) for run in runs),
    )


def compare_runs(
    measure: Measure, first: Sequence[ScoredRun], second: Sequence[ScoredRun], *, seed: int = 0
) -> ModelDifference | None:
    """Compare over the patients that both have, first minus second; None for fewer than two patients."""
    row = paired_difference(_by_patient(measure, first), _by_patient(measure, second), seed=seed)
    return None if row is None else ModelDifference(**vars(row.difference), p_value=row.p_value)


def correct_differences(differences: Sequence[Difference]) -> list[Difference]:
    """Return the differences of one table with `p_holm`, corrected over all of them."""
    corrected = holm([row.p_value for row in differences])
    return [replace(row, p_holm=float(p)) for row, p in zip(differences, corrected, strict=True)]


def _by_patient(measure: Measure, runs: Sequence[ScoredRun]) -> dict[str, float]:
    """Patient -> mean over seeds; a patient without a value from one seed has the mean of the others."""
    found: dict[str, list[float]] = {}
    for run in runs:
        for patient in run.patients:
            found.setdefault(patient.patient, []).append(measure.of(patient))
    return {name: finite_mean(values) for name, values in found.items()}


def _interval(measure: Measure, runs: Sequence[ScoredRun], seed: int) -> Interval:
    if measure.key != "balanced_accuracy":
        return mean_interval(list(_by_patient(measure, runs).values()), seed=seed)
    correct = _by_patient(Measure(key="correct", title=""), runs)
    classes = {patient.patient: str(patient.target) for run in runs for patient in run.patients}
    codes = {name: code for code, name in enumerate(sorted(set(classes.values())))}
    labels = [float(codes[classes[name]]) for name in correct]
    return bootstrap_interval(balanced_accuracy, labels, list(correct.values()), seed=seed)
