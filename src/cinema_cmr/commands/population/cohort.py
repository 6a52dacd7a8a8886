"""`cinema cohort`: one page about a population."""

from __future__ import annotations

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.options.normal_ranges_file import read_normal_ranges
from cinema_cmr.io.output_folder import check_writable

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Add the population, the page and what it shows."""
    parser.add_argument("input", metavar="FOLDER", help="folder that `cinema population` wrote")
    parser.add_argument("-o", "--output", required=True, metavar="PAGE", help="the page, a name that ends in .html")
    parser.add_argument(
        "--facts", action="append", metavar="COLUMN", help="column of the manifest to show associations with"
    )
    parser.add_argument("--time", metavar="COLUMN", help="column of dates or years, to show drift over time")
    parser.add_argument("--reference", metavar="COLUMN=VALUE", help="studies that make the centiles (default: all)")
    parser.add_argument("--link", metavar="ADDRESS", help="where a study leads, e.g. http://localhost:8000/{study}")
    parser.add_argument("--normal-ranges", metavar="FILE", help="CSV or JSON table of published ranges")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON document")


def run(given: Namespace) -> int:
    """Write the page and the population's own ranges, replacing older ones."""
    from cinema_cmr.core.errors import UsageError
    from cinema_cmr.population.cohort.cohort import read_cohort
    from cinema_cmr.population.cohort.page import CohortOptions, write_cohort_page

    page = Path(given.output)
    if page.suffix != ".html":
        raise UsageError(f"'{page.name}' is no page; expected a name that ends in .html")
    check_writable(page.parent)
    options = CohortOptions(
        facts=tuple(given.facts or ()),
        time=given.time,
        reference=given.reference,
        link=given.link,
        ranges=read_normal_ranges(given.normal_ranges),
    )
    cohort = read_cohort(Path(given.input))
    table, n_ranges = write_cohort_page(cohort, page, options)
    n_done = len(cohort.table)
    text = (
        f"{n_done} {'study' if n_done == 1 else 'studies'} with numbers, {len(cohort.tables.failures)} without: {page}"
    )
    if n_ranges:
        text += f"\nown ranges, for --normal-ranges: {table}"
    document = {"page": str(page), "studies": len(cohort.table), "ranges": str(table) if n_ranges else None}
    Console(as_json=given.json).result(text, document)
    return 0
