"""Options of the workers of many studies: the engine that runs them, and what each may use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jsonargparse import Namespace

from cinema_cmr.commands.options.dataclass_options import OptionGroup

if TYPE_CHECKING:
    from cinema_cmr.population.engines.choose import EngineRequest

__all__ = ["add_engine_options", "engine_request", "in_this_process"]


_SECONDS = 1800.0
"""Time for one study by default."""


def add_engine_options(group: OptionGroup) -> None:
    """Add the engine and its own options."""
    group.add_argument("--engine", choices=["local", "ray", "slurm"], default="local", help="what runs the workers")
    group.add_argument("--memory", type=float, metavar="GB", help="limit of each worker (default: its share)")
    group.add_argument("--time-limit", type=float, metavar="S", help="for one study, in seconds (default: 1800)")
    group.add_argument("--address", help="ray: address of a cluster (default: a local one)")
    group.add_argument("--jobs", type=int, default=16, help="slurm: jobs in the array")
    group.add_argument("--slurm", action="append", metavar="NAME=VALUE", help="slurm: a setting, e.g. partition=cpu")


def engine_request(given: Namespace, *, threads: int = 1, device: str = "cpu") -> EngineRequest:
    """Return what a command line requests; raises `UsageError` for an engine that is not installed."""
    from cinema_cmr.population.engines.choose import EngineRequest, count_gpus
    from cinema_cmr.population.engines.slurm import check_submitit

    if given.engine == "slurm":
        check_submitit()
    return EngineRequest(
        engine=given.engine,
        workers=given.workers,
        threads=threads,
        memory_gb=given.memory,
        seconds=_SECONDS if given.time_limit is None else given.time_limit,
        gpus=count_gpus(device),
        address=given.address,
        jobs=given.jobs,
        slurm=tuple(given.slurm or ()),
    )


def in_this_process(given: Namespace) -> bool:
    """Return whether one worker without an engine or limits does the work: no process is started for it."""
    limited = given.memory is not None or given.time_limit is not None
    return bool(given.engine == "local" and given.workers == 1 and not limited)
