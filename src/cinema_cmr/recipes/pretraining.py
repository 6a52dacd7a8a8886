"""Pre-training recipes: each is one function that returns an Experiment."""

from __future__ import annotations

import math

from cinema_cmr.core.card import Grid
from cinema_cmr.core.vocabulary import View
from cinema_cmr.engine.optim import OptimConfig
from cinema_cmr.engine.trainer import TrainConfig
from cinema_cmr.models.mae import CineMAConfig
from cinema_cmr.models.stem import COARSE_STEM, SMALL_STEM, StemConfig
from cinema_cmr.models.vit import VitConfig, vit_size
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.tasks.pretrain import PretrainConfig

__all__ = ["base", "coarse", "pretraining_experiment", "small", "tiny"]

_LONG_AXES = (View.LAX_2C, View.LAX_3C, View.LAX_4C)


def base() -> Experiment:
    """Published size, grid and settings (arXiv 2506.00679: 800 epochs of 74 916 studies, batch 64, 10 of warm-up).

    For GPUs; published weights can be trained further with it.
    """
    per_epoch = math.ceil(74_916 / 64)
    grids = (
        Grid(spacing_mm=1.0, size=(192, 192), slice_spacing_mm=10.0, n_slices=16),
        Grid(spacing_mm=1.0, size=(256, 256)),
    )
    optim = OptimConfig(lr=1e-3, last_lr=1e-6, warmup_steps=10 * per_epoch, clip_norm=5.0, ema_decay=0.0)
    train = TrainConfig(n_steps=800 * per_epoch, batch_size=64, optim=optim)
    return _experiment("base", grids, vit=vit_size("base"), stem=StemConfig(), train=train)


def small() -> Experiment:
    """Smaller network for one CPU or GPU: 1.5 mm, 12 slices 10 mm apart, each slice with tokens of its own."""
    grids = (
        Grid(spacing_mm=1.5, size=(112, 112), slice_spacing_mm=10.0, n_slices=12),
        Grid(spacing_mm=1.5, size=(176, 176)),
    )
    optim = OptimConfig(lr=1e-3, last_lr=1e-6, warmup_steps=500, clip_norm=5.0, ema_decay=0.0)
    return _experiment(
        "small",
        grids,
        vit=vit_size("small"),
        stem=SMALL_STEM,
        train=TrainConfig(n_steps=10_000, batch_size=8, optim=optim),
    )


def coarse() -> Experiment:
    """Half the resolution of `small`, for comparisons on a CPU; runs of the preset `coarse` can start from it."""
    grids = (
        Grid(spacing_mm=3.0, size=(56, 56), slice_spacing_mm=10.0, n_slices=12),
        Grid(spacing_mm=3.0, size=(88, 88)),
    )
    optim = OptimConfig(lr=1e-3, last_lr=1e-6, warmup_steps=300, clip_norm=5.0, ema_decay=0.0)
    train = TrainConfig(n_steps=6000, batch_size=16, optim=optim)
    return _experiment("coarse", grids, vit=vit_size("coarse"), stem=COARSE_STEM, train=train)


def tiny() -> Experiment:
    """Network that trains in seconds, to try the command; its weights are of no use."""
    grids = Grid(spacing_mm=5.0, size=(32, 32), slice_spacing_mm=20.0, n_slices=3), Grid(spacing_mm=5.0, size=(48, 48))
    stem = StemConfig(chans=(4, 6), kernel=(3, 3, 1), n_blocks=1)
    optim = OptimConfig(lr=3e-3, warmup_steps=5, clip_norm=5.0, ema_decay=0.0)
    return _experiment(
        "tiny",
        grids,
        vit=vit_size("tiny"),
        stem=stem,
        train=TrainConfig(n_steps=100, batch_size=2, log_every=10, optim=optim),
    )


def pretraining_experiment(
    name: str, grids: dict[View, Grid], *, vit: VitConfig, stem: StemConfig, train: TrainConfig
) -> Experiment:
    """Return the experiment that pre-trains a masked autoencoder of this size on these grids."""
    sizes = {str(v): (*g.size, g.n_slices) if g.n_slices else tuple(g.size) for v, g in grids.items()}
    return Experiment(
        name=name,
        model_name=f"pretrained-{name}",
        task=PretrainConfig(grids=grids, token_size=stem.token_stride(3)),
        architecture="cinema_mae",
        network=CineMAConfig(image_sizes=sizes, vit=vit, stem=stem),
        train=train,
        save_precision="float32",
    )


def _experiment(
    name: str, grids: tuple[Grid, Grid], *, vit: VitConfig, stem: StemConfig, train: TrainConfig
) -> Experiment:
    """Return an experiment on the short axis and three long-axis views, given the grids of both."""
    sax, lax = grids
    by_view = {View.SAX: sax, **dict.fromkeys(_LONG_AXES, lax)}
    return pretraining_experiment(name, by_view, vit=vit, stem=stem, train=train)
