"""`cinema population`: tables of thousands of studies, on all cores, or on many machines."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.options.dataclass_options import add_options, option_values
from cinema_cmr.commands.options.shared_options import add_input_options, add_model_options
from cinema_cmr.commands.options.worker_options import add_engine_options, engine_request
from cinema_cmr.measure.measure import MeasureOptions
from cinema_cmr.pipeline.analysis_options import ExtraModels, InferenceOptions
from cinema_cmr.report.wording import counted

if TYPE_CHECKING:
    from cinema_cmr.pipeline.populations import PopulationResult
    from cinema_cmr.population.outcome import StudyOutcome
    from cinema_cmr.population.status import RunStatus

__all__ = ["add_arguments", "run"]

_MOST_NOTED = 20


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options in their groups: input, model, measurement, workers, output."""
    add_input_options(parser, "studies, each a DICOM folder, zip or NIfTI; with --merge: folders of earlier runs")
    add_model_options(parser)
    add_options(parser, ExtraModels, title="additional models (a name, a path or none)")
    measurement = add_options(parser, MeasureOptions, title="measurement")
    measurement.add_argument("--single-frame", action="store_true", help="measure a stack of one frame, without EF")
    measurement.add_argument(
        "--features", metavar="MODEL", help="autoencoder whose features are kept, e.g. cinema-small"
    )
    _add_worker_options(parser)
    output = parser.add_argument_group("output")
    output.add_argument("-o", "--output", required=True, metavar="FOLDER", help="folder of the population; it grows")
    output.add_argument(
        "--reports", choices=["none", "flagged", "all"], default="none", help="pages of studies to keep"
    )
    output.add_argument("--no-masks", action="store_true", help="keep numbers only")
    output.add_argument("--retry-failed", action="store_true", help="try failed studies again")
    output.add_argument("--overwrite", action="store_true", help="do studies anew whose model or options were others")
    output.add_argument("--merge", action="store_true", help="take in INPUT folders (none: only make the tables anew)")
    output.add_argument("--status", action="store_true", help="print how the run in FOLDER goes, and end")
    output.add_argument("--json", action="store_true", help="print one JSON document a study, and one of the run")


def _add_worker_options(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("workers")
    group.add_argument("--workers", type=int, help="worker processes (default: one a core; slurm: in each job)")
    group.add_argument("--threads", type=int, default=1, help="threads of each worker")
    group.add_argument("--shard", metavar="I/N", help="only every N-th study, from the I-th; then --merge")
    add_engine_options(group)


def run(given: Namespace) -> int:
    """Do the studies and make the tables; the exit code is 0 if all have numbers, else 3."""
    from cinema_cmr.pipeline.populations import analyse_population, merge_populations

    folder, console = Path(given.output), Console(as_json=given.json)
    if given.status:
        return _print_status(folder, console)
    if given.merge:
        merged = merge_populations(given.inputs, folder)
        if given.inputs:
            console.note(f"{counted(merged.taken, 'outcome')} taken")
        for line in merged.unfinished[:_MOST_NOTED]:
            console.note(f"cinema: {line}; its studies are missing in the tables")
        return _finish(merged, console)
    result = analyse_population(
        given.inputs,
        folder,
        manifest=given.manifest,
        engine=engine_request(given, threads=given.threads, device=given.device),
        shard=given.shard,
        reports=given.reports,
        features=given.features,
        masks=not given.no_masks,
        retry_failed=given.retry_failed,
        overwrite=given.overwrite,
        report=partial(_report, console),
        note=console.note,
        **option_values(given, InferenceOptions, ExtraModels, MeasureOptions),
        single_frame=given.single_frame,
    )
    for name in result.changed[:_MOST_NOTED]:
        console.note(f"cinema: {name}: its input has changed since it was done; done anew")
    if not result.run:
        console.note(f"shard {given.shard} is done; when all are: cinema population --merge -o {folder.name}")
        return 0
    return _finish(result, console)


def _report(console: Console, outcome: StudyOutcome, status: RunStatus) -> None:
    if outcome.cause is not None:
        console.note(f"cinema: {outcome.name}: {outcome.cause}: {outcome.reason}")
    if console.as_json:
        line = {"study": outcome.name, "cause": outcome.cause, "reason": outcome.reason}
        console.result("", {**line, "attempts": outcome.attempts, **vars(outcome.cost)})
    rate = f"population ({status.per_hour:g} an hour, {_minutes(status.left_s)} left)"
    console.stage(rate)("studies", status.kept + status.done + status.failed, status.total)


def _minutes(seconds: float | None) -> str:
    return "unknown" if seconds is None else f"{seconds / 60:.0f} min"


def _print_status(folder: Path, console: Console) -> int:
    from cinema_cmr.pipeline.populations import read_population
    from cinema_cmr.population.status import is_running, status_lines

    statuses = read_population(folder).statuses
    for status, line in zip(statuses, status_lines(folder, statuses), strict=True):
        console.result(line, {**vars(status), "running": is_running(folder, status)})
    return 0


def _finish(result: PopulationResult, console: Console) -> int:
    content, table = result.run, str(result.folder / "measurements.csv")
    text = f"{counted(content['done'], 'study')} with numbers, {content['failed']} without: {table}"
    console.result(text, {"table": table, **content})
    return 3 if content["failed"] else 0
