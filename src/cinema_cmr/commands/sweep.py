"""`cinema sweep`: how much labelled data a task needs, from each start."""

from __future__ import annotations

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.options.bench_options import add_bench_options, bench_request
from cinema_cmr.core.errors import UsageError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options of task, shares, seeds, data and output."""
    parser.add_argument("task", help="task of `cinema bench`: segment-sax, lvef, disease, landmark-heatmap, ...")
    add_bench_options(parser)
    parser.add_argument(
        "--shares", default="5,10,25,50,100", help="percent of the training patients; default: %(default)s"
    )
    parser.add_argument("--seeds", type=int, default=3, help="runs of each point, each on its own draw of patients")


def run(given: Namespace) -> int:
    """Make the runs that do not exist yet, write the curve, and print it; return the first failure's exit code."""
    from cinema_cmr.core.serialise import json_values
    from cinema_cmr.pipeline.benchmarks import sweep_with_report
    from cinema_cmr.report.bench.sweep_page import sweep_markdown

    console = Console(as_json=given.json)
    results, code = sweep_with_report(bench_request(given, console), given.task, _shares(given.shares))
    console.result(sweep_markdown(results), json_values(results))
    return code


def _shares(text: str) -> list[float]:
    try:
        return [float(word) for word in text.split(",")]
    except ValueError as error:
        raise UsageError(f"shares '{text}'; expected percentages separated by commas, as 5,10,25,50,100") from error
