"""Shares of patients, and the curve they make."""

from __future__ import annotations

from itertools import pairwise

import pytest

from cinema_cmr.bench.scored_run import PatientValues, ScoredRun
from cinema_cmr.bench.suite import Outcome
from cinema_cmr.bench.sweep import count_of_share, patients_of_share, share_key, shares_of_counts, sweep_results
from cinema_cmr.bench.tasks import TASKS
from cinema_cmr.core.errors import UsageError
from cinema_cmr.report.bench.bench_results import FailedRun

TASK = TASKS["lvef"]
GROUPS = {f"p{i:02}": "ABCDE"[i % 5] for i in range(40)}


def outcome(error: float, n: int) -> Outcome:
    record = ScoredRun(
        model="m",
        hash="",
        n_steps=5,
        seconds=1.0,
        seconds_to_score=1.0,
        data="d",
        split_sha256="",
        n_train_patients=n,
        patients=tuple(PatientValues(patient=f"q{i}", values={"lv_ef_percent": error + i}) for i in range(3)),
    )
    return Outcome(record=record)


def test_shares_of_one_seed_are_nested_and_show_all_groups() -> None:
    chosen = [set(patients_of_share(GROUPS, share, seed=3)) for share in (5, 25, 50, 100)]
    assert [len(names) for names in chosen] == [2, 10, 20, 40]
    assert all(a < b for a, b in pairwise(chosen))
    assert [sum(GROUPS[name] == group for name in chosen[1]) for group in "ABCDE"] == [2] * 5
    assert set(patients_of_share(GROUPS, 25, seed=4)) != chosen[1]


def test_odd_shares_are_refused() -> None:
    for share in (0, -1, 101):
        with pytest.raises(UsageError, match="share"):
            count_of_share(share, 10)
    assert count_of_share(50, 1) == 1


def test_the_curve_has_a_point_for_each_share_and_model_and_the_gain_over_scratch() -> None:
    models, shares, seeds = ("cinema", "cinema-scratch"), (10.0, 100.0), (0, 1)
    outcomes = {
        share_key(TASK, "d", share, model=model, seed=seed): outcome(1.0 if model == "cinema" else 4.0, int(share))
        for share in shares
        for model in models
        for seed in seeds
    }
    outcomes[share_key(TASK, "d", 10, model="cinema", seed=1)] = Outcome(reason="ill", exit_code=3)
    results = sweep_results(TASK, "d", shares=shares, models=models, seeds=seeds, outcomes=outcomes)
    values = [(p.share, p.model, p.shown and p.shown.value, p.n_seeds) for p in results.points]
    assert values == [
        (10, "cinema", 2.0, 1),
        (10, "cinema-scratch", 5.0, 2),
        (100, "cinema", 2.0, 2),
        (100, "cinema-scratch", 5.0, 2),
    ]
    assert [(d.model, d.against, d.value) for d in results.differences] == [("cinema", "cinema-scratch", -3.0)] * 2
    assert list(results.further) == [measure.key for measure in TASK.measures[1:]]
    assert all(d.p_holm >= d.p_value for d in results.differences)
    assert results.failed == (FailedRun(share=10, model="cinema", reason="ill"),)


def test_the_model_that_others_are_compared_with_can_be_chosen() -> None:
    models = ("cinema-scratch", "unet", "both")
    outcomes = {
        share_key(TASK, "d", 10, model=model, seed=0): outcome(2.0 + place, 4) for place, model in enumerate(models)
    }
    results = sweep_results(TASK, "d", shares=[10], models=models, seeds=[0], outcomes=outcomes, against="unet")
    assert [(d.model, d.against, d.value) for d in results.differences] == [
        ("cinema-scratch", "unet", -1.0),
        ("both", "unet", 1.0),
    ]


def test_numbers_of_patients_are_shares() -> None:
    assert [count_of_share(share, 80) for share in shares_of_counts([1, 8, 80], 80)] == [1, 8, 80]
    for count in (0, 81):
        with pytest.raises(UsageError, match=f"{count} patients"):
            shares_of_counts([count], 80)
