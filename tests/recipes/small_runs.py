"""A run of two steps on synthetic hearts, which the tests of this folder share."""

from __future__ import annotations

from dataclasses import replace

from cinema_cmr.core.card import Grid
from cinema_cmr.data.cases import DatasetCard
from cinema_cmr.models.baselines import UNet2dConfig
from cinema_cmr.models.stem import StemConfig
from cinema_cmr.models.unetr import ConvUNetRConfig
from cinema_cmr.models.vit import vit_size
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.recipes.registry import recipe
from cinema_cmr.tasks.segment import SegmentConfig

CARD = DatasetCard(
    name="hearts", title="Synthetic hearts", licence="CC0", citation="", how_to_get="", derived_licence="CC0 for all"
)


def small(**train: object) -> Experiment:
    base = recipe("sax-unet").with_train(n_steps=2, accelerator="cpu", precision="fp32", **train)
    return replace(
        base,
        name="small",
        task=SegmentConfig(grid=Grid(spacing_mm=3.0, size=(32, 32))),
        network=UNet2dConfig(view="sax", out_chans=4, chans=(4, 8)),
    )


def small_unetr() -> Experiment:
    """The same with a network that has an encoder."""
    network = ConvUNetRConfig(
        image_sizes={"sax": (32, 32, 3)},
        out_chans=4,
        vit=vit_size("tiny"),
        stem=StemConfig(chans=(4, 6)),
        dec_chans=(4, 4, 6, 6, 8),
        dec_kernel=(3, 3, 1),
    )
    return replace(small(), name="small-unetr", architecture="conv_unetr", network=network)
