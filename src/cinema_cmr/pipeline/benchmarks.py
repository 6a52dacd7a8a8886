"""The benchmark and the data-efficiency curve from data to written tables: what `cinema bench` and `sweep` run."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict, Unpack

from cinema_cmr.bench.benchmark import pretrain_on_images, run_benchmark, write_smoke_cohort
from cinema_cmr.bench.data import BenchDataset, ReadDataset, read_datasets
from cinema_cmr.bench.run import BenchOptions
from cinema_cmr.bench.sweep import count_of_share, run_sweep, shares_of_counts
from cinema_cmr.bench.tasks import MODELS, TASKS, BenchTask, choose, find_task
from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.core.serialise import json_text
from cinema_cmr.datasets.reading import ignore_note
from cinema_cmr.engine.progress import Progress
from cinema_cmr.io.atomic import write_text
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.weights import load_model
from cinema_cmr.report.bench.bench_page import bench_csv, bench_markdown, bench_page
from cinema_cmr.report.bench.bench_results import BenchResults, SweepResults
from cinema_cmr.report.bench.sweep_page import curve_svg, standalone_svg, sweep_csv, sweep_markdown, sweep_page

__all__ = ["BenchRequest", "RunSettings", "bench_with_report", "benchmark", "sweep", "sweep_with_report"]

_COHORT = "cohort"
_START_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,39}")
SHARES = (5.0, 10.0, 25.0, 50.0, 100.0)
"""Percent of the training patients at each point of a curve."""


class RunSettings(TypedDict, total=False):
    """Settings of every run, as the options of `cinema bench`."""

    steps: int | None
    """Updates; None for each recipe's number."""
    preset: str | None
    """"coarse", "medium", "smoke" or "base"; None for whole recipes."""
    device: str
    precision: str
    workers: int
    overwrite: bool
    patience: int
    """End a run after so many validations in a row without a better one; the split's validation part chooses."""
    validate_every: int
    """Updates between these validations."""
    choose_by: int
    """Training patients to set apart for these validations, stratified by group, in place of the validation part."""


@dataclass(frozen=True, kw_only=True)
class BenchRequest:
    """Data, models and settings that a benchmark and a curve share."""

    data: Sequence[Path | str]
    """NAME:FOLDER of each dataset, or folders of images with masks."""
    options: BenchOptions
    models: Sequence[str] | None = None
    """None for all that fit a task."""
    n_seeds: int = 1
    part: str = "validation"
    """Held-out part."""
    split: Path | str | None = None
    """Split file of the one dataset."""
    codes: Sequence[str] = ()
    """Codes of the label maps of the one folder, e.g. "1=lv"."""
    note: Callable[[str], None] = ignore_note
    """Receives a line about each run and each case that is left out."""
    report: Callable[[Progress], None] | None = None
    """Receives the progress of a training."""

    def __post_init__(self) -> None:
        if self.n_seeds < 1:
            raise UsageError(f"{self.n_seeds} seeds; expected at least 1")
        if self.options.steps is not None and self.options.steps < 1:
            raise UsageError(f"{self.options.steps} steps; expected at least 1")

    def read(self, data: Sequence[Path | str]) -> list[ReadDataset]:
        """Read datasets; one that cannot be read has the reason instead."""
        split = None if self.split is None else Path(self.split)
        names = list(map(str, data))
        return read_datasets(
            names,
            self.options.root,
            split=split,
            part=self.part,
            codes=self.codes,
            note=self.note,
            with_choosing=self.options.patience > 0,
            choose_by=self.options.choose_by,
        )


def benchmark(
    data: Sequence[Path | str] | Path | str,
    folder: Path | str,
    *,
    tasks: Sequence[str] | None = None,
    models: Sequence[str] | None = None,
    seeds: int = 1,
    part: str = "validation",
    split: Path | str | None = None,
    start: LoadedModel | Path | str | None = None,
    **settings: Unpack[RunSettings],
) -> BenchResults:
    """Train and score every task with every model that fits the data; write tables, page and runs into `folder`.

    `data`: NAME:FOLDER of a dataset, a folder of images with masks, or several of them; none with `preset="smoke"`
    makes phantoms. `start`: the pre-training from which the model "cinema" starts. Runs that are finished in `folder`
    are kept; one that fails is a row with its reason, and the others follow.
    """
    options = _options(folder, start, settings)
    request = BenchRequest(data=_several(data), options=options, models=models, n_seeds=seeds, part=part, split=split)
    return bench_with_report(request, tasks)[0]


def sweep(
    task: str,
    data: Path | str,
    folder: Path | str,
    *,
    shares: Sequence[float] = SHARES,
    patients: Sequence[int] = (),
    starts: Mapping[str, LoadedModel | Path | str] | None = None,
    models: Sequence[str] | None = None,
    against: str | None = None,
    seeds: int = 3,
    part: str = "validation",
    split: Path | str | None = None,
    start: LoadedModel | Path | str | None = None,
    **settings: Unpack[RunSettings],
) -> SweepResults:
    """Train each model on nested shares (percent) of the training patients; write curve, page and runs into `folder`.

    `task` as in `cinema bench`, e.g. "segment-sax"; the rest as in `benchmark`. Each seed has its own draw of patients.
    `patients`: numbers of patients in place of shares. `starts`: further models, name -> weights from which the network
    of their architecture starts. `against`: the model that the others are compared with, in place of "cinema-scratch".
    Raises `InputError` if the dataset has too few studies for the task.
    """
    options = replace(_options(folder, start, settings), starts=load_starts(starts or {}))
    request = BenchRequest(data=[data], options=options, models=models, n_seeds=seeds, part=part, split=split)
    return sweep_with_report(request, task, shares, patients, against)[0]


