"""The published size of every recipe: the published encoder fits it, and others see the same grids and rates."""

from __future__ import annotations

import pytest
import torch

from cinema_cmr.core.card import Grid
from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.models.architectures import build, config_values
from cinema_cmr.models.convvit import ConvViTConfig
from cinema_cmr.models.transplant import SHARED_PARTS, transplant
from cinema_cmr.models.unetr import ConvUNetRConfig
from cinema_cmr.models.vit import vit_size
from cinema_cmr.recipes.published_size import PUBLISHED_OPTIM, at_published_size
from cinema_cmr.recipes.registry import RECIPES, recipe
from cinema_cmr.tasks.segment import SegmentConfig

WITH_ENCODER = [name for name in RECIPES if isinstance(RECIPES[name]().network, ConvUNetRConfig | ConvViTConfig)]
TASKS = {"lax-unetr": "landmark", "lax-coordinates": "landmark", "ef-vit": "regress", "disease-vit": "classify"}


@pytest.mark.medium
@pytest.mark.parametrize("name", WITH_ENCODER)
def test_the_published_encoder_fits(name: str) -> None:
    chosen = recipe(f"{name}-base", task=TASKS.get(name, "segment"))
    with torch.device("meta"):  # shapes alone
        network = build(chosen.architecture, config_values(chosen.network))
        pretrained = build("cinema_mae", config_values(recipe("base", task="pretrain").network))
    taken = transplant(pretrained.state_dict(), network)
    shared = [key for key in network.state_dict() if key.startswith(SHARED_PARTS) and not key.endswith("pos_embed")]
    assert sorted(taken) == sorted(shared) and len(taken) > 150
    assert (
        chosen.name == f"{name}-base" and chosen.train.optim == PUBLISHED_OPTIM and PUBLISHED_OPTIM.layer_decay == 0.75
    )


def test_grids_and_network_are_the_published_ones() -> None:
    segment, number = recipe("sax-unetr-base"), recipe("ef-vit-base", task="regress")
    planes, points = recipe("lax-mask-unetr-base"), recipe("lax-coordinates-base", task="landmark")
    assert segment.network == ConvUNetRConfig(image_sizes={"sax": (192, 192, 16)}, out_chans=4, vit=vit_size("base"))
    assert isinstance(segment.task, SegmentConfig) and isinstance(planes.task, SegmentConfig)
    assert segment.task.grid == Grid(spacing_mm=1.0, size=(192, 192))  # of a segmentation the true slices
    assert planes.task.grid == Grid(spacing_mm=1.0, size=(256, 256))
    pretraining = recipe("base", task="pretrain").task.grids
    assert not isinstance(number.task, SegmentConfig) and not isinstance(points.task, SegmentConfig)
    assert number.task.grids == {View.SAX: pretraining[View.SAX]}
    assert points.task.grids == {View.LAX_4C: pretraining[View.LAX_4C]}


def test_networks_without_an_encoder_see_the_same_and_have_no_recipe_of_their_own() -> None:
    unet, unetr = at_published_size(recipe("sax-unet")), at_published_size(recipe("sax-unetr"))
    assert unet.network == recipe("sax-unet").network and unet.train == unetr.train
    assert isinstance(unet.task, SegmentConfig) and isinstance(unetr.task, SegmentConfig)
    assert unet.task.grid == unetr.task.grid
    with pytest.raises(UsageError, match="'sax-unet' has no encoder"):
        recipe("sax-unet-base")
    with pytest.raises(UsageError, match="recipe 'ef-vi-base'"):
        recipe("ef-vi-base", task="regress")
    with pytest.raises(UsageError, match="for the task 'regress', not 'segment'"):
        recipe("ef-vit-base", task="segment")
