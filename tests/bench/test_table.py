"""Rows of the benchmark's document: results, failures, and what cannot be run."""

from __future__ import annotations

from typing import Any

import pytest

from cinema_cmr.bench.suite import Outcome, RunKey
from cinema_cmr.bench.table import absent_row, bench_document, rows_of
from cinema_cmr.bench.tasks import TASKS

TASK = TASKS["lvef-segment"]


def outcome(*errors: float) -> Outcome:
    patients = [
        {"patient": f"p{i}", "target": None, "values": {"lv_ef_percent": error}} for i, error in enumerate(errors)
    ]
    return Outcome(document={"patients": patients, "n_train_patients": 8, "n_steps": 5, "seconds": 60.0})


def rows() -> list[dict[str, Any]]:
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
    assert (absent["status"], absent["reason"]) == ("no data", "no --from")
    assert scratch["status"] == "done" and scratch["reason"] == "1 of 2 seeds failed"
    assert scratch["measures"]["lv_ef_percent"]["value"] == pytest.approx(2.0) and "difference" not in scratch
    assert unet["against"] == "cinema-scratch" and unet["difference"]["value"] == pytest.approx(1.0)


def test_a_model_without_any_finished_run_says_why() -> None:
    outcomes = {RunKey(dataset="d", run="segment-sax", model="unet", seed=0): Outcome(reason="no GPU", exit_code=1)}
    [row] = rows_of(TASK, "d", models=["unet"], seeds=[0], outcomes=outcomes, absent={})
    assert (row["status"], row["reason"]) == ("failed", "no GPU")


def test_the_document_has_what_was_published_of_its_tasks() -> None:
    document = bench_document([*rows(), absent_row(TASKS["vendor"], "nobody knows")], settings=["x"])
    assert document["rows"][-1]["status"] == "no data" and document["settings"] == ["x"]
    assert {row["value"] for row in document["published"]} >= {3.33, 2.31} and len(document["published"]) == 9
    assert document["rows"][2]["difference"]["p_holm"] >= document["rows"][2]["difference"]["p_value"]
