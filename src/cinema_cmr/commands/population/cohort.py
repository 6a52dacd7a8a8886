"""`cinema cohort`: one page about a population."""

from __future__ import annotations

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.options.normal_ranges_file import read_normal_ranges
from cinema_cmr.report.wording import counted

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
    from cinema_cmr.pipeline.cohort_page import cohort

    done = cohort(
        given.input,
        given.output,
        facts=given.facts or (),
        time=given.time,
        reference=given.reference,
        link=given.link,
        normal_ranges=read_normal_ranges(given.normal_ranges),
    )
    text = f"{counted(done.n_done, 'study')} with numbers, {done.n_failed} without: {done.page}"
    if done.ranges_file is not None:
        text += f"\nown ranges, for --normal-ranges: {done.ranges_file}"
    ranges = None if done.ranges_file is None else str(done.ranges_file)
    Console(as_json=given.json).result(text, {"page": str(done.page), "studies": done.n_done, "ranges": ranges})
    return 0
