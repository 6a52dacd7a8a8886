"""A published YAML becomes our configuration; what it lacks or we do not build is named."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from cinema_cmr.core.errors import WeightsError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.models.architectures import config_from_values
from cinema_cmr.models.published.config import card_of
from cinema_cmr.models.vit import vit_size

SEGMENT: dict[str, Any] = {
    "task": "segmentation",
    "data": {
        "name": "acdc",
        "sax": {"spacing": [1.0, 1.0, 10.0], "patch_size": [192, 192, 16], "in_chans": 1},
    },
    "model": {
        "name": "convunetr",
        "views": "sax",
        "out_chans": 4,
        "convunetr": {
            "size": "base",
            "enc_patch_size": [4, 4, 1],
            "enc_scale_factor": [2, 2, 1],
            "enc_conv_chans": [64, 128],
            "enc_conv_n_blocks": 2,
            "dec_chans": [32, 64, 128, 256, 512],
            "dec_patch_size": [2, 2, 1],
            "dec_scale_factor": [2, 2, 1],
            "dropout": 0.1,
            "drop_path": 0.1,
        },
    },
}


def changed(place: str, value: object) -> dict[str, Any]:
    config = copy.deepcopy(SEGMENT)
    *folders, last = place.split(".")
    part: Any = config
    for folder in folders:
        part = part[folder]
    part[last] = value
    return config


def test_the_published_settings_are_our_defaults() -> None:
    card = card_of(SEGMENT, name="acdc")
    own = config_from_values(card.architecture, card.config)
    assert own == type(own)(image_sizes={"sax": (192, 192, 16)}, out_chans=4, vit=vit_size("base"))
    grid = card.grids[View.SAX]
    assert (grid.spacing_mm, grid.size, grid.slice_spacing_mm, grid.n_slices) == (1.0, (192, 192), 10.0, 16)
    assert grid.percentiles == (0.95, 99.5)
    assert card.training["data"] == "acdc"


def test_frames_are_channels_and_classes_are_outputs() -> None:
    config = copy.deepcopy(SEGMENT)
    network = {k: v for k, v in config["model"]["convunetr"].items() if not k.startswith("dec_")}
    config["task"] = "classification"
    config["data"] |= {"class_column": "sex", "sex": ["F", "M"]}
    config["model"] = {"name": "convvit", "views": ["sax"], "n_frames": 2, "out_chans": None, "convvit": network}
    card = card_of(config, name="sex")
    assert (card.architecture, card.outputs) == ("conv_vit", ("F", "M"))
    assert card.config["in_chans"] == 2 and card.config["out_chans"] == 2


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        ("task", "dreaming", "task is 'dreaming'"),
        ("model.views", "top", "model.views is 'top'"),
        ("model.name", "unet", "model.name is 'unet'; expected convunetr or convvit"),
        ("model.out_chans", 3, "model.out_chans is 3; expected 4"),
        ("model.convunetr.size", "basic", "unknown model size 'basic'; did you mean 'base'"),
        ("model.convunetr.enc_conv_chans", None, r"lacks model\.convunetr\.enc_conv_chans"),
        ("model.convunetr.dec_patch_size", [4, 4, 1], "dec_patch_size differs"),
        ("data.sax.spacing", [1.0, 1.5, 10.0], "expected the same along x and y"),
        ("data.sax.patch_size", "large", "expected a list of numbers"),
    ],
)
def test_mistakes_are_named(place: str, value: object, told: str) -> None:
    with pytest.raises(WeightsError, match=told):
        card_of(changed(place, value), name="acdc")