def bench_with_report(request: BenchRequest, task_names: Sequence[str] | None) -> tuple[BenchResults, int]:
    """Make the runs of a benchmark that do not exist yet and write its tables; the exit code is the first failure's."""
    tasks = [TASKS[name] for name in choose(task_names, TASKS, "task")]
    models = choose(request.models, MODELS, "model")
    read = request.read(request.data or [_smoke_cohort(request)])
    options = _with_smoke_start(request, read) if "cinema" in models else request.options
    results, failed = run_benchmark(
        tasks,
        read,
        models,
        options,
        n_seeds=request.n_seeds,
        part=request.part,
        note=request.note,
        report=request.report,
    )
    texts = {"bench.md": bench_markdown(results), "bench.csv": bench_csv(results), "bench.json": json_text(results)}
    _write_texts(options.root, {**texts, "page.html": bench_page(results)})
    unread = [InputError.exit_code for its in read if its.dataset is None]
    return results, next(iter([*unread, *failed]), 0)


def load_starts(starts: Mapping[str, LoadedModel | Path | str]) -> dict[str, LoadedModel]:
    """Load the further starts of a curve; raises `UsageError` for a name of one of the benchmark's own models."""
    for name in starts:
        if name in MODELS or not _START_NAME.fullmatch(name):
            raise UsageError(
                f"a start named '{name}'; expected letters, digits and -, and no name among {list(MODELS)}"
            )
    return {name: its if isinstance(its, LoadedModel) else load_model(its) for name, its in starts.items()}


def sweep_with_report(
    request: BenchRequest,
    task_name: str,
    shares: Sequence[float],
    patients: Sequence[int] = (),
    against: str | None = None,
) -> tuple[SweepResults, int]:
    """Make the runs of a curve that do not exist yet and write it; the exit code is the first failure's.

    `shares` in percent, or, where given, `patients`: numbers of them. `against`: see `bench.sweep.sweep_results`.
    """
    task = find_task(task_name)
    for share in shares:
        count_of_share(share, 1)
    dataset = _fitting_dataset(request, task)
    if patients:
        shares = shares_of_counts(patients, len({study.patient for study in dataset.data.train}))
    shares = sorted(set(shares))
    results, failed = run_sweep(
        task,
        dataset,
        shares=shares,
        models=request.models,
        n_seeds=request.n_seeds,
        options=request.options,
        part=request.part,
        note=request.note,
        report=request.report,
        against=against,
    )
    texts = {"sweep.md": sweep_markdown(results), "sweep.csv": sweep_csv(results), "sweep.json": json_text(results)}
    texts |= {"curve.svg": standalone_svg(curve_svg(results)), "page.html": sweep_page(results)}
    _write_texts(request.options.root, texts)
    return results, next(iter(failed), 0)


def _several(data: Sequence[Path | str] | Path | str) -> list[Path | str]:
    return [data] if isinstance(data, Path | str) else list(data)


def _options(folder: Path | str, start: LoadedModel | Path | str | None, settings: RunSettings) -> BenchOptions:
    loaded = start if start is None or isinstance(start, LoadedModel) else load_model(start)
    return BenchOptions(root=Path(folder), start=loaded, **settings)


def _smoke_cohort(request: BenchRequest) -> str:
    """Write the phantoms that the preset smoke is run on without data."""
    if request.options.preset != "smoke":
        raise UsageError("no data given; expected --data NAME:FOLDER once or more, or --preset smoke for phantoms")
    request.note("writing phantoms")
    folder = request.options.root / _COHORT
    write_smoke_cohort(folder)
    return f"folder:{folder}"


def _with_smoke_start(request: BenchRequest, read: Sequence[ReadDataset]) -> BenchOptions:
    """Return the options with a short pre-training for the preset smoke, if no other start is given."""
    options, datasets = request.options, [its.dataset for its in read if its.dataset is not None]
    if options.preset != "smoke" or options.start is not None or not datasets:
        return options
    request.note("pre-training on the images of the training patients")
    folder = options.root / "pretraining"
    return replace(options, start=pretrain_on_images(datasets, folder, steps=options.steps, report=request.report))


def _fitting_dataset(request: BenchRequest, task: BenchTask) -> BenchDataset:
    """Return the one dataset with the studies that fit the task; raises `InputError` if there are too few."""
    if len(request.data) != 1:
        raise UsageError(f"{len(request.data)} datasets given; expected one --data: a curve is of one dataset")
    [its] = request.read(request.data)
    if its.dataset is None:
        raise InputError(its.reason)
    fitting, why = its.dataset.fitting(task)
    if why is not None:
        raise InputError(f"'{its.name}' cannot make the curve of '{task.name}': {why}")
    return fitting


def _write_texts(folder: Path, texts: dict[str, str]) -> None:
    """Write tables over those of an earlier call: they are made from the runs, which are kept."""
    for name, text in texts.items():
        write_text(folder / name, text, overwrite=True)
