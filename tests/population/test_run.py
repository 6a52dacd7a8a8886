"""Runs: whatever the order, the interruptions or the shards, one table; only what is new or changed is done."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from fake_engine import FakeEngine
from stub_works import job, studies

from cinema_cmr.core.errors import InputError, OutputExistsError
from cinema_cmr.files.lock import folder_lock
from cinema_cmr.population.cohort.cohort import read_cohort
from cinema_cmr.population.listed_studies import ListedStudy, shard_of
from cinema_cmr.population.outcome_store import OutcomeStore
from cinema_cmr.population.run import RunSettings, make_tables, merge_populations, run_population
from cinema_cmr.population.supervisor import Job

NAMES = [f"good-{number}" for number in range(6)] + ["flagged-6", "broken-7"]


def run(
    folder: Path, listed: list[ListedStudy], engine: FakeEngine, work: Job | None = None, /, **given: object
) -> list[str]:
    settings = replace(RunSettings(folder=folder), **given)  # type: ignore[arg-type]
    run_population(listed, work or job(), engine, settings, lambda outcome, status: None)
    return engine.done


def names(listed: list[ListedStudy]) -> frozenset[str]:
    return frozenset(one.name for one in listed)


def sha256(folder: Path) -> object:
    return make_tables(folder, {})["measurements_sha256"]


def table(folder: Path) -> list[dict[str, str]]:
    make_tables(folder, {})
    with (folder / "measurements.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def listed(tmp_path: Path) -> list[ListedStudy]:
    for name in NAMES:
        (tmp_path / name).write_text("image")
    return studies(*NAMES, folder=tmp_path)


@pytest.fixture
def expected(tmp_path: Path, listed: list[ListedStudy]) -> object:
    run(tmp_path / "whole", listed, FakeEngine())
    return sha256(tmp_path / "whole")


def test_order_and_cost_change_nothing(tmp_path: Path, listed: list[ListedStudy], expected: object) -> None:
    run(tmp_path / "out", listed, FakeEngine(backwards=True, seconds=9.0))
    assert sha256(tmp_path / "out") == expected
    assert (tmp_path / "out" / "codebook.csv").read_text() == (tmp_path / "whole" / "codebook.csv").read_text()


def test_an_interrupted_run_goes_on_where_it_was(tmp_path: Path, listed: list[ListedStudy], expected: object) -> None:
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        run(out, listed, FakeEngine(stops_after=3))
    assert run(out, listed, FakeEngine()) == NAMES[3:]
    assert sha256(out) == expected
    assert run(out, listed, FakeEngine()) == []


def test_later_only_new_and_changed_studies_are_done(
    tmp_path: Path, listed: list[ListedStudy], expected: object
) -> None:
    out = tmp_path / "out"
    run(out, listed[:5], FakeEngine())
    listed[1].path.write_text("another image")
    listed[2] = replace(listed[2], facts={"sex": "F"})
    listed[3] = replace(listed[3], facts={"group": "NOR"})  # no measurement uses it
    assert run(out, listed, FakeEngine()) == [NAMES[1], NAMES[2], *NAMES[5:]]
    assert run(out, listed, FakeEngine(), retry_failed=True) == ["broken-7"]


def test_corrected_and_added_facts_reach_the_table_without_work(tmp_path: Path, listed: list[ListedStudy]) -> None:
    out = tmp_path / "out"
    run(out, [replace(one, facts={"group": "NOR", "site": 1}) for one in listed[:3]], FakeEngine())
    table(out)
    new = [replace(listed[0], facts={"group": "DCM", "visit": 123456.75}), replace(listed[1], facts={"group": "NOR"})]
    assert run(out, new, FakeEngine()) == []
    facts = [(row["fact_group"], row.get("fact_site"), row["fact_visit"]) for row in table(out)]
    assert facts == [("DCM", "", "123456.75"), ("NOR", "", ""), ("NOR", "1", "")]
    merge_populations([out], tmp_path / "merged")
    assert table(tmp_path / "merged") == table(out)
    assert read_cohort(out).column("visit") == [123456.75, None, None]


def test_a_refused_run_changes_no_fact(tmp_path: Path, listed: list[ListedStudy]) -> None:
    run(tmp_path, [replace(listed[0], facts={"group": "NOR"})], FakeEngine())
    with pytest.raises(OutputExistsError):
        run(tmp_path, [replace(listed[0], facts={"group": "DCM"})], FakeEngine(), job("other"))
    assert table(tmp_path)[0]["fact_group"] == "NOR"


def test_shards_merge_into_the_same_table(tmp_path: Path, listed: list[ListedStudy], expected: object) -> None:
    for number in (1, 2, 3):
        run(tmp_path / "one", shard_of(listed, (number, 3)), FakeEngine(), shard=(number, 3))
        run(tmp_path / f"own{number}", shard_of(listed, (number, 3)), FakeEngine(), shard=(number, 3))
    assert sha256(tmp_path / "one") == expected
    sources = [tmp_path / f"own{number}" for number in (1, 2, 3)]
    assert merge_populations(sources, tmp_path / "merged") == len(NAMES)
    assert sha256(tmp_path / "merged") == expected
    assert merge_populations(sources, tmp_path / "merged") == 0


def test_other_models_or_options_are_not_mixed(tmp_path: Path, listed: list[ListedStudy]) -> None:
    run(tmp_path / "a", listed[:2], FakeEngine())
    with pytest.raises(OutputExistsError, match="holds 2 studies that were done with another model"):
        run(tmp_path / "a", listed, FakeEngine(), job("other"))
    run(tmp_path / "b", listed[2:], FakeEngine(), job("other"))
    with pytest.raises(InputError, match="2 different models"):
        merge_populations([tmp_path / "a", tmp_path / "b"], tmp_path / "c")
    assert run(tmp_path / "a", listed, FakeEngine(), job("other"), overwrite=True) == NAMES


@pytest.mark.parametrize("shard", [(1, 1), (2, 2)])
def test_new_studies_of_another_model_do_not_join_a_folder(
    tmp_path: Path, listed: list[ListedStudy], shard: tuple[int, int]
) -> None:
    run(tmp_path, listed[:2], FakeEngine())
    with pytest.raises(OutputExistsError, match="holds 2 studies that were done with another model"):
        run(tmp_path, listed[2:], FakeEngine(), job("other"), shard=shard)
    assert len(OutcomeStore(tmp_path).outcomes()) == 2


def test_overwriting_some_of_the_studies_leaves_no_mixed_table(tmp_path: Path, listed: list[ListedStudy]) -> None:
    run(tmp_path, listed[:3], FakeEngine())
    engine = FakeEngine()
    with pytest.raises(OutputExistsError, match="holds 1 studies of another model"):
        run(tmp_path, listed[1:], engine, job("other"), overwrite=True)
    assert not engine.done, "refused before the work"
    with pytest.raises(OutputExistsError, match="holds 1 studies of another model"):
        run(tmp_path, listed[1:2], engine, job("other"), overwrite=True, shard=(1, 2), listed=names(listed[1:]))
    assert not engine.done, "a shard too"
    whole = names(listed[:3])
    run(tmp_path, listed[:2], FakeEngine(), job("other"), overwrite=True, shard=(1, 2), listed=whole)
    with pytest.raises(InputError, match=r"2 different models, options or versions \(2, 1 studies\)"):
        make_tables(tmp_path, {})
    run(tmp_path, listed[2:3], FakeEngine(), job("other"), overwrite=True, shard=(2, 2), listed=whole)
    assert make_tables(tmp_path, {})["settings"] == "other"


def test_two_runs_of_a_shard_do_not_meet(tmp_path: Path, listed: list[ListedStudy]) -> None:
    with folder_lock(tmp_path / "out" / "status" / "lock-1-of-1"), pytest.raises(InputError, match="in use"):
        run(tmp_path / "out", listed, FakeEngine())
    run(tmp_path / "out", listed, FakeEngine(), shard=(1, 2))


def test_a_merge_and_a_run_that_write_the_same_files_do_not_meet(tmp_path: Path, listed: list[ListedStudy]) -> None:
    run(tmp_path / "a", listed[:1], FakeEngine())
    with folder_lock(tmp_path / "all" / "status" / "lock-1-of-1"), pytest.raises(InputError, match="in use"):
        merge_populations([tmp_path / "a"], tmp_path / "all")


def test_a_folder_without_outcomes_is_not_merged(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="'empty' has no outcomes"):
        merge_populations([tmp_path / "empty"], tmp_path / "out")
