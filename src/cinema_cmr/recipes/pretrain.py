"""Runs that pre-train the masked autoencoder on a store of studies without labels."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cinema_cmr.core.card import Grid, ModelCard
from cinema_cmr.core.errors import InputError, UsageError, WeightsError, unknown_name
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.sample import collate
from cinema_cmr.data.store import StoredStudy
from cinema_cmr.engine.optim import OptimConfig
from cinema_cmr.engine.ranks import is_first_rank
from cinema_cmr.engine.trainer import Progress, TrainConfig, train
from cinema_cmr.io.atomic import atomic_path
from cinema_cmr.models.architectures import build, config_values
from cinema_cmr.models.layers import checkpoint_activations
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.mae import CineMAConfig
from cinema_cmr.models.stem import COARSE_STEM, SMALL_STEM, StemConfig
from cinema_cmr.models.vit import vit_size
from cinema_cmr.models.weights import save_model
from cinema_cmr.tasks.pretrain import PretrainConfig, PretrainTask
from cinema_cmr.tasks.reconstruction import picture, reconstructed

__all__ = [
    "PRETRAINING_RECIPES",
    "PretrainExperiment",
    "PretrainingData",
    "base",
    "coarse",
    "pretrain",
    "pretraining_recipe",
    "small",
    "split_studies",
    "tiny",
]

_ARCHITECTURE = "cinema_mae"
_LONG_AXES = (View.LAX_2C, View.LAX_3C, View.LAX_4C)
_MOST_PICTURES = 4
_MOST_HELD_OUT = 64


@dataclass(frozen=True, kw_only=True)
class PretrainExperiment:
    """What a pre-training run is made of, apart from its data and its folder."""

    name: str
    task: PretrainConfig
    network: CineMAConfig
    train: TrainConfig
    activation_checkpointing: bool = False
    """Compute blocks again in the backward pass: less memory, more time, the same gradients."""

    def with_train(self, **changes: Any) -> PretrainExperiment:
        """The same experiment with other numbers in its training configuration."""
        return replace(self, train=replace(self.train, **changes))

    def with_options(self, *, normalise_targets: bool = False, **changes: Any) -> PretrainExperiment:
        """The same experiment with another loss or other tokens; `changes` are of its `PretrainConfig`."""
        network = replace(self.network, normalise_targets=normalise_targets)
        return replace(self, network=network, task=replace(self.task, **changes))


@dataclass(frozen=True, kw_only=True)
class PretrainingData:
    """Stored studies to learn from, and others to watch the run by."""

    train: Sequence[StoredStudy]
    val: Sequence[StoredStudy]
    title: str = ""
    licence: str = ""
    """Condition that the weights inherit."""

    def __post_init__(self) -> None:
        if not self.train:
            raise InputError("no study to learn from; expected a store with at least one study of the recipe's views")
        shared = {study.sha256 for study in self.train} & {study.sha256 for study in self.val}
        if shared:
            raise InputError(f"{len(shared)} studies are both learned from and held out; give two stores apart")

    @property
    def sha256(self) -> str:
        """Names what is learned from: a hash over the studies' hashes in their order."""
        return hashlib.sha256("\n".join(study.sha256 for study in self.train).encode()).hexdigest()


def split_studies(
    studies: Sequence[StoredStudy], *, share: float = 0.05
) -> tuple[list[StoredStudy], list[StoredStudy]]:
    """Studies to learn from, and a share to hold out, at most 64, chosen by their names alone.

    At least one is held out of two. A patient's other studies have other names: hold out by patient with two
    stores where that matters.
    """
    n_held = min(_MOST_HELD_OUT, max(1, round(len(studies) * share)), len(studies) - 1)
    by_hash = sorted(studies, key=lambda study: hashlib.sha256(study.name.encode()).hexdigest())
    held = {study.name for study in by_hash[: max(0, n_held)]}
    return [s for s in studies if s.name not in held], [s for s in studies if s.name in held]


