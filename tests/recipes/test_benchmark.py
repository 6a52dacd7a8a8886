"""The benchmark's rows: who can answer, who cannot and why, and that measured truth is near the truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles import annotated, heart

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy, DatasetCard, Split
from cinema_cmr.recipes import benchmark
from cinema_cmr.recipes.benchmark import TASKS, Bencher, BenchTask
from cinema_cmr.recipes.finetune import TrainingData
from cinema_cmr.recipes.registry import RECIPES_OF_TASKS
from cinema_cmr.recipes.series import Outcome, SeriesRun

BY_NAME = {task.name: task for task in TASKS}


def data(**facts: Any) -> TrainingData:
    card = DatasetCard(name="hearts", title="Hearts", licence="CC0", citation="", how_to_get="")
    split = Split(dataset="hearts", parts={"train": ("a",), "validation": ("b",)}, rule="by hand")
    made = [annotated(heart((16.0 + n, 11.0 + n), n_slices=5), f"heart {n}") for n in range(4)]
    studies = [replace(study, facts={**facts}) for study in made]
    return TrainingData(card=card, split=split, learn=studies[:2], validate=studies[2:])


def bencher(tmp_path: Path, **given: Any) -> Bencher:
    return Bencher(folder=tmp_path, device="cpu", report=lambda text: None, **given)


def trained(run: SeriesRun, data: TrainingData, folder: Path) -> Outcome:
    """Stands in for a training: tells which run was asked for by its value."""
    value = 0.9 if run.start is not None else 0.8
    return Outcome(run=run, values={"dice_mean": {s.patient: value for s in data.validate}}, seconds=5.0)


def test_every_recipe_of_the_table_is_one_of_its_task() -> None:
    for task in TASKS:
        for model in task.models:
            assert (model.recipe in RECIPES_OF_TASKS[task.kind]) == bool(model.recipe)
    assert len(BY_NAME) == len(TASKS)


def test_rows_have_intervals_and_a_model_without_its_weights_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "run_once", trained)
    rows = bencher(tmp_path).rows(BY_NAME["segment-sax"], data(), models=("pre-trained", "scratch"))
    assert [row["model"] for row in rows] == ["sax-unetr, pre-trained", "sax-unetr, scratch", "U-Net"]
    assert "no pre-trained weights" in rows[0]["reason"] and rows[0]["metrics"] == {}
    assert rows[1]["metrics"]["dice_mean"]["value"] == 0.8 and rows[1]["metrics"]["dice_mean"]["n"] == 2
    started = bencher(tmp_path, start="w").rows(BY_NAME["segment-sax"], data(), models=("pre-trained",))
    assert started[0]["metrics"]["dice_mean"]["value"] == 0.9 and started[0]["seconds"] == 5.0


def test_data_without_what_is_asked_for_is_told(tmp_path: Path) -> None:
    for name in ("landmark-heatmap", "segment-lax", "segment-scar", "disease"):
        with pytest.raises(InputError, match=r"'hearts' has .* in 0 studies"):
            bencher(tmp_path).rows(BY_NAME[name], data())


def test_measuring_the_experts_masks_gives_the_truth(tmp_path: Path) -> None:
    """The heart's EF from its radii: area goes with the square."""
    its = data()
    with_truth = replace(
        its,
        learn=[_with_ef(study, n) for n, study in enumerate(its.learn)],
        validate=[_with_ef(study, n + 2) for n, study in enumerate(its.validate)],
    )
    (row,) = bencher(tmp_path).rows(BY_NAME["lvef"], with_truth, models=("expert masks",))
    assert row["metrics"]["absolute_error"]["value"] < 2.0 and row["metrics"]["absolute_error"]["n"] == 2
    (blind,) = bencher(tmp_path).rows(BY_NAME["lvef"], its, models=("expert masks",))
    assert "nothing to compare" in blind["reason"]


def _with_ef(study: AnnotatedStudy, number: int) -> AnnotatedStudy:
    large, small = 16.0 + number, 11.0 + number
    return replace(study, facts={"lv_ef_percent": 100 * (1 - (small / large) ** 2)})


def test_predicted_masks_are_made_once_for_all_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def predicted(cine: Any, segmenter: Any) -> Any:
        asked.append(cine)
        return type("Answer", (), {"labels": known[id(cine.array)]})()

    its = data()
    known = {id(s.study.cine(View.SAX).array): s.labels[View.SAX] for s in its.validate}
    monkeypatch.setattr(benchmark, "predict_cine", predicted)
    made = bencher(tmp_path)
    for name in ("lvef", "rvef", "lvef"):
        (row,) = made.rows(BY_NAME[name], its, models=("predicted masks",))
        assert row["metrics"]["absolute_error"]["value"] == pytest.approx(0, abs=1e-9)
    assert len(asked) == len(its.validate)


def test_a_task_is_one_row_of_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "run_once", trained)
    added = BenchTask(name="new", title="New", kind="segment", view=View.SAX, models=BY_NAME["segment-sax"].models[2:3])
    (row,) = bencher(tmp_path, n_steps=7, seed=3).rows(added, data())
    assert row["model"] == "U-Net" and np.isfinite(row["metrics"]["dice_mean"]["value"])
