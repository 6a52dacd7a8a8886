"""The page and table over several studies: one line each, with its headline numbers, flags and report."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cinema_cmr.core.serialise import json_values
from cinema_cmr.io.atomic import write_text
from cinema_cmr.measure.scar import SCAR_SUMMARY
from cinema_cmr.report.build import NOTICE, SUMMARY_NAMES
from cinema_cmr.report.page import page_environment

__all__ = ["IndexRow", "write_index"]

_COLUMNS = (
    ("lv_ef_percent", "LVEF", "%"),
    ("lv_edv_ml", "LV EDV", "ml"),
    ("lv_esv_ml", "LV ESV", "ml"),
    ("lv_mass_g", "LV mass", "g"),
    ("rv_ef_percent", "RVEF", "%"),
    ("rv_edv_ml", "RV EDV", "ml"),
    ("rv_esv_ml", "RV ESV", "ml"),
)
_SCAR_COLUMNS = (
    ("infarct_percent", "Infarct", "%"),
    ("no_reflow_percent", "No-reflow", "%"),
    ("infarct_g", "Infarct", "g"),
    ("lge_myocardium_g", "Myocardium", "g"),
)


@dataclass(frozen=True, kw_only=True)
class IndexRow:
    """One study: its measurements document, or why there is none."""

    name: str
    report: str | None = None
    """The report's path relative to the index page, with forward slashes; None without a report."""
    document: Mapping[str, Any] | None = None
    """As `build_document` made it, or as read from measurements.json."""
    error: str | None = None
    """Why the study has no results."""

    @property
    def link(self) -> str | None:
        """The report's address on the page, with every unusual character escaped."""
        return None if self.report is None else quote(self.report)

    @property
    def summary(self) -> Mapping[str, Any]:
        """The document's summary, all null without one."""
        return self.document["summary"] if self.document else dict.fromkeys(SUMMARY_NAMES)

    @property
    def flags(self) -> Sequence[Mapping[str, Any]]:
        """The document's flags."""
        return self.document["flags"] if self.document else ()


def write_index(rows: Sequence[IndexRow], path: Path, *, overwrite: bool = False) -> None:
    """Write the page `path` and beside it, with the suffix .csv, a table; each whole or not at all.

    Raises `OutputExistsError` unless `overwrite`.
    """
    write_text(path.with_suffix(".csv"), _csv_text(rows), overwrite=overwrite)
    write_text(path, _html_text(rows), overwrite=overwrite)


def _html_text(rows: Sequence[IndexRow]) -> str:
    template = page_environment().get_template("index.html")
    failed = sum(row.error is not None for row in rows)
    return template.render(rows=rows, columns=_columns(rows), notice=NOTICE, failed=failed)


def _columns(rows: Sequence[IndexRow]) -> tuple[tuple[str, str, str], ...]:
    """Those of cines, and where a study is late enhancement those of infarcts; of infarcts alone where all are."""
    with_scar = [_has_scar(row) for row in rows if row.document]
    if not any(with_scar):
        return _COLUMNS
    return _SCAR_COLUMNS if all(with_scar) else (*_COLUMNS, *_SCAR_COLUMNS)


def _has_scar(row: IndexRow) -> bool:
    return SCAR_SUMMARY[0] in row.summary


def _csv_text(rows: Sequence[IndexRow]) -> str:
    text = io.StringIO()
    names = (*SUMMARY_NAMES, *(SCAR_SUMMARY if any(_has_scar(row) for row in rows) else ()))
    writer = csv.DictWriter(text, ("study", *names, "flags", "report", "error"), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        flags = " ".join(flag["code"] for flag in row.flags)
        facts = {"study": row.name, "flags": flags, "report": row.report, "error": row.error}
        writer.writerow({**json_values(row.summary), **facts})
    return text.getvalue()