def _experiment(
    name: str, size: str, grids: tuple[Grid, Grid], stem: StemConfig, train: TrainConfig
) -> PretrainExperiment:
    sax, lax = grids
    by_view = {View.SAX: sax, **dict.fromkeys(_LONG_AXES, lax)}
    sizes = {str(v): (*g.size, g.n_slices) if g.n_slices else tuple(g.size) for v, g in by_view.items()}
    network = CineMAConfig(image_sizes=sizes, vit=vit_size(size), stem=stem)
    task = PretrainConfig(grids=by_view, token_size=stem.token_stride(3))
    return PretrainExperiment(name=name, task=task, network=network, train=train)


def base() -> PretrainExperiment:
    """The published size, grid and settings (arXiv 2506.00679: 800 epochs of 74 916 studies, batch 64, 10 to warm
    up); meant for GPUs, and what published weights are continued with."""
    per_epoch = math.ceil(74_916 / 64)
    grids = (
        Grid(spacing_mm=1.0, size=(192, 192), slice_spacing_mm=10.0, n_slices=16),
        Grid(spacing_mm=1.0, size=(256, 256)),
    )
    optim = OptimConfig(lr=1e-3, last_lr=1e-6, warmup_steps=10 * per_epoch, clip_norm=5.0, average=0.0)
    train = TrainConfig(n_steps=800 * per_epoch, batch_size=64, optim=optim)
    return _experiment("base", "base", grids, StemConfig(), train)


def small() -> PretrainExperiment:
    """A size of ours for one CPU or GPU: 1.5 mm, 12 slices 10 mm apart, slices apart until the tokens meet."""
    grids = (
        Grid(spacing_mm=1.5, size=(112, 112), slice_spacing_mm=10.0, n_slices=12),
        Grid(spacing_mm=1.5, size=(176, 176)),
    )
    optim = OptimConfig(lr=1e-3, last_lr=1e-6, warmup_steps=500, clip_norm=5.0, average=0.0)
    return _experiment("small", "small", grids, SMALL_STEM, TrainConfig(n_steps=10_000, batch_size=8, optim=optim))


def coarse() -> PretrainExperiment:
    """Half the resolution of `small`, for comparisons on a CPU: the start of the runs of `cinema sweep --coarse`."""
    grids = (
        Grid(spacing_mm=3.0, size=(56, 56), slice_spacing_mm=10.0, n_slices=12),
        Grid(spacing_mm=3.0, size=(88, 88)),
    )
    optim = OptimConfig(lr=1e-3, last_lr=1e-6, warmup_steps=300, clip_norm=5.0, average=0.0)
    train = TrainConfig(n_steps=6000, batch_size=16, optim=optim)
    return _experiment("coarse", "coarse", grids, COARSE_STEM, train)


def tiny() -> PretrainExperiment:
    """To try the machinery in seconds; learns nothing worth keeping."""
    grids = Grid(spacing_mm=5.0, size=(32, 32), slice_spacing_mm=20.0, n_slices=3), Grid(spacing_mm=5.0, size=(48, 48))
    stem = StemConfig(chans=(4, 6), kernel=(3, 3, 1), n_blocks=1)
    optim = OptimConfig(lr=3e-3, warmup_steps=5, clip_norm=5.0, average=0.0)
    return _experiment("tiny", "tiny", grids, stem, TrainConfig(n_steps=100, batch_size=2, log_every=10, optim=optim))


PRETRAINING_RECIPES: dict[str, Callable[[], PretrainExperiment]] = {
    "small": small,
    "base": base,
    "coarse": coarse,
    "tiny": tiny,
}
"""Recipe by name, for the command line. To add a run: a function here and a line in this table."""


def pretraining_recipe(name: str) -> PretrainExperiment:
    """The experiment of a recipe's name; raises `UsageError` for an unknown one."""
    if name not in PRETRAINING_RECIPES:
        raise unknown_name("recipe", name, PRETRAINING_RECIPES)
    return PRETRAINING_RECIPES[name]()


