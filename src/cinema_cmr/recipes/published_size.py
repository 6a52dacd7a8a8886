"""Recipes at the published size: grids of 1 mm, the base encoder and its learning rates; for GPUs.

They can start from the published encoder (`hf:mathpluscode/CineMA/pretrained`) or a run of `cinema pretrain --recipe
base`. Grids, networks, learning rates, layer decay and gradient clipping are those of the paper (arXiv 2506.00679),
except for 16 samples an update rather than 64. Task, augmentation, number of updates and EMA are the recipe's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from cinema_cmr.core.card import Grid
from cinema_cmr.core.vocabulary import View
from cinema_cmr.engine.optim import OptimConfig
from cinema_cmr.models.convvit import ConvViTConfig
from cinema_cmr.models.unetr import ConvUNetRConfig
from cinema_cmr.models.vit import vit_size
from cinema_cmr.recipes.experiment import Experiment

__all__ = ["PUBLISHED_OPTIM", "at_published_size", "has_published_size"]

PUBLISHED_OPTIM = OptimConfig(lr=1e-3, last_lr=1e-5, warmup_steps=100, clip_norm=5.0, layer_decay=0.75)
"""As published, except for the warm-up and the EMA of the weights."""

_SAX_SIZE, _N_SLICES = (192, 192), 16
_LAX_SIZE = (256, 256)
_BATCH, _ACCUMULATE = 8, 2


def has_published_size(experiment: Experiment) -> bool:
    """Return whether the experiment's network has an encoder, so that a published one fits it."""
    return isinstance(experiment.network, ConvUNetRConfig | ConvViTConfig)


def at_published_size(experiment: Experiment) -> Experiment:
    """Return the experiment on the published grids, with the published network of its architecture.

    A network without an encoder (a U-Net, a ResNet) keeps its widths, with the same grids, batches and rates, for
    comparison.
    """
    larger = replace(experiment, name=f"{experiment.name}-base", network=_base_network(experiment.network))
    return larger.with_grids(_base_grid).with_train(
        batch_size=_BATCH, gradient_accumulation=_ACCUMULATE, optim=PUBLISHED_OPTIM
    )


def _base_grid(view: View, grid: Grid) -> Grid:
    if view is not View.SAX:
        return replace(grid, spacing_mm=1.0, size=_LAX_SIZE)
    return replace(grid, spacing_mm=1.0, size=_SAX_SIZE, n_slices=grid.n_slices and _N_SLICES)


def _base_network(network: object) -> object:
    if isinstance(network, ConvUNetRConfig):
        sizes = _sizes(network.image_sizes)
        return ConvUNetRConfig(
            image_sizes=sizes, out_chans=network.out_chans, in_chans=network.in_chans, vit=vit_size("base")
        )
    if isinstance(network, ConvViTConfig):
        return ConvViTConfig(
            image_sizes=_sizes(network.image_sizes),
            out_chans=network.out_chans,
            in_chans=network.in_chans,
            vit=vit_size("base"),
            read=network.read,
        )
    return network


def _sizes(views: Iterable[str]) -> dict[str, tuple[int, ...]]:
    return {view: (*_SAX_SIZE, _N_SLICES) if view == View.SAX else _LAX_SIZE for view in views}
