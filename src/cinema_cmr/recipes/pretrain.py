"""Pre-training: a store of studies without labels in, a masked autoencoder out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from torch import nn

from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import DatasetCard, Split
from cinema_cmr.data.population import open_population
from cinema_cmr.data.sample import collate
from cinema_cmr.data.store import StoredStudy
from cinema_cmr.data.training_set import TrainingData, split_by_name
from cinema_cmr.engine.trainer import Progress
from cinema_cmr.io.atomic import atomic_path
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.mae import CineMAConfig
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.recipes.run import Report, RunResult, prepare_run
from cinema_cmr.tasks.pretrain import PretrainConfig, PretrainTask
from cinema_cmr.tasks.reconstruction import picture, reconstructed

__all__ = ["open_stores", "pretrain", "stored_data"]

_MAX_PICTURES = 4


def pretrain(
    experiment: Experiment,
    data: TrainingData[StoredStudy],
    folder: Path,
    *,
    start: LoadedModel | str | None = None,
    report: Report | None = None,
) -> RunResult:
    """Train, or resume the run in `folder`, and save the model to `folder/model`.

    `start`: the weights to start from; None for the experiment's own. After each validation `folder/pictures` gets
    reconstructions of the first held-out studies. Raises `WeightsError` for a start of another architecture or size,
    `InputError` for a store without the recipe's views.
    """
    config = experiment.task
    if not isinstance(config, PretrainConfig):
        raise UsageError(f"recipe '{experiment.name}' is for the task '{config.task_name}'; expected one of 'pretrain'")
    data = _with_views(data, config)
    if experiment.train.is_sharded:
        _check_same_views([*data.train, *data.val], config)
    run = prepare_run(experiment, data, folder, start=start)

    def observe(progress: Progress) -> None:
        # Sharded weights can only be used by all processes together.
        if progress.validation and not experiment.train.is_sharded and isinstance(run.task, PretrainTask):
            pictures = folder / "pictures" / f"step-{progress.step:07d}"
            _draw(run.task.network, run.task, run.val[:_MAX_PICTURES], pictures)
        if report is not None:
            report(progress)

    return run.execute(observe)


def open_stores(
    train: Path | str, val: Path | str | None = None, *, title: str = "", licence: str = ""
) -> TrainingData[StoredStudy]:
    """Open a store that `cinema prepare` wrote, and one to validate with: a twentieth of the first if absent.

    `title` and `licence` describe the data in the model's card. Raises the errors of `open_population`.
    """
    studies = open_population(train)
    parts = split_by_name(studies) if val is None else (studies, open_population(val))
    return stored_data(*parts, title=title, licence=licence)


def stored_data(
    train: Sequence[StoredStudy], val: Sequence[StoredStudy] = (), *, title: str = "", licence: str = ""
) -> TrainingData[StoredStudy]:
    """Return stored studies as training data; `title` and `licence` describe them in the model's card."""
    card = DatasetCard(name="store", title=title, licence=licence, citation="", how_to_get="cinema prepare")
    parts = {"train": tuple(study.name for study in train), "validation": tuple(study.name for study in val)}
    split = Split(dataset=card.name, parts=parts, rule="as given, or by a hash of the studies' names")
    return TrainingData(card=card, split=split, train=train, val=val)


def _with_views(data: TrainingData[StoredStudy], config: PretrainConfig) -> TrainingData[StoredStudy]:
    """Leave out the studies that have none of the recipe's views."""
    train, val = ([s for s in part if _views_of(s, config)] for part in (data.train, data.val))
    if not train:
        views = ", ".join(config.grids)
        raise InputError(f"none of {len(data.train)} stored studies has one of the views {views}; prepare some that do")
    return replace(data, train=train, val=val)


def _views_of(study: StoredStudy, config: PretrainConfig) -> tuple[View, ...]:
    return tuple(view for view in config.grids if view in study.views)


def _check_same_views(studies: Sequence[StoredStudy], config: PretrainConfig) -> None:
    """Raise `UsageError` if studies differ in views or tokens: processes that share weights need the same."""
    if config.skip_blank:
        raise UsageError("strategy 'fsdp' needs as many tokens in every study, and blank slices are skipped; use 'ddp'")
    found = {_views_of(study, config) for study in studies}
    if len(found) > 1:
        sets = "; ".join(sorted(", ".join(views) for views in found))
        raise UsageError(f"strategy 'fsdp' needs the same views in every study, here are: {sets}; use 'ddp'")


def _draw(network: nn.Module, task: PretrainTask, studies: Sequence[StoredStudy], stem: Path) -> None:
    """Write a picture of each study's reconstruction by the weights as they now are."""
    was_training = network.training
    network.eval()
    device = next(network.parameters()).device
    for number, study in enumerate(studies):
        batch = collate([task.sample(study, None)]).to(device)
        config = getattr(network, "config", None)
        normalised = isinstance(config, CineMAConfig) and config.normalise_targets
        views = reconstructed(network, batch, task.masks(batch), task.config.token_size, normalised=normalised)
        with atomic_path(stem.with_name(f"{stem.name}-{number}.png"), overwrite=True) as sibling:
            picture(views).save(sibling)
    network.train(was_training)
