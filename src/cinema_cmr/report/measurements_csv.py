"""Measurements as a tidy CSV: one measurement a row, with its unit, method and rule."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cinema_cmr.io.atomic import write_text

__all__ = ["write_measurements_csv"]

_COLUMNS = ("study", "name", "title", "value", "unit", "method", "rule", "frames", "slices", "reason")


def write_measurements_csv(document: Mapping[str, Any], path: Path, *, overwrite: bool = False) -> None:
    """Write the measurements of a document (`build_document`); raises `OutputExistsError` unless `overwrite`.

    An absent value is an empty cell; frames and slices are separated by spaces.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    for measurement in document["measurements"]:
        writer.writerow(_row(document["study"]["name"], measurement))
    write_text(path, text.getvalue(), overwrite=overwrite)


def _row(study: str, measurement: Mapping[str, Any]) -> dict[str, Any]:
    row = {name: measurement[name] for name in _COLUMNS if name != "study"}
    lists = {name: " ".join(str(index) for index in measurement[name]) for name in ("frames", "slices")}
    return {"study": study, **row, **lists}
