"""Divided weights: what is gathered is what was divided, and the numbers of a step stay the same."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
import torch
from small_models import images, mae, masks
from torch import distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor

from cinema_cmr.engine.shards import gather, shard_module, shard_optimiser_state, shard_state


@pytest.fixture
def divided() -> Iterator[nn.Module]:
    """A network on a mesh of one process: its weights are as divided as those of many."""
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield shard_module(mae(), init_device_mesh("cpu", (1,), mesh_dim_names=("data_parallel",)))
    distributed.destroy_process_group()


def step(model: nn.Module, optimiser: torch.optim.Optimizer) -> float:
    loss = model(images(), masks()).loss
    loss.backward()
    optimiser.step()
    optimiser.zero_grad()
    return float(loss.detach())


def optimiser_of(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), lr=1e-3)


def same(one: object, other: object) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other  # type: ignore[arg-type]


@pytest.mark.medium
def test_a_divided_network_steps_like_a_whole_one_and_its_state_is_whole(divided: nn.Module) -> None:
    assert all(isinstance(param, DTensor) for param in divided.parameters())
    plain = mae()
    losses = [[step(model, its) for _ in range(2)] for model in (divided, plain) for its in [optimiser_of(model)]]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    gathered = gather(divided.state_dict())
    assert not any(isinstance(value, DTensor) for value in gathered.values())
    plain.load_state_dict(gathered)
    with torch.no_grad():
        assert float(plain(images(), masks()).loss) == pytest.approx(float(divided(images(), masks()).loss), rel=1e-5)


@pytest.mark.medium
def test_a_divided_run_goes_on_from_a_whole_state(divided: nn.Module) -> None:
    first = optimiser_of(divided)
    step(divided, first)
    saved = copy.deepcopy({"model": gather(divided.state_dict()), "optimiser": gather(first.state_dict())})
    straight = [step(divided, first) for _ in range(2)]
    second = optimiser_of(divided)
    divided.load_state_dict(shard_state(saved["model"], divided))
    second.load_state_dict(shard_optimiser_state(saved["optimiser"], second))
    assert same(gather(second.state_dict()["state"]), saved["optimiser"]["state"])
    assert [step(divided, second) for _ in range(2)] == straight


def test_whole_states_pass_as_they_are() -> None:
    model = mae()
    its = optimiser_of(model)
    step(model, its)
    for state, again in (
        (model.state_dict(), shard_state(gather(model.state_dict()), model)),
        (its.state_dict(), shard_optimiser_state(gather(its.state_dict()), its)),
    ):
        assert same(dict(state), again)
