"""Presets: other sizes of every recipe, for two CPU cores or for a GPU.

`medium` keeps the networks on pixels of 2 mm, `coarse` halves the resolution and narrows them; results of one preset
can be compared with each other. `smoke` shows that everything runs from end to end; its numbers are no result of the
models. `base` is the published size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from cinema_cmr.core.card import Grid
from cinema_cmr.core.errors import UsageError, unknown_name
from cinema_cmr.core.vocabulary import View
from cinema_cmr.engine.optim import OptimConfig
from cinema_cmr.engine.trainer import TrainConfig
from cinema_cmr.models.baselines import UNet2dConfig
from cinema_cmr.models.convvit import ConvViTConfig
from cinema_cmr.models.resnet import ResNetConfig
from cinema_cmr.models.stem import COARSE_STEM, SMALL_STEM, StemConfig
from cinema_cmr.models.unetr import ConvUNetRConfig
from cinema_cmr.models.vit import VitConfig, vit_size
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.recipes.pretraining import pretraining_experiment
from cinema_cmr.recipes.published_size import at_published_size
from cinema_cmr.recipes.training_options import PRESETS

__all__ = ["COARSE", "MEDIUM", "SMOKE", "STEPS", "Reduction", "smaller", "smoke_pretraining", "with_preset"]

_RATE = 1e-3

STEPS = 100
"""Updates of every run of the preset `smoke` by default."""


@dataclass(frozen=True, kw_only=True)
class Reduction:
    """Widths of the networks on the coarser grid; a token has 24 mm to a side, as in the recipe `small`."""

    stem: StemConfig
    vit: VitConfig
    decoder: tuple[int, ...]
    """Channels of a ConvUNetR's decoder, from full resolution down."""
    unet: tuple[int, ...]
    resnet: tuple[int, int, int, int]
    steps: int | None = None
    """Updates of a run; None for the recipe's own number."""
    factor: float = 2.0
    """Factor of the pixel size."""
    multiple: int = 1
    """Sides of the grids are rounded to a multiple of so many pixels."""

    def network(self, network: object) -> object:
        """Return a smaller configuration of the same class; raises `UsageError` for a class that has none."""
        if isinstance(network, ConvUNetRConfig):
            sizes = self._smaller_sizes(network.image_sizes)
            return replace(network, image_sizes=sizes, stem=self.stem, vit=self.vit, dec_chans=self.decoder)
        if isinstance(network, ConvViTConfig):
            sizes = self._smaller_sizes(network.image_sizes)
            return replace(network, image_sizes=sizes, stem=self.stem, vit=self.vit, drop_path=0.0)
        if isinstance(network, UNet2dConfig):
            return replace(network, chans=self.unet)
        if isinstance(network, ResNetConfig):
            return replace(network, depth=10, widths=self.resnet)
        raise UsageError(f"a {type(network).__name__} has no smaller size; run the recipe without --preset")

    def grid(self, grid: Grid) -> Grid:
        """Return a grid of larger pixels over about the same field of view."""
        x, y = (self._side(n) for n in grid.size)
        return replace(grid, spacing_mm=grid.spacing_mm * self.factor, size=(x, y))

    def _smaller_sizes(self, sizes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
        return {view: (self._side(x), self._side(y), *z) for view, (x, y, *z) in sizes.items()}

    def _side(self, n: int) -> int:
        return int(n / self.factor / self.multiple) * self.multiple


SMOKE = Reduction(
    stem=StemConfig(patch_size=(2, 2, 1), chans=(16, 32), kernel=(5, 5, 1), n_blocks=1),
    vit=VitConfig(dim=64, depth=2, heads=4, dec_dim=32, dec_depth=1, dec_heads=2),
    decoder=(8, 16, 32, 64),
    unet=(8, 16, 32, 64),
    resnet=(8, 16, 32, 64),
    steps=STEPS,
)
"""For runs of seconds."""

COARSE = Reduction(
    stem=COARSE_STEM,
    vit=vit_size("coarse"),
    decoder=(16, 32, 64, 128),
    unet=(24, 48, 96, 192),
    resnet=(24, 48, 96, 192),
)
"""For updates of half a second a stack on one core; can start from the pre-training recipe `coarse`."""

MEDIUM = Reduction(
    stem=SMALL_STEM,
    vit=vit_size("small"),
    decoder=(16, 32, 64, 128, 256),
    unet=(32, 64, 128, 256, 320),
    resnet=(64, 128, 256, 512),
    factor=4 / 3,
    multiple=16,
)
"""The whole networks on pixels of 2 mm, for comparisons on two CPU cores; can start from the recipe `both`."""

_REDUCTIONS: dict[str | None, Reduction] = {"coarse": COARSE, "medium": MEDIUM, "smoke": SMOKE}


def with_preset(experiment: Experiment, preset: str | None, *, steps: int | None = None) -> Experiment:
    """Return the experiment at the size of a preset, with `steps` updates if that is given.

    With `steps` there is no validation before the last one. Raises `UsageError` for an unknown preset, and for a
    network that has no such size.
    """
    if preset is not None and preset not in PRESETS:
        raise unknown_name("preset", preset, PRESETS)
    if preset in _REDUCTIONS:
        return smaller(experiment, _REDUCTIONS[preset], n_steps=steps)
    sized = experiment if preset is None else at_published_size(experiment)
    return sized if steps is None else sized.with_train(n_steps=steps, validate_every=steps)


def smaller(experiment: Experiment, reduction: Reduction = SMOKE, *, n_steps: int | None = None) -> Experiment:
    """Return the experiment on half the pixels to a side, with a narrower network of the same architecture.

    `n_steps` overrides the reduction's own number; at most a tenth of a run is warm-up.
    """
    train = experiment.train
    steps = n_steps or reduction.steps or train.n_steps
    optim = replace(train.optim, warmup_steps=min(train.optim.warmup_steps, steps // 10))
    if reduction.steps is not None:  # so few steps need a high rate, and an average that soon drops the first ones
        optim = replace(optim, lr=_RATE, ema_decay=0.95)
    every = min(steps, train.checkpoint_every)
    coarser = replace(experiment, network=reduction.network(experiment.network)).with_grids(
        lambda _, grid: reduction.grid(grid)
    )
    return coarser.with_train(n_steps=steps, validate_every=steps, checkpoint_every=every, optim=optim)


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
