"""Fine-tuning: labelled studies in, a model folder that `cinema analyse --model` takes out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from cinema_cmr.core.errors import UsageError
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.training_set import TrainingData, join_training_data
from cinema_cmr.datasets.reading import LabelledSource, Note, ignore_note, open_training_data, write_run_split
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.recipes.presets import with_preset
from cinema_cmr.recipes.registry import recipe as find_recipe
from cinema_cmr.recipes.run import Report, RunResult, prepare_run
from cinema_cmr.recipes.scalars import with_target
from cinema_cmr.recipes.teacher import NO_TEACHER, chosen_teacher, with_teacher
from cinema_cmr.recipes.training_options import FinetuneOptions
from cinema_cmr.tasks.registry import task_type

__all__ = ["TrainingData", "change_experiment", "finetune", "open_labelled_data"]


def finetune(
    recipe: str | Experiment,
    data: str | Path | TrainingData[AnnotatedStudy],
    folder: Path | str,
    *,
    start: LoadedModel | Path | str | None = None,
    report: Report | None = None,
    note: Note = ignore_note,
    command: str = "",
    **options: Any,
) -> RunResult:
    """Train, or resume the run in `folder`, and save the model to `folder/model`.

    `recipe`: a name in `recipes.registry`, or an experiment. `data`: NAME:FOLDER of a dataset, a folder of images with
    masks, or studies in memory. `start`: weights of the experiment's architecture and configuration, or a pre-trained
    autoencoder; None for the experiment's own. `options`: fields of `FinetuneOptions`, e.g. `steps=100, lr=1e-3`;
    `teacher` None is the start, where it can stand in for what was not drawn and the data has no teacher's labels yet.
    `report` receives the progress, `note` a message for each study that is left out; `command` is recorded in
    config.yaml, and made from the options if empty.

    Raises `UsageError` for unknown options and for a folder of another run, `WeightsError` if the start does not fit,
    `InputError` if no training study has the labels of the task.
    """
    folder = Path(folder)
    start = str(start) if isinstance(start, Path) else start
    source = {} if isinstance(data, TrainingData) else {"data": str(data)}
    chosen = FinetuneOptions.from_keywords(start=start if isinstance(start, str) else None, **source, **options)
    experiment = find_recipe(recipe) if isinstance(recipe, str) else recipe
    experiment = change_experiment(experiment, chosen, start=start)
    if not isinstance(data, TrainingData):
        data = open_labelled_data(chosen, experiment, folder, start=start, note=note)
    elif chosen.teacher is not None or not data.teachers:
        data = _taught(data, chosen, experiment, folder, start=start, note=note)
    if chosen.target is not None:
        experiment = with_target(experiment, chosen.target, data.train)
    return prepare_run(
        experiment, data, folder, start=start, command=command or chosen.command("finetune", folder), note=note
    ).execute(report, end_now=chosen.end_now)


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
    options: FinetuneOptions,
    experiment: Experiment,
    folder: Path,
    *,
    start: LoadedModel | str | None = None,
    note: Note = ignore_note,
) -> TrainingData[AnnotatedStudy]:
    """Open the data of the options for a run in `folder`, where the split and the teacher's labels are kept.

    `start`: the run's, which is its teacher if no other is given; None for the experiment's own. Raises `UsageError`
    for options that contradict each other, and the errors of `datasets.reading`.
    """
    if options.data is None:
        raise UsageError("no data given; expected NAME:FOLDER of a dataset or a folder of images with masks: --data")
    if options.cycles and options.teacher in (None, NO_TEACHER):
        raise UsageError("--cycles without a teacher; unlabelled frames are learned from its labels: give --teacher")
    parts = [_open_part(data, options, experiment, folder, note) for data in (options.data, *options.add_data)]
    joined = join_training_data(parts, times=dict(map(_parse_repeat, options.repeat)))
    if len(parts) > 1:
        write_run_split(joined.split, folder)
    source = {name: getattr(options, name) for name in _DATA_OPTIONS if getattr(options, name)}
    joined = replace(joined, source={**parts[0].source, **source})
    return _taught(joined, options, experiment, folder, start=start, note=note)


def _taught(
    data: TrainingData[AnnotatedStudy],
    options: FinetuneOptions,
    experiment: Experiment,
    folder: Path,
    *,
    start: LoadedModel | str | None,
    note: Note,
) -> TrainingData[AnnotatedStudy]:
    """Return the data with the labels of the chosen teacher, if there is one; its name is recorded with the data."""
    teacher = chosen_teacher(options, experiment, data.train, start=start, note=note)
    if teacher is None:
        return data
    taught = with_teacher(data, teacher, experiment, folder, tta=options.teacher_tta, note=note)
    named = {"teacher": teacher} if data.source and isinstance(teacher, str) else {}
    return replace(taught, source={**data.source, **named})


_DATA_OPTIONS = ("add_data", "repeat", "cycles", "teacher", "teacher_tta")


def _open_part(
    data: str, options: FinetuneOptions, experiment: Experiment, folder: Path, note: Note
) -> TrainingData[AnnotatedStudy]:
    """Open one of the data sets; the split file is that of the first, and of a run with one alone in its folder."""
    first = data == options.data
    source = LabelledSource(
        data=data,
        split=Path(options.split) if options.split is not None and first else None,
        n_train=options.n_train if first else None,
        seed=experiment.train.seed,
        codes=options.codes if first else (),
        labelled_only=task_type(experiment.task.task_name).needs_annotations,
        cycles=options.cycles,
    )
    return open_training_data(source, None if options.add_data else folder, note=note)


def _parse_repeat(text: str) -> tuple[str, int]:
    """Return name and number of NAME=TIMES."""
    name, _, times = text.partition("=")
    if not times.isdecimal():
        raise UsageError(f"--repeat {text}; expected NAME=TIMES, e.g. acdc=4")
    return name, int(times)
