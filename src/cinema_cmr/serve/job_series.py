"""What each series of a study that was sent shows: as recognised, and as the user says before the analysis.

The worker writes `series.json`; the user's decisions are the views file of `cinema views -o`, which the analysis takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cinema_cmr.core.errors import InputError, UnknownNameError
from cinema_cmr.files.text import read_json
from cinema_cmr.io.atomic import write_json
from cinema_cmr.io.read import read_study
from cinema_cmr.io.views_file import describe_series
from cinema_cmr.serve.messages import ChosenSeries, SeriesMessage

__all__ = ["SERIES_FILE", "VIEWS_FILE", "read_series", "write_series", "write_views"]

SERIES_FILE = "series.json"
VIEWS_FILE = "views.json"


def write_series(source: Path, folder: Path) -> None:
    """Read a study and write what its series were recognised as into the folder of its job; raises as `read_study`."""
    study = read_study(source)
    rows = [
        SeriesMessage(
            series=one.series,
            description=describe_series(study, one.series, in_full=True),
            view=one.view,
            use=one.kept,
            reason=one.reason,
        )
        for one in study.decisions
    ]
    write_json(folder / SERIES_FILE, [row.model_dump(mode="json") for row in rows], overwrite=True)


def read_series(folder: Path) -> list[SeriesMessage]:
    """Return the series of a job; raises `InputError` for one whose series were not read yet."""
    path = folder / SERIES_FILE
    if not path.is_file():
        raise InputError("the series of this study were not read; expected a study that waits for its views")
    rows = read_json(path)
    assert isinstance(rows, list)  # as `write_series` wrote it
    return [SeriesMessage.model_validate(row) for row in rows]


def write_views(folder: Path, chosen: Sequence[ChosenSeries]) -> None:
    """Write the views file of a job: a decision for each series that is not as it was recognised.

    Raises `UnknownNameError` for a series that the study lacks, `InputError` where no series would be used.
    """
    found = {one.series: one for one in read_series(folder)}
    given = {one.series: one for one in chosen}
    for name in given:
        if name not in found:
            raise UnknownNameError("the study has no series of this name; expected one of those that were read")
    used = [given[name].use if name in given else one.use for name, one in found.items()]
    if not any(used):
        raise InputError("no series is used; expected at least one: use a short-axis series")
    rows = [_row(one, found[one.series]) for one in given.values()]
    write_json(folder / VIEWS_FILE, [row for row in rows if len(row) > 1], overwrite=True)


def _row(chosen: ChosenSeries, found: SeriesMessage) -> dict[str, str]:
    """Return the row of a series, with what differs from how it was recognised alone."""
    row = {"series": chosen.series}
    if chosen.use != found.use:
        row["use"] = "yes" if chosen.use else "no"
    if chosen.use and chosen.view is not None and chosen.view != found.view:
        row["view"] = str(chosen.view)
    return row
