"""`cinema sweep`: how much labelled data a task needs, from each start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def add_arguments(parser: ArgumentParser) -> None:
    """Task, shares, seeds, data, and where the curve goes."""
    parser.add_argument("task", help="a task of `cinema bench`: segment-sax, lvef, disease, landmark-heatmap, ...")
    add_trial_options(parser, smoke="small networks and few steps, to see that it runs")
    parser.add_argument("--shares", default="5,10,25,50,100", help="percent of the patients to learn from")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each point, each with its own draw of patients")


def run(given: Namespace) -> int:
    """Run what is not there yet, write the curve, and tell; the exit code is that of the first failed run."""
    from cinema_cmr.bench.suite import run_all
    from cinema_cmr.bench.sweep import share_key, sweep_document
    from cinema_cmr.bench.tasks import task_named
    from cinema_cmr.core.serialise import json_values

    console = Console(as_json=given.json)
    task, shares, seeds = task_named(given.task), _shares(given.shares), range(given.seeds)
    if given.seeds < 1:
        raise UsageError(f"{given.seeds} seeds; expected at least 1")
    lot, bench = _lot(given, task, console), make_bench(given)
    models = _models(given, task, bench)
    jobs: Mapping[Any, tuple[float, Job]] = {
        share_key(task, lot.name, share, model=model, seed=seed): (
            share,
            Job(task=task, model=model, lot=lot, bench=bench, seed=seed),
        )
        for share in shares
        for model in models
        for seed in seeds
    }
    outcomes = run_all(list(jobs), lambda key: _point(key, *jobs[key], console), note=console.note)
    told = told_of(bench, given, [lot])
    points: dict[str, Any] = {"shares": shares, "models": models, "seeds": seeds, "outcomes": outcomes}
    document = json_values(sweep_document(task, lot.name, **points, told=told, form=bench.form))
    _write(Path(given.output), document, console)
    return next((outcome.exit_code for outcome in outcomes.values() if outcome.document is None), 0)


def _point(key: Any, share: float, job: Job, console: Console) -> Mapping[str, Any]:
    """One run on a share of the patients, made or kept."""
    from dataclasses import replace

    from cinema_cmr.bench.sweep import patients_of_share

    learn = job.lot.data.train
    groups = {study.patient: str(study.facts.get("group", "all")) for study in learn}
    chosen = set(patients_of_share(groups, share, seed=job.seed))
    few = job.lot.of([study for study in learn if study.patient in chosen], job.lot.data.val)
    on_few = replace(job, lot=Lot(name=job.lot.name, title=job.lot.title, data=few), whole=job.lot)
    return run_or_keep(on_few, key.folder(job.bench.root / RUNS), console)


def _shares(text: str) -> list[float]:
    from cinema_cmr.bench.sweep import number_of

    try:
        shares = sorted({float(word) for word in text.split(",")})
    except ValueError as error:
        raise UsageError(f"shares '{text}'; expected percentages separated by commas, as 5,10,25,50,100") from error
    for share in shares:
        number_of(share, 1)
    return shares


def _lot(given: Namespace, task: Any, console: Console) -> Lot:
    """The one dataset with what fits the task; raises `InputError` where it does not know what is asked."""
    from cinema_cmr.bench.tasks import fitting, why_not

    if not given.data or len(given.data) != 1:
        raise UsageError(f"{len(given.data or [])} datasets given; expected one --data: a curve is of one dataset")
    [(name, lot, reason)] = data_parts(given, console, given.data)
    if lot is None:
        raise InputError(reason)
    learn, held = (fitting(task, part) for part in (lot.data.train, lot.data.val))
    why = why_not(task, learn, held)
    if why is not None:
        raise InputError(f"'{name}' cannot make the curve of '{task.name}': {why}")
    return Lot(name=name, title=lot.title, data=lot.of(learn, held))


def _models(given: Namespace, task: Any, bench: Bench) -> Sequence[str]:
    """Those asked for, or all that can run; raises `UsageError` for one that cannot."""
    from cinema_cmr.bench.tasks import MODELS, chosen

    asked = chosen(names_of(given.models), MODELS, "model")
    # The masks of a segmentation on a share are not at hand here.
    fits = [
        model
        for model in task.recipes
        # What is shipped learns from no share.
        if model != "shipped" and (task.kind != "measurements" or not task.recipes[model])
    ]
    models = [model for model in fits if model in asked]
    missing = models_that_start(bench, models)
    if given.models and missing:
        raise UsageError(f"model 'cinema' was asked for; {missing['cinema']}")
    models = [model for model in models if model not in missing]
    if not models:
        raise UsageError(f"no model of '{task.name}' is among {asked}; it has: {', '.join(fits)}")
    return models


def _write(folder: Path, document: dict[str, Any], console: Console) -> None:
    from cinema_cmr.core.serialise import json_text
    from cinema_cmr.report.sweep_page import curve_svg, standalone_svg, sweep_csv, sweep_markdown, sweep_page

    tables = sweep_markdown(document)
    texts = {"sweep.md": tables, "sweep.csv": sweep_csv(document), "sweep.json": json_text(document)}
    texts |= {"curve.svg": standalone_svg(curve_svg(document)), "page.html": sweep_page(document)}
    write_texts(folder, texts)
    console.result(tables, document)
