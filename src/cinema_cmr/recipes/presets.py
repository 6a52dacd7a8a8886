"""The same runs made small enough for two CPU cores: the grid twice as coarse, narrower networks.

`COARSE` is a form whose results can be compared with each other, at half the resolution of a recipe; `SMOKE` shows that
everything runs end to end, and roughly how hard a task is: no result of the models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cinema_cmr.core.card import Grid
from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.engine.optim import OptimConfig
from cinema_cmr.engine.trainer import TrainConfig
from cinema_cmr.models.baselines import UNet2dConfig
from cinema_cmr.models.convvit import ConvViTConfig
from cinema_cmr.models.resnet import ResNetConfig
from cinema_cmr.models.stem import COARSE_STEM, StemConfig
from cinema_cmr.models.unetr import ConvUNetRConfig
from cinema_cmr.models.vit import VitConfig, vit_size
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.recipes.pretraining import pretraining_experiment

__all__ = ["COARSE", "SMOKE", "STEPS", "Reduction", "smaller", "smoke_pretraining"]

_FACTOR = 2
_RATE = 1e-3

STEPS = 100
"""Updates of every run of the smoke form, unless others are asked for."""


@dataclass(frozen=True, kw_only=True)
class Reduction:
    """Widths of the networks on the coarser grid; tokens have 24 mm to a side, as those of the recipe `small`."""

    stem: StemConfig
    vit: VitConfig
    decoder: tuple[int, ...]
    """Channels of a ConvUNetR's decoder, from full resolution down."""
    unet: tuple[int, ...]
    resnet: tuple[int, int, int, int]
    steps: int | None = None
    """Updates of a run; None leaves each recipe its own number."""

    def network(self, network: Any) -> Any:
        """The configuration of a network of the same kind; raises `UsageError` for one without a small form."""
        if isinstance(network, ConvUNetRConfig):
            sizes = _half(network.image_sizes)
            return replace(network, image_sizes=sizes, stem=self.stem, vit=self.vit, dec_chans=self.decoder)
        if isinstance(network, ConvViTConfig):
            sizes = _half(network.image_sizes)
            return replace(network, image_sizes=sizes, stem=self.stem, vit=self.vit, drop_path=0.0)
        if isinstance(network, UNet2dConfig):
            return replace(network, chans=self.unet)
        if isinstance(network, ResNetConfig):
            return replace(network, depth=10, widths=self.resnet)
        raise UsageError(f"no small form of a {type(network).__name__}; run the whole recipe, without --preset")


SMOKE = Reduction(
    stem=StemConfig(patch_size=(2, 2, 1), chans=(16, 32), kernel=(5, 5, 1), n_blocks=1),
    vit=VitConfig(dim=64, depth=2, heads=4, dec_dim=32, dec_depth=1, dec_heads=2),
    decoder=(8, 16, 32, 64),
    unet=(8, 16, 32, 64),
    resnet=(8, 16, 32, 64),
    steps=STEPS,
)
"""Runs in seconds."""

COARSE = Reduction(
    stem=COARSE_STEM,
    vit=vit_size("coarse"),
    decoder=(16, 32, 64, 128),
    unet=(24, 48, 96, 192),
    resnet=(24, 48, 96, 192),
)
"""A stack's update takes half a second on one core; can start from the pre-training recipe `coarse`."""


def smaller(experiment: Experiment, reduction: Reduction = SMOKE, *, n_steps: int | None = None) -> Experiment:
    """The experiment on half the pixels to a side, with a narrower network of the same architecture.

    `n_steps` goes before the reduction's own number; what warms up is at most a tenth of a run.
    """
    train = experiment.train
    steps = n_steps or reduction.steps or train.n_steps
    warmup = min(train.optim.warmup_steps, steps // 10)
    optim = replace(train.optim, warmup_steps=warmup)
    if reduction.steps is not None:  # so few steps need a high rate, and the first are to be forgotten soon
        optim = replace(optim, lr=_RATE, ema_decay=0.95)
    every = min(steps, train.checkpoint_every)
    train = replace(train, n_steps=steps, validate_every=steps, checkpoint_every=every, optim=optim)
    coarser = experiment.with_grids(lambda _, grid: _coarser(grid))
    return replace(coarser, network=reduction.network(experiment.network), train=train)


def smoke_pretraining(*, n_steps: int = STEPS, seed: int = 0) -> Experiment:
    """Return the pre-training of an autoencoder whose stems and encoder fit the networks of `SMOKE`."""
    lax = Grid(spacing_mm=3.0, size=(72, 72))
    sax = Grid(spacing_mm=3.0, size=(56, 56), slice_spacing_mm=10.0, n_slices=12)
    train = TrainConfig(
        n_steps=n_steps,
        batch_size=4,
        seed=seed,
        accelerator="cpu",
        precision="fp32",
        validate_every=n_steps,
        checkpoint_every=n_steps,
        optim=OptimConfig(lr=_RATE, warmup_steps=n_steps // 10, clip_norm=5.0, ema_decay=0.0),
    )
    grids = {View.SAX: sax, View.LAX_2C: lax, View.LAX_4C: lax}
    return pretraining_experiment("smoke", grids, vit=SMOKE.vit, stem=SMOKE.stem, train=train)


def _coarser(grid: Grid) -> Grid:
    x, y = grid.size
    return replace(grid, spacing_mm=grid.spacing_mm * _FACTOR, size=(x // _FACTOR, y // _FACTOR))


def _half(sizes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    return {view: (x // _FACTOR, y // _FACTOR, *z) for view, (x, y, *z) in sizes.items()}
