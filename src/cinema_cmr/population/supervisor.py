"""One worker and its supervisor: a study that kills, hangs or bloats the worker costs that study alone."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

from cinema_cmr.core.errors import CinemaError, InternalError
from cinema_cmr.core.memory import worker_environment
from cinema_cmr.population.listed_studies import ListedStudy
from cinema_cmr.population.outcome import Attempt, StudyOutcome, outcome_archive
from cinema_cmr.population.work import DeviceWork, MakeWork, listing_hash
from cinema_cmr.population.worker import Failure, Reply, WorkerLimits, work_until_closed

__all__ = ["Job", "Supervisor"]

_ATTEMPTS = 2
"""A study may fail for what another one, or the machine, did to its worker."""
_POLL_S = 0.1
"""Time between two looks at the worker's memory and time."""
_RESIDENT_OVER_DATA = 1.25
"""Resident memory, shared libraries included, over the limit of data at which a worker is killed."""
_GPUS = "CUDA_VISIBLE_DEVICES"
_SPAWNING = threading.Lock()
"""The environment of a new process is that of this one for a moment."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What workers do, the same for every engine."""

    make: MakeWork
    settings: str
    """Hash that outcomes carry."""
    limits: WorkerLimits = field(default_factory=WorkerLimits)

    @property
    def device(self) -> str:
        """The kind of device that workers take."""
        return self.make.device if isinstance(self.make, DeviceWork) else "cpu"

    def on_this_machine(self) -> Job:
        """Return the job with the device and the precision that this machine's workers take, in its settings too.

        Raises as `DeviceWork.settings`.
        """
        if not isinstance(self.make, DeviceWork):
            return self
        make = self.make.resolved()
        return replace(self, make=make, settings=make.settings())

    def possible_settings(self) -> frozenset[str]:
        """Return the hashes that outcomes may carry, whichever machine does the work."""
        return self.make.possible_settings() if isinstance(self.make, DeviceWork) else frozenset([self.settings])


class Supervisor:
    """Keeps one worker, started at the first study and again after its death; closed by `close`."""

    def __init__(self, job: Job, *, gpu: int | None = None) -> None:
        self.job = job
        self.gpu = gpu
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None
        self._stopped = False

    def run(self, study: ListedStudy) -> bytes:
        """Return the archive of a study's outcome, after a second attempt if the first failed.

        Raises `CinemaError` if no worker can be started, as for a model that does not load: no study's fault.
        """
        listing = listing_hash(study)
        reply, attempts = self._attempt(study), 1
        while reply.failure is not None and attempts < _ATTEMPTS:
            reply, attempts = self._attempt(study), attempts + 1
        failure, parts = reply.failure, reply.parts
        outcome = StudyOutcome(
            name=study.name,
            settings=self.job.settings,
            listing=listing,
            facts=study.facts,
            record=parts.record if parts else None,
            image=parts.image if parts else None,
            cause=failure.cause if failure else None,
            reason=failure.reason if failure else None,
            exit_code=failure.exit_code if failure else 0,
            attempts=attempts,
            cost=reply.cost,
            finished_ms=time.time_ns() // 1_000_000,
        )
        return outcome_archive(outcome, parts.members if parts else {})

    def stop(self) -> None:
        """End the worker, while it starts or in the middle of a study, from another thread; `run` raises."""
        self._stopped = True
        with _SPAWNING:  # a process that is being started is there afterwards, or is not started any more
            process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """End the worker, if there is one."""
        if self._connection is not None:
            self._connection.close()
        if self._process is not None and self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process = self._connection = None

    def _attempt(self, study: ListedStudy) -> Reply:
        self._check_wanted()
        connection = self._started()
        process, started = self._process, time.monotonic()
        assert process is not None
        try:
            connection.send(study)
            reply = self._awaited(connection, process, started)
        except (EOFError, OSError):
            process.join()
            reply = _reply(_death(process.exitcode), started)
        if reply.failure is not None and reply.failure.cause != "input":
            self.close()  # what went wrong may have left its traces
        return reply

    def _awaited(self, connection: Connection, process: SpawnProcess, started: float) -> Reply:
        """Wait for the reply, as long and for as much memory as is allowed."""
        limits = self.job.limits
        while not connection.poll(_POLL_S):
            resident = _resident_mb(process.pid)
            if limits.memory_mb is not None and resident > limits.memory_mb * _RESIDENT_OVER_DATA:
                found = f"took {resident:.0f} MB of memory; expected at most {limits.memory_mb}: set --memory"
                return _reply(Failure(cause="memory", reason=found, exit_code=3), started, peak_mb=resident)
            if time.monotonic() - started > limits.seconds:
                found = f"was not finished in {limits.seconds:g} s; expected less: check the input, or set --time-limit"
                return _reply(Failure(cause="timeout", reason=found, exit_code=3), started, peak_mb=resident)
        reply: Reply = connection.recv()
        return reply

    def _started(self) -> Connection:
        if self._process is not None and self._connection is not None and self._process.is_alive():
            return self._connection
        self.close()
        context = multiprocessing.get_context("spawn")  # inherits no locks or threads
        ours, theirs = context.Pipe()
        arguments = (theirs, self.job.make, self.job.limits, os.getpid())
        process = context.Process(target=work_until_closed, args=arguments, daemon=True)
        with _SPAWNING, _environment(self.job.limits.threads, self.gpu):
            self._check_wanted()
            process.start()
            self._process, self._connection = process, ours
        theirs.close()
        try:
            error = ours.recv()
        except (EOFError, OSError):
            process.join()
            error = InternalError(
                f"a worker ended while it loaded the models ({_death(process.exitcode).reason}); expected it to start:"
                " set --memory, or --workers lower"
            )
        if isinstance(error, CinemaError):
            self.close()
            raise error
        self._check_wanted()
        return ours

    def _check_wanted(self) -> None:
        if self._stopped:
            raise InternalError("a worker was stopped; expected its results to be wanted")


@contextmanager
def _environment(threads: int, gpu: int | None) -> Iterator[None]:
    values = worker_environment(threads) | ({} if gpu is None else {_GPUS: _device_of(gpu)})
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _device_of(gpu: int) -> str:
    """Return the name of the n-th GPU that this process sees: of a list that a scheduler gave, else its number."""
    given = [name.strip() for name in os.environ.get(_GPUS, "").split(",") if name.strip()]
    return given[gpu] if gpu < len(given) else str(gpu)


def _death(exit_code: int | None) -> Failure:
    if exit_code is not None and exit_code < 0:
        try:
            name = signal.Signals(-exit_code).name
        except ValueError:
            name = f"signal {-exit_code}"
        hint = ", often for want of memory" if -exit_code == 9 else ""
        reason = f"its worker was killed by {name}{hint}; expected a study that can be read: check the files"
        return Failure(cause="killed", reason=reason, exit_code=1)
    return Failure(cause="killed", reason=f"its worker ended with code {exit_code}; expected a reply", exit_code=1)


def _reply(failure: Failure, started: float, *, peak_mb: float = 0.0) -> Reply:
    seconds = round(time.monotonic() - started, 3)
    return Reply(failure=failure, cost=Attempt(seconds=seconds, peak_mb=round(peak_mb, 1)))


def _resident_mb(pid: int | None) -> float:
    """Return the resident memory (MiB) of a process; 0 where the system does not state it."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
    except (OSError, ValueError, IndexError):
        return 0.0
