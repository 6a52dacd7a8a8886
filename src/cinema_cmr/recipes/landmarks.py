"""Recipes for long-axis landmarks: each is one function that returns an Experiment."""

from __future__ import annotations

from cinema_cmr.core.card import Grid
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.engine.optim import OptimConfig
from cinema_cmr.engine.trainer import TrainConfig
from cinema_cmr.models.baselines import UNet2dConfig
from cinema_cmr.models.convvit import ConvViTConfig
from cinema_cmr.models.stem import SMALL_STEM
from cinema_cmr.models.unetr import ConvUNetRConfig
from cinema_cmr.models.vit import vit_size
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.tasks.landmark import LandmarkConfig

__all__ = ["lax_coordinates", "lax_unet", "lax_unetr"]

_GRID = Grid(spacing_mm=1.5, size=(144, 144))
"""108 mm to each side of the points' centre: both atria, which distinguish the walls, are inside."""

_UNETR_VIEWS = (View.LAX_2C, View.LAX_4C)

_TRAIN = TrainConfig(n_steps=3000, batch_size=4, validate_every=500, optim=OptimConfig(lr=1e-3))


def lax_unet() -> Experiment:
    """U-Net for all long-axis views, with a heatmap for each of the three points."""
    views = [str(view) for view in LANDMARKS]
    network = UNet2dConfig(view=views[0], also=tuple(views[1:]), out_chans=3, chans=(24, 48, 96, 160, 224))
    task = LandmarkConfig(grids=dict.fromkeys(LANDMARKS, _GRID))
    return Experiment(name="lax-unet", task=task, architecture="unet2d", network=network, train=_TRAIN)


def lax_unetr() -> Experiment:
    """ConvUNetR for the 2- and 4-chamber views; can start from the pre-training recipe `small`.

    Each view has a stem of its own there, and pre-training of 2- and 4-chamber cines alone has none for the third.
    """
    network = ConvUNetRConfig(
        image_sizes=dict.fromkeys(map(str, _UNETR_VIEWS), _GRID.size),
        out_chans=3,
        stem=SMALL_STEM,
        dec_chans=(16, 32, 64, 128, 256),
        dec_kernel=(3, 3, 1),
        dropout=0.0,
        drop_path=0.0,
        vit=vit_size("small"),
    )
    task = LandmarkConfig(grids=dict.fromkeys(_UNETR_VIEWS, _GRID))
    return Experiment(name="lax-unetr", task=task, architecture="conv_unetr", network=network, train=_TRAIN)


def lax_coordinates() -> Experiment:
    """ConvViT for the coordinates of the 4-chamber points; can start from the pre-training recipe `small`."""
    view = View.LAX_4C
    network = ConvViTConfig(
        image_sizes={str(view): _GRID.size}, out_chans=6, stem=SMALL_STEM, vit=vit_size("small"), read="all"
    )
    task = LandmarkConfig(grids={view: _GRID}, by="coordinates")
    return Experiment(name="lax-coordinates", task=task, architecture="conv_vit", network=network, train=_TRAIN)
