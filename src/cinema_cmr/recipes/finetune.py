"""Fine-tuning: labelled studies in, a model folder that `cinema analyse --model` takes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cinema_cmr.core.errors import UsageError
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.training_set import TrainingData
from cinema_cmr.datasets.reading import LabelledSource, Note, ignore_note, open_training_data
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.recipes.presets import with_preset
from cinema_cmr.recipes.registry import recipe as find_recipe
from cinema_cmr.recipes.run import Report, RunResult, prepare_run
from cinema_cmr.recipes.scalars import with_target
from cinema_cmr.recipes.training_options import FinetuneOptions
from cinema_cmr.tasks.registry import task_type

__all__ = ["TrainingData", "change_experiment", "finetune", "open_labelled_data"]


def finetune(
    recipe: str | Experiment,
    data: str | Path | TrainingData[AnnotatedStudy],
    folder: Path | str,
    *,
    start: LoadedModel | str | None = None,
    report: Report | None = None,
    note: Note = ignore_note,
    command: str = "",
    **options: Any,
) -> RunResult:
    """Train, or resume the run in `folder`, and save the model to `folder/model`.

    `recipe`: a name in `recipes.registry`, or an experiment. `data`: NAME:FOLDER of a dataset, a folder of images with
    masks, or studies in memory. `start`: weights of the experiment's architecture and configuration, or a pre-trained
    autoencoder; None for the experiment's own. `options`: fields of `FinetuneOptions`, e.g. `steps=100, lr=1e-3`.
    `report` receives the progress, `note` a message for each study that is left out; `command` is recorded in
    config.yaml, and made from the options if empty.

    Raises `UsageError` for unknown options and for a folder of another run, `WeightsError` if the start does not fit,
    `InputError` if no training study has the labels of the task.
    """
    folder = Path(folder)
    source = {} if isinstance(data, TrainingData) else {"data": str(data)}
    chosen = FinetuneOptions.from_keywords(start=start if isinstance(start, str) else None, **source, **options)
    experiment = find_recipe(recipe) if isinstance(recipe, str) else recipe
    experiment = change_experiment(experiment, chosen, start=start)
    if not isinstance(data, TrainingData):
        data = open_labelled_data(chosen, experiment, folder, note=note)
    if chosen.target is not None:
        experiment = with_target(experiment, chosen.target, data.train)
    return prepare_run(
        experiment, data, folder, start=start, command=command or chosen.command("finetune", folder)
    ).execute(report)


def change_experiment(
    experiment: Experiment, options: FinetuneOptions, *, start: LoadedModel | str | None = None
) -> Experiment:
    """Return the experiment with the values that the options replace, but for the target, which needs the data.

    Raises `UsageError` for an option that keeps pre-trained weights if training starts from random ones.
    """
    changed = with_preset(experiment, options.preset).with_values(options.changes())
    if start is None and changed.start is None and options.that_need_a_start:
        raise UsageError(f"{options.that_need_a_start[0]} without weights to start from; give them as --from WEIGHTS")
    return changed


def open_labelled_data(
    options: FinetuneOptions, experiment: Experiment, folder: Path, *, note: Note = ignore_note
) -> TrainingData[AnnotatedStudy]:
    """Open the data of the options for a run in `folder`, where the split is kept."""
    if options.data is None:
        raise UsageError("no data given; expected NAME:FOLDER of a dataset or a folder of images with masks: --data")
    source = LabelledSource(
        data=options.data,
        split=None if options.split is None else Path(options.split),
        n_train=options.n_train,
        seed=experiment.train.seed,
        labelled_only=task_type(experiment.task.task_name).needs_annotations,
    )
    return open_training_data(source, folder, note=note)
