"""The schedule at its ends, what is decayed, and an average that forgets its start."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from cinema_cmr.core.errors import UsageError
from cinema_cmr.engine.optim import EMA, OptimConfig, learning_rate, make_optimiser
from cinema_cmr.models.stem import StemConfig
from cinema_cmr.models.unetr import ConvUNetR, ConvUNetRConfig
from cinema_cmr.models.vit import VitConfig

CONFIG = OptimConfig(lr=1.0, last_lr=0.1, warmup_steps=10)


def test_the_rate_rises_then_falls_and_never_rises_again() -> None:
    rates = [learning_rate(CONFIG, step, 100) for step in range(150)]
    assert rates[0] == pytest.approx(0.1) and rates[9] == pytest.approx(1.0) and max(rates) <= 1.0
    assert all(a < b for a, b in pairwise(rates[:10]))
    assert all(a >= b for a, b in pairwise(rates[10:]))
    assert rates[55] == pytest.approx(0.55)  # half way down the cosine
    assert rates[100] == rates[149] == pytest.approx(0.1)


@pytest.mark.parametrize("n_steps", [1, 2, 10])
def test_a_warm_up_as_long_as_the_run_divides_by_nothing(n_steps: int) -> None:
    rates = [learning_rate(CONFIG, step, n_steps) for step in range(n_steps)]
    assert all(0 < rate <= 1 for rate in rates) and rates[-1] == pytest.approx(1.0)


def test_vectors_and_tokens_are_not_decayed() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 2)
            self.norm = nn.LayerNorm(2)
            self.cls_token = nn.Parameter(torch.zeros(1, 1, 2))
            self.fixed = nn.Parameter(torch.zeros(2, 2), requires_grad=False)

    net = Net()
    decayed, plain = make_optimiser(net, CONFIG).param_groups
    assert [p is net.linear.weight for p in decayed["params"]] == [True]
    assert decayed["weight_decay"] == CONFIG.weight_decay and plain["weight_decay"] == 0
    assert len(plain["params"]) == 4


def test_the_average_follows_and_is_taken_up_again() -> None:
    net = nn.Linear(1, 1, bias=False)
    average = EMA(net, 0.9)
    nn.init.constant_(net.weight, 5.0)
    for _ in range(200):
        average.update(net)
    assert float(average.state()["weight"]) == pytest.approx(5.0, abs=1e-3)
    other = EMA(nn.Linear(1, 1, bias=False), 0.9)
    other.load(average.state(), average.n_updates)
    nn.init.constant_(net.weight, 6.0)
    other.update(net)
    assert float(other.state()["weight"]) == pytest.approx(5.1, abs=1e-3)


@pytest.mark.parametrize(
    "change", [{"lr": 1e-7}, {"ema_decay": 1.0}, {"clip_norm": 0.0}, {"warmup_steps": -1}, {"weight_decay": -0.1}]
)
def test_settings_that_cannot_be_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=r"expected|rates"):
        OptimConfig(**change)  # type: ignore[arg-type]


def test_layers_nearer_to_the_image_learn_at_a_lower_rate() -> None:
    config = ConvUNetRConfig(
        image_sizes={"sax": (16, 16, 2)},
        out_chans=2,
        vit=VitConfig(dim=8, depth=2, heads=2, dec_dim=8, dec_depth=1, dec_heads=2),
        stem=StemConfig(patch_size=(2, 2, 1), chans=(4,), kernel=(3, 3, 1), n_blocks=1),
        dec_chans=(4, 4, 4),
    )
    net = ConvUNetR(config)
    optimiser = make_optimiser(net, OptimConfig(lr=1.0, layer_decay=0.5))
    rates = {id(p): group["lr"] for group in optimiser.param_groups for p in group["params"]}
    by_name = {name: rates[id(p)] for name, p in net.named_parameters()}
    assert len(rates) == len(list(net.parameters()))
    assert {by_name[name] for name in by_name if name.startswith("enc_down_dict.")} == {0.125}
    assert by_name["encoder.cls_token"] == 0.125
    assert {by_name[name] for name in by_name if name.startswith("encoder.blocks.0.")} == {0.25}
    assert {by_name[name] for name in by_name if name.startswith("encoder.blocks.1.")} == {0.5}
    below = ("enc_down_dict.", "encoder.blocks.", "encoder.cls_token")
    assert {rate for name, rate in by_name.items() if not name.startswith(below)} == {1.0}
    weight_decays = {group["weight_decay"] for group in optimiser.param_groups if group["scale"] == 0.25}
    assert weight_decays == {0.0, 0.05}


@pytest.mark.parametrize("decay", [0.0, -0.5, 1.5])
def test_a_layer_decay_that_cannot_be_is_refused(decay: float) -> None:
    with pytest.raises(UsageError, match="layer decay"):
        OptimConfig(layer_decay=decay)
