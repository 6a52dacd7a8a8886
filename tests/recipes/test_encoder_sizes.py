"""An encoder of another size than the recipe's is refused with the recipes that it fits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cinema_cmr.core.errors import WeightsError
from cinema_cmr.models.vit import vit_size
from cinema_cmr.models.weights import load_model
from cinema_cmr.recipes.encoder_sizes import wrong_size_message
from cinema_cmr.recipes.registry import recipe
from cinema_cmr.recipes.start import first_network


def test_recipes_are_named_not_keys() -> None:
    start = load_model("cinema-small")
    experiment = recipe("sax-unetr")
    larger = replace(experiment, name="sax-unetr-base", network=replace(experiment.network, vit=vit_size("coarse")))
    with pytest.raises(WeightsError) as caught:
        first_network(larger, start)
    text = str(caught.value)
    assert (
        "'cinema-small' are a pre-trained encoder of size small; recipe 'sax-unetr-base' has one of size coarse" in text
    )
    assert "sax-unetr, scar-unetr" in text and "`cinema pretrain --recipe coarse`" in text and "enc_down" not in text


def test_sizes_without_a_name_and_other_views(tmp_path: Path) -> None:
    start = load_model("cinema-small")
    experiment = recipe("sax-unetr")
    odd = replace(experiment, network=replace(experiment.network, vit=replace(vit_size("small"), depth=7)))
    assert "size 256 wide, 7 deep: choose a recipe of its size" in wrong_size_message(start.model, "a", odd)
    assert "its stems or views are others" in wrong_size_message(start.model, "a", experiment)
