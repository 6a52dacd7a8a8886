"""The index of a folder: of what lies in it, whichever run made it."""

from __future__ import annotations

import csv
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.serialise import json_text
from cinema_cmr.report.folder_index import index_rows, update_index
from cinema_cmr.report.index import IndexRow
from cinema_cmr.report.record.build import build_record
from cinema_cmr.report.record.study_record import StudyRecord


@pytest.fixture
def record(analysis: Analysis) -> StudyRecord:
    return build_record(analysis)


def put(folder: Path, name: str, record: StudyRecord) -> None:
    named = replace(record, study=replace(record.study, name=name))
    (folder / name).mkdir(parents=True)
    (folder / name / "measurements.json").write_text(json_text(named), encoding="utf-8")
    (folder / name / "run.json").write_text("{}")


def column(path: Path, name: str) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return [row[name] for row in csv.DictReader(file)]


def test_it_grows_with_each_run(tmp_path: Path, record: StudyRecord) -> None:
    put(tmp_path, "p10", record)
    assert update_index(tmp_path, [IndexRow(name="bad", error="=truncated, file")]) == 2
    put(tmp_path, "p9", record)
    assert update_index(tmp_path, []) == 3
    assert column(tmp_path / "index.csv", "study") == ["bad", "p9", "p10"]
    assert column(tmp_path / "failures.csv", "error") == ["'=truncated, file"]
    put(tmp_path, "bad", record)
    update_index(tmp_path, [])
    assert column(tmp_path / "index.csv", "error") == ["", "", ""]
    assert not (tmp_path / "failures.csv").exists()


def test_the_wide_table_has_every_number_and_the_codebook_every_column(tmp_path: Path, record: StudyRecord) -> None:
    put(tmp_path, "p1", record)
    update_index(tmp_path, [])
    measured = {one.name: one for one in record.measurements if one.value is not None}
    (values,) = csv.DictReader((tmp_path / "measurements.csv").read_text(encoding="utf-8").splitlines())
    assert {name: float(values[name]) for name in measured} == {name: one.value for name, one in measured.items()}
    book = dict(
        zip(column(tmp_path / "codebook.csv", "column"), column(tmp_path / "codebook.csv", "unit"), strict=True)
    )
    assert list(book) == list(values)
    assert {name: book[name] for name in measured} == {name: one.unit for name, one in measured.items()}
    assert len(column(tmp_path / "measurements_long.csv", "name")) == len(record.measurements)


def test_runs_at_the_same_time_leave_all_studies(tmp_path: Path, record: StudyRecord) -> None:
    def run(names: list[str]) -> None:
        for name in names:
            put(tmp_path, name, record)
        update_index(tmp_path, [])

    threads = [threading.Thread(target=run, args=([f"{part}{n}" for n in range(4)],)) for part in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(column(tmp_path / "index.csv", "study")) == 12


def test_damaged_and_hidden_results_are_told_apart(tmp_path: Path, record: StudyRecord) -> None:
    put(tmp_path, "p1", record)
    put(tmp_path, ".draft", record)
    (tmp_path / "p1" / "measurements.json").write_text("{")
    (row,) = index_rows(tmp_path)
    assert row.name == "p1" and "measurements.json" in str(row.error)
