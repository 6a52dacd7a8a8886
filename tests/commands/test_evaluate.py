"""`cinema evaluate` as a user meets it: models of every task, masks of other programs, comparison, output files."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracles import Oracle, cine_of, heart, segmenter

from cinema_cmr.cli import main
from cinema_cmr.core.card import Grid, ModelCard
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.io.nifti.image import write_cine, write_mask
from cinema_cmr.models.architectures import build, config_values
from cinema_cmr.models.baselines import UNet2dConfig
from cinema_cmr.models.convvit import ConvViTConfig
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.stem import StemConfig
from cinema_cmr.models.vit import vit_size
from cinema_cmr.models.weights import save_model

SAX = Grid(spacing_mm=3.0, size=(32, 32), slice_spacing_mm=8.0, n_slices=4)
LAX = Grid(spacing_mm=3.0, size=(32, 32))


def call(*words: object) -> int:
    return main([str(word) for word in words])


def saved(folder: Path, architecture: str, network: Any, **card: Any) -> Path:
    torch.manual_seed(0)
    values = config_values(network)
    made = ModelCard(name="small", architecture=architecture, config=values, **card)
    save_model(folder, build(architecture, values), made)
    return folder


def scalar_model(folder: Path, outputs: tuple[str, ...], **card: Any) -> Path:
    network = ConvViTConfig(
        image_sizes={"sax": (32, 32, 4)},
        out_chans=len(outputs),
        in_chans=2,
        stem=StemConfig(chans=(4, 6)),
        vit=vit_size("tiny"),
        read="all",
    )
    return saved(folder, "conv_vit", network, outputs=outputs, grids={View.SAX: SAX}, **card)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four beating stacks with masks and a table of facts; one without a mask."""
    folder = tmp_path_factory.mktemp("lab")
    for number, radius in enumerate((8.0, 9.0, 11.0, 12.0)):
        labels = heart((15.0, radius), n_slices=4)
        write_cine(cine_of(labels), folder / f"p{number}.nii.gz")
        if number < 3:
            write_mask(labels, cine_of(labels), folder / f"p{number}_seg.nii.gz")
    (folder / "facts.csv").write_text("name,group\np0,NOR\np1,NOR\np2,DCM\np3,DCM\n")
    return folder


