"""Several processes that train one model: starting them, and reductions over them.

Processes are started here, or by torchrun or SLURM, whose environment Lightning Fabric recognises. Only rank 0
writes files and prints.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from cinema_cmr.core.errors import UsageError
from cinema_cmr.engine.shards import shard_module
from cinema_cmr.inference.runtime import Runtime

if TYPE_CHECKING:
    from lightning.fabric import Fabric
    from lightning.fabric.strategies import Strategy

__all__ = ["any_rank", "gather_rows", "is_first_of", "is_first_rank", "mean_over_ranks", "start_fabric"]

_RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID")
"""Variables of torchrun, Fabric and SLURM; all that are set are 0 in the first process alone."""

_PRECISION: dict[str, Literal["32-true", "bf16-mixed", "16-mixed"]] = {
    "fp32": "32-true",
    "bf16": "bf16-mixed",
    "fp16": "16-mixed",
}


def start_fabric(runtime: Runtime, *, devices: int = 1, nodes: int = 1, strategy: str = "ddp") -> Fabric:
    """Return Lightning Fabric on this machine, and start its processes if there are several.

    "ddp": each process holds the whole model and gradients are averaged; parameters that a process does not use (of
    a view that none of its studies has) have gradient zero there. "fsdp": each holds a shard of the weights and of
    the optimiser's state, and all must use the same parameters. Raises `UsageError` if the machine has fewer devices.
    """
    # Takes seconds to import, which neither recipes nor prediction should wait for.
    try:
        from lightning.fabric import Fabric
    except ImportError as error:
        raise UsageError("training needs Lightning, which is not installed: pip install 'cinema-cmr[train]'") from error
    precision = _PRECISION[runtime.precision]
    if runtime.device == "cuda" and devices > torch.cuda.device_count():
        n_found = torch.cuda.device_count()
        raise UsageError(f"{devices} devices; this machine has {n_found}: give --devices {n_found}")
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
    """Return whether this process is the one that writes and prints; always true for a single process."""
    return not _is_distributed() or distributed.get_rank() == 0


def is_first_of(n_processes: int) -> bool:
    """Return whether this is the first of so many processes, which need not have met in `start_fabric` yet."""
    return n_processes == 1 or all(int(os.environ.get(name) or 0) == 0 for name in _RANKS)


def any_rank(flag: bool, device: torch.device) -> bool:
    """Return whether the flag is set in any process; the same in all of them."""
    if not _is_distributed():
        return flag
    flags = torch.tensor(int(flag), device=device)
    distributed.all_reduce(flags, distributed.ReduceOp.MAX)
    return bool(flags)


def mean_over_ranks(value: float, device: torch.device) -> float:
    """Return the mean of a number over all processes."""
    if not _is_distributed():
        return value
    total = torch.tensor(value, dtype=torch.float64 if device.type == "cpu" else torch.float32, device=device)
    distributed.all_reduce(total)
    return float(total) / distributed.get_world_size()


def gather_rows(rows: Sequence[Mapping[str, Sequence[float]]]) -> list[Mapping[str, Sequence[float]]]:
    """Return the rows of all processes in their order, where row i is in process i mod n."""
    if not _is_distributed():
        return list(rows)
    parts: list[list[Mapping[str, Sequence[float]]]] = [[] for _ in range(distributed.get_world_size())]
    distributed.all_gather_object(parts, list(rows))
    return [parts[i % len(parts)][i // len(parts)] for i in range(sum(len(part) for part in parts))]


def _strategy(name: str, world_size: int) -> Strategy:
    from lightning.fabric.strategies import DDPStrategy, ModelParallelStrategy

    if name == "fsdp":
        return ModelParallelStrategy(shard_module, data_parallel_size=world_size, tensor_parallel_size=1)
    return DDPStrategy(find_unused_parameters=True, **_without_buffers())


def _without_buffers() -> dict[str, bool]:
    """Return the setting that stops sending buffers, which are constant, at each step; its name changed in PyTorch."""
    known = inspect.signature(DistributedDataParallel.__init__).parameters
    return {"forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers": False}


def _is_distributed() -> bool:
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1
