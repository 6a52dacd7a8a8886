"""`cinema bench`: every task with every model that fits it, one table."""

from __future__ import annotations

from collections.abc import Sequence
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
    from cinema_cmr.bench.data import ReadDataset
    from cinema_cmr.models.loaded import LoadedModel
    from cinema_cmr.report.bench_results import BenchResults

__all__ = ["add_arguments", "run"]

_COHORT = "cohort"


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options of tasks, models, data and output."""
    add_bench_options(parser)
    parser.add_argument("--tasks", help="names separated by commas; default: all")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each model; default: %(default)s")


def run(given: Namespace) -> int:
    """Make the runs that do not exist yet, write the tables, and print them; return the first failure's exit code."""
    from cinema_cmr.bench.benchmark import run_benchmark
    from cinema_cmr.bench.tasks import MODELS, TASKS, choose

    console = Console(as_json=given.json)
    tasks = [TASKS[name] for name in choose(split_names(given.tasks), TASKS, "task")]
    models = choose(split_names(given.models), MODELS, "model")
    if given.seeds < 1:
        raise UsageError(f"{given.seeds} seeds; expected at least 1")
    read = read_data(given, _sources(given, console), console)
    start = _own_start(given, read, console) if "cinema" in models else None
    results, failed = run_benchmark(
        tasks,
        read,
        models,
        bench_options(given, start=start),
        n_seeds=given.seeds,
        part=given.part,
        note=console.note,
        report=report_training(console),
    )
    _write(Path(given.output), results, console)
    unread = [InputError.exit_code for its in read if its.dataset is None]
    return next(iter([*unread, *failed]), 0)


def _sources(given: Namespace, console: Console) -> list[str]:
    """The given datasets; the preset smoke makes its own cohort without any."""
    if given.data:
        return list(given.data)
    if given.preset != "smoke":
        raise UsageError("no data given; expected --data NAME:FOLDER once or more, or --preset smoke for phantoms")
    from cinema_cmr.bench.benchmark import write_smoke_cohort

    folder = Path(given.output) / _COHORT
    show = console.stage("phantoms")
    write_smoke_cohort(folder, report=lambda done, n, _name: show("subjects", done, n))
    return [f"folder:{folder}"]


def _own_start(given: Namespace, read: Sequence[ReadDataset], console: Console) -> LoadedModel | None:
    """A short pre-training for the preset smoke without --from; else None."""
    datasets = [its.dataset for its in read if its.dataset is not None]
    if given.preset != "smoke" or given.start is not None or not datasets:
        return None
    from cinema_cmr.bench.benchmark import pretrain_on_images

    console.note("pre-training on the images of the training patients")
    report = report_training(console, "  pre-training")
    return pretrain_on_images(datasets, Path(given.output) / "pretraining", steps=given.steps, report=report)


def _write(folder: Path, results: BenchResults, console: Console) -> None:
    from cinema_cmr.core.serialise import json_text, json_values
    from cinema_cmr.report.bench_page import bench_csv, bench_markdown, bench_page

    tables = bench_markdown(results)
    texts = {"bench.md": tables, "bench.csv": bench_csv(results), "bench.json": json_text(results)}
    write_texts(folder, {**texts, "page.html": bench_page(results)})
    console.result(tables, json_values(results))
