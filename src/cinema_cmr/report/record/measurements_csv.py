"""Measurements as a tidy CSV: one measurement a row, with its unit, method and rule."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from pathlib import Path

from cinema_cmr.core.results import Measurement
from cinema_cmr.core.safe_text import csv_row
from cinema_cmr.io.atomic import write_text
from cinema_cmr.report.record.study_record import StudyRecord

__all__ = ["write_measurements_csv"]

_COLUMNS = ("study", "name", "title", "value", "unit", "method", "rule", "frames", "slices", "reason")


def write_measurements_csv(record: StudyRecord, path: Path, *, overwrite: bool = False) -> None:
    """Write the measurements of a record; raises `OutputExistsError` unless `overwrite`.

    A missing value is an empty cell; frames and slices are separated by spaces.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(csv_row(_row(record.study.name, measurement)) for measurement in record.measurements)
    write_text(path, text.getvalue(), overwrite=overwrite)


def _row(study: str, measurement: Measurement) -> dict[str, object]:
    lists = {name: " ".join(map(str, getattr(measurement, name))) for name in ("frames", "slices")}
    return {"study": study, **asdict(measurement), **lists}
