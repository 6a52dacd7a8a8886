"""A population from Python: its tables in memory, what is kept and failed, shards, and wrong calls."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_engine import FakeEngine, write_manifest
from stub_works import job

from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.pipeline.populations import analyse_population, merge_populations, read_population
from cinema_cmr.population.engines.choose import EngineRequest


@pytest.fixture(autouse=True)
def _fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cinema_cmr.pipeline.populations.choose_engine", lambda request: FakeEngine())
    monkeypatch.setattr("cinema_cmr.pipeline.populations.count_gpus", lambda device: 0)
    monkeypatch.setattr(EngineRequest, "job", lambda self, work: job())


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return write_manifest(tmp_path)


def test_a_population_is_tables_in_memory_and_the_same_when_it_is_read_again(manifest: Path) -> None:
    reported: list[str] = []
    folder = manifest.parent / "out"
    result = analyse_population(
        (), folder, manifest=manifest, workers=1, report=lambda outcome, status: reported.append(outcome.name)
    )
    assert (result.done, result.failed, reported) == (2, 1, ["good-1", "good-2", "broken-3"])
    assert result.measurements["lv_ef_percent"] == [60.0, 60.0] and result.measurements["fact_group"] == ["NOR"] * 2
    assert [row["cause"] for row in result.failures] == ["input"]
    units = dict(zip(result.codebook["column"], result.codebook["unit"], strict=True))
    assert units["lv_edv_ml"] == "ml" and result.run["engine"] == "local"
    again = read_population(folder)
    assert list(again.measurements) == list(result.measurements) and again.run == result.run
    assert [status.finished for status in again.statuses] == [True]
    assert repr(again) == "PopulationResult('out': 2 done, 1 failed)"
    assert again._repr_html_().count("<table>") == 2


def test_shards_are_merged(manifest: Path) -> None:
    folder = manifest.parent
    parts = [analyse_population((), folder / n, manifest=manifest, shard=f"{n}/2") for n in "12"]
    assert [part.run for part in parts] == [{}, {}] and [part.done + part.failed for part in parts] == [2, 1]
    whole = merge_populations([folder / "1", folder / "2"], folder / "all")
    assert (whole.done, whole.failed, whole.taken, len(whole.measurements)) == (2, 1, 3, 2)
    assert merge_populations((), folder / "all").run == whole.run


def test_wrong_calls_are_refused_before_any_work(manifest: Path) -> None:
    folder = manifest.parent / "out"
    with pytest.raises(UsageError, match="unknown option of a population 'ttta'; did you mean 'tta'"):
        analyse_population((), folder, manifest=manifest, ttta=2)
    with pytest.raises(UsageError, match="unknown option of a population 'sex'"):
        analyse_population((), folder, manifest=manifest, sex="F")
    with pytest.raises(UsageError, match="unknown engine 'slrum'; did you mean 'slurm'"):
        analyse_population((), folder, manifest=manifest, engine="slrum")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="state them in the request"):
        analyse_population((), folder, manifest=manifest, engine=EngineRequest(), workers=2)
    with pytest.raises(UsageError, match="no input given"):
        analyse_population((), folder)
    with pytest.raises(InputError, match="holds no population"):
        read_population(manifest.parent)
    assert not folder.exists() or not any(folder.iterdir())
