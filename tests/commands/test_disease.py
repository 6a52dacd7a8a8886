"""`cinema disease` on a folder of labelled studies with groups, and its model asked about one of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hearts import heart

from cinema_cmr.cli import main
from cinema_cmr.io.nifti.image import write_cine, write_mask


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve patients; the hearts of group "weak" hardly move."""
    folder = tmp_path_factory.mktemp("clinic")
    rows = ["name,group,height_cm,weight_kg"]
    for number in range(12):
        group = ("strong", "weak")[number % 2]
        rng = np.random.default_rng(number)
        scales = (rng.uniform(0.9, 1.0), (0.9 if group == "weak" else 0.65) + rng.uniform(-0.02, 0.02))
        cine, labels = heart(scales, spacing_mm=(2.0, 2.0, 10.0), shape=(70, 60), oriented=True)
        grey = 100.0 * labels.array + rng.normal(0, 5, labels.array.shape)
        write_cine(cine.with_array(grey.astype(np.float32)), folder / f"p{number:02}.nii.gz")
        write_mask(labels, cine, folder / f"p{number:02}_seg.nii.gz")
        rows.append(f"p{number:02},{group},{170 + number},{60 + 3 * (number % 5)}")
    (folder / "facts.csv").write_text("\n".join(rows) + "\n")
    return folder


def call(*words: object) -> int:
    return main([str(word) for word in words])


@pytest.mark.medium
def test_a_model_comes_out_with_its_scores(studies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["disease", "--data", studies, "-o", tmp_path / "d", "--experts-only"]
    assert call(*words, "--json") == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    model = json.loads((tmp_path / "d" / "disease.json").read_text())
    assert model["groups"] == ["strong", "weak"] and "not a diagnosis" in model["notice"]
    assert (
        told["scores"] == model["training"]["scores"] and told["scores"]["five-fold over all, expert masks"]["n"] == 12
    )
    capsys.readouterr()
    assert call("disease", "--data", tmp_path / "nowhere", "-o", tmp_path / "d") == 3
    assert "'disease.json' already exists" in capsys.readouterr().err  # found before the data is read
    assert call(*words, "--overwrite") == 0 and "balanced" in capsys.readouterr().out


def test_a_disease_model_that_is_none_is_told_before_the_long_part(
    studies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("analyse", studies / "p00.nii.gz", "-o", tmp_path / "o", "--disease", tmp_path / "nowhere") == 5
    said = capsys.readouterr().err
    assert "cinema disease" in said and "segment" not in said and not (tmp_path / "o").exists()


@pytest.mark.medium
def test_fewer_patients_can_be_learned_from(studies: Path, tmp_path: Path) -> None:
    words = ["disease", "--data", studies, "--experts-only"]
    assert call(*words, "--n-train", 6, "-o", tmp_path / "few") == call(*words, "-o", tmp_path / "all") == 0
    few, whole = (
        json.loads((tmp_path / name / "disease.json").read_text())["training"]["n_patients"] for name in ("few", "all")
    )
    assert few < whole
