"""Pre-training: a store of studies without labels in, a masked autoencoder or a network of masks out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.core.serialise import to_dict
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy, DatasetCard, Split
from cinema_cmr.data.population import open_population
from cinema_cmr.data.sample import collate
from cinema_cmr.data.store import StoredStudy
from cinema_cmr.data.training_set import TrainingData, joined_card, joined_split, split_by_name
from cinema_cmr.datasets.reading import LabelledSource, Note, ignore_note, open_training_data
from cinema_cmr.engine.progress import Progress
from cinema_cmr.io.atomic import atomic_path
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.weights import model_card
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.recipes.registry import recipe as find_recipe
from cinema_cmr.recipes.run import Report, Run, RunResult, prepare_run
from cinema_cmr.recipes.training_options import PretrainOptions
from cinema_cmr.tasks.pretrain import SMALL_DATA_AUGMENTATION, PretrainConfig, PretrainTask
from cinema_cmr.tasks.reconstruction import picture, reconstructed

__all__ = ["change_experiment", "open_pretraining_data", "open_stores", "pretrain", "stored_data", "with_views"]

_MAX_PICTURES = 4
"""Held-out studies whose reconstructions are drawn after each validation."""
_MAX_VALIDATED_LESSONS = 16
"""Labelled studies that each validation segments, so that it stays short beside an epoch."""


def pretrain(
    recipe: str | Experiment,
    data: str | Path | TrainingData[StoredStudy] | None,
    folder: Path | str,
    *,
    start: LoadedModel | Path | str | None = None,
    report: Report | None = None,
    command: str = "",
    **options: Any,
) -> RunResult:
    """Train, or resume the run in `folder`, and save the model to `folder/model`.

    `recipe`: a name in `recipes.registry`, or an experiment. `data`: a store that `cinema prepare` wrote, or opened
    studies; None for a recipe that learns from lessons alone. `start`: the weights to start from; None for the
    experiment's own. `options`: fields of `PretrainOptions`, e.g. `steps=100`; `command`: the command line to record,
    made from the options if empty. After each validation `folder/pictures` gets reconstructions of the first held-out
    studies.

    Raises `UsageError` for unknown options and for a folder of another run, `WeightsError` for a start of another
    architecture or size, `InputError` for a store without the recipe's views.
    """
    folder = Path(folder)
    start = str(start) if isinstance(start, Path) else start
    source = {} if data is None or isinstance(data, TrainingData) else {"data": str(data)}
    chosen = PretrainOptions.from_keywords(start=start if isinstance(start, str) else None, **source, **options)
    experiment = find_recipe(recipe, task="pretrain") if isinstance(recipe, str) else recipe
    experiment = change_experiment(experiment, chosen)
    config = experiment.task
    if not isinstance(config, PretrainConfig):
        raise UsageError(f"recipe '{experiment.name}' is for the task '{config.task_name}'; expected one of 'pretrain'")
    if not isinstance(data, TrainingData):
        data = open_pretraining_data(chosen, config)
    elif config.lessons is None:
        data = with_views(data, config)
    if config.lessons is not None and config.lessons.teachers:
        data = replace(data, teachers=tuple(map(model_card, config.lessons.teachers)))
    if experiment.train.is_sharded:
        _check_sharded(data, config)
    run = prepare_run(experiment, data, folder, start=start, command=command or chosen.command("pretrain", folder))

    def observe(progress: Progress) -> None:
        # Sharded weights can only be used by all processes together.
        if progress.validation and not experiment.train.is_sharded:
            _draw(run, folder / "pictures" / f"step-{progress.step:07d}")
        if report is not None:
            report(progress)

    return run.execute(observe, end_now=chosen.end_now)


def change_experiment(experiment: Experiment, options: PretrainOptions) -> Experiment:
    """Return the experiment with the values that the options replace; warm-up takes at most a tenth of `steps`."""
    changes = options.changes()
    if options.augment:
        changes = {"task.augmentation": to_dict(SMALL_DATA_AUGMENTATION), **changes}
    if options.teacher:
        if getattr(experiment.task, "lessons", None) is None:
            raise UsageError(
                f"--teacher with the recipe '{experiment.name}', which learns no masks; expected --recipe both or unet"
            )
        changes = {"task.lessons.teachers": list(options.teacher), **changes}
    if options.steps is not None:
        warmup = min(experiment.train.optim.warmup_steps, options.steps // 10)
        changes = {"train.optim.warmup_steps": warmup, **changes}
    return experiment.with_values(changes)


def open_stores(
    train: Path | str, val: Path | str | None = None, *, title: str = "", licence: str = ""
) -> TrainingData[StoredStudy]:
    """Open a store that `cinema prepare` wrote, and one to validate with: a twentieth of the first if absent.

    `title` and `licence` describe the data in the model's card. Raises the errors of `open_population`.
    """
    studies = open_population(train)
    parts = split_by_name(studies) if val is None else (studies, open_population(val))
    data = stored_data(*parts, title=title, licence=licence)
    val_text = None if val is None else str(val)
    return replace(data, source={"data": str(train), "validation": val_text, "title": title, "licence": licence})


def open_pretraining_data(
    options: PretrainOptions, config: PretrainConfig, *, note: Note = ignore_note
) -> TrainingData[Any]:
    """Open the stores of the options, the studies without the recipe's views left out, and the lessons.

    Stored studies and lessons come about equally often in an epoch: the fewer are repeated. `note` receives a message
    for each lesson that is left out. Raises `UsageError` for lessons with a recipe that has none and the other way
    round, and the errors of `open_stores` and of `datasets.reading`.
    """
    _check_sources(options, config)
    stored: TrainingData[StoredStudy] | None = None
    if options.data is not None:
        opened = open_stores(options.data, options.validation, title=options.title, licence=options.licence)
        stored = with_views(opened, config)
    if options.lessons is not None:
        lessons = open_training_data(LabelledSource(data=options.lessons), note=note)
        return _with_lessons(lessons, stored, options.lessons, is_reconstructed=config.masked_weight > 0)
    if stored is None:
        raise UsageError("no store given; expected a folder that `cinema prepare` wrote: --data STORE")
    return stored


def _check_sources(options: PretrainOptions, config: PretrainConfig) -> None:
    """Raise `UsageError` unless the options name the sources that the recipe learns from, and no other."""
    if (options.lessons is None) != (config.lessons is None):
        found = "without --lessons" if options.lessons is None else f"with --lessons {options.lessons}"
        wanted = "a folder of labelled studies" if options.lessons is None else "the recipe both, unet or synthetic"
        raise UsageError(f"pre-training {found}; expected {wanted}, e.g. --recipe both --lessons PHANTOMS")
    unused = [f"--{name}" for name in ("data", "validation") if getattr(options, name) is not None]
    if unused and not config.needs_store:
        raise UsageError(
            f"{' and '.join(unused)} with a recipe that learns from lessons alone; leave out what it ignores"
        )
    if config.needs_store and config.lessons is not None and options.data is None:
        raise UsageError("no store given beside the lessons; expected one: --data STORE, or --recipe synthetic")


def _with_lessons(
    lessons: TrainingData[AnnotatedStudy],
    stored: TrainingData[StoredStudy] | None,
    place: str,
    *,
    is_reconstructed: bool,
) -> TrainingData[Any]:
    """Return both as one: the fewer are repeated, and lessons have names of their own in the split.

    Held-out stored studies are validated where something `is_reconstructed` of them.
    """
    held_out = lessons.val[:_MAX_VALIDATED_LESSONS]
    if stored is None:
        return replace(lessons, val=held_out, source={"lessons": place})
    n_frames = sum(len(study.labelled_frames.get(View.SAX, ())) for study in lessons.train)
    ratio = max(n_frames, 1) / len(stored.train)
    times = [max(1, round(ratio))] * len(stored.train) + [max(1, round(1 / ratio))] * len(lessons.train)
    return TrainingData(
        card=joined_card([stored.card, lessons.card]),
        split=joined_split([stored.split, _as_lessons(lessons.split)]),
        train=[*stored.train, *lessons.train],
        val=[*(stored.val if is_reconstructed else ()), *held_out],
        source={**stored.source, "lessons": place},
        times=times,
    )


def _as_lessons(split: Split) -> Split:
    """Return the split under names that no stored study has: a phantom may be both."""
    parts = {part: tuple(f"lesson {name}" for name in names) for part, names in split.parts.items()}
    return replace(split, parts=parts)


def stored_data(
    train: Sequence[StoredStudy], val: Sequence[StoredStudy] = (), *, title: str = "", licence: str = ""
) -> TrainingData[StoredStudy]:
    """Return stored studies as training data; `title` and `licence` describe them in the model's card."""
    card = DatasetCard(name="store", title=title, licence=licence, citation="", how_to_get="cinema prepare")
    parts = {"train": tuple(study.name for study in train), "validation": tuple(study.name for study in val)}
    split = Split(dataset=card.name, parts=parts, rule="as given, or by a hash of the studies' names")
    return TrainingData(card=card, split=split, train=train, val=val)