def pretrain(
    experiment: PretrainExperiment,
    data: PretrainingData,
    folder: Path,
    *,
    start: LoadedModel | None = None,
    report: Callable[[Progress], None] | None = None,
) -> Path:
    """Train (or go on with a run cut off in `folder`) and save the model to `folder/model`; returns that path.

    After each validation `folder/pictures` gets what was made of the first held-out studies. `start` gives the
    first weights; raises `WeightsError` where it is of another architecture or size.
    """
    torch.manual_seed(experiment.train.seed)
    model = _first_model(experiment, start)
    checkpoint_activations(model, experiment.activation_checkpointing)
    task = PretrainTask(experiment.task, model)
    learn, validate = ([study for study in part if _is_of(study, task)] for part in (data.train, data.val))
    data = replace(data, train=learn, val=validate)
    if experiment.train.is_sharded:
        _check_same_views([*learn, *validate], task)

    def tell(progress: Progress) -> None:
        # With divided weights no process can ask the model alone.
        if progress.validation and not experiment.train.is_sharded:
            _draw(model, task, validate[:_MOST_PICTURES], folder / "pictures" / f"step-{progress.step:07d}")
        if report is not None:
            report(progress)

    trained = train(task, train=learn, val=validate, config=experiment.train, folder=folder, report=tell)
    if is_first_rank():
        save_model(folder / "model", trained, _card(experiment, data, start), overwrite=True)
    return folder / "model"


def _is_of(study: StoredStudy, task: PretrainTask) -> bool:
    return any(view in study.views for view in task.config.grids)


def _check_same_views(studies: Sequence[StoredStudy], task: PretrainTask) -> None:
    """Raise `UsageError` where studies differ in views or tokens: processes that share out weights need the same."""
    if task.config.skip_blank:
        raise UsageError("strategy 'fsdp' needs as many tokens in every study, and blank slices are skipped; use 'ddp'")
    found = {task.views_of(study) for study in studies}
    if len(found) > 1:
        sets = "; ".join(sorted(", ".join(views) for views in found))
        raise UsageError(f"strategy 'fsdp' needs the same views in every study, here are: {sets}; use 'ddp'")


def _first_model(experiment: PretrainExperiment, start: LoadedModel | None) -> nn.Module:
    model = build(_ARCHITECTURE, config_values(experiment.network))
    if start is None:
        return model
    config = getattr(start.model, "config", None)
    if isinstance(config, CineMAConfig):  # what the loss compares with is no matter of size
        config = replace(config, normalise_targets=experiment.network.normalise_targets)
    if config_values(config) != config_values(experiment.network):
        raise WeightsError(
            f"weights '{start.card.name}' are of {start.card.architecture} in another size than recipe"
            f" '{experiment.name}' ({_ARCHITECTURE}); choose the recipe they were made with"
        )
    model.load_state_dict(start.model.state_dict())
    return model


def _draw(model: nn.Module, task: PretrainTask, studies: Sequence[StoredStudy], stem: Path) -> None:
    """A picture for each study, by the weights as they now are."""
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    for number, study in enumerate(studies):
        batch = collate([task.sample(study, None)]).to(device)
        config = getattr(model, "config", None)
        normalised = isinstance(config, CineMAConfig) and config.normalise_targets
        views = reconstructed(model, batch, task.masks(batch), task.config.token_size, normalised=normalised)
        with atomic_path(stem.with_name(f"{stem.name}-{number}.png"), overwrite=True) as sibling:
            picture(views).save(sibling)
    model.train(was_training)


def _card(experiment: PretrainExperiment, data: PretrainingData, start: LoadedModel | None) -> ModelCard:
    config = experiment.train
    training: dict[str, Any] = {
        "data": data.title,
        "data_sha256": data.sha256,
        "n_studies": len(data.train),
        "recipe": experiment.name,
        "start": "random weights" if start is None else f"{start.card.name} {start.card.weights_sha256[:12]}",
        "mask_ratio": experiment.task.mask_ratio,
        "augmented": experiment.task.augmentation is not None,
        "skip_blank": experiment.task.skip_blank,
        "decoder_token_ratio": experiment.task.decoder_token_ratio,
        "complementary_masks": experiment.task.complementary_masks,
        "seed": config.seed,
        "n_steps": config.n_steps,
        "samples_per_step": config.samples_per_step,
        "precision": config.precision,
        "versions": {name: version(name) for name in ("cinema-cmr", "torch")},
    }
    return ModelCard(
        name=f"pretrained-{experiment.name}",
        task="pretrain",
        architecture=_ARCHITECTURE,
        config=config_values(experiment.network),
        grids=experiment.task.grids,
        training=training,
        licence=data.licence,
    )
