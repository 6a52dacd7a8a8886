"""Many runs: which ones a sweep is made of, that a finished one is kept, and what is compared with what."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from oracles import annotated, heart

from cinema_cmr.core.card import Grid
from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.data.cases import AnnotatedStudy, DatasetCard, Split
from cinema_cmr.models.baselines import UNet2dConfig
from cinema_cmr.recipes import series
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.recipes.finetune import TrainingData
from cinema_cmr.recipes.registry import recipe
from cinema_cmr.recipes.series import (
    Outcome,
    SeriesRun,
    interval_over_patients,
    paired_difference,
    run_once,
    sweep_document,
    sweep_runs,
)
from cinema_cmr.tasks.segment import SegmentConfig


def experiment(**train: object) -> Experiment:
    base = recipe("sax-unet").with_train(n_steps=2, accelerator="cpu", precision="fp32", **train)
    task = SegmentConfig(grid=Grid(spacing_mm=3.0, size=(32, 32)))
    return replace(base, name="small", task=task, network=UNet2dConfig(view="sax", out_chans=4, chans=(4, 8)))


def study(number: int) -> AnnotatedStudy:
    made = annotated(heart((10.0 + number, 8.0 + number)), f"heart {number}")
    return replace(made, facts={"group": "AB"[number % 2]})


def data() -> TrainingData:
    card = DatasetCard(name="hearts", title="Hearts", licence="CC0", citation="", how_to_get="")
    split = Split(dataset="hearts", parts={"train": ("a",), "validation": ("b",)}, rule="by hand")
    return TrainingData(card=card, split=split, learn=[study(n) for n in range(4)], validate=[study(4), study(5)])


def outcome(n: int, start: str | None, seed: int, dice: list[float]) -> Outcome:
    run = SeriesRun(experiment=experiment(), start=start, n_patients=n, seed=seed)
    return Outcome(run=run, values={"dice_mean": {f"p{k}": value for k, value in enumerate(dice)}}, seconds=2.0)


def test_a_sweep_is_every_share_seed_and_start_once() -> None:
    runs = sweep_runs(experiment(), n_learn=8, shares=[1.0, 0.05, 0.1, 0.5], seeds=2, starts=["a/weights", None])
    assert [run.n_patients for run in runs] == [1] * 4 + [4] * 4 + [8] * 4  # 5 and 10 % are one patient both
    assert [(run.seed, run.start) for run in runs[:4]] == [
        (0, "a/weights"),
        (0, None),
        (1, "a/weights"),
        (1, None),
    ]
    assert len({run.name for run in runs}) == len(runs) and runs[0].name == "small_weights_1-patients_seed-0"
    with pytest.raises(UsageError, match="shares"):
        sweep_runs(experiment(), n_learn=8, shares=[0.0], seeds=1, starts=[None])
    with pytest.raises(UsageError, match="at least one seed"):
        sweep_runs(experiment(), n_learn=8, shares=[0.5], seeds=0, starts=[None])


def test_a_run_is_trained_and_scored_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = SeriesRun(experiment=experiment(), n_patients=2, seed=1)
    first = run_once(run, data(), tmp_path)
    assert set(first.values["dice_mean"]) == {"heart 4", "heart 5"} and "lv_ef_error" in first.values
    card = json.loads((tmp_path / run.name / "model" / "card.json").read_text())
    assert card["training"]["n_studies"] == 2 and card["training"]["seed"] == 1
    monkeypatch.setattr(series, "finetune", lambda *args, **kwargs: pytest.fail("trained twice"))
    again = run_once(run, data(), tmp_path)
    assert json.dumps(again.values) == json.dumps(first.values) and again.seconds == first.seconds
    longer = replace(run, experiment=experiment().with_train(n_steps=3))
    with pytest.raises(InputError, match="holds a run of other data or settings"):
        run_once(longer, data(), tmp_path)


def test_patients_count_with_the_mean_of_their_seeds() -> None:
    seeds = [outcome(4, None, 0, [0.2, 0.6]), outcome(4, None, 1, [0.4, 0.8])]
    found = interval_over_patients(seeds, "dice_mean")
    assert found["value"] == pytest.approx(0.5) and found["n"] == 2


def test_a_difference_is_paired_by_patient() -> None:
    better = [outcome(4, "w", 0, [0.5, 0.7, 0.9, np.nan])]
    scratch = [outcome(4, None, 0, [0.4, 0.6, 0.8, 0.1])]
    found = paired_difference(better, scratch, "dice_mean")
    assert found["value"] == pytest.approx(0.1) and found["n"] == 3 and 0 < found["p_value"] <= 1


def test_the_document_has_a_row_a_number_and_start_and_what_was_gained() -> None:
    runs = [
        outcome(n, start, seed, [0.5 + 0.01 * n + (0.1 if start else 0.0), 0.6])
        for n in (2, 4)
        for seed in (0, 1)
        for start in ("x/pre", None)
    ]
    document = sweep_document(runs, title="t")
    assert [(row["n_patients"], row["start"], row["n_seeds"]) for row in document["rows"]] == [
        (2, "pre", 2),
        (2, "scratch", 2),
        (4, "pre", 2),
        (4, "scratch", 2),
    ]
    assert [gain["metrics"]["dice_mean"]["value"] for gain in document["gains"]] == pytest.approx([0.05, 0.05])
    assert document["title"] == "t" and document["rows"][0]["seconds"] == 4.0
