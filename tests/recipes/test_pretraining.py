"""Pre-training recipes: their tokens fit their networks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.models.architectures import build, config_values
from cinema_cmr.models.mae import CineMA
from cinema_cmr.recipes.presets import with_preset
from cinema_cmr.recipes.registry import RECIPES_OF_TASKS, recipe
from cinema_cmr.tasks.pretrain import PretrainTask


@pytest.mark.parametrize("name", sorted(set(RECIPES_OF_TASKS["pretrain"]) - {"unet"}))
def test_every_recipe_fits_its_network(name: str) -> None:
    its = recipe(name, task="pretrain")
    with torch.device("meta"):
        model = CineMA(its.network)
    for view, embed in model.dec_embed_dict.items():
        assert np.prod(embed.built_grid) == its.task.n_tokens(View(view))  # type: ignore[arg-type]
    assert its.task.mask_ratio == 0.75


def test_the_u_net_is_that_of_the_recipe_that_starts_from_it() -> None:
    pretrained, tuned = recipe("unet", task="pretrain"), with_preset(recipe("sax-unet"), "medium")
    assert (pretrained.architecture, pretrained.network) == (tuned.architecture, tuned.network)
    lesson = PretrainTask(pretrained.task, build("unet2d", config_values(pretrained.network)))  # type: ignore[arg-type]
    assert lesson.card_fields().grids == {View.SAX: tuned.task.grid}  # type: ignore[union-attr]


def test_an_unknown_recipe_is_told() -> None:
    with pytest.raises(UsageError, match="did you mean 'small'"):
        recipe("smal", task="pretrain")
