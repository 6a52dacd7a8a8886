"""Weights of which each process holds a part: dividing them, and states made whole again for files.

Everything works on whole tensors too, and does nothing to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer

from cinema_cmr.models.blocks.layers import Block
from cinema_cmr.tasks.task import Task

__all__ = ["optimiser_like", "sharded", "state_like", "whole"]


def sharded(model: nn.Module, mesh: Any) -> nn.Module:
    """Shard a task, or any module, over the mesh's data axis (FSDP2): the weights of each block, then the others."""
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

    for part in model.modules():
        if isinstance(part, Block):
            fully_shard(part, mesh=mesh["data_parallel"])
    fully_shard(model, mesh=mesh["data_parallel"])
    if isinstance(model, Task):
        register_fsdp_forward_method(model, "validate")
    return model


def whole(value: Any) -> Any:
    """A state with every divided tensor gathered; all processes must call this together."""
    if isinstance(value, DTensor):
        return value.full_tensor().cpu()
    if isinstance(value, Mapping):
        return {key: whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [whole(item) for item in value]
    return value


def state_like(state: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """A whole state divided as the model's own is."""
    own = model.state_dict()
    return {name: _like(value, own[name]) for name, value in state.items()}


def optimiser_like(state: Mapping[str, Any], optimiser: Optimizer) -> dict[str, Any]:
    """The same for an optimiser's state."""
    params = [param for group in optimiser.param_groups for param in group["params"]]
    split_studies = {
        number: {
            name: _like(value, params[number])
            if isinstance(value, Tensor) and value.shape == params[number].shape
            else value
            for name, value in its.items()
        }
        for number, its in state["state"].items()
    }
    return {**state, "state": split_studies}


@torch.no_grad()
def _like(value: Tensor, like: Tensor) -> Tensor:
    if not isinstance(like, DTensor):
        return value
    return distribute_tensor(value.to(like.device), like.device_mesh, like.placements)
