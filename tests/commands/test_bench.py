"""`cinema bench`: one table of tasks and models, resumed where it was cut off, whole where one run failed."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles import Oracle, cine_of, heart, segmenter
from scored_runs import scored_run

from cinema_cmr.bench.scored_run import ScoredRun
from cinema_cmr.bench.tasks import TASKS
from cinema_cmr.cli import main
from cinema_cmr.core.errors import InputError
from cinema_cmr.io.nifti.image import write_cine, write_mask
from cinema_cmr.models.loaded import LoadedModel


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve patients of two groups with masks of two frames, and a table of facts."""
    folder = tmp_path_factory.mktemp("lab")
    rows = ["name,group,sex,height_cm,weight_kg"]
    for number in range(12):
        radius, group = (8.0, "NOR") if number % 2 else (12.0, "DCM")
        labels = heart((15.0, radius + 0.1 * number), n_slices=3)
        cine = cine_of(labels)
        noise = np.random.default_rng(number).normal(0, 10, cine.array.shape)
        write_cine(cine.with_array((cine.array + noise).astype(np.float32)), folder / f"p{number:02}.nii.gz")
        write_mask(labels, cine, folder / f"p{number:02}_seg.nii.gz")
        rows.append(f"p{number:02},{group},F,{160 + number},{60 + number}")
    (folder / "facts.csv").write_text("\n".join(rows) + "\n")
    return folder


def call(*words: object) -> int:
    return main([str(word) for word in words])


