"""The data-efficiency curve: nested shares of the patients to learn from, and results at each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cinema_cmr.bench.results import compared, result_of, with_holm
from cinema_cmr.bench.suite import Outcome, RunKey
from cinema_cmr.bench.tasks import BenchTask
from cinema_cmr.core.errors import UsageError
from cinema_cmr.data.cases import subset_patients

__all__ = ["number_of", "patients_of_share", "share_key", "sweep_document"]

_LEAST = 2
"""Of fewer patients no spread can be told."""

_SCRATCH = "cinema-scratch"


def number_of(share: float, n: int) -> int:
    """Patients that a share in percent of `n` is; at least two.

    >>> number_of(5, 80), number_of(100, 80), number_of(5, 10)
    (4, 80, 2)
    """
    if not 0 < share <= 100:
        raise UsageError(f"a share of {share:g} %; expected more than 0, at most 100")
    return min(n, max(_LEAST, round(n * share / 100)))


def patients_of_share(groups: Mapping[str, str], share: float, *, seed: int) -> list[str]:
    """A share in percent of the patients (patient -> group), the groups in turn; larger shares hold the smaller."""
    return subset_patients(groups, n=number_of(share, len(groups)), seed=seed)


def share_key(task: BenchTask, dataset: str, share: float, *, model: str, seed: int) -> RunKey:
    """The run of one share."""
    return RunKey(dataset=dataset, run=f"{task.run}/{share:g}-percent", model=model, seed=seed)


def sweep_document(
    task: BenchTask,
    dataset: str,
    *,
    shares: Sequence[float],
    models: Sequence[str],
    seeds: Sequence[int],
    outcomes: Mapping[RunKey, Outcome],
    **about: Any,
) -> dict[str, Any]:
    """A point for each model and share that has a finished run, and each model against the one from random weights.

    Where there is none from random weights, the first model is what the others are compared with. Shown is the
    task's first measure; p-values are corrected after Holm over all of the differences.
    """
    reference = _SCRATCH if _SCRATCH in models else models[0]
    points, differences, failed = [], [], []
    for share in shares:
        by_model = {}
        for model in models:
            its = [outcomes[share_key(task, dataset, share, model=model, seed=seed)] for seed in seeds]
            failed += [_failure(share, model, run) for run in its if run.document is None]
            by_model[model] = [run.document for run in its if run.document is not None]
        points += [_point(task, share, model, runs) for model, runs in by_model.items() if runs]
        for model in models:
            found = compared(task.measures[0], by_model[model], by_model[reference]) if model != reference else None
            if found is not None:
                differences.append({"share": share, "model": model, "against": reference, **found})
    with_holm(differences)
    first = task.measures[0]
    return {
        **about,
        "task": task.name,
        "title": task.title,
        "dataset": dataset,
        "measure": {**first.shown(), "rises": first.rises},
        "further": {measure.key: measure.shown() for measure in task.measures[1:]},
        "models": list(models),
        "points": points,
        "differences": differences,
        "failed": failed,
    }


def _point(task: BenchTask, share: float, model: str, runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    found = result_of(task.measures, runs)
    shown = found["measures"].get(task.measures[0].key)
    return {"share": share, "n_patients": max(found["n_learned_from"]), "model": model, "shown": shown, **found}


def _failure(share: float, model: str, run: Outcome) -> dict[str, Any]:
    return {"share": share, "model": model, "reason": run.reason}
