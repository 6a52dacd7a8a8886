"""Pre-training recipes: their tokens fit their networks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.models.mae import CineMA
from cinema_cmr.recipes.registry import RECIPES_OF_TASKS, recipe


@pytest.mark.parametrize("name", RECIPES_OF_TASKS["pretrain"])
def test_every_recipe_fits_its_network(name: str) -> None:
    its = recipe(name, task="pretrain")
    with torch.device("meta"):
        model = CineMA(its.network)
    for view, embed in model.dec_embed_dict.items():
        assert np.prod(embed.built_grid) == its.task.n_tokens(View(view))  # type: ignore[arg-type]
    assert its.task.mask_ratio == 0.75


def test_an_unknown_recipe_is_told() -> None:
    with pytest.raises(UsageError, match="did you mean 'small'"):
        recipe("smal", task="pretrain")
