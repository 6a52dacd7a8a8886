"""The views file: a row for each series, written by `cinema views -o`, edited, and given to `--views`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from cinema_cmr.core.choices import SeriesChoice
from cinema_cmr.core.errors import InputError, UnreadableFileError, UsageError
from cinema_cmr.core.safe_text import csv_row, csv_text
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.files.text import parse_rows, read_json, read_text
from cinema_cmr.io.atomic import write_text
from cinema_cmr.io.delimiter import detect_delimiter
from cinema_cmr.io.dicom.image_kind import parse_hints

__all__ = ["describe_series", "parse_view", "read_views_file", "view_pairs", "write_views_file"]

_COLUMNS = ("series", "description", "view", "use", "order", "reason")
_YES, _NO = ("yes", "y", "true", "1", "x"), ("no", "n", "false", "0")


def describe_series(study: Study, series: str, *, in_full: bool = False) -> str:
    """Return the known words of a series' description, e.g. "short axis"; "" for none.

    `in_full` gives the description as the scanner stored it, in which a technician may have written a name.
    """
    stored = study.descriptions.get(series, "")
    return stored if in_full else ", ".join(parse_hints(stored))


def write_views_file(
    study: Study, path: Path | str, *, overwrite: bool = False, full_descriptions: bool = False
) -> None:
    """Write the decision on each series of a study as CSV, or as JSON if the name ends so.

    The column `order` is empty: a number there ranks series that show the same slice or view. `full_descriptions` is
    as in `describe_series`.
    """
    rows = [
        {
            "series": decision.series,
            "description": describe_series(study, decision.series, in_full=full_descriptions),
            "view": "" if decision.view is None else str(decision.view),
            "use": "yes" if decision.kept else "no",
            "order": "",
            "reason": decision.reason,
        }
        for decision in study.decisions
    ]
    if str(path).lower().endswith(".json"):
        text = json.dumps(rows, indent=1, ensure_ascii=False) + "\n"
    else:
        stream = io.StringIO()
        writer = csv.DictWriter(stream, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(csv_row(row) for row in rows)
        text = stream.getvalue()
    write_text(Path(path), text, overwrite=overwrite)


def read_views_file(path: Path | str) -> tuple[tuple[str, SeriesChoice], ...]:
    """Return the decision of each row that has one, by the name of its series.

    Columns may stand in any order and be left out, apart from `series`; so may rows. Raises `InputError` for a file
    that cannot be read, `UsageError` for a row that cannot.
    """
    path = Path(path)
    try:
        rows: Any = read_json(path) if path.suffix.lower() == ".json" else _csv_rows(read_text(path), path.name)
    except (OSError, UnreadableFileError) as error:
        raise InputError(
            f"views file '{path.name}' cannot be read; expected the CSV or JSON that cinema views -o writes: check it"
        ) from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) and row.get("series") for row in rows):
        raise InputError(
            f"views file '{path.name}' has no column 'series'; expected one row a series: write it with cinema views -o"
        )
    return tuple((str(row["series"]), _choice(row, k)) for k, row in enumerate(rows, start=1))


def parse_view(text: str) -> View:
    """Return the view of a name or title; raises `UnknownNameError` with the nearest known one.

    >>> parse_view("SAX"), parse_view("4-chamber")
    (<View.SAX: 'sax'>, <View.LAX_4C: 'lax_4c'>)
    """
    word = text.strip().casefold()
    return next((view for view in View if word == view.title), None) or View.parse(word)


def _csv_rows(text: str, name: str) -> list[dict[str, str]]:
    text = text.lstrip()
    head, *rows = parse_rows(text, name, delimiter=detect_delimiter(text.partition("\n")[0])) or [[]]
    columns = [column.strip().casefold() for column in head]
    named = (dict(zip_longest(columns, row[: len(columns)], fillvalue="")) for row in rows if any(map(str.strip, row)))
    return [{column: csv_text(value) for column, value in row.items()} for row in named]


def _choice(row: Mapping[str, object], number: int) -> SeriesChoice:
    view, use, order = (str(row.get(name) or "").strip() for name in ("view", "use", "order"))
    if order and not order.isdecimal():
        raise UsageError(f"row {number} of the views file has order '{order}'; expected a whole number: correct it")
    used = _flag(use, number)
    # A view of a series that is not used says what it shows, not what to do.
    return SeriesChoice(
        use=used, view=parse_view(view) if view and used is not False else None, order=int(order) if order else None
    )


def _flag(text: str, number: int) -> bool | None:
    word = text.casefold()
    if word in _YES or word in _NO:
        return word in _YES
    if word:
        raise UsageError(f"row {number} of the views file has use '{text}'; expected yes or no: correct it")
    return None


def view_pairs(values: Iterable[str] | Mapping[str, str]) -> dict[str, View]:
    """Return series -> view of texts such as "12=sax"; raises `UsageError` for one without a view."""
    pairs: Sequence[tuple[str, str, str]]
    if isinstance(values, Mapping):
        pairs = [(str(series), "=", str(view)) for series, view in values.items()]
    else:
        pairs = [str(value).rpartition("=") for value in values]
    for series, _, view in pairs:
        if not series:
            raise UsageError(f"'{view}' gives no view to a series; expected SERIES=VIEW, e.g. 12=sax: correct it")
    return {series: parse_view(view) for series, _, view in pairs}
