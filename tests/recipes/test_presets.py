"""The small forms build, take what their tasks show, and can start from the small pre-training."""

from __future__ import annotations

import pytest

from cinema_cmr.core.errors import UsageError
from cinema_cmr.models.architectures import build, config_values
from cinema_cmr.models.transplant import transplant
from cinema_cmr.recipes.presets import COARSE, MEDIUM, SMOKE, Reduction, smaller, smoke_pretraining, with_preset
from cinema_cmr.recipes.published_size import at_published_size
from cinema_cmr.recipes.registry import RECIPES, recipe
from cinema_cmr.tasks.segment import SegmentConfig


@pytest.mark.medium
@pytest.mark.parametrize(("reduction", "most"), [(SMOKE, 0.1), (COARSE, 0.6)], ids=["smoke", "coarse"])
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_has_a_small_form(name: str, reduction: Reduction, most: float) -> None:
    if "resnet" in name:
        pytest.importorskip("monai")
    whole = RECIPES[name]()
    small = smaller(whole, reduction, n_steps=7)
    grids = [small.task.grid] if isinstance(small.task, SegmentConfig) else list(small.task.grids.values())
    assert all(grid.spacing_mm == 3.0 for grid in grids) and small.train.n_steps == 7
    networks = [build(made.architecture, config_values(made.network)) for made in (whole, small)]
    weights = [sum(p.numel() for p in network.parameters()) for network in networks]
    assert weights[1] < most * weights[0]
    if small.architecture in ("conv_unetr", "conv_vit"):
        its = smoke_pretraining() if reduction is SMOKE else recipe("coarse", task="pretrain")
        start = build("cinema_mae", config_values(its.network))
        assert transplant(start.state_dict(), networks[1])


def test_medium_keeps_the_networks_and_takes_over_the_decoder_of_both() -> None:
    whole = RECIPES["sax-unetr"]()
    medium = with_preset(whole, "medium")
    assert isinstance(medium.task, SegmentConfig)
    assert (medium.task.grid.spacing_mm, medium.task.grid.size) == (pytest.approx(2.0), (80, 80))
    network = build(medium.architecture, config_values(medium.network))
    start = build("cinema_mae", config_values(recipe("both", task="pretrain").network))
    taken = set(transplant(start.state_dict(), network))
    assert {name for name in network.state_dict() if name not in taken} == {"enc_down_dict.sax.pos_embed"}
    assert smaller(RECIPES["sax-unet"](), MEDIUM).network == RECIPES["sax-unet"]().network


def test_a_coarse_run_is_as_long_as_its_recipe_and_a_smoke_run_is_short() -> None:
    whole = RECIPES["sax-unetr"]()
    assert smaller(whole, COARSE).train.n_steps == whole.train.n_steps
    assert smaller(whole, SMOKE).train.n_steps == 100
    assert smaller(whole, COARSE, n_steps=50).train.optim.warmup_steps == 5


def test_a_network_without_a_small_form_is_refused() -> None:
    from dataclasses import replace

    with pytest.raises(UsageError, match="a str has no smaller size"):
        smaller(replace(RECIPES["sax-unet"](), network="?"))


def test_a_preset_is_named_and_steps_are_counted_without_validation_between() -> None:
    whole = RECIPES["sax-unetr"]()
    assert with_preset(whole, None) == whole
    assert with_preset(whole, "coarse") == smaller(whole, COARSE) and with_preset(whole, "smoke") == smaller(whole)
    assert with_preset(whole, "base") == at_published_size(whole)
    long = with_preset(whole, "base", steps=3000).train
    assert (long.n_steps, long.validate_every, long.batch_size) == (3000, 3000, 8)
    with pytest.raises(UsageError, match="did you mean 'coarse'"):
        with_preset(whole, "course")
