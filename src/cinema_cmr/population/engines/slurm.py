"""SLURM through submitit: an array of jobs, each a shard that uses the cores it was given."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from cinema_cmr.core.errors import InternalError, UsageError
from cinema_cmr.population.engines.choose import count_gpus
from cinema_cmr.population.engines.local import work_locally
from cinema_cmr.population.listed_studies import ListedStudy
from cinema_cmr.population.outcome_store import OutcomeStore
from cinema_cmr.population.run import RunSettings, check_one_kind, run_population
from cinema_cmr.population.supervisor import Job

if TYPE_CHECKING:
    import submitit

__all__ = ["SlurmPart", "SlurmShard", "check_submitit", "run_on_slurm", "work_on_slurm"]

Result = TypeVar("Result")

_LOOKS_EVERY_S = 5.0
_MEMORY_OF_JOB_MB = 1024
"""Of the process that supervises the workers."""


def check_submitit() -> None:
    """Raise `UsageError` if submitit is not installed."""
    if find_spec("submitit") is None:
        raise UsageError("--engine slurm needs submitit, which is not installed; install cinema-cmr[slurm]")


class SlurmShard:
    """One job of the array: a shard of the studies, with its own workers; what a call returns is its count."""

    def __init__(self, studies: Sequence[ListedStudy], job: Job, settings: RunSettings) -> None:
        self.studies, self.job, self.settings = tuple(studies), job, settings

    def __call__(self) -> int:
        """Do what the shard lacks; returns the number of studies done."""
        job = self.job.on_this_machine()
        plan = run_population(self.studies, job, self._engine, self.settings, lambda outcome, status: None)
        return len(plan.todo)

    def checkpoint(self) -> submitit.helpers.DelayedSubmission:
        """Submit the shard again after a preemption or the end of its time: what is done stays done."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)

    def _engine(self, studies: Sequence[ListedStudy], job: Job) -> Iterator[tuple[ListedStudy, bytes]]:
        return work_locally(studies, job, workers=self.settings.workers, gpus=count_gpus(job.device))


class SlurmPart:
    """One job of the array: a part of the studies, with its own workers; what a call returns are their archives."""

    def __init__(self, studies: Sequence[ListedStudy], job: Job, workers: int) -> None:
        self.studies, self.job, self.workers = tuple(studies), job, workers

    def __call__(self) -> list[tuple[ListedStudy, bytes]]:
        """Work on the studies; a second call works on all of them again."""
        job = self.job.on_this_machine()
        return list(work_locally(self.studies, job, workers=self.workers, gpus=count_gpus(job.device)))

    def checkpoint(self) -> submitit.helpers.DelayedSubmission:
        """Submit the part again after a preemption or the end of its time."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def run_on_slurm(
    studies: Sequence[ListedStudy],
    job: Job,
    settings: RunSettings,
    *,
    jobs: int,
    slurm: Sequence[str] = (),
    note: Callable[[str], None] = lambda text: None,
) -> None:
    """Submit an array of at most `jobs` shards, and wait for it.

    Settings are submitit's or SLURM's own names; `cluster=local` runs the jobs on this machine, `cluster=debug` in this
    process. Raises `OutputExistsError` before anything is submitted where the folder would mix models or options,
    `InternalError` with the place of its log if a job failed.
    """
    settings = replace(settings, listed=frozenset(study.name for study in studies))
    check_one_kind(studies, OutcomeStore(settings.folder).outcomes(), job.possible_settings(), settings)
    n = max(1, min(jobs, len(studies)))
    shards = [_shard(studies[k::n], job, settings, (k + 1, n)) for k in range(n)]
    for _ in _array(shards, _resources(job, settings.workers, n), settings.folder / "slurm", slurm, note):
        pass


def work_on_slurm(
    studies: Sequence[ListedStudy],
    job: Job,
    *,
    jobs: int,
    workers: int,
    logs: Path,
    slurm: Sequence[str] = (),
    note: Callable[[str], None] = lambda text: None,
) -> Iterator[tuple[ListedStudy, bytes]]:
    """Submit an array of at most `jobs` parts, and yield each study with the archive of its outcome, job by job.

    Raises `InternalError` as `run_on_slurm`, after the outcomes of the jobs that did not fail.
    """
    n = max(1, min(jobs, len(studies)))
    parts = [SlurmPart(studies[k::n], job, workers) for k in range(n)]
    for found in _array(parts, _resources(job, workers, n), logs, slurm, note):
        yield from found


def _array(
    parts: Sequence[Callable[[], Result]],
    resources: Mapping[str, object],
    logs: Path,
    slurm: Sequence[str],
    note: Callable[[str], None],
) -> Iterator[Result]:
    """Submit an array of jobs, and yield what each returns as it is finished."""
    import submitit

    given = dict(_setting(text) for text in slurm)
    cluster = given.pop("cluster", None)
    executor = submitit.AutoExecutor(folder=logs, cluster=cluster)
    executor.update_parameters(**{**resources, **_typed(given)})
    waiting = executor.submit_array(parts)
    note(f"{len(parts)} jobs submitted, the first is {waiting[0].job_id}; logs in {logs.parent.name}/{logs.name}")
    failed = []
    while waiting:
        finished = [one for one in waiting if one.done()]
        waiting = [one for one in waiting if one not in finished]
        for one in finished:
            error = one.exception()
            if error is None:
                yield one.result()
            else:
                failed.append((one, error))
        if waiting:
            time.sleep(0.2 if cluster else _LOOKS_EVERY_S)
    for one, error in failed:
        raise InternalError(
            f"job {one.job_id} ended with {type(error).__name__}; expected its shard to be done: see"
            f" {one.paths.stderr.name} in {logs.parent.name}/{logs.name}, and call again"
        ) from error


def _shard(studies: Sequence[ListedStudy], job: Job, settings: RunSettings, shard: tuple[int, int]) -> SlurmShard:
    own = replace(settings, shard=shard)
    return SlurmShard(studies, job, own)


def _resources(job: Job, workers: int, n: int) -> dict[str, object]:
    memory_mb = _MEMORY_OF_JOB_MB + workers * (job.limits.memory_mb or 0)
    return {
        "name": "cinema-population",
        "cpus_per_task": workers * job.limits.threads,
        "mem_gb": -(-memory_mb // 1024),
        "timeout_min": 24 * 60,
        "slurm_array_parallelism": n,
    }


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise UsageError(f"--slurm {text}; expected NAME=VALUE, e.g. --slurm slurm_partition=cpu")
    return name, value


def _typed(given: dict[str, str]) -> dict[str, object]:
    return {name: int(value) if value.isdecimal() else value for name, value in given.items()}
