"""`cinema bench`: every task with every model that fits it, one table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.trials import (
    RUNS,
    Bench,
    Job,
    Lot,
    add_trial_options,
    data_parts,
    make_bench,
    models_that_start,
    names_of,
    run_or_keep,
    told_of,
    write_texts,
)
from cinema_cmr.core.errors import InputError, UsageError

__all__ = ["add_arguments", "run"]

_COHORT = "cohort"
_PATIENTS, _FRAMES = 30, 5
"""Of the smoke form's phantoms: enough that each group is learned from and held out."""


_SMOKE = "small networks and few steps; without --data on a small phantom cohort that is made in the output folder"


def add_arguments(parser: ArgumentParser) -> None:
    """Tasks, models, data, and where the table goes."""
    add_trial_options(parser, smoke=_SMOKE)
    parser.add_argument("--tasks", help="names separated by commas; all where absent")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each model, averaged patient by patient")


def run(given: Namespace) -> int:
    """Run what is not there yet, write the tables, and tell; the exit code is that of the first failure."""
    from cinema_cmr.bench.suite import Outcome, RunKey, run_all
    from cinema_cmr.bench.table import bench_document
    from cinema_cmr.bench.tasks import MODELS, TASKS, chosen
    from cinema_cmr.core.serialise import json_values

    console = Console(as_json=given.json)
    tasks = [TASKS[name] for name in chosen(names_of(given.tasks), TASKS, "task")]
    models = chosen(names_of(given.models), MODELS, "model")
    if given.seeds < 1:
        raise UsageError(f"{given.seeds} seeds; expected at least 1")
    read = data_parts(given, console, _places(given, console))
    lots = [lot for _, lot, _ in read if lot is not None]
    bench = make_bench(given, start=_own_start(given, lots, console) if "cinema" in models else None)
    plans = [_Plan(task, lot, models, bench) for lot in lots for task in tasks]
    keys: dict[RunKey, _Plan] = {}
    for plan in plans:
        keys |= {key: plan for key in plan.keys(range(given.seeds)) if key not in keys}
    outcomes: dict[RunKey, Outcome] = run_all(list(keys), lambda key: keys[key].do(key, console), note=console.note)
    rows = _rows(tasks, plans, outcomes, range(given.seeds), read)
    document = json_values(bench_document(rows, told=told_of(bench, given, lots), form=bench.form))
    _write(Path(given.output), document, console)
    unread = [InputError.exit_code for _, lot, _ in read if lot is None]
    failed = [outcome.exit_code for outcome in outcomes.values() if outcome.document is None]
    return next(iter([*unread, *failed]), 0)


class _Plan:
    """One task on one dataset: which runs it needs, or why none can be made."""

    def __init__(self, task: Any, lot: Lot, models: Sequence[str], bench: Bench) -> None:
        from cinema_cmr.bench.tasks import fitting, why_not

        learn, held = (fitting(task, part) for part in (lot.data.train, lot.data.val))
        self.task, self.bench, self.name = task, bench, lot.name
        self.reason = why_not(task, learn, held)
        self.lot = lot if self.reason else Lot(name=lot.name, title=lot.title, data=lot.of(learn, held))
        self.models = [model for model in task.recipes if model in models]
        self.absent = models_that_start(bench, self.models)

    def keys(self, seeds: Sequence[int]) -> list[Any]:
        """The runs of the models that can run."""
        from cinema_cmr.bench.suite import RunKey

        if self.reason:
            return []
        return [
            RunKey(dataset=self.name, run=self.task.run, model=model, seed=seed)
            for model in self.models
            if model not in self.absent
            for seed in seeds
        ]

    def do(self, key: Any, console: Console) -> Any:
        """Make a run, or keep it."""
        job = Job(task=self.task, model=key.model, lot=self.lot, bench=self.bench, seed=key.seed)
        return run_or_keep(job, key.folder(self.bench.root / RUNS), console)


def _places(given: Namespace, console: Console) -> list[str]:
    """What --data says; the smoke form makes its own cohort where it says nothing."""
    if given.data:
        return list(given.data)
    if not given.smoke:
        raise UsageError("no data given; expected --data NAME:FOLDER once or more, or --smoke to try it on phantoms")
    from cinema_cmr.phantom.cohort import CohortConfig, write_cohort

    folder = Path(given.output) / _COHORT
    tell = console.stage("phantoms")
    write_cohort(
        folder,
        CohortConfig(n=_PATIENTS, n_frames=_FRAMES),
        workers=2,
        progress=lambda done, n, _name: tell("subjects", done, n),
    )
    return [f"folder:{folder}"]


def _own_start(given: Namespace, lots: Sequence[Lot], console: Console) -> Any:
    """A short pre-training on the patients to learn from, in the smoke form without --from; else None."""
    if not given.smoke or given.start is not None or not lots:
        return None
    from cinema_cmr.data.store import write_study
    from cinema_cmr.models.weights import load_model
    from cinema_cmr.recipes.presets import STEPS, smoke_pretraining
    from cinema_cmr.recipes.pretrain import pretrain, stored_data

    folder = Path(given.output) / "pretraining"
    if not (folder / "model" / "card.json").exists():
        console.note("pre-training on the images of the patients to learn from")
        studies = [study for lot in lots for study in lot.data.train]
        stored = [
            write_study(its.study, folder / "store" / f"{number:04}.study", overwrite=True)
            for number, its in enumerate(studies)
        ]
        tell = console.stage("  pre-training")
        pretrain(
            smoke_pretraining(n_steps=2 * (given.steps or STEPS)),
            stored_data(stored, title="images of the training patients, without labels"),
            folder,
            report=lambda progress: tell(f"loss {progress.loss:.3f}, step", progress.step, progress.n_steps),
        )
    return load_model(str(folder / "model"))


def _rows(
    tasks: Sequence[Any], plans: Sequence[_Plan], outcomes: Any, seeds: Sequence[int], read: Sequence[Any]
) -> list[dict[str, Any]]:
    """In the order of the tasks; one that no dataset can make has one row with the reasons of all."""
    from cinema_cmr.bench.table import absent_row, rows_of

    rows: list[dict[str, Any]] = []
    unread = [f"{name}: {reason}" for name, lot, reason in read if lot is None]
    for task in tasks:
        its = [plan for plan in plans if plan.task is task]
        made = [plan for plan in its if not plan.reason]
        if not made:
            reasons = [*(f"{plan.name}: {plan.reason}" for plan in its), *unread]
            rows.append(absent_row(task, "; ".join(reasons)))
        for plan in made:
            rows += rows_of(task, plan.name, models=plan.models, seeds=seeds, outcomes=outcomes, absent=plan.absent)
    return rows


def _write(folder: Path, document: dict[str, Any], console: Console) -> None:
    from cinema_cmr.core.serialise import json_text
    from cinema_cmr.report.bench_page import bench_csv, bench_markdown, bench_page

    tables = bench_markdown(document)
    texts = {"bench.md": tables, "bench.csv": bench_csv(document), "bench.json": json_text(document)}
    write_texts(folder, {**texts, "page.html": bench_page(document)})
    console.result(tables, document)
