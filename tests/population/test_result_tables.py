"""The tables: a row a study, units in the schema, failures with their reasons, a codebook of every column."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from fake_engine import FakeEngine
from stub_works import job

from cinema_cmr.population.cohort.cohort import read_cohort
from cinema_cmr.population.listed_studies import ListedStudy
from cinema_cmr.population.outcome_store import OutcomeStore
from cinema_cmr.population.result_tables import write_tables
from cinema_cmr.population.run import RunSettings, run_population


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    names = ("good-10", "good-9", "flagged-3", "broken-1")
    listed = [ListedStudy(name=name, path=Path("none"), facts={"sex": "M", "group": f"={name}"}) for name in names]
    run_population(listed, job(), FakeEngine(), RunSettings(folder=tmp_path), lambda outcome, status: None)
    return tmp_path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_measurements_have_a_row_a_study_in_natural_order(folder: Path) -> None:
    content = write_tables(OutcomeStore(folder), {"engine": "fake"})
    table = rows(folder / "measurements.csv")
    assert [row["study"] for row in table] == ["flagged-3", "good-9", "good-10"]
    assert [row["lv_edv_ml"] for row in table] == ["100.429", "101.286", "101.429"]
    assert [row["wall_thickness_ed_mm_aha01"] for row in table] == ["9.0", "", ""]
    assert table[0]["flags"] == "low-confidence" and table[0]["report"] == "reports/flagged-3.html"
    assert table[1]["fact_group"] == "'=good-9", "no cell is a formula"
    assert table[1]["sex"] == "M" and "fact_sex" not in table[1]
    assert (content["done"], content["failed"], content["engine"]) == (3, 1, "fake")


def test_a_fact_may_be_named_as_any_column(tmp_path: Path) -> None:
    facts = {"lv_edv_ml": 99.5, "model": "Aera", "scanner": "A", "report": "seen", "study": "x", "age_years": 5.0}
    listed = [ListedStudy(name="good-7", path=Path("none"), facts=facts)]
    run_population(listed, job(), FakeEngine(), RunSettings(folder=tmp_path), lambda outcome, status: None)
    write_tables(OutcomeStore(tmp_path), {})
    (row,) = rows(tmp_path / "measurements.csv")
    found = {name.removeprefix("fact_"): value for name, value in row.items() if name.startswith("fact_")}
    assert found == {"lv_edv_ml": "99.5", "model": "Aera", "scanner": "A", "report": "seen", "study": "x"}
    assert (row["lv_edv_ml"], row["study"], row["model"], row["age_years"]) == ("101.0", "good-7", "stub", "5.0")
    cohort = read_cohort(tmp_path)
    assert (cohort.column("lv_edv_ml"), cohort.column("model"), cohort.column("age_years")) == ([99.5], ["Aera"], [5.0])


def test_failures_have_cause_and_reason(folder: Path) -> None:
    write_tables(OutcomeStore(folder), {})
    (row,) = rows(folder / "failures.csv")
    assert (row["study"], row["cause"], row["attempts"], row["exit_code"]) == ("broken-1", "input", "1", "3")
    assert "truncated" in row["reason"]


def test_the_codebook_explains_every_column(folder: Path) -> None:
    write_tables(OutcomeStore(folder), {})
    book = {row["column"]: row for row in rows(folder / "codebook.csv")}
    assert list(book) == list(rows(folder / "measurements.csv")[0])
    assert (book["lv_ef_percent"]["unit"], book["lv_ef_percent"]["rule"]) == ("%", "of the test")
    assert book["wall_thickness_ed_mm_aha01"]["values"] == "1"
    assert all(row["meaning"] for row in book.values())


def test_parquet_has_units_frames_and_segments(folder: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    content = write_tables(OutcomeStore(folder), {})
    table = parquet.read_table(folder / "measurements.parquet")
    assert table.schema.field("lv_edv_ml").metadata == {b"unit": b"ml"}
    assert table.schema.metadata[b"measurements_sha256"].decode() == content["measurements_sha256"]
    assert table["lv_edv_ml"].to_pylist() == [100.429, 101.286, 101.429]
    assert table["n_warnings"].to_pylist() == [1, 0, 0]
    frames = parquet.read_table(folder / "frames.parquet").to_pylist()
    assert frames[1] == {"study": "flagged-3", "frame": 1, "time_ms": 400.0, "lv_volume_ml": 60.0}
    assert len(frames) == 6
    segments = parquet.read_table(folder / "segments.parquet").to_pylist()
    assert segments == [{"study": "flagged-3", "segment": 1, "wall_thickness_ed_mm": 9.0}]


def test_without_pyarrow_all_tables_are_csv(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cinema_cmr.population.result_tables.has_parquet", lambda: False)
    write_tables(OutcomeStore(folder), {})
    assert len(rows(folder / "frames.csv")) == 6
    assert not list(folder.glob("*.parquet"))
