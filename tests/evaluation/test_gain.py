"""What may be said of a gain: by how many patients, in which direction, and never more than they tell."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.evaluation.gain import MIN_FOR_TEST, ComparedRuns, StartFacts, Verdict, compare_starts
from cinema_cmr.score.statistics import paired_wilcoxon
from cinema_cmr.tasks.registry import task_type
from cinema_cmr.tasks.result import Result

RNG = np.random.default_rng(0)
RUNS = ComparedRuns(
    recipe="r",
    task="segment",
    dataset="hearts",
    start=StartFacts(name="cinema-small"),
    learned="all weights",
    n_train_patients=4,
    n_steps=100,
    compared_on="the validation part",
)
SCRATCH = {f"p{i}": 0.7 + 0.02 * float(RNG.standard_normal()) for i in range(12)}


def results(name: str, values: dict[str, float]) -> list[Result]:
    return [Result(study=patient, patient=patient, scores={name: value}) for patient, value in values.items()]


def verdict(start: dict[str, float], scratch: dict[str, float], task: str = "segment") -> Verdict:
    its = task_type(task)
    gain = compare_starts(results(its.primary, start), results(its.primary, scratch), its, RUNS)
    assert gain.recipe == "r" and len(gain.patients) == len(scratch)
    return gain.verdict


def shifted(by: float, n: int = 12, spread: float = 0.005) -> dict[str, float]:
    noise = np.random.default_rng(1).normal(0, spread, n)
    return {name: SCRATCH[name] + by + float(x) for name, x in zip(list(SCRATCH)[:n], noise, strict=True)}


def test_a_gain_is_one_where_most_patients_show_it() -> None:
    found = verdict(shifted(0.05), SCRATCH)
    assert found.code == "gained" and (found.n, found.n_better) == (12, 12)
    assert "difference +0.05" in str(found.text) and "from 12 patients" in str(found.text)
    assert verdict(shifted(-0.05), SCRATCH).code == "lost"


def test_of_distances_less_is_better() -> None:
    assert verdict(shifted(-0.05), SCRATCH, "landmark").code == "gained"
    assert verdict(shifted(0.05), SCRATCH, "regress").code == "lost"


def test_no_difference_is_no_proof_of_none() -> None:
    found = verdict(shifted(0.0, spread=0.03), SCRATCH)
    assert found.code == "not shown" and "no proof of none: up to +0.0" in str(found.text)
    assert verdict(SCRATCH, SCRATCH).code == "not shown"


def test_few_patients_cannot_tell_whatever_the_difference() -> None:
    five = {name: SCRATCH[name] for name in list(SCRATCH)[:5]}
    found = verdict(shifted(0.2, n=5), five)
    assert found.code == "inconclusive" and "could not give less than p = 0.062" in str(found.text)
    assert "from 5 patients" in str(found.text)
    one = verdict({"p0": 0.9}, {"p0": 0.1})
    assert one.code == "inconclusive" and str(one.text).startswith("Inconclusive: 1 patient to compare on")
    none = compare_starts([], [], task_type("segment"), RUNS)
    assert none.verdict.n == 0 and none.comparison.rows == ()


def test_the_least_number_is_the_one_at_which_the_test_can_tell() -> None:
    for n in (MIN_FOR_TEST - 1, MIN_FOR_TEST):
        p_value = paired_wilcoxon(np.arange(1.0, n + 1), np.zeros(n)).p_value
        assert p_value == pytest.approx(2 / 2**n) and (p_value < 0.05) == (n == MIN_FOR_TEST)


def test_a_patient_without_a_value_is_not_counted() -> None:
    start = {**shifted(0.05), "p0": float("nan")}
    found = verdict(start, SCRATCH)
    assert found.code == "gained" and found.n == 11
