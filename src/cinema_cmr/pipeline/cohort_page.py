"""One page about a population, with its own normal ranges beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cinema_cmr.core.analysis import NormalRange
from cinema_cmr.core.errors import UsageError
from cinema_cmr.io.output_folder import check_writable
from cinema_cmr.measure.normal_ranges import NORMAL_RANGES
from cinema_cmr.pipeline.populations import PopulationResult
from cinema_cmr.population.cohort.cohort import read_cohort
from cinema_cmr.population.cohort.page import CohortOptions, write_cohort_page

__all__ = ["CohortPage", "cohort"]


@dataclass(frozen=True, kw_only=True)
class CohortPage:
    """The written page, and the centiles of the population."""

    page: Path
    n_done: int
    """Studies with numbers."""
    n_failed: int
    ranges: tuple[NormalRange, ...]
    """The population's own centiles, for `normal_ranges` of an analysis."""
    ranges_file: Path | None
    """The same as a table, for `--normal-ranges`; None without any."""


def cohort(
    population: PopulationResult | Path | str,
    page: Path | str,
    *,
    facts: Sequence[str] = (),
    time: str | None = None,
    reference: str | None = None,
    link: str | None = None,
    normal_ranges: tuple[NormalRange, ...] = NORMAL_RANGES,
) -> CohortPage:
    """Write one HTML page about a population: distributions, flags, failures, centiles; replaces an older one.

    `facts`: columns of the manifest to show associations with; `time`: a column of dates or years, for drift;
    `reference`: COLUMN=VALUE of the studies that make the centiles, all by default; `link`: an address of a study with
    {study} in it. Raises `UsageError` for a name that does not end in .html or a column that the population lacks,
    `InputError` for a folder without any study with numbers.
    """
    page = Path(page)
    if page.suffix != ".html":
        raise UsageError(f"'{page.name}' is no page; expected a name that ends in .html")
    check_writable(page.parent)
    options = CohortOptions(facts=tuple(facts), time=time, reference=reference, link=link, ranges=normal_ranges)
    read = read_cohort(population.folder if isinstance(population, PopulationResult) else Path(population))
    table, ranges = write_cohort_page(read, page, options)
    return CohortPage(
        page=page,
        n_done=len(read.table),
        n_failed=len(read.tables.failures),
        ranges=ranges,
        ranges_file=table if ranges else None,
    )
