"""The data-efficiency curve: nested shares of the patients to learn from, and results at each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from cinema_cmr.bench.benchmark import describe_settings, unavailable_models
from cinema_cmr.bench.data import BenchDataset
from cinema_cmr.bench.results import compare_runs, correct_differences, summarise_runs
from cinema_cmr.bench.run import BenchOptions, BenchRun
from cinema_cmr.bench.scored_run import ScoredRun
from cinema_cmr.bench.suite import Outcome, RunKey, run_all
from cinema_cmr.bench.tasks import MODELS, BenchTask, choose
from cinema_cmr.core.errors import UsageError, unknown_name
from cinema_cmr.data.cases import subset_patients
from cinema_cmr.engine.progress import Progress
from cinema_cmr.report.bench.bench_results import FailedRun, SweepDifference, SweepPoint, SweepResults

__all__ = ["count_of_share", "patients_of_share", "run_sweep", "share_key", "shares_of_counts", "sweep_results"]

_SCRATCH = "cinema-scratch"


def count_of_share(share: float, n: int) -> int:
    """Patients that a share in percent of `n` is; at least one.

    >>> count_of_share(5, 80), count_of_share(100, 80), count_of_share(1, 10)
    (4, 80, 1)
    """
    if not 0 < share <= 100:
        raise UsageError(f"a share of {share:g} %; expected more than 0, at most 100")
    return min(n, max(1, round(n * share / 100)))


def shares_of_counts(counts: Sequence[int], n: int) -> list[float]:
    """Return the shares, in percent of `n` patients, that these numbers of patients are.

    >>> shares_of_counts([2, 40], 80)
    [2.5, 50.0]
    """
    for count in counts:
        if not 1 <= count <= n:
            raise UsageError(f"{count} patients to learn from; expected 1 to {n}, all that the data has")
    return [100 * count / n for count in counts]


def patients_of_share(groups: Mapping[str, str], share: float, *, seed: int) -> list[str]:
    """A share in percent of the patients (patient -> group), the groups in turn; larger shares hold the smaller."""
    return subset_patients(groups, n=count_of_share(share, len(groups)), seed=seed)


def share_key(task: BenchTask, dataset: str, share: float, *, model: str, seed: int) -> RunKey:
    """The run of one share."""
    return RunKey(dataset=dataset, run=f"{task.run}/{share:g}-percent", model=model, seed=seed)


def run_sweep(
    task: BenchTask,
    dataset: BenchDataset,
    *,
    shares: Sequence[float],
    models: Sequence[str] | None,
    n_seeds: int,
    options: BenchOptions,
    part: str,
    note: Callable[[str], None],
    report: Callable[[Progress], None] | None = None,
    against: str | None = None,
) -> tuple[SweepResults, list[int]]:
    """Make the runs that do not exist yet; return the curve and the exit codes of failed runs.

    `models` None takes all that can run; `against`: see `sweep_results`. Raises `UsageError` for a model that cannot.
    """
    chosen = _models(task, models, options)
    if against is not None and against not in chosen:
        raise unknown_name("model of this curve", against, chosen)
    points = {
        share_key(task, dataset.name, share, model=model, seed=seed): share
        for share in shares
        for model in chosen
        for seed in range(n_seeds)
    }

    def do(key: RunKey) -> ScoredRun:
        few = _share_of(dataset, points[key], seed=key.seed)
        run = BenchRun(task=task, model=key.model, dataset=few, options=options, seed=key.seed, whole=dataset)
        return run.run_or_keep(key, note=note, report=report)

    outcomes = run_all(list(points), do, note=note)
    results = sweep_results(
        task, dataset.name, shares=shares, models=chosen, seeds=range(n_seeds), outcomes=outcomes, against=against
    )
    settings = tuple(describe_settings(options, [dataset], part=part))
    failed = [outcome.exit_code for outcome in outcomes.values() if outcome.record is None]
    return replace(results, settings=settings, preset=options.preset or "whole"), failed


def _share_of(dataset: BenchDataset, share: float, *, seed: int) -> BenchDataset:
    train = dataset.data.train
    chosen = set(patients_of_share(dataset.groups, share, seed=seed))
    return dataset.select([study for study in train if study.patient in chosen], dataset.data.val)


def _models(task: BenchTask, names: Sequence[str] | None, options: BenchOptions) -> list[str]:
    given = choose(names, {**MODELS, **options.starts}, "model")
    left_out = [name for name in options.starts if name not in given]
    if left_out:
        raise UsageError(f"start '{left_out[0]}' is not among the models {given}; name it there too, or leave it out")
    # A shipped model is trained on no share, and the masks of a segmentation on a share do not exist.
    fits = [m for m in task.recipes if m != "shipped" and not (task.by_measurements and task.recipes[m])]
    models = [model for model in (*fits, *options.starts) if model in given]
    missing = unavailable_models(options, models)
    if names and missing:
        raise UsageError(f"model 'cinema' was given; {missing['cinema']}")
    models = [model for model in models if model not in missing]
    if not models:
        raise UsageError(f"no model of '{task.name}' is among {given}; it has: {', '.join(fits)}")
    return models


def sweep_results(
    task: BenchTask,
    dataset: str,
    *,
    shares: Sequence[float],
    models: Sequence[str],
    seeds: Sequence[int],
    outcomes: Mapping[RunKey, Outcome],
    against: str | None = None,
) -> SweepResults:
    """A point for each model and share that has a finished run, and each model `against` one of them.

    None compares with the network from random weights, where there is none with the first model. Shown is the
    task's first measure; p-values are corrected after Holm over all of the differences.
    """
    reference = against or (_SCRATCH if _SCRATCH in models else models[0])
    points, differences, failed = list[SweepPoint](), list[SweepDifference](), list[FailedRun]()
    for share in shares:
        by_model = {}
        for model in models:
            its = [outcomes[share_key(task, dataset, share, model=model, seed=seed)] for seed in seeds]
            failed += [FailedRun(share=share, model=model, reason=run.reason) for run in its if run.record is None]
            by_model[model] = [run.record for run in its if run.record is not None]
        points += [_point(task, share, model, runs) for model, runs in by_model.items() if runs]
        for model in (model for model in models if model != reference):
            found = compare_runs(task.measures[0], by_model[model], by_model[reference])
            if found is not None:
                differences.append(SweepDifference(share=share, model=model, against=reference, **vars(found)))
    return SweepResults(
        task=task.name,
        title=task.title,
        dataset=dataset,
        measure=task.measures[0].shown,
        further={measure.key: measure.shown for measure in task.measures[1:]},
        models=tuple(models),
        points=tuple(points),
        differences=tuple(correct_differences(differences)),
        failed=tuple(failed),
    )


def _point(task: BenchTask, share: float, model: str, runs: Sequence[ScoredRun]) -> SweepPoint:
    found = summarise_runs(task.measures, runs)
    shown = found.measures.get(task.measures[0].key)
    return SweepPoint(share=share, n_patients=max(found.n_train_patients), model=model, shown=shown, **vars(found))
