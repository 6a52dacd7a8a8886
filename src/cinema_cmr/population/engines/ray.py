"""A Ray cluster, or a local one: each task supervises a worker process of its own, as on one machine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from itertools import islice
from typing import TYPE_CHECKING

from cinema_cmr.core.errors import CinemaError, InputError, UsageError
from cinema_cmr.population.listed_studies import ListedStudy
from cinema_cmr.population.supervisor import Job, Supervisor

if TYPE_CHECKING:
    import ray

__all__ = ["check_ray", "supervised", "work_on_ray"]

_WAITING_PER_CORE = 2
"""Tasks handed to Ray at a time for each core: a list of 100,000 is not."""
_SUPERVISORS: dict[str, Supervisor] = {}
"""The supervisor of this process, by its job's settings: models are loaded once a worker."""


def check_ray() -> None:
    """Raise `UsageError` if Ray is not installed."""
    if find_spec("ray") is None:
        raise UsageError("--engine ray needs Ray, which is not installed; install cinema-cmr[ray]")


def work_on_ray(
    studies: Sequence[ListedStudy], job: Job, *, address: str | None, workers: int, gpus: int = 0
) -> Iterator[tuple[ListedStudy, bytes]]:
    """Yield each study with the archive of its outcome as it is finished.

    Inputs must have the same path on every node; outcomes come back to this process, which alone writes. A task whose
    process or node dies is done again elsewhere, as often as it takes.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    threads = job.limits.threads
    _connect(address, workers * threads, gpus)
    try:
        kind = ray.remote(num_cpus=threads, num_gpus=_gpu_share(workers, gpus), max_retries=-1)(supervised)
        shared, waiting = ray.put(job), iter(studies)
        n_tasks = max(1, _WAITING_PER_CORE * int(_cluster_cores() or workers) // threads)
        running: dict[ray.ObjectRef[bytes], ListedStudy] = {}
        while True:
            for study in islice(waiting, n_tasks - len(running)):
                running[kind.remote(study, shared)] = study
            if not running:
                return
            ready, _ = ray.wait(list(running), num_returns=1, timeout=None)
            for reference in ready:
                yield running.pop(reference), _result(reference)
    finally:
        ray.shutdown()


def supervised(study: ListedStudy, job: Job) -> bytes:
    """Run a study under this process's supervisor, which keeps its worker for the next one."""
    if job.settings not in _SUPERVISORS:
        _SUPERVISORS[job.settings] = Supervisor(job)
    return _SUPERVISORS[job.settings].run(study)


def _connect(address: str | None, cores: int, gpus: int) -> None:
    import ray

    quiet = {"log_to_driver": False, "configure_logging": False}
    try:
        if address is None:
            ray.init(num_cpus=cores, num_gpus=gpus, include_dashboard=False, **quiet)
        else:
            ray.init(address=address, **quiet)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise InputError(
            f"no Ray cluster could be reached or started ({type(error).__name__}); expected one: check --address and"
            " its token (RAY_AUTH_MODE=token, RAY_AUTH_TOKEN), or leave --address out for one on this machine"
        ) from error


def _cluster_cores() -> float:
    import ray

    resources: dict[str, float] = ray.cluster_resources()
    return resources.get("CPU", 0.0)


def _gpu_share(workers: int, gpus: int) -> float:
    return round(gpus / workers, 4) if gpus else 0


def _result(reference: ray.ObjectRef[bytes]) -> bytes:
    import ray

    try:
        archive: bytes = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause if isinstance(error.cause, CinemaError) else error
        raise cause from error
    return archive
