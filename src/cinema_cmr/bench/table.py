"""The benchmark's results: one row for each task, dataset and model, with results, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from cinema_cmr.bench.published import published_of
from cinema_cmr.bench.results import compare_runs, correct_differences, summarise_runs
from cinema_cmr.bench.scored_run import ScoredRun
from cinema_cmr.bench.suite import Outcome, RunKey
from cinema_cmr.bench.tasks import BenchTask
from cinema_cmr.report.bench.bench_results import BenchResults, BenchRow

__all__ = ["absent_row", "bench_results", "rows_of"]

NO_DATA, FAILED, DONE = "no data", "failed", "done"


def absent_row(task: BenchTask, reason: str, *, dataset: str = "") -> BenchRow:
    """The row of a task for which no run can be made."""
    return _row(task, dataset=dataset, status=NO_DATA, reason=reason)


def rows_of(
    task: BenchTask,
    dataset: str,
    *,
    models: Sequence[str],
    seeds: Sequence[int],
    outcomes: Mapping[RunKey, Outcome],
    absent: Mapping[str, str],
) -> list[BenchRow]:
    """A row for each model of a task on a dataset; those of `absent` (model -> reason) have no run.

    Each finished model is compared with the first of them, on the same patients.
    """
    rows: list[BenchRow] = []
    reference: tuple[str, list[ScoredRun]] | None = None
    for model in models:
        its = [outcomes.get(RunKey(dataset=dataset, run=task.run, model=model, seed=seed)) for seed in seeds]
        runs = [run.record for run in its if run is not None and run.record is not None]
        if model in absent:
            rows.append(_row(task, dataset=dataset, model=model, status=NO_DATA, reason=absent[model]))
        elif not runs:
            reason = next((run.reason for run in its if run is not None), "not run")
            rows.append(_row(task, dataset=dataset, model=model, status=FAILED, reason=reason))
        else:
            row = _row(task, dataset=dataset, model=model, status=DONE, reason=_incomplete(its))
            rows.append(_with_results(row, task, runs, reference))
            reference = reference or (model, runs)
    return rows


def bench_results(rows: Sequence[BenchRow], *, settings: Sequence[str], preset: str) -> BenchResults:
    """All rows with what was published of their tasks; p-values corrected after Holm over the whole table."""
    corrected = iter(correct_differences([row.difference for row in rows if row.difference is not None]))
    rows = [row if row.difference is None else replace(row, difference=next(corrected)) for row in rows]
    published = published_of(dict.fromkeys(row.task for row in rows))
    return BenchResults(settings=tuple(settings), preset=preset, rows=tuple(rows), published=tuple(published))


def _row(task: BenchTask, *, dataset: str, status: str, reason: str, model: str = "") -> BenchRow:
    return BenchRow(
        task=task.name,
        title=task.title,
        group=task.group,
        dataset=dataset,
        model=model,
        status=status,
        reason=reason,
        shown=task.measures[0].key,
        measure_titles={measure.key: measure.shown for measure in task.measures},
    )


def _with_results(
    row: BenchRow, task: BenchTask, runs: Sequence[ScoredRun], reference: tuple[str, Sequence[ScoredRun]] | None
) -> BenchRow:
    """The row with the summary of its runs, and its difference to the reference model if there is one."""
    row = replace(row, **vars(summarise_runs(task.measures, runs)))
    if reference is None:
        return row
    return replace(row, against=reference[0], difference=compare_runs(task.measures[0], runs, reference[1]))


def _incomplete(runs: Sequence[Outcome | None]) -> str:
    """Which seeds are missing, in words; nothing where all are there."""
    failed = [run for run in runs if run is None or run.record is None]
    return f"{len(failed)} of {len(runs)} seeds failed" if failed else ""
