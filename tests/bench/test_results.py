"""Means over patients of several seeds, and models compared on the patients that both have."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cinema_cmr.bench.results import compare_runs, correct_differences, summarise_runs
from cinema_cmr.bench.scored_run import PatientValues, ScoredRun
from cinema_cmr.bench.tasks import TASKS, Measure

ERROR = Measure(key="difference", title="error", absolute=True)


NAN = float("nan")


def run_of(*patients: PatientValues) -> ScoredRun:
    return ScoredRun(
        model="m",
        hash="",
        n_steps=3,
        seconds=2.0,
        seconds_to_score=1.0,
        data="hearts",
        split_sha256="",
        n_train_patients=5,
        patients=patients,
    )


def run(values: dict[str, float]) -> ScoredRun:
    return run_of(*(PatientValues(patient=name, values={"difference": value}) for name, value in values.items()))


def test_seeds_are_averaged_by_patient_before_the_interval() -> None:
    runs = [run({"a": 2.0, "b": -4.0, "c": NAN}), run({"a": -4.0, "b": 6.0, "c": 1.0})]
    found = summarise_runs([ERROR], runs)
    row = found.measures["difference"]
    # Sizes first, then seeds: 3, 5 and, of the one seed that has it, 1.
    assert row.value == pytest.approx(3.0) and row.n == 3
    assert found.n_seeds == 2 and found.over_seeds == pytest.approx([3.0, 11 / 3])
    assert row.low < 3.0 < row.high


def test_a_measure_that_nobody_has_is_left_out() -> None:
    assert summarise_runs([ERROR, Measure(key="other", title="")], [run({"a": 1.0, "b": 2.0})]).measures.keys() == {
        "difference"
    }


def test_the_first_measure_says_that_nobody_could_be_measured() -> None:
    row = summarise_runs([ERROR], [run({"a": NAN, "b": NAN})]).measures["difference"]
    assert row.n == 0 and row.n_excluded == 2 and np.isnan(row.value)


@pytest.mark.medium
def test_balanced_accuracy_counts_classes_alike() -> None:
    right, wrong = ({"correct": value, "baseline": value} for value in (1.0, 0.0))
    patients = [PatientValues(patient=f"n{i}", target="NOR", values=right) for i in range(9)]
    patients.append(PatientValues(patient="d", target="DCM", values=wrong))
    found = summarise_runs(TASKS["disease"].measures, [run_of(*patients)]).measures
    assert found["correct"].value == pytest.approx(0.9) and found["balanced_accuracy"].value == pytest.approx(0.5)


def test_models_are_compared_on_shared_patients() -> None:
    first, second = run({"a": 1.0, "b": 2.0, "x": 99.0}), run({"a": 3.0, "b": -3.0, "y": 0.0})
    found = compare_runs(ERROR, [first], [second])
    assert found is not None and found.value == pytest.approx(-1.5) and found.n == 2
    assert compare_runs(ERROR, [first], [run({"a": 1.0})]) is None


def test_p_values_are_corrected_over_the_table() -> None:
    found = compare_runs(ERROR, [run({"a": 1.0, "b": 2.0})], [run({"a": 3.0, "b": 1.0})])
    assert found is not None and np.isnan(found.p_holm)
    rows = correct_differences([replace(found, p_value=0.01), replace(found, p_value=0.04)])
    assert [row.p_holm for row in rows] == pytest.approx([0.02, 0.04])
