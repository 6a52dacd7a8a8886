"""`cinema bench`: every task with every model that fits it, one table."""

from __future__ import annotations

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.options.bench_options import add_bench_options, bench_request, split_names

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options of tasks, models, data and output."""
    add_bench_options(parser)
    parser.add_argument("--tasks", help="names separated by commas; default: all")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each model; default: %(default)s")


def run(given: Namespace) -> int:
    """Make the runs that do not exist yet, write the tables, and print them; return the first failure's exit code."""
    from cinema_cmr.core.serialise import json_values
    from cinema_cmr.pipeline.benchmarks import bench_with_report
    from cinema_cmr.report.bench.bench_page import bench_markdown

    console = Console(as_json=given.json)
    results, code = bench_with_report(bench_request(given, console), split_names(given.tasks))
    text = f"{bench_markdown(results).rstrip()}\n\npage: {Path(given.output) / 'page.html'}"
    console.result(text, json_values(results))
    return code
