"""The page of a population: one HTML file that needs no network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import numpy as np

from cinema_cmr.core.analysis import NormalRange
from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.run_facts import installed_version
from cinema_cmr.core.vocabulary import NOTICE
from cinema_cmr.io.atomic import write_text
from cinema_cmr.measure.normal_ranges import NORMAL_RANGES
from cinema_cmr.population.cohort.associations import Association, associations
from cinema_cmr.population.cohort.centiles import Distribution, centile_ranges, distributions, ranges_csv
from cinema_cmr.population.cohort.cohort import PRINCIPAL, Cohort
from cinema_cmr.population.cohort.cohort_plots import age_svg, histogram_svg
from cinema_cmr.population.cohort.drift import DriftRow, drift_rows
from cinema_cmr.population.cohort.lookalikes import duplicates, lookalikes
from cinema_cmr.report.page import page_environment

__all__ = ["CohortFigure", "CohortOptions", "write_cohort_page"]

_WORST = 50
_MOST_PAIRS = 100
_FEWEST_VALUES = 5
"""For a figure."""


@dataclass(frozen=True, kw_only=True)
class CohortOptions:
    """What the page shows beside the population itself."""

    facts: Sequence[str] = ()
    """Columns of the manifest whose associations are wanted."""
    time: str | None = None
    """Column of dates or years over which drift is shown; by default none, as dates are personal."""
    reference: str | None = None
    """COLUMN=VALUE of the studies that the population's own ranges are made of; None for all."""
    link: str | None = None
    """Address of a study with {study} in it, as that of a viewer; None for its report, where it has one."""
    ranges: tuple[NormalRange, ...] = NORMAL_RANGES

    def __post_init__(self) -> None:
        if self.link is not None and "{study}" not in self.link:
            raise UsageError(f"--link {self.link}; expected an address with {{study}} in it")
        if self.link is not None and not self.link.startswith(("http://", "https://")):
            raise UsageError("--link is no web address; expected one that begins with http:// or https://")
        if self.reference is not None and "=" not in self.reference:
            raise UsageError(f"--reference {self.reference}; expected COLUMN=VALUE, e.g. group=NOR")


@dataclass(frozen=True, kw_only=True)
class CohortFigure:
    """Plots of one measurement."""

    name: str
    title: str
    unit: str
    histogram: str
    over_age: str | None
    rows: Sequence[Distribution] = field(default_factory=list)


def write_cohort_page(cohort: Cohort, path: Path, options: CohortOptions) -> tuple[Path, tuple[NormalRange, ...]]:
    """Write the page, and beside it the population's own ranges, if any; return their path and them.

    Existing files are replaced. Raises `UnknownNameError` for a column that the population lacks.
    """
    chosen = _reference(cohort, options.reference)
    source = f"own population, cinema-cmr {installed_version('cinema-cmr')}"
    measured = [name for name in PRINCIPAL if _n_values(cohort, name) >= _FEWEST_VALUES]
    own = {name: centile_ranges(cohort.values(name, chosen), source) for name in _numbers(cohort)}
    table = path.with_name(f"{path.stem}-normal-ranges.csv")
    rows = tuple(row for ranges in own.values() for row in ranges)
    html = (
        page_environment()
        .get_template("cohort.html")
        .render(
            notice=NOTICE,
            n_studies=len(cohort.outcomes),
            n_done=len(cohort.table),
            n_flagged=sum(bool(flags) for flags in cohort.table.values("flags")),
            who=_who(cohort),
            figures=[_figure(cohort, name, own[name], options.ranges) for name in measured],
            own_ranges=[row for row in rows if row.name in PRINCIPAL],
            ranges_file=table.name if rows else None,
            reference=options.reference,
            titles={name: cohort.title(name) for name in _numbers(cohort)},
            flags=cohort.flag_counts(),
            failures=cohort.failure_groups(),
            worst=cohort.worst(_WORST),
            links=_links(cohort, options, path),
            duplicates=duplicates(_known(cohort, "pixels_sha256"))[:_MOST_PAIRS],
            lookalikes=_lookalikes(cohort)[:_MOST_PAIRS],
            drift=_drift(cohort, options, measured),
            facts=_associations(cohort, options.facts, measured),
        )
    )
    write_text(path, html, overwrite=True)
    if rows:
        write_text(table, ranges_csv(rows), overwrite=True)
    return table, rows


