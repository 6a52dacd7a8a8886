"""The benchmark's document: one row for each task, dataset and model, with results, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cinema_cmr.bench.published import published_of
from cinema_cmr.bench.results import add_holm, compare_runs, summarise_runs
from cinema_cmr.bench.suite import Outcome, RunKey
from cinema_cmr.bench.tasks import BenchTask

__all__ = ["absent_row", "bench_document", "rows_of"]

NO_DATA, FAILED, DONE = "no data", "failed", "done"


def absent_row(task: BenchTask, reason: str, *, dataset: str = "") -> dict[str, Any]:
    """The row of a task for which no run can be made."""
    return {**_about(task), "dataset": dataset, "model": "", "status": NO_DATA, "reason": reason}


def rows_of(
    task: BenchTask,
    dataset: str,
    *,
    models: Sequence[str],
    seeds: Sequence[int],
    outcomes: Mapping[RunKey, Outcome],
    absent: Mapping[str, str],
) -> list[dict[str, Any]]:
    """A row for each model of a task on a dataset; those of `absent` (model -> reason) have no run.

    Each finished model is compared with the first of them, on the same patients.
    """
    rows: list[dict[str, Any]] = []
    reference: tuple[str, list[Mapping[str, Any]]] | None = None
    for model in models:
        row = {**_about(task), "dataset": dataset, "model": model}
        its = [outcomes.get(RunKey(dataset=dataset, run=task.run, model=model, seed=seed)) for seed in seeds]
        runs = [run.document for run in its if run is not None and run.document is not None]
        if model in absent:
            rows.append({**row, "status": NO_DATA, "reason": absent[model]})
        elif not runs:
            reason = next((run.reason for run in its if run is not None), "not run")
            rows.append({**row, "status": FAILED, "reason": reason})
        else:
            found = {**row, "status": DONE, "reason": _incomplete(its), **summarise_runs(task.measures, runs)}
            if reference is None:
                reference = (model, runs)
            else:
                found["against"] = reference[0]
                found["difference"] = compare_runs(task.measures[0], runs, reference[1])
            rows.append(found)
    return rows


def bench_document(rows: Sequence[dict[str, Any]], **about: Any) -> dict[str, Any]:
    """All rows with what was published of their tasks; p-values corrected after Holm over the whole table."""
    add_holm([row.get("difference") for row in rows])
    return {**about, "rows": list(rows), "published": published_of(dict.fromkeys(row["task"] for row in rows))}


def _about(task: BenchTask) -> dict[str, Any]:
    first = task.measures[0]
    return {
        "task": task.name,
        "title": task.title,
        "group": task.group,
        "shown": first.key,
        "measure_titles": {measure.key: measure.to_dict() for measure in task.measures},
    }


def _incomplete(runs: Sequence[Outcome | None]) -> str:
    """Which seeds are missing, in words; nothing where all are there."""
    failed = [run for run in runs if run is None or run.document is None]
    return f"{len(failed)} of {len(runs)} seeds failed" if failed else ""
