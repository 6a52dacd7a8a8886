"""Pre-training recipes: each is one function that returns an Experiment."""

from __future__ import annotations

import math
from dataclasses import replace

from cinema_cmr.core.card import Grid
from cinema_cmr.core.vocabulary import View
from cinema_cmr.engine.optim import OptimConfig
from cinema_cmr.engine.trainer import TrainConfig
from cinema_cmr.models.blocks.mask_decoders import DecoderConfig
from cinema_cmr.models.mae import CineMAConfig
from cinema_cmr.models.stem import COARSE_STEM, SMALL_STEM, StemConfig
from cinema_cmr.models.vit import VitConfig, vit_size
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.recipes.segmentation import sax_unet
from cinema_cmr.tasks.lessons import LessonConfig
from cinema_cmr.tasks.pretrain import SMALL_DATA_AUGMENTATION, PretrainConfig

__all__ = ["base", "both", "coarse", "masked", "pretraining_experiment", "small", "synthetic", "tiny", "unet"]

_STACK_2_MM = Grid(spacing_mm=2.0, size=(80, 80), slice_spacing_mm=10.0, n_slices=12)

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


def masked() -> Experiment:
    """Network of `small` on pixels of 2 mm, masked reconstruction alone: what `both` is compared with."""
    grids = _STACK_2_MM, Grid(spacing_mm=2.0, size=(128, 128))
    optim = OptimConfig(lr=5e-4, last_lr=1e-6, warmup_steps=200, clip_norm=5.0, ema_decay=0.99)
    train = TrainConfig(n_steps=4000, batch_size=4, optim=optim)
    experiment = _experiment("masked", grids, vit=vit_size("small"), stem=SMALL_STEM, train=train)
    return experiment.with_task(augmentation=SMALL_DATA_AUGMENTATION, decoder_token_ratio=0.5, skip_blank=True)


def both() -> Experiment:
    """Reconstruction of masked tokens together with the structures of synthetic hearts, with a decoder of them."""
    experiment = masked()
    network = replace(experiment.network, masks=_MASKS)
    lessons = experiment.with_task(lessons=LessonConfig(), masked_weight=1.0)
    return replace(lessons, name="both", model_name="pretrained-both", network=network)


def synthetic() -> Experiment:
    """Structures of synthetic hearts alone, no image of a person: what `both` is compared with."""
    experiment = both().with_task(lessons=LessonConfig(agreement_weight=0.0), masked_weight=0.0)
    return replace(experiment, name="synthetic", model_name="pretrained-synthetic")


def unet() -> Experiment:
    """The U-Net of `sax-unet` by lessons and agreement alone: a start for few labels, without a label of a person."""
    lessons = both().with_task(grids={View.SAX: _STACK_2_MM}, masked_weight=0.0, skip_blank=False)
    return replace(
        lessons,
        name="unet",
        model_name="pretrained-unet",
        architecture="unet2d",
        network=sax_unet().network,
        save_precision="float16",
    )


_MASKS = DecoderConfig(out_chans=4, dec_chans=(16, 32, 64, 128, 256), dec_kernel=(3, 3, 1), dropout=0.0)
"""As in the fine-tuning recipe `sax-unetr`, which takes it over."""


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
