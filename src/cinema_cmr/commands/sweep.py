"""`cinema sweep`: how a task's score grows with the number of labelled patients, and what a start adds to scratch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.training_data import add_data_options, find_cases, read_training_data
from cinema_cmr.core.errors import UsageError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Data, recipe, shares and seeds."""
    parser.add_argument("task", nargs="?", default="segment", help="segment, landmark, regress or classify")
    add_data_options(parser)
    parser.add_argument("-o", "--output", required=True, help="folder of all runs; a sweep that was cut off goes on")
    parser.add_argument("--recipe", help="as of `cinema finetune`; the task's usual one where absent")
    parser.add_argument("--target", help="what to regress or classify, as of `cinema finetune`")
    parser.add_argument("--from", dest="start", help="weights to compare with random ones; scratch alone if absent")
    parser.add_argument("--shares", default="5,10,25,50,100", help="percent of the patients to learn from")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each, with other patients and first weights")
    parser.add_argument("--steps", type=int, help="updates of each run; the recipe's own number where absent")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--json", action="store_true", help="the result on stdout as one JSON document")


def run(given: Namespace) -> int:
    """Make all runs that are not finished, then write table, page and JSON."""
    from cinema_cmr.recipes.series import run_once, sweep_document, sweep_runs

    console = Console(as_json=given.json)
    experiment, data = _experiment(given, console)
    n_learn = len({study.patient for study in data.learn})
    starts = [None] if given.start is None else [given.start, None]
    runs = sweep_runs(experiment, n_learn=n_learn, shares=_shares(given.shares), seeds=given.seeds, starts=starts)
    outcomes = []
    for number, one in enumerate(runs, 1):
        with console.bar(f"run {number} of {len(runs)}: {one.name}") as tell:
            outcomes.append(run_once(one, data, Path(given.output) / "runs", report=_teller(tell)))
    dataset, _ = find_cases(given.data)
    document = sweep_document(
        outcomes,
        title=f"{experiment.name} on {dataset.card.name}",
        about=f"{experiment.train.n_steps} updates a run; scored on {len({s.patient for s in data.validate})}"
        " validation patients, 95 % BCa intervals over patients of the mean over seeds.",
        data=dataset.card.name,
        recipe=experiment.name,
        split_sha256=data.split.sha256,
    )
    _write(Path(given.output), document, console)
    return 0


def _experiment(given: Namespace, console: Console) -> tuple[Any, Any]:
    """The experiment with the numbers given, and the studies that it learns from."""
    from cinema_cmr.recipes.registry import recipe
    from cinema_cmr.recipes.scalars import with_target

    chosen = recipe(given.recipe, task=given.task)
    n_steps = given.steps or chosen.train.n_steps
    # The scores come after the run; on the way nothing is chosen by the validation patients.
    chosen = chosen.with_train(n_steps=n_steps, validate_every=n_steps, accelerator=given.device)
    data = read_training_data(given, console, drawn_only=given.task in ("segment", "landmark"))
    return (chosen if given.target is None else with_target(chosen, given.target, data.learn)), data


def _teller(tell: Callable[[int, int, str], None]) -> Callable[[Any], None]:
    return lambda progress: tell(progress.step, progress.n_steps, f"loss {progress.loss:.3f}")


def _shares(text: str) -> list[float]:
    try:
        return [float(part) / 100 for part in text.split(",")]
    except ValueError as error:
        raise UsageError(f"--shares '{text}'; expected percents with commas between, such as 5,10,25,50,100") from error


def _write(folder: Path, document: dict[str, Any], console: Console) -> None:
    from dataclasses import asdict

    from cinema_cmr.engine.patient_values import METRICS
    from cinema_cmr.io.atomic import write_text
    from cinema_cmr.report.plain import json_text, plain
    from cinema_cmr.report.series import sweep_markdown, sweep_page

    metrics = {name: asdict(metric) for name, metric in METRICS.items()}
    content = plain(document)
    text = sweep_markdown(content, metrics)
    # A view of the runs as they now are, so it is always written anew.
    for name, written in (
        ("sweep.json", json_text(content)),
        ("sweep.md", text),
        ("sweep.html", sweep_page(content, metrics)),
    ):
        write_text(folder / name, written, overwrite=True)
    console.result(f"{text}\npage: {folder / 'sweep.html'}", content)
