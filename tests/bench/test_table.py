"""Rows of the benchmark's document: results, failures, and what cannot be run."""

from __future__ import annotations

import json

import pytest

from cinema_cmr.bench.scored_run import PatientValues, ScoredRun
from cinema_cmr.bench.suite import Outcome, RunKey
from cinema_cmr.bench.table import absent_row, bench_results, rows_of
from cinema_cmr.bench.tasks import TASKS
from cinema_cmr.core.serialise import from_result, json_text
from cinema_cmr.report.bench.bench_results import BenchResults, BenchRow

TASK = TASKS["lvef-segment"]


def outcome(*errors: float) -> Outcome:
    record = ScoredRun(
        model="m",
        hash="",
        n_steps=5,
        seconds=60.0,
        seconds_to_score=1.0,
        data="d",
        split_sha256="",
        n_train_patients=8,
        patients=tuple(
            PatientValues(patient=f"p{i}", values={"lv_ef_percent": error}) for i, error in enumerate(errors)
        ),
    )
    return Outcome(record=record)


def rows() -> list[BenchRow]:
    outcomes = {
        RunKey(dataset="d", run="segment-sax", model="cinema-scratch", seed=0): outcome(1.0, -3.0, 2.0),
        RunKey(dataset="d", run="segment-sax", model="cinema-scratch", seed=1): Outcome(reason="ill", exit_code=3),
        RunKey(dataset="d", run="segment-sax", model="unet", seed=0): outcome(2.0, 4.0, -3.0),
        RunKey(dataset="d", run="segment-sax", model="unet", seed=1): outcome(2.0, 4.0, -3.0),
    }
    models = ("cinema", "cinema-scratch", "unet")
    return rows_of(TASK, "d", models=models, seeds=(0, 1), outcomes=outcomes, absent={"cinema": "no --from"})


def test_each_model_has_a_row_read_off_the_segmentation_s_run() -> None:
    absent, scratch, unet = rows()
    assert (absent.status, absent.reason) == ("no data", "no --from")
    assert scratch.status == "done" and scratch.reason == "1 of 2 seeds failed"
    assert scratch.measures["lv_ef_percent"].value == pytest.approx(2.0) and scratch.difference is None
    assert unet.against == "cinema-scratch" and unet.difference is not None
    assert unet.difference.value == pytest.approx(1.0)


def test_a_model_without_any_finished_run_says_why() -> None:
    outcomes = {RunKey(dataset="d", run="segment-sax", model="unet", seed=0): Outcome(reason="no GPU", exit_code=1)}
    [row] = rows_of(TASK, "d", models=["unet"], seeds=[0], outcomes=outcomes, absent={})
    assert (row.status, row.reason) == ("failed", "no GPU")


def test_the_results_have_what_was_published_of_its_tasks() -> None:
    absent = absent_row(TASKS["vendor"], "nobody knows")
    results = bench_results([*rows(), absent], settings=["x"], preset="whole")
    assert results.rows[-1].status == "no data" and results.settings == ("x",)
    assert {row.value for row in results.published} >= {3.33, 2.31} and len(results.published) == 9
    difference = results.rows[2].difference
    assert difference is not None and difference.p_holm >= difference.p_value
    written = json.loads(json_text(results))
    assert written["rows"][2]["difference"]["value"] == difference.value
    assert json_text(from_result(BenchResults, written)) == json_text(results)
