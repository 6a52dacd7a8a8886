"""Results of benchmarks survive their JSON files, those that are stored in the repository among them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from cinema_cmr.core.serialise import from_result, json_text
from cinema_cmr.report.bench.bench_results import BenchResults, RunSummary, SweepResults

STORED = Path(__file__).parents[3] / "benchmarks" / "results"


def test_a_stored_benchmark_is_read() -> None:
    (path,) = STORED.glob("bench_*.json")
    values = json.loads(path.read_text(encoding="utf-8"))
    results = from_result(BenchResults, values)
    assert len(results.rows) == len(values["rows"]) and len(results.published) == len(values["published"])
    for row, stored in zip(results.rows, values["rows"], strict=True):
        assert (row.task, row.model, row.status) == (stored["task"], stored["model"], stored["status"])
        measures = stored.get("measures", {})
        assert {key: its.n for key, its in row.measures.items()} == {key: its["n"] for key, its in measures.items()}
    assert any(row.difference is not None and math.isfinite(row.difference.p_holm) for row in results.rows)


@pytest.mark.parametrize("path", sorted(STORED.glob("sweep_*.json")), ids=lambda path: path.stem)
def test_stored_curves_are_read_and_written_alike(path: Path) -> None:
    values = json.loads(path.read_text(encoding="utf-8"))
    results = from_result(SweepResults, values)
    assert [point.shown and point.shown.value for point in results.points] == [
        point["shown"] and point["shown"]["value"] for point in values["points"]
    ]
    written = json.loads(json_text(results))
    assert written["points"] == values["points"] and written["differences"] == values["differences"]


def test_no_run_has_no_numbers() -> None:
    none = RunSummary()
    assert none.n_seeds == 0 and not none.measures and math.isnan(none.seconds)
