"""`cinema evaluate` of landmark models and of models that answer for a whole study."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from oracles import cine_of, heart

from cinema_cmr.cli import main
from cinema_cmr.core.card import Grid, ModelCard
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.io.nifti.image import write_cine, write_mask
from cinema_cmr.models.architectures import build, config_values
from cinema_cmr.models.baselines import UNet2dConfig
from cinema_cmr.models.convvit import ConvViTConfig
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


def study_answerer(folder: Path, outputs: tuple[str, ...], **card: Any) -> Path:
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


def test_a_number_is_told_with_its_agreement(lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    training = {"target": {"mean": 60.0, "std": 5.0}}
    model = study_answerer(tmp_path / "m", ("lv_ef_percent",), task="regress", training=training)
    assert call("evaluate", "--data", lab, "--part", "all", "--model", model, "-o", tmp_path / "e") == 0
    assert "Always saying these patients' mean" in capsys.readouterr().out
    scores = json.loads((tmp_path / "e" / "scores.json").read_text())
    assert scores["n_patients"] == 3 and scores["task"] == "regress"
    rows = list(csv.DictReader((tmp_path / "e" / "patients.csv").read_text().splitlines()))
    assert [row["patient"] for row in rows] == ["p0", "p1", "p2"]
    assert float(rows[0]["known"]) == pytest.approx(100 * (1 - (8 / 15) ** 2), abs=3)


def test_classes_are_asked_of_studies_that_nobody_drew_on(lab: Path, tmp_path: Path) -> None:
    model = study_answerer(tmp_path / "m", ("NOR", "DCM"), task="classify", training={"answers": "group"})
    words = ("evaluate", "--data", lab, "--part", "all", "--model", model, "-o", tmp_path / "e")
    assert call(*words) == 0
    scores = json.loads((tmp_path / "e" / "scores.json").read_text())
    assert scores["n_patients"] == 4 and sum(map(sum, scores["confusion"])) == 4
    assert "known / answered" in (tmp_path / "e" / "tables.md").read_text()
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
    assert scores["n_patients"] == 2 and scores["distances_mm"]["lax_4c:apex"]["n"] == 2
    rows = list(csv.DictReader((tmp_path / "e" / "patients.csv").read_text().splitlines()))
    assert len(rows) == 2 * 3 * 2