def _figure(cohort: Cohort, name: str, own: Sequence[NormalRange], published: Iterable[NormalRange]) -> CohortFigure:
    values, title = cohort.values(name), cohort.title(name)
    rows = [row for row in published if row.name == name]
    with_age = np.isfinite(values.values) & np.isfinite(values.age)
    return CohortFigure(
        name=name,
        title=title,
        unit=values.unit,
        histogram=histogram_svg(values, rows, title=title),
        over_age=age_svg(values, own, rows, title=title) if with_age.sum() >= _FEWEST_VALUES else None,
        rows=distributions(values, rows),
    )


def _numbers(cohort: Cohort) -> list[str]:
    """Return the measurements, those of segments and of frames left out."""
    names = [name for name in cohort.table.names if cohort.tables.codebook.meaning(name).method]
    return [name for name in names if "_aha" not in name and cohort.tables.codebook.meaning(name).unit != "frame"]


def _n_values(cohort: Cohort, name: str) -> int:
    return int(np.isfinite(np.array(cohort.table.numbers(name))).sum())


def _reference(cohort: Cohort, reference: str | None) -> list[bool] | None:
    if reference is None:
        return None
    name, _, value = reference.partition("=")
    return [str(one) == value for one in cohort.column(name)]


def _who(cohort: Cohort) -> list[tuple[str, str]]:
    """Return what is known of the subjects, in words."""
    sexes = cohort.table.values("sex")
    facts = [("women", str(sexes.count("F"))), ("men", str(sexes.count("M"))), ("sex unknown", str(sexes.count(None)))]
    for name, unit in (("age_years", "years"), ("height_cm", "cm"), ("weight_kg", "kg"), ("heart_rate_bpm", "bpm")):
        numbers = np.array(cohort.table.numbers(name))
        known = numbers[np.isfinite(numbers)]
        if len(known):
            low, middle, high = np.percentile(known, (5, 50, 95))
            text = f"{middle:.0f} {unit} (90 % {low:.0f} to {high:.0f}; known in {len(known)})"
            facts.append((name.rpartition("_")[0].replace("_", " "), text))
    return facts


def _links(cohort: Cohort, options: CohortOptions, page: Path) -> Mapping[str, str]:
    """Return study -> where a click on it leads."""
    if options.link is not None:
        return {name: options.link.replace("{study}", quote(name, safe="")) for name in cohort.outcomes}
    try:
        start = Path(cohort.folder).resolve().relative_to(page.resolve().parent)
    except ValueError:
        return {}
    reports = zip(cohort.studies, cohort.table.values("report"), strict=True)
    return {name: quote((start / str(report)).as_posix()) for name, report in reports if report is not None}


def _known(cohort: Cohort, column: str) -> dict[str, str]:
    pairs = zip(cohort.studies, cohort.table.values(column), strict=True)
    return {study: str(value) for study, value in pairs if value is not None}


def _lookalikes(cohort: Cohort) -> list[tuple[str, str, int]]:
    """Return pairs that look alike, but for those that are duplicates."""
    same = _known(cohort, "pixels_sha256")
    pairs = lookalikes(_known(cohort, "outline"))
    return [(one, other, bits) for one, other, bits in pairs if same.get(one) != same.get(other)]


def _drift(cohort: Cohort, options: CohortOptions, measured: Sequence[str]) -> dict[str, list[DriftRow]]:
    """Return table by table how scanners, and with `time` periods, differ."""
    found = {"scanner": drift_rows(cohort, cohort.table.values("scanner"), measured)}
    if options.time is not None:
        found[options.time] = drift_rows(cohort, cohort.column(options.time), measured, periods=True)
    return {name: rows for name, rows in found.items() if len(rows) > 1}


def _associations(cohort: Cohort, facts: Sequence[str], measured: Sequence[str]) -> dict[str, list[Association]]:
    return {
        fact: [one for name in measured for one in associations(cohort.values(name), fact, cohort.column(fact))]
        for fact in facts
    }
