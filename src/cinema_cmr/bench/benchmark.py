"""The benchmark: every task with every model that fits it, on every dataset, as one table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cinema_cmr.bench.data import CHOOSING_SEED, BenchDataset, ReadDataset
from cinema_cmr.bench.run import PRESETS, BenchOptions, BenchRun
from cinema_cmr.bench.suite import Outcome, RunKey, run_all
from cinema_cmr.bench.table import absent_row, bench_results, rows_of
from cinema_cmr.bench.tasks import BenchTask
from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.errors import UsageError
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.seen_frames import patients_seen
from cinema_cmr.data.store import write_study
from cinema_cmr.engine.progress import Progress
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.weights import load_model, model_card
from cinema_cmr.phantom.cohort import CohortConfig, write_cohort
from cinema_cmr.recipes.presets import STEPS, smoke_pretraining
from cinema_cmr.recipes.pretrain import pretrain, stored_data
from cinema_cmr.report.bench.bench_results import BenchResults, BenchRow

__all__ = ["describe_settings", "pretrain_on_images", "run_benchmark", "unavailable_models", "write_smoke_cohort"]

Note = Callable[[str], None]
Report = Callable[[Progress], None]

_N_PATIENTS, _N_FRAMES = 30, 5
"""Phantoms of the preset smoke: enough that each group is trained on and held out."""


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """One task on one dataset: the runs that it needs, or why none can be made."""

    task: BenchTask
    dataset: BenchDataset
    reason: str | None
    models: Sequence[str]
    absent: Mapping[str, str]
    """Model -> why it has no run."""
    options: BenchOptions

    def runs(self, seeds: Iterable[int]) -> dict[RunKey, BenchRun]:
        """Return the runs of the available models."""
        models = [] if self.reason else [model for model in self.models if model not in self.absent]
        return {
            RunKey(dataset=self.dataset.name, run=self.task.run, model=model, seed=seed): BenchRun(
                task=self.task, model=model, dataset=self.dataset, options=self.options, seed=seed
            )
            for model in models
            for seed in seeds
        }


def run_benchmark(
    tasks: Sequence[BenchTask],
    read: Sequence[ReadDataset],
    models: Sequence[str],
    options: BenchOptions,
    *,
    n_seeds: int = 1,
    part: str = "validation",
    note: Note,
    report: Report | None = None,
) -> tuple[BenchResults, list[int]]:
    """Make the runs that do not exist yet; return the table and the exit codes of failed runs."""
    datasets = [its.dataset for its in read if its.dataset is not None]
    plans = [_plan(task, dataset, models, options) for dataset in datasets for task in tasks]
    runs: dict[RunKey, BenchRun] = {}
    for plan in plans:
        for key, run in plan.runs(range(n_seeds)).items():
            runs.setdefault(key, run)
    outcomes = run_all(list(runs), lambda key: runs[key].run_or_keep(key, note=note, report=report), note=note)
    rows = _rows(tasks, plans, outcomes, range(n_seeds), read)
    shipped = {task.recipes["shipped"] for task in tasks if "shipped" in models and "shipped" in task.recipes}
    settings = describe_settings(options, datasets, part=part)
    settings += [text for name in sorted(shipped) for text in _seen_by(model_card(name), datasets)]
    results = bench_results(rows, settings=settings, preset=options.preset or "whole")
    return results, [outcome.exit_code for outcome in outcomes.values() if outcome.record is None]


def unavailable_models(options: BenchOptions, models: Sequence[str]) -> dict[str, str]:
    """Return the models that cannot run, and why."""
    if options.start is None and "cinema" in models:
        return {"cinema": "no pre-training was given; give --from"}
    return {}


def describe_settings(options: BenchOptions, datasets: Sequence[BenchDataset], *, part: str) -> list[str]:
    """Return what every table states about its runs, in sentences."""
    described = "; ".join(
        f"{its.name} ({its.title}: {max(0, _n_patients(its.data.train) - its.choose_by)} training patients,"
        f" {_n_patients(its.data.val)} held out, part {part})"
        for its in datasets
    )
    sentences = [f"Data: {described or 'none'}."]
    starts = {**({} if options.start is None else {"cinema": options.start}), **options.starts}
    for name, start in starts.items():
        sentences.append(f"{name} starts from {start.card.name} ({start.card.weights_sha256[:12]}).")
        sentences += _seen_by(start.card, datasets)
    if options.preset is not None:
        sentences.append(PRESETS[options.preset])
    if options.steps is not None:
        sentences.append(f"Every run: {'at most ' * bool(options.patience)}{options.steps} updates.")
    if options.patience:
        sentences.append(
            f"Every run ends after {options.patience} validations in a row without a better one,"
            f" {options.validate_every} updates apart, and keeps the weights of the best;"
            f" {_describe_choosing(options, datasets)}, neither trained on nor scored, choose them."
        )
    return sentences


def _seen_by(card: ModelCard, datasets: Sequence[BenchDataset]) -> list[str]:
    """Return a sentence for each dataset of whose held-out patients a model has seen some."""
    seen = ((its, patients_seen(card, its.data.val)) for its in datasets)
    said = [(its.name, one.sentence(card.name, _n_patients(its.data.val))) for its, one in seen if one is not None]
    return [f"Warning ({name}, held out): {text}." for name, text in said if text]


def _describe_choosing(options: BenchOptions, datasets: Sequence[BenchDataset]) -> str:
    if not options.choose_by:
        return f"{sum(_n_patients(its.choosing) for its in datasets)} patients of the validation part"
    each = " of each dataset" if len(datasets) > 1 else ""
    return f"{options.choose_by} patients of the part train{each}, drawn stratified by group with seed {CHOOSING_SEED}"


def write_smoke_cohort(folder: Path, *, report: Callable[[int, int, str], None] | None = None) -> None:
    """Write the phantoms of the preset smoke."""
    write_cohort(folder, CohortConfig(n=_N_PATIENTS, n_frames=_N_FRAMES), workers=2, progress=report)


def pretrain_on_images(
    datasets: Sequence[BenchDataset], folder: Path, *, steps: int | None = None, report: Report | None = None
) -> LoadedModel:
    """Pre-train briefly on the images of the training patients, for the preset smoke; a finished run is kept."""
    if not (folder / "model" / "card.json").exists():
        studies = [study for dataset in datasets for study in dataset.data.train]
        stored = [
            write_study(annotated.study, folder / "store" / f"{number:04}.study", overwrite=True)
            for number, annotated in enumerate(studies)
        ]
        data = stored_data(stored, title="images of the training patients, without labels")
        pretrain(smoke_pretraining(n_steps=2 * (steps or STEPS)), data, folder, report=report)
    return load_model(str(folder / "model"))


def _plan(task: BenchTask, dataset: BenchDataset, models: Sequence[str], options: BenchOptions) -> _Plan:
    chosen = [model for model in task.recipes if model in models]
    try:
        fitting, reason = dataset.fitting(task)
    except UsageError as error:  # of one task, too few of whose patients would be left
        fitting, reason = dataset, str(error)
    return _Plan(
        task=task,
        dataset=fitting,
        reason=reason,
        models=chosen,
        absent=unavailable_models(options, chosen),
        options=options,
    )


def _rows(
    tasks: Sequence[BenchTask],
    plans: Sequence[_Plan],
    outcomes: Mapping[RunKey, Outcome],
    seeds: Sequence[int],
    read: Sequence[ReadDataset],
) -> list[BenchRow]:
    """Rows in the order of the tasks; a task that fits no dataset has one row with the reasons."""
    rows: list[BenchRow] = []
    unread = [f"{its.name}: {its.reason}" for its in read if its.dataset is None]
    for task in tasks:
        of_task = [plan for plan in plans if plan.task is task]
        possible = [plan for plan in of_task if not plan.reason]
        if not possible:
            reasons = [*(f"{plan.dataset.name}: {plan.reason}" for plan in of_task), *unread]
            rows.append(absent_row(task, "; ".join(reasons)))
        for plan in possible:
            rows += rows_of(
                task, plan.dataset.name, models=plan.models, seeds=seeds, outcomes=outcomes, absent=plan.absent
            )
    return rows


def _n_patients(studies: Sequence[AnnotatedStudy]) -> int:
    return len({study.patient for study in studies})
