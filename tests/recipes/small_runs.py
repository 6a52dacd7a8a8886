"""A run of two steps on synthetic hearts, which the tests of this folder share."""

from __future__ import annotations

from dataclasses import replace

from oracles import annotated, heart

from cinema_cmr.core.card import Grid
from cinema_cmr.data.cases import AnnotatedStudy, DatasetCard, Split
from cinema_cmr.data.training_set import TrainingData
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


STUDIES = [annotated(heart((radius,)), f"heart {radius}") for radius in (10.0, 12.0, 14.0)]


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


def data(**parts: list[int]) -> TrainingData[AnnotatedStudy]:
    chosen = {"train": [0, 1], "val": [2], **parts}
    split = Split(dataset="hearts", parts={"train": ("a",), "validation": ("b",)}, rule="by hand")
    train, val = ([STUDIES[i] for i in chosen[name]] for name in ("train", "val"))
    return TrainingData(card=CARD, split=split, train=train, val=val)
