"""A run of each kind of task on hearts made by hand: every held-out patient has its values."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from labelled_hearts import HEARTS, SPLIT, empty_segmenter, measured, of, with_ef
from long_axes import annotated as long_axis

from cinema_cmr.bench.data import BenchDataset
from cinema_cmr.bench.run import BenchOptions, BenchRun, train_and_score
from cinema_cmr.bench.scored_run import ScoredRun
from cinema_cmr.bench.suite import RunKey
from cinema_cmr.bench.tasks import TASKS
from cinema_cmr.core.card import Grid
from cinema_cmr.core.errors import UsageError
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.models.baselines import UNet2dConfig
from cinema_cmr.models.stem import StemConfig
from cinema_cmr.models.vit import vit_size
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.recipes.registry import recipe
from cinema_cmr.recipes.scalars import with_target
from cinema_cmr.tasks.landmark import LandmarkConfig
from cinema_cmr.tasks.segment import SegmentConfig


def short(experiment: Experiment) -> Experiment:
    return experiment.with_train(n_steps=2, validate_every=2, accelerator="cpu", precision="fp32")


def scalar(name: str, task: str) -> Experiment:
    chosen = recipe(name, task=task)
    (view,) = chosen.task.grids  # type: ignore[union-attr]
    grid = Grid(spacing_mm=3.0, size=(32, 32), slice_spacing_mm=8.0, n_slices=4)
    network = replace(
        chosen.network,
        image_sizes={"sax": (32, 32, 4)},
        stem=StemConfig(chans=(4, 6)),
        vit=vit_size("tiny"),
    )
    return short(replace(chosen, task=replace(chosen.task, grids={view: grid}), network=network))


@pytest.mark.medium
def test_segmentation_gives_overlap_and_signed_differences(tmp_path: Path) -> None:
    network = UNet2dConfig(view="sax", out_chans=4, chans=(4, 8))
    task = SegmentConfig(grid=Grid(spacing_mm=3.0, size=(32, 32)))
    experiment = replace(short(recipe("sax-unet")), task=task, network=network)
    record = train_and_score(experiment, of(HEARTS), tmp_path)
    assert [row.patient for row in record.patients] == ["p4", "p5"]
    assert 0 <= record.patients[0].values["dice_mean"] <= 1
    assert record.n_train_patients == 4 and record.n_steps == 2 and record.split_sha256 == SPLIT.sha256
    assert (tmp_path / "model" / "card.json").exists()


@pytest.mark.medium
def test_numbers_stand_against_what_is_known_and_the_mean_learned(tmp_path: Path) -> None:
    experiment = with_target(scalar("ef-vit", "regress"), "bmi", HEARTS)
    first, second = train_and_score(experiment, of(HEARTS), tmp_path).patients
    known = [70.0 / (height / 100) ** 2 for height in (170, 171, 172, 173, 174, 175)]
    assert first.values["baseline"] == pytest.approx(np.mean(known[:4]) - known[4])
    assert second.values["baseline"] == pytest.approx(np.mean(known[:4]) - known[5])
    assert np.isfinite(first.values["bmi"]) and first.target is None


@pytest.mark.medium
def test_classes_are_right_or_wrong(tmp_path: Path) -> None:
    experiment = with_target(scalar("disease-vit", "classify"), "group", HEARTS)
    rows = train_and_score(experiment, of(HEARTS), tmp_path).patients
    assert [row.target for row in rows] == ["NOR", "DCM"]
    for row in rows:
        values = row.values
        predicted = "DCM" if values["prob_DCM"] > values["prob_NOR"] else "NOR"
        assert values["correct"] == float(predicted == row.target)
    # Two of each were learned from: of equals the first by name.
    assert [row.values["baseline"] for row in rows] == [0.0, 1.0]


@pytest.mark.medium
def test_landmarks_give_a_distance_in_mm(tmp_path: Path) -> None:
    chosen = recipe("lax-unet", task="landmark")
    assert isinstance(chosen.task, LandmarkConfig)
    task = replace(chosen.task, grids={view: Grid(spacing_mm=3.0, size=(32, 32)) for view in chosen.task.grids})
    network = replace(chosen.network, chans=(4, 8))
    studies = [long_axis(f"p{i}") for i in range(3)]
    record = train_and_score(replace(short(chosen), task=task, network=network), of(studies, 1), tmp_path)
    assert "distance_mm" in record.patients[0].values


def run_of(task: str, model: str, studies: list[AnnotatedStudy], root: Path) -> ScoredRun:
    dataset = BenchDataset(name="d", data=of(studies))
    its = BenchRun(
        task=TASKS[task], model=model, dataset=dataset, options=BenchOptions(root=root, device="cpu"), seed=0
    )
    key = RunKey(dataset="d", run=TASKS[task].run, model=model, seed=0)
    notes: list[str] = []
    record = its.run_or_keep(key, note=notes.append)
    assert notes[0] == f"  scoring: study 1 of {len(dataset.data.val)}", "scoring is not silent"
    assert its.run_or_keep(key, note=lambda text: None) == record
    return record


@pytest.mark.medium
def test_a_number_is_measured_from_masks_against_the_facts(tmp_path: Path) -> None:
    studies = [with_ef(number, study) for number, study in enumerate(HEARTS)]
    record = run_of("lvef-measured", "experts", studies, tmp_path)
    values = [patient.values for patient in record.patients]
    assert [one["lv_ef_percent"] for one in values] == pytest.approx([-5.0, -6.0])
    assert all(np.isfinite(one["baseline"]) for one in values)
    assert record.model == "experts' masks" and record.n_train_patients == 4 and record.n_steps == 0


@pytest.mark.medium
def test_groups_by_measurements_are_a_run_with_a_baseline(tmp_path: Path) -> None:
    record = run_of("disease-measured", "experts", [measured(number) for number in range(12)], tmp_path)
    assert {patient.target for patient in record.patients} == {"strong", "weak"}
    assert all({"correct", "baseline"} <= set(patient.values) for patient in record.patients)


def test_a_shipped_model_is_scored_and_not_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cinema_cmr.bench.run.load_model", lambda name: empty_segmenter())
    record = run_of("segment-sax", "shipped", HEARTS, tmp_path)
    assert record.n_steps == 0 and record.seconds == 0
    assert [patient.values["dice_lv"] for patient in record.patients] == [0.0, 0.0]


@pytest.mark.medium
def test_with_patience_others_than_the_scored_patients_choose_the_weights(tmp_path: Path) -> None:
    network = UNet2dConfig(view="sax", out_chans=4, chans=(4, 8))
    task = SegmentConfig(grid=Grid(spacing_mm=3.0, size=(32, 32)))
    experiment = replace(short(recipe("sax-unet")), task=task, network=network)
    experiment = experiment.with_train(n_steps=9, validate_every=1, patience=2)
    experiment = experiment.with_optim(lr=1e-12, last_lr=0.0, warmup_steps=0)
    record = train_and_score(experiment, of(HEARTS[1:]), tmp_path, choosing=HEARTS[:1])
    assert record.n_steps == 3 and [row.patient for row in record.patients] == ["p4", "p5"]
    assert record.choosing_patients == ("p0",) and record.split_rule == SPLIT.rule
    assert "n_val_studies: 1" in (tmp_path / "config.yaml").read_text()


def test_patience_of_a_benchmark_needs_its_interval(tmp_path: Path) -> None:
    for given in ({"patience": 4}, {"validate_every": 100}, {"patience": -1, "validate_every": 100}):
        with pytest.raises(UsageError, match="expected both or none"):
            BenchOptions(root=tmp_path, **given)


def test_patients_to_choose_by_need_patience(tmp_path: Path) -> None:
    for given in ({"choose_by": 20}, {"choose_by": -1, "patience": 4, "validate_every": 100}):
        with pytest.raises(UsageError, match="patients to choose by and patience"):
            BenchOptions(root=tmp_path, **given)
