"""Measurements as a tidy CSV: one measurement a row, with its unit, method and rule."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from cinema_cmr.core.results import Measurement
from cinema_cmr.core.safe_text import csv_row
from cinema_cmr.io.atomic import write_text
from cinema_cmr.report.record.study_record import StudyRecord

__all__ = ["long_table", "write_measurements_csv"]

_COLUMNS = ("study", "name", "title", "value", "unit", "method", "rule", "frames", "slices", "reason")


def write_measurements_csv(record: StudyRecord, path: Path, *, overwrite: bool = False) -> None:
    """Write the measurements of a record; raises `OutputExistsError` unless `overwrite`.

    A missing value is an empty cell; frames and slices are separated by spaces.
    """
    write_text(path, long_table([record]), overwrite=overwrite)


def long_table(records: Iterable[StudyRecord]) -> str:
    """Return the text of the table of several studies, one after another."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    for record in records:
        writer.writerows(csv_row(_row(record.study.name, measurement)) for measurement in record.measurements)
    return text.getvalue()


def _row(study: str, measurement: Measurement) -> dict[str, object]:
    lists = {name: " ".join(map(str, getattr(measurement, name))) for name in ("frames", "slices")}
    return {"study": study, **asdict(measurement), **lists}
