"""Sharded weights: sharding a module over processes, and gathering its state for files.

Everything leaves tensors that are not sharded as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeGuard

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.optim import Optimizer
from torch.optim.optimizer import StateDict

from cinema_cmr.models.blocks.layers import Block
from cinema_cmr.tasks.task import Task

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor

__all__ = ["gather", "gather_tensor", "shard_module", "shard_optimiser_state", "shard_state"]


def shard_module(model: nn.Module, mesh: DeviceMesh) -> nn.Module:
    """Shard a task, or any module, over the mesh's data axis (FSDP2): the weights of each block, then the others."""
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

    for part in model.modules():
        if isinstance(part, Block):
            fully_shard(part, mesh=mesh["data_parallel"])
    fully_shard(model, mesh=mesh["data_parallel"])
    if isinstance(model, Task):
        register_fsdp_forward_method(model, "validate")
    return model


def gather(state: StateDict) -> StateDict:
    """Return a state with every sharded tensor gathered, on the CPU; all processes must call this together."""
    return {name: _gather_nested(value) for name, value in state.items()}


def gather_tensor(value: Tensor) -> Tensor:
    """Return a tensor gathered on the CPU if it is sharded; all processes must call this together."""
    return value.full_tensor().cpu() if _is_sharded(value) else value


def _gather_nested(value: object) -> object:
    if isinstance(value, Tensor):
        return gather_tensor(value)
    if isinstance(value, Mapping):
        return {key: _gather_nested(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_gather_nested(item) for item in value]
    return value


def shard_state(state: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Return a gathered state, sharded like the model's own."""
    own = model.state_dict()
    return {name: _like(value, own[name]) for name, value in state.items()}


def shard_optimiser_state(state: StateDict, optimiser: Optimizer) -> StateDict:
    """Return an optimiser's gathered state, sharded like its parameters."""
    params = [param for group in optimiser.param_groups for param in group["params"]]
    states = {
        number: {
            name: _like(value, params[number])
            if isinstance(value, Tensor) and value.shape == params[number].shape
            else value
            for name, value in values.items()
        }
        for number, values in state["state"].items()
    }
    return {**state, "state": states}


@torch.no_grad()
def _like(value: Tensor, like: Tensor) -> Tensor:
    if not _is_sharded(like):
        return value
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(value.to(like.device), like.device_mesh, like.placements)


def _is_sharded(value: Tensor) -> TypeGuard[DTensor]:
    # Takes a second to import, which no command but a training should wait for.
    from torch.distributed.tensor import DTensor

    return isinstance(value, DTensor)
