"""`cinema population`: studies in, tables out; what is kept, failed, merged and printed."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from fake_engine import FakeEngine, write_manifest
from stub_works import job

from cinema_cmr.cli import main
from cinema_cmr.population.engines.choose import EngineRequest


@pytest.fixture(autouse=True)
def _fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cinema_cmr.pipeline.populations.choose_engine", lambda request: FakeEngine())
    monkeypatch.setattr(EngineRequest, "job", lambda self, work: job())
    monkeypatch.setattr("cinema_cmr.population.engines.choose.count_gpus", lambda device: 0)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return write_manifest(tmp_path)


def call(*words: object) -> int:
    return main(["population", *map(str, words)])


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_manifest_becomes_tables(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = manifest.parent / "out"
    assert call("--manifest", manifest, "-o", out, "--json") == 3, "one failed"
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line.get("cause") for line in lines[:3]] == [None, None, "input"]
    assert (lines[3]["done"], lines[3]["failed"]) == (2, 1)
    assert [row["fact_group"] for row in rows(out / "measurements.csv")] == ["NOR", "NOR"]
    assert rows(out / "failures.csv")[0]["study"] == "broken-3"


def test_status_and_the_next_call(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = manifest.parent / "out"
    call("--manifest", manifest, "-o", out)
    call("--manifest", manifest, "-o", out)
    capsys.readouterr()
    assert call("-o", out, "--status") == 0
    assert "3 of 3 (3 before), 0 failed" in capsys.readouterr().out


def test_shards_are_merged_by_one_command(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = manifest.parent
    for shard in ("1/2", "2/2"):
        assert call("--manifest", manifest, "-o", folder / shard[0], "--shard", shard) == 0
        assert not (folder / shard[0] / "measurements.csv").exists()
    assert call(folder / "1", folder / "2", "--merge", "-o", folder / "all") == 3
    printed = capsys.readouterr()
    assert "2 studies with numbers, 1 without" in printed.out and "missing" not in printed.err
    assert len(rows(folder / "all" / "measurements.csv")) == 2
    assert call(folder / "1", "--merge", "-o", folder / "one") in (0, 3)
    printed = capsys.readouterr()
    assert re.match(r"(1 study|\d+ studies) with numbers", printed.out)
    assert "shard 2/2 is not in these folders; its studies are missing in the tables" in printed.err


def test_wrong_calls_are_refused(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = manifest.parent / "out"
    assert call("-o", out) == 2
    assert call("--manifest", manifest, "-o", out, "--shard", "3/2") == 2
    assert call("--manifest", manifest, "-o", out, "--engine", "slurm", "--shard", "1/2") == 2
    assert "makes its own shards" in capsys.readouterr().err
