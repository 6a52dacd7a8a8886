"""The benchmark from the command line: tables of what was run and what was not, mistakes told."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from oracles import cine_of, heart

from cinema_cmr.cli import main
from cinema_cmr.io.nifti import write_cine, write_mask
from cinema_cmr.recipes.benchmark import Bencher


def call(*words: object) -> int:
    return main([str(word) for word in words])


@pytest.fixture
def studies(tmp_path: Path) -> Path:
    folder = tmp_path / "lab"
    for number in range(5):
        labels = heart((11.0 + number,), n_slices=3)
        write_cine(cine_of(labels), folder / f"p{number}.nii.gz")
        write_mask(labels, cine_of(labels), folder / f"p{number}_seg.nii.gz")
    return folder


def test_tables_tell_what_was_run_and_why_not(
    studies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def rows(self: Bencher, task: Any, data: Any, *, models: tuple[str, ...]) -> list[dict[str, Any]]:
        assert models == ("shipped",) and self.folder.name == "lab"
        made = {"value": 0.9, "low": 0.8, "high": 0.95, "n": 1}
        return [{"model": "cinema-sax, as shipped", "metrics": {"dice_mean": made}, "seconds": 3.0}]

    monkeypatch.setattr(Bencher, "rows", rows)
    out = tmp_path / "b"
    words = ("bench", "--data", studies, "--tasks", "segment-sax", "--models", "shipped", "-o", out)
    assert call(*words) == 0
    assert "| cinema-sax, as shipped | 0.900 (0.800 to 0.950; 1) | 3 s |" in capsys.readouterr().out
    document = json.loads((out / "bench.json").read_text())
    assert [task["name"] for task in document["tasks"]] == ["segment-sax"]
    assert any("nnU-Net" in text for text in document["tasks"][0]["published"])
    assert "cinema-sax, as shipped" in (out / "bench.html").read_text()
    with (out / "bench.csv").open() as table:
        (line,) = csv.DictReader(table)
    assert (line["data"], line["metric"], line["value"]) == ("folder", "dice_mean", "0.9")


def test_tasks_without_data_are_shown_as_such(
    studies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "b"
    assert call("bench", "--data", studies, "--tasks", "landmark-heatmap,disease", "-o", out) == 0
    assert capsys.readouterr().out.count("Not run: 'folder' has") == 2
    assert [task["rows"] for task in json.loads((out / "bench.json").read_text())["tasks"]] == [[], []]


def test_mistakes_are_told(studies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("bench", "-o", tmp_path / "b") == 2
    assert "--smoke" in capsys.readouterr().err
    assert call("bench", "--data", studies, "--tasks", "segment", "-o", tmp_path / "b") == 2
    assert "did you mean 'segment-" in capsys.readouterr().err
    assert call("bench", "--data", studies, "--models", "best", "-o", tmp_path / "b") == 2
    assert call("bench", "--data", tmp_path / "none", "-o", tmp_path / "b") == 3
    assert call("bench", "--tasks", "list", "-o", tmp_path / "b") == 0


@pytest.mark.slow
def test_the_smoke_form_runs_every_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cinema_cmr.commands.bench._SMOKE_STEPS", 1)
    assert call("bench", "--smoke", "--device", "cpu", "-o", tmp_path / "b") == 0
    tasks = {task["name"]: task for task in json.loads((tmp_path / "b" / "bench.json").read_text())["tasks"]}
    assert {name for name, task in tasks.items() if not task["rows"]} == {"segment-scar"}
    (measured,) = [row for row in tasks["lvef"]["rows"] if row["model"].startswith("measured from experts")]
    assert measured["metrics"]["absolute_error"]["value"] < 4
