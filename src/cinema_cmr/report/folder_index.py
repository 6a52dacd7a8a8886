"""The index of a folder of studies: made of what lies in it, under a lock, so that runs at the same time add to it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from cinema_cmr.core.errors import InputError, UnreadableFileError
from cinema_cmr.core.safe_text import csv_row, csv_text
from cinema_cmr.files.lock import waiting_lock
from cinema_cmr.files.text import parse_rows, read_text
from cinema_cmr.io.atomic import write_text
from cinema_cmr.io.names import natural_key
from cinema_cmr.report.index import IndexRow, write_index
from cinema_cmr.report.record.measurements_csv import long_table
from cinema_cmr.report.record.stored import read_measurements
from cinema_cmr.report.wide.columns import Columns
from cinema_cmr.report.wide.study_row import Codebook, study_row

__all__ = ["index_rows", "update_index"]

_FAILURES = "failures.csv"
_FIRST = ("study", "modality", "sex", "age_years")
_LAST = ("model", "model_sha256", "input_sha256")


def update_index(folder: Path, rows: Iterable[IndexRow]) -> int:
    """Write the index of all studies in a folder, with the outcomes of this run; return how many it lists.

    Writes index.html and .csv, measurements.csv (a row a study), measurements_long.csv (a row a measurement),
    codebook.csv, and failures.csv where there are any. Waits for another process that does so at this moment.
    """
    with waiting_lock(folder):
        failed = _known_failures(folder) | {row.name: row.error for row in rows if row.error is not None}
        listed = index_rows(folder, failed)
        write_index(listed, folder / "index.html", overwrite=True)
        _write_tables(listed, folder)
        _write_failures({row.name: row.error for row in listed if row.error is not None}, folder)
    return len(listed)


def index_rows(folder: Path, failed: Mapping[str, str] | None = None) -> list[IndexRow]:
    """Return a row for each study with results in a folder, and for each failed one without, in natural order."""
    found = {}
    for path in folder.glob("*/run.json"):
        place = path.parent
        if place.name.startswith(".") or place.is_symlink():
            continue
        try:
            record = read_measurements(place / "measurements.json")
        except (InputError, OSError) as error:
            found[place.name] = IndexRow(name=place.name, error=str(error))
            continue
        found[place.name] = IndexRow(name=place.name, report=f"{place.name}/report.html", record=record)
    others = {name: IndexRow(name=name, error=error) for name, error in (failed or {}).items() if name not in found}
    rows = {**found, **others}
    return [rows[name] for name in sorted(rows, key=lambda name: (natural_key(Path(name)), name))]


def _write_tables(rows: Iterable[IndexRow], folder: Path) -> None:
    records = [row.record for row in rows if row.record is not None]
    wide, codebook = Columns(_FIRST, _LAST), Codebook()
    for record in records:
        wide.append(study_row(record))
        codebook.add(record)
    wide.write_csv(folder / "measurements.csv")
    codebook.table(wide).write_csv(folder / "codebook.csv")
    write_text(folder / "measurements_long.csv", long_table(records), overwrite=True)


def _known_failures(folder: Path) -> dict[str, str]:
    try:
        rows = parse_rows(read_text(folder / _FAILURES), _FAILURES)
    except (OSError, UnreadableFileError):
        return {}
    return {csv_text(row[0]): csv_text(row[1]) for row in rows[1:] if len(row) == 2}


def _write_failures(failed: Mapping[str, str], folder: Path) -> None:
    if not failed:
        (folder / _FAILURES).unlink(missing_ok=True)
        return
    text = io.StringIO()
    writer = csv.DictWriter(text, ("study", "error"), lineterminator="\n")
    writer.writeheader()
    writer.writerows(csv_row({"study": name, "error": error}) for name, error in failed.items())
    write_text(folder / _FAILURES, text.getvalue(), overwrite=True)
