"""`cinema sweep`: how much labelled data a task needs, from each start."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.options.bench_options import (
    add_bench_options,
    bench_options,
    read_data,
    report_training,
    split_names,
    write_texts,
)
from cinema_cmr.core.errors import InputError, UsageError

if TYPE_CHECKING:
    from cinema_cmr.bench.data import BenchDataset
    from cinema_cmr.bench.tasks import BenchTask
    from cinema_cmr.report.bench_results import SweepResults

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
    from cinema_cmr.bench.sweep import run_sweep
    from cinema_cmr.bench.tasks import find_task

    console = Console(as_json=given.json)
    task, shares = find_task(given.task), _shares(given.shares)
    if given.seeds < 1:
        raise UsageError(f"{given.seeds} seeds; expected at least 1")
    dataset, options = _dataset(given, task, console), bench_options(given)
    results, failed = run_sweep(
        task,
        dataset,
        shares=shares,
        models=split_names(given.models),
        n_seeds=given.seeds,
        options=options,
        part=given.part,
        note=console.note,
        report=report_training(console),
    )
    _write(Path(given.output), results, console)
    return next(iter(failed), 0)


def _shares(text: str) -> list[float]:
    from cinema_cmr.bench.sweep import count_of_share

    try:
        shares = sorted({float(word) for word in text.split(",")})
    except ValueError as error:
        raise UsageError(f"shares '{text}'; expected percentages separated by commas, as 5,10,25,50,100") from error
    for share in shares:
        count_of_share(share, 1)
    return shares


def _dataset(given: Namespace, task: BenchTask, console: Console) -> BenchDataset:
    """The one dataset with the studies that fit the task; raises `InputError` if there are too few."""
    if not given.data or len(given.data) != 1:
        raise UsageError(f"{len(given.data or [])} datasets given; expected one --data: a curve is of one dataset")
    [its] = read_data(given, given.data, console)
    if its.dataset is None:
        raise InputError(its.reason)
    fitting, why = its.dataset.fitting(task)
    if why is not None:
        raise InputError(f"'{its.name}' cannot make the curve of '{task.name}': {why}")
    return fitting


def _write(folder: Path, results: SweepResults, console: Console) -> None:
    from cinema_cmr.core.serialise import json_text, json_values
    from cinema_cmr.report.sweep_page import curve_svg, standalone_svg, sweep_csv, sweep_markdown, sweep_page

    tables = sweep_markdown(results)
    texts = {"sweep.md": tables, "sweep.csv": sweep_csv(results), "sweep.json": json_text(results)}
    texts |= {"curve.svg": standalone_svg(curve_svg(results)), "page.html": sweep_page(results)}
    write_texts(folder, texts)
    console.result(tables, json_values(results))
