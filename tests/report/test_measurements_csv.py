"""The measurements as a table."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from cinema_cmr.core.errors import OutputExistsError
from cinema_cmr.core.results import Measurements
from cinema_cmr.core.study import Study
from cinema_cmr.report.build import build_document
from cinema_cmr.report.measurements_csv import write_measurements_csv
from cinema_cmr.report.run import RunFacts


def test_rows_read_back_as_the_measurements(
    study: Study, measurements: Measurements, run: RunFacts, tmp_path: Path
) -> None:
    path = tmp_path / "measurements.csv"
    document = build_document(study, {}, measurements=measurements, run=run)
    write_measurements_csv(document, path)
    with path.open(encoding="utf-8", newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert list(rows) == [measurement.name for measurement in measurements.values]
    stroke, fraction = rows["lv_sv_ml"], rows["rv_ef_percent"]
    assert (float(stroke["value"]), stroke["unit"], stroke["frames"]) == (40.0, "ml", "0 4")
    assert (fraction["value"], fraction["reason"], fraction["study"]) == ("", "not known", "study7")
    with pytest.raises(OutputExistsError):
        write_measurements_csv(document, path)
