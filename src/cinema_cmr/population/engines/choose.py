"""Which engine runs the workers, how many there are, and what each may use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from cinema_cmr.core.errors import UsageError
from cinema_cmr.population.engines.local import default_memory_mb, default_workers, work_locally
from cinema_cmr.population.run import Engine
from cinema_cmr.population.supervisor import Job
from cinema_cmr.population.work import DeviceWork, MakeWork
from cinema_cmr.population.worker import WorkerLimits

__all__ = ["EngineRequest", "choose_engine", "count_gpus"]


@dataclass(frozen=True, kw_only=True)
class EngineRequest:
    """As requested; None for what the machine suggests."""

    engine: Literal["local", "ray", "slurm"] = "local"
    workers: int | None = None
    threads: int = 1
    memory_gb: float | None = None
    """Of each worker."""
    seconds: float = 1800.0
    """For one attempt at one study."""
    gpus: int = 0
    address: str | None = None
    """Of a Ray cluster."""
    jobs: int = 16
    """Of a SLURM array."""
    slurm: tuple[str, ...] = ()
    """Settings NAME=VALUE of SLURM."""

    def __post_init__(self) -> None:
        counts = {"--workers": self.workers, "--threads": self.threads, "--jobs": self.jobs}
        sizes = {"--memory": self.memory_gb, "--time-limit": self.seconds}
        for name, value in {**counts, **sizes}.items():
            if value is not None and value <= 0:
                raise UsageError(f"{name} is {value:g}; expected more than 0")

    @property
    def n_workers(self) -> int:
        """Number of workers on this machine."""
        return self.workers or default_workers(self.threads, self.gpus)

    def job(self, work: MakeWork) -> Job:
        """Return what every worker does; raises `WeightsError` for a model that is not found.

        The device and the precision that "auto" means, and with them the settings, are those of this machine, for all
        nodes of a Ray cluster too; on SLURM they are decided where the workers run. The limit of memory, where none is
        given, is a share of this machine's.
        """
        memory = default_memory_mb(self.n_workers) if self.memory_gb is None else int(self.memory_gb * 1024)
        limits = WorkerLimits(threads=self.threads, memory_mb=memory, seconds=self.seconds)
        job = Job(make=work, settings="", limits=limits)
        if self.engine != "slurm":
            return job.on_this_machine()
        if isinstance(work, DeviceWork):
            work.model_hashes()
        return job


def choose_engine(
    request: EngineRequest, *, logs: Path | None = None, note: Callable[[str], None] = lambda text: None
) -> Engine:
    """Return the engine of a request; raises `UsageError` where its package is not installed.

    `logs` is the folder of the jobs of SLURM, `note` is called with a line about them. With SLURM the outcomes of each
    job come back to this process, for work whose results are kept elsewhere; `run_on_slurm` keeps them in the jobs.
    """
    if request.engine == "slurm":
        from cinema_cmr.population.engines.slurm import check_submitit, work_on_slurm

        check_submitit()
        array = {"jobs": request.jobs, "slurm": request.slurm, "logs": logs or Path("slurm"), "note": note}
        return partial(work_on_slurm, workers=request.n_workers, **array)  # type: ignore[arg-type]
    if request.engine == "ray":
        from cinema_cmr.population.engines.ray import check_ray, work_on_ray

        check_ray()
        return partial(work_on_ray, address=request.address, workers=request.n_workers, gpus=request.gpus)
    return partial(work_locally, workers=request.n_workers, gpus=request.gpus)


def count_gpus(device: str) -> int:
    """Return how many GPUs workers share; 0 on the CPU."""
    if device not in ("auto", "cuda"):
        return 0
    import torch

    return torch.cuda.device_count()
