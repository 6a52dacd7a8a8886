"""`cinema pretrain`: a store of studies without labels in, a masked autoencoder out."""

from __future__ import annotations

from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.expected_end import early_stopping_line, progress_text
from cinema_cmr.commands.options.dataclass_options import add_options, options_from
from cinema_cmr.commands.options.training_data import add_config_options, chosen_experiment, note_other_data
from cinema_cmr.core.errors import RunStoppedError, UsageError
from cinema_cmr.recipes.registry import recipe_list
from cinema_cmr.recipes.training_options import PretrainOptions, option

if TYPE_CHECKING:
    from cinema_cmr.engine.progress import Progress

__all__ = ["add_arguments", "run"]


@dataclass(frozen=True, kw_only=True)
class _OutputOptions:
    group: ClassVar[str] = "output"

    output: str = option(MISSING, short="-o")
    """folder of the run; a run that was interrupted is resumed"""
    json: bool = option(False)
    """print the result as one JSON document"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options of a run, generated from `PretrainOptions`."""
    add_options(parser, PretrainOptions)
    add_options(parser, _OutputOptions)
    add_config_options(parser, f"recipes:\n{recipe_list('pretrain')}")


def run(given: Namespace) -> int:
    """Train to the end and print the model's folder; only the first process prints."""
    from cinema_cmr.engine.ranks import is_first_rank
    from cinema_cmr.recipes.pretrain import change_experiment, open_pretraining_data, pretrain
    from cinema_cmr.tasks.pretrain import PretrainConfig

    options, output = options_from(PretrainOptions, given), options_from(_OutputOptions, given)
    console, folder = Console(as_json=output.json), Path(output.output)
    experiment = change_experiment(chosen_experiment(given, task="pretrain"), options)
    if not isinstance(experiment.task, PretrainConfig):
        raise UsageError(f"recipe '{experiment.name}' does not pre-train; expected one of 'pretrain'")
    data = open_pretraining_data(options, experiment.task, note=console.note)
    note_other_data(given, data, console)
    command = options.command("pretrain", folder)
    try:
        result = pretrain(
            experiment,
            data,
            folder,
            command=command,
            end_now=options.end_now,
            report=lambda progress: _report(console, progress),
        )
    except RunStoppedError:
        if is_first_rank():
            raise
        return 0
    if is_first_rank():
        lines = {"model": str(result.model), **early_stopping_line(result)}
        text = "\n".join(f"{name}: {value}" for name, value in lines.items())
        console.result(text, {**lines, "recipe": experiment.name})
    return 0


def _report(console: Console, progress: Progress) -> None:
    left = f"{progress.images_per_s:.1f} images/s, {_duration(progress.seconds_left)} left"
    done = progress_text(progress, f"loss {progress.loss:.5f}, {left}")
    text = f"step {progress.step}/{progress.n_steps}, {done}"
    if progress.validation:
        text += "; " + ", ".join(f"{name} {value:.5f}" for name, value in progress.validation.items())
    console.note(f"{text}; {progress.stopped}" if progress.stopped else text)


def _duration(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
