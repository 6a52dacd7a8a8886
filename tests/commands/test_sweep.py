"""A sweep from the command line: runs, table, page; a second call reads what is there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from oracles import cine_of, heart

from cinema_cmr.cli import main
from cinema_cmr.core.card import Grid
from cinema_cmr.io.nifti import write_cine, write_mask
from cinema_cmr.models.baselines import UNet2dConfig
from cinema_cmr.recipes import registry, segmentation
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.tasks.segment import SegmentConfig


def tiny() -> Experiment:
    task = SegmentConfig(grid=Grid(spacing_mm=3.0, size=(32, 32)))
    network = UNet2dConfig(view="sax", out_chans=4, chans=(4, 8))
    return replace(segmentation.sax_unet(), name="tiny", task=task, network=network)


@pytest.fixture
def studies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(registry.RECIPES_OF_TASKS["segment"], "tiny", tiny)
    monkeypatch.setitem(registry.RECIPES, "tiny", tiny)
    folder = tmp_path / "lab"
    for number in range(6):
        labels = heart((11.0 + number,), n_slices=3)
        cine = cine_of(labels)
        noise = np.random.default_rng(number).normal(0, 10, cine.array.shape)
        write_cine(cine.with_array((cine.array + noise).astype(np.float32)), folder / f"p{number}.nii.gz")
        write_mask(labels, cine, folder / f"p{number}_seg.nii.gz")
    return folder


def test_a_sweep_makes_table_page_and_json(studies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["sweep", "--data", studies, "--recipe", "tiny", "--steps", "2", "--shares", "30,100", "--seeds", "2"]
    words += ["--device", "cpu", "-o", tmp_path / "s"]
    assert main([str(word) for word in words]) == 0
    document = json.loads((tmp_path / "s" / "sweep.json").read_text())
    assert [row["n_patients"] for row in document["rows"]] == [2, 5] and document["gains"] == []
    assert [row["n_seeds"] for row in document["rows"]] == [2, 2]
    assert "| 2 | scratch | 2 |" in (tmp_path / "s" / "sweep.md").read_text()
    assert "<svg" in (tmp_path / "s" / "sweep.html").read_text()
    capsys.readouterr()
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "s" / "runs").rglob("scores.json")}
    assert len(made) == 4
    assert main([str(word) for word in [*words, "--json"]]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == document
    assert made == {path: path.stat().st_mtime_ns for path in made}


def test_wrong_shares_are_told(studies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["sweep", "--data", studies, "--recipe", "tiny", "--shares", "a,b", "-o", tmp_path / "s"]
    assert main([str(word) for word in words]) == 2
    assert "percents" in capsys.readouterr().err
