"""The measurements as a table."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.errors import OutputExistsError
from cinema_cmr.report.record.build import build_record
from cinema_cmr.report.record.measurements_csv import write_measurements_csv


def test_rows_read_back_as_the_measurements(analysis: Analysis, tmp_path: Path) -> None:
    path = tmp_path / "measurements.csv"
    record = build_record(analysis)
    write_measurements_csv(record, path)
    with path.open(encoding="utf-8", newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert list(rows) == list(analysis.measurements)
    stroke, fraction = rows["lv_sv_ml"], rows["rv_ef_percent"]
    assert (float(stroke["value"]), stroke["unit"], stroke["frames"]) == (40.0, "ml", "0 4")
    assert (fraction["value"], fraction["reason"], fraction["study"]) == ("", "not known", "study7")
    with pytest.raises(OutputExistsError):
        write_measurements_csv(record, path)
