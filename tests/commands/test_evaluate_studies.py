"""A study that cannot be scored is left out of `cinema evaluate`, told and counted, whatever the model's task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from oracles import cine_of, heart, segmenter

from cinema_cmr import pipeline
from cinema_cmr.cli import main
from cinema_cmr.core.card import Grid, ModelCard
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.nifti import write_cine, write_mask
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


def test_masks_of_other_views_end_no_evaluation(
    lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pipeline, "prepare_segmenter", lambda options, model=None: segmenter(size=(63, 59)))
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
