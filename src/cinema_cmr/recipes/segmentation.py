"""Recipes for segmentation: each is one function that returns an Experiment."""

from __future__ import annotations

from dataclasses import replace

from cinema_cmr.core.card import Grid
from cinema_cmr.core.vocabulary import View
from cinema_cmr.engine.optim import OptimConfig
from cinema_cmr.engine.trainer import TrainConfig
from cinema_cmr.image.augment import FROM_SYNTHETIC, Augmentation
from cinema_cmr.models.baselines import UNet2dConfig
from cinema_cmr.models.stem import SMALL_STEM
from cinema_cmr.models.unetr import ConvUNetRConfig
from cinema_cmr.models.vit import vit_size
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.tasks.segment import SegmentConfig

__all__ = [
    "lax_chambers_unet",
    "lax_mask_unet",
    "lax_mask_unetr",
    "sax_unet",
    "sax_unet_synthetic",
    "sax_unetr",
    "scar_unet",
    "scar_unetr",
]


_SAX_GRID = Grid(spacing_mm=1.5, size=(112, 112))
"""84 mm to each side: in 200 labelled ACDC stacks the right ventricle extends up to 82 mm from the centre."""

_SAX_AUGMENTATION = Augmentation(
    elastic_mm=6.0, gamma=0.5, contrast=0.35, bias_field=0.6, blur_px=1.4, p_intensity=0.45
)
"""Stronger than the default: a long run sees every stack hundreds of times, and models must suit other scanners."""

_SAX_TRAIN = TrainConfig(n_steps=4000, validate_every=500)
"""One stack with all its slices per update: 25 epochs of 160 stacks."""


def sax_unetr() -> Experiment:
    """ConvUNetR on the acquired slices, which meet in the transformer only.

    Stem and encoder are those of the pre-training recipe `small`, so that it can start from there.
    """
    network = ConvUNetRConfig(
        image_sizes={"sax": (*_SAX_GRID.size, 12)},
        out_chans=4,
        stem=SMALL_STEM,
        dec_chans=(16, 32, 64, 128, 256),
        dec_kernel=(3, 3, 1),
        dropout=0.0,
        drop_path=0.0,
        vit=vit_size("small"),
    )
    task = SegmentConfig(grid=_SAX_GRID, augmentation=_SAX_AUGMENTATION)
    return Experiment(name="sax-unetr", task=task, architecture="conv_unetr", network=network, train=_SAX_TRAIN)


def sax_unet() -> Experiment:
    """Default recipe, with which `cinema-sax` was trained: a U-Net trained like `sax_unetr`."""
    network = UNet2dConfig(view=str(View.SAX), out_chans=4, chans=(32, 64, 128, 256, 320), across=3)
    task = SegmentConfig(grid=_SAX_GRID, augmentation=_SAX_AUGMENTATION)
    return Experiment(name="sax-unet", task=task, architecture="unet2d", network=network, train=_SAX_TRAIN)


def sax_unet_synthetic() -> Experiment:
    """Network of `sax_unet` for synthetic hearts: a start for few labels, or a model trained without patients."""
    augmentation = replace(FROM_SYNTHETIC, p_right_angle_rotation=0.3, p_flip=0.3, p_free_rotation=0.1)
    return replace(sax_unet(), name="sax-unet-synthetic").with_task(augmentation=augmentation)


_SCAR_TASK = SegmentConfig(
    grid=Grid(spacing_mm=1.5, size=(128, 128)),
    label_scheme="scar",
    modality="lge",
    augmentation=Augmentation(anisotropic_scaling=0.6, elastic_mm=8.0, scaling=0.25, p_intensity=0.5),
    thin_stacks=0.0,
    class_weights=(1.0, 1.0, 1.0, 2.0, 3.0),
    dice_over_batch=True,
    rare=("infarct", "no_reflow"),
    rare_times=2,
    tta=8,
    logit_offsets={"infarct": 1.5, "no_reflow": 1.5},
)
"""96 mm to each side: the longest heart in 80 EMIDEC copies has 172 nominal millimetres. The copies have lost the shape
of their pixels (hearts are up to 2.6 times as long as wide), hence the anisotropic scaling. The logit offsets label
lesions at a lower probability than cross-entropy would: for Dice, as for a reader, a missed pixel costs more than an
extra one."""


def scar_unetr() -> Experiment:
    """Network of `sax_unetr` for late enhancement; can start from the same pre-trained encoder."""
    network = replace(sax_unetr().network, image_sizes={"sax": (*_SCAR_TASK.grid.size, 10)}, out_chans=5)
    return Experiment(name="scar-unetr", task=_SCAR_TASK, architecture="conv_unetr", network=network, train=_SAX_TRAIN)


def scar_unet() -> Experiment:
    """U-Net of 10 MB for late enhancement, trained like `scar_unetr`, for comparison."""
    network = replace(sax_unet().network, out_chans=5, chans=(24, 48, 96, 192, 288))
    return Experiment(name="scar-unet", task=_SCAR_TASK, architecture="unet2d", network=network, train=_SAX_TRAIN)


_LAX_VIEWS = (View.LAX_4C, View.LAX_2C, View.LAX_3C)

_LAX_TASK = SegmentConfig(
    grid=Grid(spacing_mm=1.5, size=(144, 144)),
    view=_LAX_VIEWS[0],
    also=_LAX_VIEWS[1:],
    augmentation=replace(
        FROM_SYNTHETIC, p_right_angle_rotation=0.2, p_free_rotation=0.3, p_flip=0.4, scaling=0.4, shift_mm=16.0
    ),
    thin_stacks=0.0,
    drop_ends=0.0,
)
"""Planes are rotated freely and mirrored, as they come in any orientation, and scaled strongly: real images are of
children too, and some copies have lost the size of their pixels."""

_LAX_TRAIN = TrainConfig(n_steps=3000, batch_size=4, validate_every=500, optim=OptimConfig(lr=1e-3))


def lax_mask_unet() -> Experiment:
    """Small U-Net for the long-axis views, for phantoms and data sets with long-axis masks."""
    names = [str(view) for view in _LAX_VIEWS]
    network = UNet2dConfig(view=names[0], also=tuple(names[1:]), out_chans=4, chans=(24, 48, 96, 160, 224))
    return Experiment(name="lax-mask-unet", task=_LAX_TASK, architecture="unet2d", network=network, train=_LAX_TRAIN)


def lax_chambers_unet() -> Experiment:
    """Network of `lax_mask_unet` for ventricles and atria."""
    task = replace(_LAX_TASK, label_scheme="chambers")
    network = replace(lax_mask_unet().network, out_chans=task.n_classes)
    return Experiment(name="lax-chambers-unet", task=task, architecture="unet2d", network=network, train=_LAX_TRAIN)


def lax_mask_unetr() -> Experiment:
    """Network of `sax_unetr` for the 4- and 2-chamber views; can start from the same pre-trained encoder.

    Each view has a stem of its own there, and `cinema-small` has none for the 3-chamber view.
    """
    task = replace(_LAX_TASK, also=(View.LAX_2C,))
    sizes = dict.fromkeys(map(str, task.views), task.grid.size)
    network = replace(sax_unetr().network, image_sizes=sizes)
    return Experiment(name="lax-mask-unetr", task=task, architecture="conv_unetr", network=network, train=_LAX_TRAIN)
