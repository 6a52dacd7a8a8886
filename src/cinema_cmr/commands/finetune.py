"""`cinema finetune`: labelled studies in, a model folder for `cinema analyse --model` out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.expected_end import early_stopping_line, progress_text, said_once
from cinema_cmr.commands.options.dataclass_options import add_options, options_from
from cinema_cmr.commands.options.training_data import add_config_options, chosen_experiment, note_other_data
from cinema_cmr.core.errors import UsageError
from cinema_cmr.io.output_folder import check_writable
from cinema_cmr.recipes.registry import RECIPES_OF_TASKS, recipe_list
from cinema_cmr.recipes.training_options import FinetuneOptions, option

if TYPE_CHECKING:
    from cinema_cmr.data.cases import AnnotatedStudy
    from cinema_cmr.data.training_set import TrainingData
    from cinema_cmr.engine.progress import Progress
    from cinema_cmr.recipes.experiment import Experiment

__all__ = ["add_arguments", "run"]

_TASKS = tuple(task for task in RECIPES_OF_TASKS if task != "pretrain")
_SPLIT_FILE = "split.json"
_VALIDATION_NOTE = (
    "quick scores on the model's own grid, around the reference's heart; `cinema evaluate` finds the heart in the"
    " images and scores each on its own grid, so that its numbers differ"
)


@dataclass(frozen=True, kw_only=True)
class _OutputOptions:
    group: ClassVar[str] = "output"

    output: str = option(MISSING, short="-o")
    """folder of the run; a run that was interrupted is resumed"""
    compare_scratch: bool = option(False)
    """train from random weights too, and write gain.html and gain.json"""
    folds: int = option(0)
    """with --compare-scratch: N-fold cross-validation, two runs a fold"""
    json: bool = option(False)
    """print the result as one JSON line"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options of a run, generated from `FinetuneOptions`."""
    parser.add_argument("task", nargs="?", help=f"{', '.join(_TASKS)}; default: that of the recipe")
    add_options(parser, FinetuneOptions)
    add_options(parser, _OutputOptions)
    names = recipe_list(*_TASKS)
    add_config_options(parser, f"recipes; NAME-base of those with an encoder is of the published size:\n{names}")


def run(given: Namespace) -> int:
    """Train to the end and print the model's folder."""
    options, output = options_from(FinetuneOptions, given), options_from(_OutputOptions, given)
    _check_comparison(options, output)
    check_writable(output.output)
    from cinema_cmr.recipes.finetune import change_experiment, finetune, open_labelled_data
    from cinema_cmr.recipes.scalars import with_target
    from cinema_cmr.recipes.scratch import check_comparable
    from cinema_cmr.recipes.teacher import NO_TEACHER

    console, folder = Console(as_json=output.json), Path(output.output)
    experiment = change_experiment(chosen_experiment(given, task=given.task), options)
    if output.compare_scratch:
        check_comparable(experiment)
    options = _with_split_of_config(options, given)
    data = open_labelled_data(options, experiment, folder, note=console.note)
    note_other_data(given, data, console)
    if options.target is not None:
        experiment = with_target(experiment, options.target, data.train)
    with console.bar("step") as update:
        command = options.command("finetune", folder)
        result = finetune(
            experiment,
            data,
            folder,
            command=command,
            note=console.note,
            end_now=options.end_now,
            teacher=NO_TEACHER,  # the data has the labels of its teacher
            report=said_once(
                console, lambda progress: update(progress.step, progress.n_expected, _progress_text(progress))
            ),
        )
    lines = {"model": str(result.model)}
    if result.validation:
        lines["validation"] = f"{_scores_text(result.validation)}; {_VALIDATION_NOTE}"
    lines |= early_stopping_line(result)
    if output.compare_scratch:
        lines |= _compare(output, console, experiment, data)
    text = "\n".join(f"{name}: {value}" for name, value in lines.items())
    console.result(text, {**lines, "recipe": experiment.name})
    return 0


def _check_comparison(options: FinetuneOptions, output: _OutputOptions) -> None:
    if output.compare_scratch and options.start is None:
        raise UsageError("--compare-scratch compares a start with random weights; give it as --from WEIGHTS")
    if options.end_now and output.compare_scratch:
        raise UsageError("--end-now ends one run, and --compare-scratch trains several; expected one of the two")
    if output.folds and not output.compare_scratch:
        raise UsageError("--folds goes with --compare-scratch")


def _with_split_of_config(options: FinetuneOptions, given: Namespace) -> FinetuneOptions:
    """Take the split of the run whose config.yaml is repeated, unless another is given."""
    from dataclasses import replace

    if options.split is not None or given.experiment is None or not given.config:
        return options
    split = Path(str(given.config[-1])).parent / _SPLIT_FILE
    return replace(options, split=str(split)) if split.exists() else options


def _compare(
    output: _OutputOptions, console: Console, experiment: Experiment, data: TrainingData[AnnotatedStudy]
) -> dict[str, str]:
    """Train from random weights, write gain.json and gain.html, and return what to print."""
    from cinema_cmr.core.serialise import json_text
    from cinema_cmr.io.atomic import write_text
    from cinema_cmr.models.weights import load_model
    from cinema_cmr.recipes.scratch import compare_with_scratch
    from cinema_cmr.report.evaluation.gain import gain_page

    folder = Path(output.output)
    with console.bar("compared run, step") as update:
        gain = compare_with_scratch(
            experiment,
            data,
            folder,
            start=load_model(str(experiment.start)),
            n_folds=output.folds,
            report=lambda name, progress: update(
                progress.step, progress.n_expected, f"{name}: {_progress_text(progress)}"
            ),
            note=console.note,
        )
    write_text(folder / "gain.json", json_text(gain), overwrite=True)
    write_text(folder / "gain.html", gain_page(gain), overwrite=True)
    warning = {"warning": gain.warning} if gain.warning else {}
    return {"gain": gain.verdict.text, **warning, "page": str(folder / "gain.html")}


def _progress_text(progress: Progress) -> str:
    minutes = progress.seconds_left / 60
    text = f"loss {progress.loss:.3f}, {progress.samples_per_s:.2f} samples/s, {minutes:.0f} min left"
    parts = [progress_text(progress, text), _scores_text(progress.validation or {}), progress.stopped]
    return "; ".join(filter(None, parts))


def _scores_text(scores: Mapping[str, float]) -> str:
    return ", ".join(_score_text(name, value) for name, value in scores.items())


def _score_text(name: str, value: float) -> str:
    """Return a score of the validation; NaN is one of a structure that was drawn in no held-out study."""
    return f"{name} not drawn" if math.isnan(value) else f"{name} {value:.3f}"