def with_views(data: TrainingData[StoredStudy], config: PretrainConfig) -> TrainingData[StoredStudy]:
    """Return the data without the studies that have none of the views; raises `InputError` if none has."""
    train, val = ([s for s in part if _views_of(s, config)] for part in (data.train, data.val))
    if not train:
        views = ", ".join(config.grids)
        raise InputError(f"none of {len(data.train)} stored studies has one of the views {views}; prepare some that do")
    return replace(data, train=train, val=val)


def _views_of(study: StoredStudy, config: PretrainConfig) -> tuple[View, ...]:
    return tuple(view for view in config.grids if view in study.views)


def _check_sharded(data: TrainingData[Any], config: PretrainConfig) -> None:
    """Raise `UsageError` if passes differ in kind, views or tokens: processes that share weights need the same."""
    if config.lessons is not None:
        raise UsageError("strategy 'fsdp' needs the same pass in every process, and lessons are drawn; use 'ddp'")
    if config.skip_blank:
        raise UsageError("strategy 'fsdp' needs as many tokens in every study, and blank slices are skipped; use 'ddp'")
    found = {_views_of(study, config) for study in (*data.train, *data.val)}
    if len(found) > 1:
        sets = "; ".join(sorted(", ".join(views) for views in found))
        raise UsageError(f"strategy 'fsdp' needs the same views in every study, here are: {sets}; use 'ddp'")


def _draw(run: Run, stem: Path) -> None:
    """Write pictures of the first held-out studies as the weights now reconstruct them."""
    task, network = run.task, run.task.network
    if not isinstance(task, PretrainTask):
        return
    was_training = network.training
    network.eval()
    device = next(network.parameters()).device
    stored = [example for example in run.val if isinstance(example, StoredStudy)]
    for number, study in enumerate(stored[:_MAX_PICTURES]):
        batch = collate([task.sample(study, None)]).to(device)
        normalised = bool(run.experiment.network.normalise_targets)
        views = reconstructed(network, batch, task.masks(batch), task.config.token_size, normalised=normalised)
        with atomic_path(stem.with_name(f"{stem.name}-{number}.png"), overwrite=True) as sibling:
            picture(views).save(sibling)
    network.train(was_training)
