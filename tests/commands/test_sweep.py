"""`cinema sweep`: a curve over shares of the patients, resumable, with a figure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from oracles import cine_of, heart
from scored_runs import scored_run

from cinema_cmr.bench.scored_run import ScoredRun
from cinema_cmr.cli import main
from cinema_cmr.io.nifti.image import write_cine, write_mask


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty patients of two groups with masks of one frame."""
    folder = tmp_path_factory.mktemp("lab")
    rows = ["name,group,height_cm,weight_kg"]
    for number in range(20):
        labels = heart((9.0 + 0.3 * number,), n_slices=3)
        write_cine(cine_of(labels), folder / f"p{number:02}.nii.gz")
        write_mask(labels, cine_of(labels), folder / f"p{number:02}_seg.nii.gz")
        rows.append(f"p{number:02},{('NOR', 'DCM')[number % 2]},170,{60 + number}")
    (folder / "facts.csv").write_text("\n".join(rows) + "\n")
    return folder


def call(*words: object) -> int:
    return main([str(word) for word in words])


@pytest.mark.medium
def test_a_curve_comes_out_and_finished_points_are_kept(
    lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    learned: list[tuple[str, int, frozenset[str]]] = []

    def fake(experiment: Any, data: Any, folder: Path, **more: Any) -> ScoredRun:
        names = frozenset(study.patient for study in data.train)
        learned.append((experiment.name, experiment.train.seed, names))
        values = {"dice_mean": 0.5 + 0.02 * len(names)}
        return scored_run(data, values)

    monkeypatch.setattr("cinema_cmr.bench.run.train_and_score", fake)
    words = ["sweep", "segment-sax", "--data", lab, "-o", tmp_path, "--shares", "100,25,50", "--seeds", 2]
    assert call(*words, "--models", "unet") == 0
    assert [(name, seed, len(names)) for name, seed, names in learned] == [
        ("sax-unet", seed, n) for n in (4, 8, 16) for seed in (0, 1)
    ]
    assert learned[0][2] < learned[2][2] < learned[4][2] and learned[0][2] != learned[1][2]
    document = json.loads((tmp_path / "sweep.json").read_text())
    assert [round(point["shown"]["value"], 2) for point in document["points"]] == [0.58, 0.66, 0.82]
    assert (tmp_path / "curve.svg").read_text().startswith("<svg") and "<svg" in (tmp_path / "page.html").read_text()
    assert "| 25 % | 4 |" in capsys.readouterr().out
    assert call(*words) == 0 and len(learned) == 12  # the network from scratch is new, the U-Net is kept
    differences = json.loads((tmp_path / "sweep.json").read_text())["differences"]
    assert [row["value"] for row in differences] == [0, 0, 0] and differences[0]["against"] == "cinema-scratch"


@pytest.mark.medium
def test_further_models_start_elsewhere(lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learned: list[tuple[str, str | None]] = []

    def fake(experiment: Any, data: Any, folder: Path, *, start: Any = None, **more: Any) -> ScoredRun:
        learned.append((experiment.name, None if start is None else start.card.name))
        return scored_run(data, {"dice_mean": 0.5 if start is None else 0.7})

    monkeypatch.setattr("cinema_cmr.bench.run.train_and_score", fake)
    words = ["sweep", "segment-sax", "--data", lab, "-o", tmp_path, "--patients", "4", "--seeds", 1]
    starts = ["--start", "masked=cinema-small", "--start", "expert=cinema-sax"]
    assert call(*words, "--models", "unet,masked,expert", *starts, "--against", "unet") == 0
    assert learned == [("sax-unet", None), ("sax-unetr", "cinema-small"), ("sax-unet", "cinema-sax")]
    differences = json.loads((tmp_path / "sweep.json").read_text())["differences"]
    assert [(row["model"], row["against"], round(row["value"], 3)) for row in differences] == [
        ("masked", "unet", 0.2),
        ("expert", "unet", 0.2),
    ]


@pytest.mark.medium
def test_training_patients_are_set_apart_to_choose_by(
    lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parts: list[list[set[str]]] = []

    def fake(experiment: Any, data: Any, folder: Path, *, choosing: Any, **more: Any) -> ScoredRun:
        assert (experiment.train.patience, experiment.train.validate_every) == (5, 250)
        parts.append([{study.patient for study in its} for its in (data.train, choosing, data.val)])
        return scored_run(data, {"dice_mean": 0.5})

    monkeypatch.setattr("cinema_cmr.bench.run.train_and_score", fake)
    words = ["sweep", "segment-sax", "--data", lab, "-o", tmp_path, "--models", "unet", "--seeds", 2]
    words += ["--patience", 5, "--validate-every", 250]
    assert call(*words, "--choose-by", 6, "--patients", "2,10") == 0
    assert [[len(names) for names in one] for one in parts] == [[2, 6, 4], [2, 6, 4], [10, 6, 4], [10, 6, 4]]
    assert all(len(set.union(*one)) == sum(map(len, one)) for one in parts), "no patient is in two parts"
    assert all(one[1:] == parts[0][1:] for one in parts), "each run is chosen by the same patients"
    assert sum(int(name[1:]) % 2 for name in parts[0][1]) == 3, "half of them of each group"
    said = "; 6 patients of the part train, drawn stratified by group with seed 0, neither trained on nor scored"
    assert any(said in text for text in json.loads((tmp_path / "sweep.json").read_text())["settings"])
    capsys.readouterr()
    assert call(*words, "--choose-by", 5, "--shares", "100") == 3
    assert "another choosing, train" in capsys.readouterr().err
    assert call(*words, "--choose-by", 16, "--shares", "100") == 2
    assert "16 of 16 training patients to choose by; expected at most 15" in capsys.readouterr().err
    assert call(*words, "--shares", "100") == 2
    assert "expected another part to score: --part test, or --choose-by N" in capsys.readouterr().err


@pytest.mark.medium
def test_a_run_ends_and_is_chosen_by_those_set_apart(lab: Path, tmp_path: Path) -> None:
    words = ["sweep", "segment-sax", "--data", lab, "-o", tmp_path, "--models", "unet", "--seeds", 1, "--patients", 2]
    words += ["--preset", "smoke", "--steps", 4, "--device", "cpu"]
    assert call(*words, "--patience", 1, "--validate-every", 2, "--choose-by", 4) == 0
    (folder,) = (tmp_path / "runs" / lab.name / "segment-sax").glob("*-percent/unet/seed-0")
    record = json.loads((folder / "result.json").read_text())
    assert len(record["choosing_patients"]) == 4 and record["n_train_patients"] == 2 and len(record["patients"]) == 4
    early = json.loads((folder / "model" / "card.json").read_text())["training"]["early_stopping"]
    assert early["n_studies"] == 4 and early["split"] == record["split_rule"]
    assert early["split"].endswith("; 4 of 16 training patients to choose by, stratified by group, seed 0")


@pytest.mark.slow
def test_networks_are_trained_on_shares_from_the_command(lab: Path, tmp_path: Path) -> None:
    words = ["sweep", "bmi", "--data", lab, "-o", tmp_path, "--shares", "25,100", "--seeds", 1, "--preset", "smoke"]
    assert call(*words, "--steps", 2, "--device", "cpu", "--models", "cinema-scratch") == 0
    document = json.loads((tmp_path / "sweep.json").read_text())
    assert [point["n_patients"] for point in document["points"]] == [4, 16]
    assert all(point["shown"]["n"] == 4 for point in document["points"])


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["segment-sax", "--shares", "5,x"], (2, "expected percentages")),
        (["segment-sax", "--shares", "0"], (2, "a share of 0 %")),
        (["segment"], (2, "unknown task 'segment'")),
        (["vendor"], (3, "cannot make the curve of 'vendor'")),
        (["segment-sax", "--models", "cinema"], (2, "give --from")),
        (["segment-sax", "--patients", "4,x"], (2, "expected numbers")),
        (["segment-sax", "--patients", "40"], (2, "40 patients to learn from")),
        (["segment-sax", "--start", "a=cinema-small", "--models", "unet"], (2, "'a' is not among the models")),
        (["segment-sax", "--start", "a=cinema-small", "--start", "a=cinema-sax"], (2, "expected each name once")),
        (["segment-sax", "--start", "masked"], (2, "expected NAME=MODEL")),
        (["segment-sax", "--start", "unet=cinema-small"], (2, "a start named 'unet'")),
        (["segment-sax", "--models", "unet", "--against", "cinema"], (2, "unknown model of this curve")),
        (["segment-sax", "--choose-by", "4"], (2, "4 patients to choose by and patience 0")),
        (["segment-sax", "--models", "resnet"], (2, "it has: cinema, cinema-scratch, unet")),
    ],
)
def test_what_cannot_be_drawn_is_told(
    lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], found: tuple[int, str]
) -> None:
    assert call("sweep", *words, "--data", lab, "-o", tmp_path) == found[0]
    assert found[1] in capsys.readouterr().err