class Faked:
    """Stands in for `bench.run.train_and_score`: a value a patient by recipe, no training; one recipe always fails."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def __call__(self, experiment: Any, data: Any, folder: Path, **more: Any) -> ScoredRun:
        self.made.append(experiment.name)
        if experiment.name == "ef-resnet":
            raise InputError("this one is ill")
        values = {"dice_mean": 0.8 if experiment.name == "sax-unet" else 0.7, "lv_ef_percent": -2.0, "bmi": 3.0}
        return scored_run(data, values)


@pytest.mark.medium
def test_what_failed_or_has_no_data_is_told_and_the_rest_is_there(
    lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    faked = Faked()
    monkeypatch.setattr("cinema_cmr.bench.run.train_and_score", faked)
    words = ["bench", "--data", lab, "-o", tmp_path / "b", "--tasks", "segment-sax,lvef-segment,bmi,sex,vendor"]
    words += ["--models", "cinema,cinema-scratch,unet,resnet"]
    assert call(*words) == 3  # that of the ResNet
    said = capsys.readouterr()
    assert f"failed: bmi, resnet, seed 0, on {lab.name}" in said.err and "this one is ill" in said.out
    # EF is read off the segmentation's runs, which are made once.
    assert faked.made == ["sax-unetr", "sax-unet", "ef-vit", "ef-resnet"]
    document = json.loads((tmp_path / "b" / "bench.json").read_text())
    status = {(row["task"], row["model"]): row["status"] for row in document["rows"]}
    assert status["bmi", "resnet"] == "failed" and status["bmi", "cinema-scratch"] == "done"
    assert status["segment-sax", "cinema"] == "no data"  # without --from
    reasons = {row["task"]: row["reason"] for row in document["rows"] if row["model"] == ""}
    assert f"{lab.name}: all training patients have the same sex" in reasons["sex"]
    assert "training patients with vendor: 0" in reasons["vendor"]
    unet = next(row for row in document["rows"] if (row["task"], row["model"]) == ("segment-sax", "unet"))
    assert unet["difference"]["value"] == pytest.approx(0.1) and unet["against"] == "cinema-scratch"
    assert "3.33 points" in (tmp_path / "b" / "bench.md").read_text()
    assert "<h1>Benchmark</h1>" in (tmp_path / "b" / "page.html").read_text()
    lines = list(csv.DictReader((tmp_path / "b" / "bench.csv").read_text().splitlines()))
    assert {line["value"] for line in lines if line["measure"] == "lv_ef_percent"} == {"2.0"}


@pytest.mark.medium
def test_a_second_call_keeps_what_is_finished_and_refuses_other_settings(
    lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    faked = Faked()
    monkeypatch.setattr("cinema_cmr.bench.run.train_and_score", faked)
    words = ["bench", "--data", lab, "-o", tmp_path, "--tasks", "segment-sax", "--models", "unet", "--steps", 5]
    assert call(*words, "--seeds", 2) == 0 and len(faked.made) == 2
    tables = (tmp_path / "bench.json").read_text()
    assert call(*words, "--seeds", 2) == 0 and len(faked.made) == 2
    assert (tmp_path / "bench.json").read_text() == tables
    assert call(*words, "--seeds", 3) == 0 and len(faked.made) == 3
    other = [*words[:-1], 6]
    assert call(*other) == 3 and "another n_steps" in capsys.readouterr().err and len(faked.made) == 3
    assert call(*other, "--overwrite") == 0 and len(faked.made) == 4


@pytest.mark.medium
def test_a_network_is_trained_and_scored_from_the_command(lab: Path, tmp_path: Path) -> None:
    words = ["bench", "--data", lab, "-o", tmp_path, "--tasks", "segment-sax,lvef-segment", "--models", "unet"]
    assert call(*words, "--preset", "smoke", "--steps", 2, "--device", "cpu") == 0
    document = json.loads((tmp_path / "bench.json").read_text())
    assert [row["status"] for row in document["rows"]] == ["done", "done"]
    assert document["rows"][0]["measures"]["dice_mean"]["n"] == 2 and document["preset"] == "smoke"
    assert (tmp_path / "runs" / lab.name / "segment-sax" / "unet" / "seed-0" / "model" / "card.json").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "expected --data NAME:FOLDER once or more, or --preset smoke"),
        (["--data", "nowhere", "--tasks", "segment"], "unknown task 'segment'"),
        (["--data", "nowhere", "--models", "une"], "did you mean 'unet'"),
        (["--data", "nowhere", "--seeds", "0"], "0 seeds"),
    ],
)
def test_odd_words_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    assert call("bench", *words, "-o", tmp_path / "b") == 2
    assert said in capsys.readouterr().err


def test_data_that_is_not_there_is_told_in_the_table(tmp_path: Path) -> None:
    assert call("bench", "--data", tmp_path / "nowhere", "--tasks", "bmi", "-o", tmp_path / "b") == 3
    [row] = json.loads((tmp_path / "b" / "bench.json").read_text())["rows"]
    assert row["status"] == "no data" and "is no folder" in row["reason"]


@pytest.mark.slow
def test_the_smoke_form_runs_every_task_that_phantoms_can_tell(tmp_path: Path) -> None:
    assert call("bench", "--preset", "smoke", "--steps", 2, "-o", tmp_path) == 0
    document = json.loads((tmp_path / "bench.json").read_text())
    done = {row["task"] for row in document["rows"] if row["status"] == "done"}
    left = {row["task"] for row in document["rows"] if row["status"] != "done"}
    # A phantom has neither late enhancement nor a maker.
    assert left == {"segment-scar", "vendor"} and done == set(TASKS) - left
    models = {row["model"] for row in document["rows"] if row["task"] == "landmark-heatmap"}
    assert models == {"cinema", "cinema-scratch", "unet", "shipped"}


def test_a_shipped_model_is_scored_and_not_trained(lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []

    def load(name: str) -> LoadedModel:
        loaded.append(name)
        return LoadedModel(model=Oracle(), card=segmenter(size=(63, 59)).card)

    monkeypatch.setattr("cinema_cmr.bench.run.load_model", load)
    words = ["bench", "--data", lab, "-o", tmp_path / "b", "--tasks", "segment-sax", "--models", "shipped"]
    assert call(*words, "--device", "cpu") == 0 and loaded == ["cinema-sax"]
    (row,) = json.loads((tmp_path / "b" / "bench.json").read_text())["rows"]
    assert row["model"] == "shipped" and row["status"] == "done" and row["n_steps"] == [0]
    assert row["measures"]["dice_mean"]["value"] > 0.9
