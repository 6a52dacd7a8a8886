"""Each architecture is built from its plain config values alone, and mistakes in them are named."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from small_models import MAE, UNETR, VIT

from cinema_cmr.core.errors import UsageError
from cinema_cmr.models.architectures import ARCHITECTURES, build, config_from_values, config_values
from cinema_cmr.models.baselines import UNet2dConfig
from cinema_cmr.models.ensemble import EnsembleConfig, MemberConfig
from cinema_cmr.models.resnet import ResNetConfig

CONFIGS: dict[str, Any] = {
    "conv_unetr": UNETR,
    "conv_vit": VIT,
    "cinema_mae": MAE,
    "unet2d": UNet2dConfig(out_chans=4, chans=(2, 4)),
    "resnet": ResNetConfig(view="sax", in_chans=2, out_chans=1),
    "ensemble": EnsembleConfig(
        members={
            "one": MemberConfig(architecture="unet2d", config=config_values(UNet2dConfig(out_chans=4, chans=(2, 4)))),
            "two": MemberConfig(architecture="conv_unetr", config=config_values(UNETR)),
        },
        output_kind="classes",
    ),
}


def test_every_architecture_has_an_example_here() -> None:
    assert set(CONFIGS) == set(ARCHITECTURES)


@pytest.mark.medium
@pytest.mark.parametrize("name", CONFIGS)
def test_plain_values_are_enough_to_build(name: str) -> None:
    values = json.loads(json.dumps(config_values(CONFIGS[name])))
    assert config_from_values(name, values) == CONFIGS[name]
    again = build(name, values).state_dict()
    own = ARCHITECTURES[name].network(CONFIGS[name]).state_dict()
    assert {k: x.shape for k, x in again.items()} == {k: x.shape for k, x in own.items()}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_skeleton_takes_no_memory(name: str) -> None:
    with torch.device("meta"):
        assert all(x.is_meta for x in build(name, config_values(CONFIGS[name])).parameters())


def test_mistakes_are_named() -> None:
    values = config_values(UNETR)
    with pytest.raises(UsageError, match="unknown architecture 'conv_unet'; did you mean 'conv_unetr'"):
        build("conv_unet", values)
    with pytest.raises(UsageError, match="unknown key in config of 'conv_unetr' 'out_chan'; did you mean"):
        build("conv_unetr", {**values, "out_chan": 4})
    with pytest.raises(UsageError, match="config of 'conv_unetr' lacks vit"):
        build("conv_unetr", {k: v for k, v in values.items() if k != "vit"})
