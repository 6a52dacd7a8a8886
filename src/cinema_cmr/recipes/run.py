"""A training run of any task: an experiment and its data in, a model folder out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.errors import InputError
from cinema_cmr.core.vocabulary import view_list
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.seen_frames import patients_seen
from cinema_cmr.data.training_set import TrainingData
from cinema_cmr.datasets.reading import Note, ignore_note
from cinema_cmr.engine.early_stopping import BestValidation, check_early_stopping
from cinema_cmr.engine.progress import Progress
from cinema_cmr.engine.ranks import is_first_of, is_first_rank
from cinema_cmr.engine.trainer import train
from cinema_cmr.files.exchange import check_no_links
from cinema_cmr.files.lock import folder_lock
from cinema_cmr.models.adapters import merge_adapters
from cinema_cmr.models.cards import read_card
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.weights import load_model, save_model
from cinema_cmr.recipes.card import create_card
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.recipes.learned_views import with_learned_views
from cinema_cmr.recipes.run_config import record_run, write_config
from cinema_cmr.recipes.start import first_network, other_pixels, with_sizes_of
from cinema_cmr.tasks.registry import create_task
from cinema_cmr.tasks.task import Task

__all__ = ["Report", "Run", "RunResult", "prepare_run"]

Report = Callable[[Progress], None]


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """A finished run."""

    folder: Path
    """Folder of the run: config.yaml, split, journal, checkpoint and model."""
    validation: Mapping[str, float] | None
    """Validation scores of the model's weights; None if there was no validation in this call."""
    n_updates: int | None = None
    """Updates that were made, fewer than the experiment's of a run that ended early; None without a validation."""
    best: BestValidation | None = None
    """Validation that chose the model's weights, of a run with patience; None for the last weights."""

    @property
    def model(self) -> Path:
        """Folder of the trained model."""
        return self.folder / "model"

    @property
    def card(self) -> ModelCard:
        """Card of the trained model."""
        return read_card(self.model)

    def load(self) -> LoadedModel:
        """Return the trained model, ready to predict."""
        return load_model(self.model)


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run that is ready to train: its resolved experiment, the task around the first weights, and the examples."""

    experiment: Experiment
    data: TrainingData[Any]
    folder: Path
    start: LoadedModel | None
    task: Task[Any]
    train: Sequence[Any]
    val: Sequence[Any]

    command: str = ""
    """Command line, for the record of the run."""

    def execute(self, report: Report | None = None, *, end_now: bool = False) -> RunResult:
        """Train to the end, or resume from the folder's checkpoint, and save the model to `folder/model`.

        With `end_now` the model is that of the checkpoint, without another update. Raises `InputError` while another
        process trains into the folder, `UsageError` if there is no checkpoint to end at.
        """
        is_first = is_first_of(self.experiment.train.world_size)
        with folder_lock(self.folder) if is_first else nullcontext():
            check_no_links(self.folder, [Path("model") / "card.json"])
            if is_first:
                record = record_run(self.data, self.start, command=self.command)
                write_config(self.folder, self.experiment, self.data, record)
            return self._execute(report, end_now)

    def _execute(self, report: Report | None, end_now: bool) -> RunResult:
        last: list[Progress] = []

        def observe(progress: Progress) -> None:
            last[:] = [progress] if progress.validation else last
            if report is not None:
                report(progress)

        experiment = self.experiment
        trained = train(
            self.task,
            train=self.train,
            val=self.val,
            config=experiment.train,
            folder=self.folder,
            report=observe,
            end_now=end_now,
        )
        merge_adapters(trained)
        end = last[0] if last else None
        card = create_card(experiment, self.task.card_fields(), self.data, start=self.start, end=end)
        result = RunResult(folder=self.folder, validation=None)
        if end is not None:
            result = replace(result, validation=end.scores_of_weights, n_updates=end.step, best=end.best)
        if is_first_rank():
            save_model(result.model, trained, card, precision=experiment.save_precision, overwrite=True)
        return result


def prepare_run(
    experiment: Experiment,
    data: TrainingData[Any],
    folder: Path,
    *,
    start: LoadedModel | str | None = None,
    command: str = "",
    note: Note = ignore_note,
) -> Run:
    """Resolve an experiment on this machine, load its first weights and make its examples.

    `start`: the model to start from; None for the experiment's own. `command`: for the record in config.yaml. `note`
    receives that the run has the start's sizes and structures, which views neither a study nor the start has, that a
    start has seen pixels of another size or held-out patients, how many studies the task can learn nothing from, and
    that no held-out study is left.
    Raises `InputError` if these are all training studies, `UsageError` for patience without held-out studies, and the
    errors of `recipes.start.first_network`.
    """
    name = start if start is not None else experiment.start
    loaded = load_model(name) if isinstance(name, str) else name
    resolved = experiment.resolved(start=name.card.name if isinstance(name, LoadedModel) else name)
    of_recipe, resolved = resolved, with_sizes_of(resolved, loaded)
    if resolved.network != of_recipe.network:
        note("the network has the sizes of the start, in place of the recipe's")
    if resolved.task != of_recipe.task:
        note("the run learns the structures of the start, atria too, in place of the recipe's")
    resolved, unseen = with_learned_views(resolved, data.train, loaded)
    if unseen:
        note(f"no training study has labels of the {view_list(unseen, 'or')} view: the model does not have it")
    if said := other_pixels(resolved, loaded):
        note(said)
    if loaded is not None and (said := _seen_by(loaded.card, data.val)):
        note(said)
    task = create_task(resolved.task, first_network(resolved, loaded), data.train)
    taught = [[*task.examples(study)] for study in data.train]
    held_out = [[*task.examples(study)] for study in data.val]
    times = data.times or [1] * len(data.train)
    examples = [example for own, n in zip(taught, times, strict=True) for example in own * n]
    if not examples:
        raise InputError(
            f"none of {len(data.train)} training studies has what recipe '{experiment.name}' needs; expected its views"
            " with the labels of its task"
        )
    task.check_examples(examples)
    val = [example for own in held_out for example in own]
    if resolved.train.patience:  # before anything of the run is written
        check_early_stopping(task, val)
    _note_unused(data, taught, held_out, resolved.name, note)
    return Run(
        experiment=resolved,
        data=data,
        folder=folder,
        start=loaded,
        task=task,
        train=task.oversampled(examples),
        val=val,
        command=command,
    )


def _seen_by(card: ModelCard, held_out: Sequence[Any]) -> str:
    """Say how many of the held-out patients a start has seen; empty for none, and where it cannot be said."""
    labelled = [study for study in held_out if isinstance(study, AnnotatedStudy)]
    seen = patients_seen(card, labelled)
    n_patients = len({study.patient for study in labelled})
    sentence = "" if seen is None else seen.sentence(f"the start {card.name}", n_patients)
    return f"held out: {sentence}" if sentence else ""


def _note_unused(
    data: TrainingData[Any],
    taught: Sequence[Sequence[Any]],
    held_out: Sequence[Sequence[Any]],
    recipe: str,
    note: Note,
) -> None:
    _note_left_out("training", data.train, taught, recipe, note)
    _note_left_out("held-out", data.val, held_out, recipe, note)
    named = any(patients for part, patients in data.split.parts.items() if part != "train")
    if named and not any(held_out):
        note("no held-out study is left to score: the run ends without a validation of its model")


def _note_left_out(
    part: str, studies: Sequence[Any], examples: Sequence[Sequence[Any]], recipe: str, note: Note
) -> None:
    without = [study for study, own in zip(studies, examples, strict=True) if not own]
    if without:
        note(
            f"left out: {len(without)} of {len(studies)} {part} studies, e.g. {without[0].study.name}, in which recipe"
            f" '{recipe}' finds nothing to learn: no labels of its views, or no value of its target"
        )
