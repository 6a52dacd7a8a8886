"""`cinema evaluate --predictions` as a user meets it: the numbers of right masks, what is missing, what is wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from oracles import cine_of, heart

from cinema_cmr.cli import main
from cinema_cmr.io.nifti.image import write_cine, write_mask


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


def call(*words: object) -> int:
    return main([str(word) for word in words])


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
    assert "none of 3 studies has a mask" in said.err and said.out == ""
