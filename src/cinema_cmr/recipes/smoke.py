"""The same runs made small enough for two CPU cores: the grid twice as coarse, narrow networks, few steps.

What comes out shows that everything runs end to end, and roughly how hard a task is; it is no result of the models.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from cinema_cmr.core.card import Grid
from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.engine.optim import OptimConfig
from cinema_cmr.engine.trainer import TrainConfig
from cinema_cmr.models.baselines import UNet2dConfig
from cinema_cmr.models.convvit import ConvViTConfig
from cinema_cmr.models.mae import CineMAConfig
from cinema_cmr.models.resnet import ResNetConfig
from cinema_cmr.models.stem import StemConfig
from cinema_cmr.models.unetr import ConvUNetRConfig
from cinema_cmr.models.vit import VitConfig
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.recipes.pretrain import PretrainExperiment
from cinema_cmr.tasks.pretrain import PretrainConfig
from cinema_cmr.tasks.segment import SegmentConfig

__all__ = ["STEPS", "small_pretraining", "smaller"]

_FACTOR = 2
_STEM = StemConfig(patch_size=(2, 2, 1), chans=(16, 32), kernel=(5, 5, 1), n_blocks=1)
_VIT = VitConfig(dim=64, depth=2, heads=4, dec_dim=32, dec_depth=1, dec_heads=2)
_DECODER = (8, 16, 32, 64)
_WIDTHS = (8, 16, 32, 64)
_RATE = 1e-3

STEPS = 100
"""Updates of every run, unless others are asked for."""


def smaller(experiment: Experiment, *, n_steps: int = STEPS) -> Experiment:
    """The experiment on half the pixels to a side, with a narrow network of the same architecture."""
    task, network = experiment.task, experiment.network
    if isinstance(task, SegmentConfig):
        small_task: Any = replace(task, grid=_coarser(task.grid))
    else:
        small_task = replace(task, grids={view: _coarser(grid) for view, grid in task.grids.items()})
    kind = type(network)
    if kind not in _NARROWED:
        raise UsageError(f"no small form of a {kind.__name__}; run recipe '{experiment.name}' without --smoke")
    optim = replace(experiment.train.optim, lr=_RATE, warmup_steps=n_steps // 10, average=0.95)
    train = replace(experiment.train, n_steps=n_steps, validate_every=n_steps, checkpoint_every=n_steps, optim=optim)
    return replace(experiment, task=small_task, network=_NARROWED[kind](network), train=train)


def small_pretraining(*, n_steps: int = STEPS, seed: int = 0) -> PretrainExperiment:
    """A masked autoencoder whose stems and encoder fit the networks of `smaller`."""
    sax = Grid(spacing_mm=3.0, size=(56, 56), slice_spacing_mm=10.0, n_slices=12)
    lax = Grid(spacing_mm=3.0, size=(72, 72))
    grids = {View.SAX: sax, View.LAX_2C: lax, View.LAX_4C: lax}
    sizes = {str(view): (*grid.size, grid.n_slices) if grid.n_slices else grid.size for view, grid in grids.items()}
    return PretrainExperiment(
        name="smoke",
        task=PretrainConfig(grids=grids, token_size=_STEM.token_stride(3)),
        network=CineMAConfig(image_sizes=sizes, vit=_VIT, stem=_STEM),
        train=TrainConfig(
            n_steps=n_steps,
            batch_size=4,
            seed=seed,
            accelerator="cpu",
            precision="fp32",
            validate_every=n_steps,
            checkpoint_every=n_steps,
            optim=OptimConfig(lr=_RATE, warmup_steps=n_steps // 10, clip_norm=5.0, average=0.0),
        ),
    )


def _coarser(grid: Grid) -> Grid:
    x, y = grid.size
    return replace(grid, spacing_mm=grid.spacing_mm * _FACTOR, size=(x // _FACTOR, y // _FACTOR))


def _half(sizes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    return {view: (x // _FACTOR, y // _FACTOR, *z) for view, (x, y, *z) in sizes.items()}


def _narrow_unetr(network: ConvUNetRConfig) -> ConvUNetRConfig:
    sizes = _half(network.image_sizes)
    return replace(network, image_sizes=sizes, stem=_STEM, vit=_VIT, dec_chans=_DECODER)


def _narrow_vit(network: ConvViTConfig) -> ConvViTConfig:
    return replace(network, image_sizes=_half(network.image_sizes), stem=_STEM, vit=_VIT, drop_path=0.0)


def _narrow_unet(network: UNet2dConfig) -> UNet2dConfig:
    return replace(network, chans=_WIDTHS)


def _narrow_resnet(network: ResNetConfig) -> ResNetConfig:
    return replace(network, depth=10, widths=_WIDTHS)


_NARROWED: Mapping[type, Callable[[Any], Any]] = {
    ConvUNetRConfig: _narrow_unetr,
    ConvViTConfig: _narrow_vit,
    UNet2dConfig: _narrow_unet,
    ResNetConfig: _narrow_resnet,
}
