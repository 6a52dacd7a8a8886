"""Benchmark and curve from a folder to written tables; the trainings are replaced by fixed values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from oracles import cine_of, heart
from scored_runs import scored_run

from cinema_cmr.bench.run import BenchOptions
from cinema_cmr.bench.scored_run import ScoredRun
from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.io.nifti.image import write_cine, write_mask
from cinema_cmr.pipeline.benchmarks import BenchRequest, bench_with_report, benchmark, sweep, sweep_with_report


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lab")
    for number in range(10):
        labels = heart((9.0 + 0.3 * number,), n_slices=3)
        write_cine(cine_of(labels), folder / f"p{number}.nii.gz")
        write_mask(labels, cine_of(labels), folder / f"p{number}_seg.nii.gz")
    return folder


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Recipe and number of training patients of each run; Dice grows with the latter."""
    runs: list[tuple[str, int]] = []

    def train_and_score(experiment: Any, data: Any, folder: Path, **_: Any) -> ScoredRun:
        runs.append((experiment.name, len(data.train)))
        return scored_run(data, {"dice_mean": 0.5 + 0.02 * len(data.train)})

    monkeypatch.setattr("cinema_cmr.bench.run.train_and_score", train_and_score)
    return runs


def test_a_benchmark_is_a_function(lab: Path, tmp_path: Path, trained: list[tuple[str, int]]) -> None:
    results = benchmark(lab, tmp_path, tasks=["segment-sax"], models=["unet"], seeds=2, steps=5)
    assert trained == [("sax-unet", 8)] * 2
    [row] = results.rows
    assert (row.status, row.n_seeds, row.measures["dice_mean"].value) == ("done", 2, pytest.approx(0.66))
    assert json.loads((tmp_path / "bench.json").read_text())["rows"][0]["model"] == "unet"
    assert "<h1>Benchmark</h1>" in (tmp_path / "page.html").read_text()


def test_a_curve_is_a_function(lab: Path, tmp_path: Path, trained: list[tuple[str, int]]) -> None:
    results = sweep("segment-sax", lab, tmp_path, shares=(100, 50), models=["unet"], seeds=1)
    assert trained == [("sax-unet", 4), ("sax-unet", 8)]
    shown = [(point.share, point.shown.value) for point in results.points if point.shown is not None]
    assert shown == [(50, pytest.approx(0.58)), (100, pytest.approx(0.66))]
    assert (tmp_path / "curve.svg").read_text().startswith("<svg")


def test_tables_replace_those_of_an_earlier_call(lab: Path, tmp_path: Path, trained: list[tuple[str, int]]) -> None:
    for models in (["unet"], ["unet", "cinema-scratch"]):
        benchmark(lab, tmp_path, tasks=["segment-sax"], models=models)
    assert len(trained) == 2 and "cinema-scratch" in (tmp_path / "bench.csv").read_text()


def test_unusable_requests_are_refused(lab: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected --data NAME:FOLDER once or more"):
        benchmark([], tmp_path)
    with pytest.raises(UsageError, match="did you mean 'unet'"):
        benchmark(lab, tmp_path, models=["une"])
    with pytest.raises(UsageError, match="0 seeds"):
        sweep("bmi", lab, tmp_path, seeds=0)
    with pytest.raises(UsageError, match="a share of 0 %"):
        sweep("bmi", lab, tmp_path, shares=[0])
    with pytest.raises(InputError, match="cannot make the curve of 'bmi'"):
        sweep("bmi", lab, tmp_path)
    request = BenchRequest(data=[lab, lab], options=BenchOptions(root=tmp_path))
    with pytest.raises(UsageError, match="2 datasets given"):
        sweep_with_report(request, "bmi", (50,))


def test_data_that_cannot_be_read_is_a_row_and_an_exit_code(tmp_path: Path) -> None:
    notes: list[str] = []
    request = BenchRequest(data=[tmp_path / "none"], options=BenchOptions(root=tmp_path), note=notes.append)
    results, code = bench_with_report(request, ["bmi"])
    assert code == 3 and results.rows[0].status == "no data" and notes[0].startswith("left out: none")
