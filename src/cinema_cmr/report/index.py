"""The page and table over several studies: one line each, with its principal numbers, flags and report."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from urllib.parse import quote

from cinema_cmr.core.results import Flag
from cinema_cmr.core.safe_text import csv_row
from cinema_cmr.core.vocabulary import NOTICE
from cinema_cmr.io.atomic import write_text
from cinema_cmr.measure.scar import SCAR_SUMMARY
from cinema_cmr.report.page import page_environment
from cinema_cmr.report.record.study_record import StudyRecord, Summary

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
_MANY = 1_000_000


@dataclass(frozen=True, kw_only=True)
class IndexRow:
    """One study: its record, or the reason why there is none."""

    name: str
    report: str | None = None
    """Path of the report relative to the index page, with forward slashes; None without a report."""
    record: StudyRecord | None = None
    error: str | None = None
    """Why the study has no results."""

    @property
    def link(self) -> str | None:
        """The report's address on the page, with unusual characters escaped."""
        return None if self.report is None else quote(self.report)

    @property
    def summary(self) -> Summary:
        """The summary of the record, all None without one."""
        return self.record.summary if self.record else Summary()

    @property
    def concern(self) -> tuple[int, int]:
        """How much a study needs a look: without results, then by errors, then by warnings."""
        severities = [flag.severity for flag in self.flags]
        return _MANY if self.error is not None else severities.count("error"), severities.count("warning")

    @property
    def flags(self) -> tuple[Flag, ...]:
        """The flags of the record."""
        return self.record.flags if self.record else ()


def write_index(rows: Sequence[IndexRow], path: Path, *, overwrite: bool = False) -> None:
    """Write the page `path` and, with the suffix .csv, a table; each whole or not at all.

    Raises `OutputExistsError` unless `overwrite`.
    """
    write_text(path.with_suffix(".csv"), _csv_text(rows), overwrite=overwrite)
    write_text(path, _html_text(rows), overwrite=overwrite)


def _html_text(rows: Sequence[IndexRow]) -> str:
    template = page_environment().get_template("index.html")
    failed = sum(row.error is not None for row in rows)
    worst_first = sorted(rows, key=lambda row: row.concern, reverse=True)
    return template.render(rows=worst_first, columns=_columns(rows), notice=NOTICE, failed=failed, models=_models(rows))


def _models(rows: Sequence[IndexRow]) -> list[str]:
    """Return name and beginning of the hash of each model of the results."""
    models = (row.record.model for row in rows if row.record)
    return list(dict.fromkeys(f"{model.name} {(model.hash or '')[:12]}".strip() for model in models))


def _columns(rows: Sequence[IndexRow]) -> tuple[tuple[str, str, str], ...]:
    """Return the columns of cines, of late enhancement, or of both, as the studies require."""
    with_scar = [_has_scar(row) for row in rows if row.record]
    if not any(with_scar):
        return _COLUMNS
    return _SCAR_COLUMNS if all(with_scar) else (*_COLUMNS, *_SCAR_COLUMNS)


def _has_scar(row: IndexRow) -> bool:
    return row.record is not None and row.record.study.modality == "lge"


def _csv_text(rows: Sequence[IndexRow]) -> str:
    text = io.StringIO()
    with_scar = any(_has_scar(row) for row in rows)
    names = [field.name for field in fields(Summary) if with_scar or field.name not in SCAR_SUMMARY]
    columns = ("study", *names, "flags", "report", "error")
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        flags = " ".join(flag.code for flag in row.flags)
        facts = {"study": row.name, "flags": flags, "report": row.report, "error": row.error}
        writer.writerow(csv_row({**asdict(row.summary), **facts}))
    return text.getvalue()
