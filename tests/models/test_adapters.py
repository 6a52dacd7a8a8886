"""Frozen parts get no gradient, adapters begin as nothing, and what is merged answers as before."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_models import convvit, images, scrambled, unetr
from torch import nn

from cinema_cmr.core.errors import UsageError, WeightsError
from cinema_cmr.models.adapters import Adaptation, AdaptedLinear, adapt, merge_adapters
from cinema_cmr.models.baselines import UNet2d, UNet2dConfig
from cinema_cmr.models.blocks.layers import DropPath
from cinema_cmr.models.transplant import SHARED_PARTS

NETWORKS = {"unetr": unetr, "vit": convvit}


def answer(model: Any) -> torch.Tensor:
    """What the network says, in its own precision."""
    precision = next(model.parameters()).dtype
    with torch.no_grad():
        found = model.eval()({view: image.to(precision) for view, image in images().items()})
    return found if isinstance(found, torch.Tensor) else torch.cat([x.flatten() for x in found.values()])


@pytest.mark.parametrize("name", NETWORKS)
def test_only_what_is_not_pre_trained_has_a_gradient(name: str) -> None:
    model = NETWORKS[name]()
    adapt(model, Adaptation())
    model.train()
    found = model(images())
    sum(x.square().sum() for x in (found.values() if isinstance(found, dict) else [found])).backward()
    learns = {key for key, p in model.named_parameters() if p.grad is not None}
    assert learns == {key for key, p in model.named_parameters() if p.requires_grad}
    assert learns == {key for key, _ in model.named_parameters() if not key.startswith(SHARED_PARTS)}
    if name == "vit":
        assert all(key.startswith("pred_head_dict.") for key in learns)
    assert all(part.rate == 0 for part in model.encoder.modules() if isinstance(part, DropPath))


@pytest.mark.parametrize("name", NETWORKS)
def test_adapters_begin_as_nothing_and_merge_to_plain_weights(name: str) -> None:
    plain, model = NETWORKS[name](), NETWORKS[name]()
    keys = list(plain.state_dict())
    adapt(model, Adaptation(rank=2))
    adapted = [part for part in model.modules() if isinstance(part, AdaptedLinear)]
    assert len(adapted) == 5 * len(model.encoder.blocks)
    assert torch.equal(answer(model), answer(plain))
    scrambled(model, seed=3)
    before = answer(model.double())
    assert not torch.allclose(before.float(), answer(plain), atol=1e-3)
    merge_adapters(model)
    assert torch.allclose(answer(model), before, atol=1e-9, rtol=0)
    model.float()
    assert list(model.state_dict()) == keys and not any(isinstance(part, AdaptedLinear) for part in model.modules())
    plain.load_state_dict(model.state_dict())
    assert torch.equal(answer(plain), answer(model))


def test_an_adapter_learns_and_the_layer_under_it_does_not() -> None:
    layer = nn.Linear(6, 4)
    layer.requires_grad_(False)
    adapted, weight = AdaptedLinear(layer, 2), layer.weight.clone()
    optimiser = torch.optim.SGD([p for p in adapted.parameters() if p.requires_grad], lr=0.1)
    for _ in range(3):
        optimiser.zero_grad()
        adapted(torch.ones(2, 6)).square().sum().backward()
        optimiser.step()
    assert torch.equal(adapted.weight, weight) and adapted.adapter_up.abs().max() > 0
    difference = adapted.merged().weight - weight
    assert torch.linalg.matrix_rank(difference) <= 2 and difference.abs().max() > 0


def test_what_cannot_be_adapted_is_refused() -> None:
    with pytest.raises(WeightsError, match="a UNet2d has no encoder to freeze"):
        adapt(UNet2d(UNet2dConfig(view="sax", out_chans=4, chans=(4, 8))), Adaptation())
    with pytest.raises(UsageError, match="adapters of rank 16 in layers of 16 by 16"):
        adapt(unetr(), Adaptation(rank=16))
    with pytest.raises(UsageError, match="rank -1"):
        Adaptation(rank=-1)
