"""Several processes that train one model: how they are started, and what they tell each other.

Processes are started here, or by torchrun or SLURM, whose environment Lightning Fabric recognises. Rank 0 alone
writes files and speaks.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from cinema_cmr.core.errors import UsageError
from cinema_cmr.engine.shards import sharded
from cinema_cmr.inference.runtime import Runtime

if TYPE_CHECKING:
    from lightning.fabric import Fabric
    from lightning.fabric.strategies import Strategy

__all__ = ["any_rank", "is_first_rank", "joined_rows", "mean_over_ranks", "start_fabric"]

_PRECISION: dict[str, Literal["32-true", "bf16-mixed", "16-mixed"]] = {
    "fp32": "32-true",
    "bf16": "bf16-mixed",
    "fp16": "16-mixed",
}


def start_fabric(runtime: Runtime, *, devices: int = 1, nodes: int = 1, strategy: str = "ddp") -> Fabric:
    """Fabric on this machine, its processes started where there are several.

    "ddp": each process holds the whole model and gradients are averaged; parameters that one of them does not
    use (a view that none of its studies has) count as zero there. "fsdp": each holds a part of the weights
    and of the optimiser's state, and all must use the same parameters. Raises `UsageError` where the devices
    are not there.
    """
    # Seconds to import, which recipes that are only read, and models that are only asked, need not wait for.
    try:
        from lightning.fabric import Fabric
    except ImportError as error:
        raise UsageError(
            "training needs Lightning, which is not installed: pip install '.[train]' in the package's checkout"
        ) from error
    precision = _PRECISION[runtime.precision]
    if runtime.device == "cuda" and devices > torch.cuda.device_count():
        raise UsageError(f"{devices} devices asked for; this machine has {torch.cuda.device_count()}")
    if devices * nodes == 1:
        return Fabric(accelerator=runtime.device, devices=1, precision=precision)
    fabric = Fabric(
        accelerator=runtime.device,
        devices=devices,
        num_nodes=nodes,
        strategy=_strategy(strategy, devices * nodes),
        precision=precision,
    )
    fabric.launch()
    return fabric


def is_first_rank() -> bool:
    """True in the one process that writes and speaks; always true where there is only one."""
    return not _are_several() or distributed.get_rank() == 0


def any_rank(flag: bool, device: torch.device) -> bool:
    """Whether the flag is set in any process; all of them get the same answer."""
    if not _are_several():
        return flag
    votes = torch.tensor(int(flag), device=device)
    distributed.all_reduce(votes, distributed.ReduceOp.MAX)
    return bool(votes)


def mean_over_ranks(value: float, device: torch.device) -> float:
    """The mean of a number over all processes."""
    if not _are_several():
        return value
    total = torch.tensor(value, dtype=torch.float64 if device.type == "cpu" else torch.float32, device=device)
    distributed.all_reduce(total)
    return float(total) / distributed.get_world_size()


def joined_rows(rows: Sequence[Mapping[str, Sequence[float]]]) -> list[Mapping[str, Sequence[float]]]:
    """The rows of all processes, dealt out in turn (row i lies in process i mod n), in their first order."""
    if not _are_several():
        return list(rows)
    parts: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(parts, list(rows))
    return [parts[i % len(parts)][i // len(parts)] for i in range(sum(len(part) for part in parts))]


def _strategy(name: str, world_size: int) -> Strategy:
    from lightning.fabric.strategies import DDPStrategy, ModelParallelStrategy

    if name == "fsdp":
        return ModelParallelStrategy(sharded, data_parallel_size=world_size, tensor_parallel_size=1)
    return DDPStrategy(find_unused_parameters=True, **_without_buffers())


def _without_buffers() -> dict[str, Any]:
    """Buffers are fixed tables, the same everywhere, and need not be sent at each step; the option's name changed."""
    known = inspect.signature(DistributedDataParallel.__init__).parameters
    return {"forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers": False}


def _are_several() -> bool:
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1
