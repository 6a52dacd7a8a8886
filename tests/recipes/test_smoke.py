"""The small forms build, take what their tasks show, and can start from the small pre-training."""

from __future__ import annotations

import pytest

from cinema_cmr.core.errors import UsageError
from cinema_cmr.models.architectures import build, config_values
from cinema_cmr.models.transplant import transplant
from cinema_cmr.recipes.registry import RECIPES
from cinema_cmr.recipes.smoke import small_pretraining, smaller
from cinema_cmr.tasks.segment import SegmentConfig


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_has_a_small_form(name: str) -> None:
    if "resnet" in name:
        pytest.importorskip("monai")
    whole = RECIPES[name]()
    small = smaller(whole, n_steps=7)
    grids = [small.task.grid] if isinstance(small.task, SegmentConfig) else list(small.task.grids.values())
    assert all(grid.spacing_mm == 3.0 for grid in grids) and small.train.n_steps == 7
    networks = [build(made.architecture, config_values(made.network)) for made in (whole, small)]
    weights = [sum(p.numel() for p in network.parameters()) for network in networks]
    assert weights[1] < 0.1 * weights[0]
    if small.architecture in ("conv_unetr", "conv_vit"):
        start = build("cinema_mae", config_values(small_pretraining().network))
        assert transplant(start.state_dict(), networks[1])


def test_a_network_without_a_small_form_is_refused() -> None:
    from dataclasses import replace

    with pytest.raises(UsageError, match="no small form of a str"):
        smaller(replace(RECIPES["sax-unet"](), network="?"))
