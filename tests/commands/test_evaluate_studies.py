"""Whom `cinema evaluate` scores a model on: the held-out patients of its own run, without those it cannot score."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from jsonargparse import Namespace
from oracles import cine_of, heart, segmenter

from cinema_cmr.cli import main
from cinema_cmr.commands.console import Console
from cinema_cmr.commands.evaluate_studies import read_part
from cinema_cmr.core.card import Grid, ModelCard
from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import Split, write_split
from cinema_cmr.io.nifti.image import write_cine, write_mask
from cinema_cmr.models.architectures import build, config_values
from cinema_cmr.models.convvit import ConvViTConfig
from cinema_cmr.models.stem import StemConfig
from cinema_cmr.models.vit import vit_size
from cinema_cmr.models.weights import save_model

LABELS = heart((15.0, 10.0), n_slices=4)


def call(*words: object) -> int:
    return main([str(word) for word in words])


def write_study(folder: Path, view: str, *, drawn: bool = True) -> None:
    """The images of a view with a mask beside them; with `drawn=False` the images alone."""
    write_cine(cine_of(LABELS), folder / f"{view}.nii.gz")
    if drawn:
        write_mask(LABELS, cine_of(LABELS), folder / f"{view}_seg.nii.gz")


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """Two studies with short-axis masks, and one that has a mask of its 4-chamber plane alone."""
    for number in range(2):
        write_study(tmp_path / "lab" / f"p{number}", "sax")
    write_study(tmp_path / "lab" / "planes", "lax_4c")
    return tmp_path / "lab"


def answerer(folder: Path, **card: Any) -> Path:
    network = ConvViTConfig(
        image_sizes={"sax": (32, 32, 4)},
        out_chans=1,
        in_chans=2,
        stem=StemConfig(chans=(4, 6)),
        vit=vit_size("tiny"),
        read="all",
    )
    torch.manual_seed(0)
    grids = {View.SAX: Grid(spacing_mm=3.0, size=(32, 32), slice_spacing_mm=8.0, n_slices=4)}
    values = config_values(network)
    made = ModelCard(name="small", architecture="conv_vit", config=values, grids=grids, **card)
    save_model(folder, build("conv_vit", values), made)
    return folder


@pytest.mark.medium
def test_masks_of_other_views_end_no_evaluation(
    lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cinema_cmr.inference.loading.load_segmenter", lambda model, **_: segmenter(size=(63, 59)))
    write_study(lab / "p1", "lax_4c", drawn=False)
    words = ("evaluate", "--data", lab, "--part", "all")
    assert call(*words, "-o", tmp_path / "e") == 0
    said = capsys.readouterr()
    assert "left out: planes: no labels of the short axis" in said.err
    assert "not scored: 1 of 3 studies (1 without labels to compare with)" in said.out
    scores = json.loads((tmp_path / "e" / "scores.json").read_text())
    assert scores["n_patients"] == 2 and [row["patient"] for row in scores["not_scored"]] == ["planes"]
    assert "| planes | unlabelled | no labels of the short axis |" in (tmp_path / "e" / "tables.md").read_text()
    for number in range(2):
        (lab / f"p{number}" / "sax_seg.nii.gz").unlink()
    assert call(*words) == 3
    assert "none of 1 studies can be scored with model 'cinema-sax': no labels of the sh" in capsys.readouterr().err


@pytest.mark.medium
def test_images_of_other_views_end_no_evaluation_of_numbers(
    lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_study(lab / "q", "sax", drawn=False)
    training = {"target": {"mean": 60.0, "std": 5.0}}
    model = answerer(tmp_path / "m", task="regress", outputs=("lv_ef_percent",), training=training)
    assert call("evaluate", "--data", lab, "--part", "all", "--model", model, "-o", tmp_path / "e") == 0
    said = capsys.readouterr()
    assert "left out: planes: no images of the short axis" in said.err
    assert "left out: q: nobody knows 'lv_ef_percent'" in said.err and "## Not scored (2 studies" in said.out
    scores = json.loads((tmp_path / "e" / "scores.json").read_text())
    assert scores["n_patients"] == 2 and [row["study"] for row in scores["not_scored"]] == ["planes", "q"]


@pytest.mark.medium
def test_studies_without_points_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cohort = tmp_path / "c"
    assert call("phantom", "-n", 1, "--views", "lax_4c", "--frames", 2, "--workers", 1, "-o", cohort) == 0
    write_study(cohort / "stack", "sax")
    words = ("evaluate", "--data", f"folder:{cohort}", "--part", "all", "--model", "cinema-lax")
    assert call(*words, "--device", "cpu", "-o", tmp_path / "e") == 0
    assert "left out: stack: no landmarks of the 2-chamber or the 4-chamber" in capsys.readouterr().err
    scores = json.loads((tmp_path / "e" / "scores.json").read_text())
    assert scores["n_patients"] == 1 and [row["study"] for row in scores["not_scored"]] == ["stack"]


CARD = segmenter().card
SPLIT = Split(dataset="folder", parts={"train": ("p0", "planes"), "validation": ("p1",)}, rule="by hand")


def run_of(folder: Path, split: Split) -> Path:
    """The model's folder of a run that learned with this split."""
    (folder / "model").mkdir(parents=True)
    write_split(split, folder / "split.json")
    return folder / "model"


