"""Each architecture is built from its plain config values alone, and mistakes in them are named."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from small_models import MAE, UNETR, VIT, images, seeded

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


INPUTS = {
    "conv_unetr": images(),
    "conv_vit": images(),
    "unet2d": {"sax": torch.rand(1, 1, 32, 32, 3, generator=seeded(0))},
    "resnet": {"sax": torch.rand(1, 2, 64, 64, 8, generator=seeded(0))},
}


@pytest.mark.medium
@pytest.mark.parametrize("name", INPUTS)
def test_bfloat16_on_a_cpu_repeats_itself_and_is_finite(name: str) -> None:
    # Freed memory full of NaN shows a kernel that reads what it never wrote.
    torch.manual_seed(0)
    model = build(name, config_values(CONFIGS[name])).eval()
    runs = []
    for _ in range(3):
        freed = [torch.full((size,), torch.nan) for size in (10**5, 10**6, 4 * 10**6)]
        del freed
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            out = model(INPUTS[name])
        (out if isinstance(out, torch.Tensor) else out["sax"]).float().square().mean().backward()
        runs.append({key: one.grad.clone() for key, one in model.named_parameters() if one.grad is not None})
    assert runs[0] and all(torch.isfinite(grad).all() for run in runs for grad in run.values())
    assert all(torch.equal(runs[0][key], run[key]) for run in runs[1:] for key in run)


def test_mistakes_are_named() -> None:
    values = config_values(UNETR)
    with pytest.raises(UsageError, match="unknown architecture 'conv_unet'; did you mean 'conv_unetr'"):
        build("conv_unet", values)
    with pytest.raises(UsageError, match="unknown key in config of 'conv_unetr' 'out_chan'; did you mean"):
        build("conv_unetr", {**values, "out_chan": 4})
    with pytest.raises(UsageError, match="config of 'conv_unetr' lacks vit"):
        build("conv_unetr", {k: v for k, v in values.items() if k != "vit"})