def test_a_number_has_its_agreement(lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    training = {"target": {"mean": 60.0, "std": 5.0}}
    model = scalar_model(tmp_path / "m", ("lv_ef_percent",), task="regress", training=training)
    assert call("evaluate", "--data", lab, "--part", "all", "--model", model, "-o", tmp_path / "e") == 0
    assert "baseline_absolute_error" in capsys.readouterr().out
    scores = json.loads((tmp_path / "e" / "scores.json").read_text())
    assert scores["n_patients"] == 3 and scores["task"] == "regress"
    rows = list(csv.DictReader((tmp_path / "e" / "patients.csv").read_text().splitlines()))
    assert [row["patient"] for row in rows] == ["p0", "p1", "p2"]
    assert float(rows[0]["lv_ef_percent_reference"]) == pytest.approx(100 * (1 - (8 / 15) ** 2), abs=3)


def test_classes_need_no_masks(lab: Path, tmp_path: Path) -> None:
    model = scalar_model(tmp_path / "m", ("NOR", "DCM"), task="classify", training={"target_name": "group"})
    words = ("evaluate", "--data", lab, "--part", "all", "--model", model, "-o", tmp_path / "e")
    assert call(*words) == 0
    scores = json.loads((tmp_path / "e" / "scores.json").read_text())
    assert scores["n_patients"] == 4 and sum(map(sum, scores["confusion"]["counts"])) == 4
    assert "true / predicted" in (tmp_path / "e" / "tables.md").read_text()
    assert 'id="patients"' in (tmp_path / "e" / "page.html").read_text()
    assert call(*words) != 0  # nothing is overwritten unasked
    assert call(*words, "--overwrite") == 0


@pytest.mark.medium
def test_landmarks_are_scored_on_phantoms(tmp_path: Path) -> None:
    assert call("phantom", "-n", 2, "--views", "lax_4c", "--frames", 2, "--workers", 1, "-o", tmp_path / "c") == 0
    network = UNet2dConfig(view="lax_4c", out_chans=3, chans=(4, 6, 8))
    model = saved(
        tmp_path / "m",
        "unet2d",
        network,
        task="landmark",
        grids={View.LAX_4C: LAX},
        outputs=LANDMARKS[View.LAX_4C],
    )
    assert (
        call("evaluate", "--data", f"folder:{tmp_path / 'c'}", "--part", "all", "--model", model, "-o", tmp_path / "e")
        == 0
    )
    scores = json.loads((tmp_path / "e" / "scores.json").read_text())
    assert scores["n_patients"] == 2 and scores["scores"]["distance_mm_lax_4c:apex"]["n"] == 2
    rows = list(csv.DictReader((tmp_path / "e" / "patients.csv").read_text().splitlines()))
    assert len(rows) == 2 and len(scores["patients"][0]["frames"]) == 2


def use_oracle(monkeypatch: pytest.MonkeyPatch) -> None:
    card = segmenter(size=(63, 59)).card
    monkeypatch.setattr(
        "cinema_cmr.pipeline.task_model.load_model", lambda name: LoadedModel(model=Oracle(), card=card)
    )


LABELS = heart((15.0, 10.0), n_slices=4)


def write_study(folder: Path, view: str, *, labelled: bool = True) -> None:
    """The images of a view with a mask beside them; with `labelled=False` the images alone."""
    write_cine(cine_of(LABELS), folder / f"{view}.nii.gz")
    if labelled:
        write_mask(LABELS, cine_of(LABELS), folder / f"{view}_seg.nii.gz")


@pytest.fixture
def views(tmp_path: Path) -> Path:
    """Two studies with short-axis masks, and one that has a mask of its 4-chamber plane alone."""
    for number in range(2):
        write_study(tmp_path / "views" / f"p{number}", "sax")
    write_study(tmp_path / "views" / "planes", "lax_4c")
    return tmp_path / "views"


@pytest.mark.medium
def test_published_numbers_stand_beside_an_evaluation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_oracle(monkeypatch)
    for number in range(2):
        labels = heart((15.0, 10.0 + number), n_slices=6)
        write_cine(cine_of(labels), tmp_path / "lab" / f"p{number}.nii.gz")
        write_mask(labels, cine_of(labels), tmp_path / "lab" / f"p{number}_seg.nii.gz")
    words = ["evaluate", "--data", tmp_path / "lab", "--part", "all", "-o", tmp_path / "e"]
    assert main([str(word) for word in words]) == 0
    rows = json.loads((tmp_path / "e" / "scores.json").read_text())["published"]
    assert {"3.33 points (2.88 to 3.82)", "0.8872"} <= {row["published"] for row in rows}
    assert "MedNeXt" not in {row["model"] for row in rows}  # of ACDC alone
    assert "## Beside published values" in (tmp_path / "e" / "tables.md").read_text()
    assert 'id="published"' in (tmp_path / "e" / "page.html").read_text()


def test_an_evaluation_in_the_way_is_told_before_anything_is_scored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "e"
    out.mkdir()
    (out / "scores.json").write_text("{}")
    assert main(["evaluate", "--data", str(tmp_path / "none"), "-o", str(out)]) == 3
    assert "'scores.json' already exists" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["scores.json"]


@pytest.mark.medium
def test_masks_of_other_views_end_no_evaluation(
    views: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use_oracle(monkeypatch)
    write_study(views / "p1", "lax_4c", labelled=False)
    words = ("evaluate", "--data", views, "--part", "all")
    assert call(*words, "-o", tmp_path / "e") == 0
    said = capsys.readouterr()
    assert "left out: planes: no labels of the short axis" in said.err
    assert "not scored: 1 of 3 studies (1 without labels to compare with)" in said.out
    scores = json.loads((tmp_path / "e" / "scores.json").read_text())
    assert scores["n_patients"] == 2 and [row["patient"] for row in scores["not_scored"]] == ["planes"]
    assert "| planes | unlabelled | no labels of the short axis |" in (tmp_path / "e" / "tables.md").read_text()
    for number in range(2):
        (views / f"p{number}" / "sax_seg.nii.gz").unlink()
    assert call(*words) == 3
    assert "none of 1 studies can be scored for 'oracle': no labels of the short axis" in capsys.readouterr().err


@pytest.mark.medium
def test_images_of_other_views_end_no_evaluation_of_numbers(
    views: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_study(views / "q", "sax", labelled=False)
    training = {"target": {"mean": 60.0, "std": 5.0}}
    model = scalar_model(tmp_path / "m", ("lv_ef_percent",), task="regress", training=training)
    assert call("evaluate", "--data", views, "--part", "all", "--model", model, "-o", tmp_path / "e") == 0
    said = capsys.readouterr()
    assert "left out: planes: no images of the short axis" in said.err
    assert "left out: q: 'lv_ef_percent' is unknown" in said.err and "not scored: 2 of 4 studies" in said.out
    scores = json.loads((tmp_path / "e" / "scores.json").read_text())
    assert scores["n_patients"] == 2 and [row["study"] for row in scores["not_scored"]] == ["planes", "q"]


@pytest.mark.medium
def test_studies_without_points_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cohort = tmp_path / "c"
    assert call("phantom", "-n", 1, "--views", "lax_4c", "--frames", 2, "--workers", 1, "-o", cohort) == 0
    write_study(cohort / "stack", "sax")
    words = ("evaluate", "--data", f"folder:{cohort}", "--part", "all", "--model", "cinema-lax")
    assert call(*words, "--device", "cpu", "-o", tmp_path / "e") == 0
    assert "left out: stack: no landmarks of the 2-chamber, 4-chamber or 3-chamber" in capsys.readouterr().err
    scores = json.loads((tmp_path / "e" / "scores.json").read_text())
    assert scores["n_patients"] == 1 and [row["study"] for row in scores["not_scored"]] == ["stack"]


@pytest.mark.slow
def test_two_evaluations_are_compared(lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_oracle(monkeypatch)
    words = ("evaluate", "--data", lab, "--part", "all", "--device", "cpu")
    assert call(*words, "-o", tmp_path / "a") == 0
    assert call(*words, "--together", "--against", tmp_path / "a", "-o", tmp_path / "b") == 0
    against = json.loads((tmp_path / "b" / "scores.json").read_text())["against"]
    assert against["n_patients"] == 3 and {row["name"] for row in against["rows"]} >= {"dice_lv", "dice_mean"}
    assert "p (Holm)" in (tmp_path / "b" / "tables.md").read_text()
    assert call(*words, "--against", tmp_path) == 3


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three labelled cines of two frames."""
    folder = tmp_path_factory.mktemp("lab")
    for number, radius in enumerate((13.0, 14.0, 15.0)):
        labels = heart((radius, radius - 3), n_slices=4)
        cine = cine_of(labels)
        noise = np.random.default_rng(number).normal(0, 10, cine.array.shape)
        write_cine(cine.with_array((cine.array + noise).astype(np.float32)), folder / f"p{number}.nii.gz")
        write_mask(labels, cine, folder / f"p{number}_seg.nii.gz")
    return folder


def masks_of(studies: Path, folder: Path, *names: str) -> Path:
    folder.mkdir()
    for name in names:
        shutil.copy(studies / f"{name}_seg.nii.gz", folder / f"{name}.nii.gz")
    return folder


@pytest.mark.medium
def test_the_experts_own_masks_score_one(studies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = masks_of(studies, tmp_path / "theirs", "p0", "p1", "p2")
    words = ("evaluate", "--data", studies, "--part", "all", "--predictions", folder)
    assert call(*words, "-o", tmp_path / "e", "--name", "their tool") == 0
    document = json.loads((tmp_path / "e" / "scores.json").read_text())
    assert (document["model"], document["n_patients"], document["not_scored"]) == ("their tool", 3, [])
    assert document["scores"]["dice_mean"]["value"] == 1
    assert document["measurements"]["lv_ef_percent"]["mean_absolute_error"]["value"] == 0
    assert "their tool on 3 patients" in capsys.readouterr().out
    assert "Not scored" not in (tmp_path / "e" / "page.html").read_text()


@pytest.mark.medium
def test_a_missing_mask_is_counted_and_told_everywhere(
    studies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = masks_of(studies, tmp_path / "theirs", "p0", "p1")
    words = ("evaluate", "--data", studies, "--part", "all", "--predictions", folder, "-o", tmp_path / "e")
    assert call(*words) == 0
    said = capsys.readouterr()
    assert "not scored: 1 of 3 studies (1 without a mask)" in said.out
    assert "missing: p2: no mask" in said.err
    document = json.loads((tmp_path / "e" / "scores.json").read_text())
    assert document["n_patients"] == 2 and [row["study"] for row in document["not_scored"]] == ["p2"]
    assert "## Not scored (1 study;" in (tmp_path / "e" / "tables.md").read_text()
    assert "no mask for 2 of 2 frames" in (tmp_path / "e" / "page.html").read_text().replace("&#39;", "'")


def test_wrong_masks_are_told_and_end_with_an_input_error(
    studies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = masks_of(studies, tmp_path / "theirs", "p0", "p1", "p2")
    small = heart((9.0, 8.0), n_slices=3)
    write_mask(small, cine_of(small), folder / "p1.nii.gz", overwrite=True)
    odd = heart((15.0, 12.0), n_slices=4)
    write_mask(2 * odd, cine_of(odd), folder / "p2.nii.gz", overwrite=True)
    words = ("evaluate", "--data", studies, "--part", "all", "--predictions", folder, "--json")
    assert call(*words) == 3
    said = capsys.readouterr()
    assert json.loads(said.out)["n_patients"] == 1
    assert "unusable: p1: 'p1.nii.gz' has" in said.err and "unusable: p2: 'p2.nii.gz' holds the values" in said.err
    shutil.move(folder / "p0.nii.gz", folder / "q0.nii.gz")
    assert call(*words) == 3
    said = capsys.readouterr()
    assert "none of 3 studies can be scored" in said.err and said.out == ""