def part_of(lab: Path, model: Path | str, card: ModelCard | None = CARD, **changes: Any) -> list[str]:
    words = {"data": str(lab), "model": str(model), "part": "validation", "split": None, **changes}
    return [study.patient for study in read_part(Namespace(**words), Console(), card=card)]


def test_the_split_of_the_model_s_run_is_taken_and_told(
    lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = run_of(tmp_path / "run", SPLIT)
    for place in (model, model / "card.json"):
        place.touch()
        assert part_of(lab, place) == ["p1"]
        assert capsys.readouterr().err == "split: of the run beside the model\n"
    known = replace(CARD, training={"split_sha256": SPLIT.sha256})
    assert part_of(lab, model, known, part="train") == ["p0", "planes"]
    monkeypatch.chdir(model)
    assert part_of(lab, ".") == ["p1"]


def test_what_the_user_gives_wins_over_the_split_of_the_run(
    lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = run_of(tmp_path / "run", SPLIT)
    write_split(replace(SPLIT, parts={"train": ("p1",), "validation": ("p0",)}), tmp_path / "other.json")
    assert part_of(lab, model, split=str(tmp_path / "other.json")) == ["p0"]
    assert part_of(lab, model, part="all") == ["p0", "p1", "planes"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("split", "learned_with", "why"),
    [
        (replace(SPLIT, dataset="acdc"), None, "it is of the dataset 'acdc', the data of 'folder'"),
        (replace(SPLIT, parts={"validation": ("p1", "x")}), None, "1 of its 2 patients are not in the data"),
        (SPLIT, "other", "the model learned with another one"),
        (replace(SPLIT, parts={"train": ("p1",)}), None, "it has no part 'validation'"),
    ],
)
def test_a_split_that_does_not_fit_is_told_and_the_dataset_s_own_counts(
    lab: Path, capsys: pytest.CaptureFixture[str], split: Split, learned_with: str | None, why: str
) -> None:
    model = run_of(lab.parent / "run", split)
    card = replace(CARD, training={} if learned_with is None else {"split_sha256": learned_with})
    with pytest.raises(UsageError, match="has no part 'validation'; it has no split of its own"):
        part_of(lab, model, card)
    assert capsys.readouterr().err == f"split: split.json beside the model is not used: {why}\n"


def test_masks_of_others_and_models_by_name_have_no_run(
    lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_split(SPLIT, tmp_path / "split.json")
    monkeypatch.chdir(tmp_path)
    for model, card in (("cinema-sax", CARD), (run_of(tmp_path / "run", SPLIT), None)):
        with pytest.raises(UsageError, match="it has no split of its own"):
            part_of(lab, model, card)
    (tmp_path / "run" / "split.json").write_text("torn")
    with pytest.raises(UsageError, match="it has no split of its own"):
        part_of(lab, tmp_path / "run" / "model")
    assert "is not used: 'split.json' is not a split file" in capsys.readouterr().err
