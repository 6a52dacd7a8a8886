"""`cinema sweep`: how much labelled data a task needs, from each start."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.options.bench_options import add_bench_options, bench_request
from cinema_cmr.core.errors import UsageError

__all__ = ["add_arguments", "run"]

Number = TypeVar("Number", int, float)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options of task, shares, seeds, data and output."""
    parser.add_argument("task", help="task of `cinema bench`: segment-sax, lvef, disease, landmark-heatmap, ...")
    add_bench_options(parser)
    parser.add_argument(
        "--shares", default="5,10,25,50,100", help="percent of the training patients; default: %(default)s"
    )
    parser.add_argument("--patients", help="numbers of training patients in place of shares, as 2,4,8,16")
    parser.add_argument(
        "--start",
        dest="starts",
        metavar="NAME=MODEL",
        action="append",
        default=[],
        help="a further model, NAME: the network of MODEL's architecture, from its weights; can be repeated",
    )
    parser.add_argument("--against", help="model that the others are compared with; default: cinema-scratch")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each point, each on its own draw of patients")


def run(given: Namespace) -> int:
    """Make the runs that do not exist yet, write the curve, and print it; return the first failure's exit code."""
    from cinema_cmr.core.serialise import json_values
    from cinema_cmr.pipeline.benchmarks import load_starts, sweep_with_report
    from cinema_cmr.report.bench.sweep_page import sweep_markdown

    console = Console(as_json=given.json)
    request = bench_request(given, console)
    request = replace(request, options=replace(request.options, starts=load_starts(_starts(given.starts))))
    counts = [] if given.patients is None else _numbers(given.patients, int, "patients", "numbers, as 2,4,8")
    shares = _numbers(given.shares, float, "shares", "percentages separated by commas, as 5,10,25,50,100")
    results, code = sweep_with_report(request, given.task, shares, counts, given.against)
    text = f"{sweep_markdown(results).rstrip()}\n\npage: {Path(given.output) / 'page.html'}"
    console.result(text, json_values(results))
    return code


def _starts(texts: Sequence[str]) -> dict[str, str]:
    named = [_start(text) for text in texts]
    names = [name for name, _ in named]
    if len(set(names)) < len(names):
        raise UsageError(f"starts {names}; expected each name once")
    return dict(named)


def _start(text: str) -> tuple[str, str]:
    name, equals, model = text.partition("=")
    if not equals or not name or not model:
        raise UsageError(f"--start {text}; expected NAME=MODEL, e.g. --start both=RUN/model")
    return name, model


def _numbers(text: str, kind: Callable[[str], Number], what: str, wanted: str) -> list[Number]:
    try:
        return [kind(word) for word in text.split(",")]
    except ValueError as error:
        raise UsageError(f"{what} '{text}'; expected {wanted}") from error
