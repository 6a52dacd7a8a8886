"""A worker process: loads the models once, then works on one study after another as its supervisor sends them.

It dies with its supervisor, whatever ends that, and takes no more memory than it was given.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from cinema_cmr.core.errors import CinemaError, InternalError, OutOfMemoryError, as_cinema_error
from cinema_cmr.core.memory import give_back_memory
from cinema_cmr.population.outcome import Attempt, Cause

if TYPE_CHECKING:
    from cinema_cmr.population.listed_studies import ListedStudy
    from cinema_cmr.population.work import MakeWork, StudyParts, Work

__all__ = ["Failure", "Reply", "WorkerLimits", "work_until_closed"]

_POLL_S = 0.5
"""Time from the end of the supervisor to that of its worker, at most."""


@dataclass(frozen=True, kw_only=True)
class WorkerLimits:
    """What a worker may use."""

    threads: int = 1
    memory_mb: int | None = None
    """Of data, beyond which an allocation fails; None for no limit."""
    seconds: float = 1800.0
    """For one attempt at one study."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why an attempt gave no numbers."""

    cause: Cause
    reason: str
    exit_code: int


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a worker returns: the parts of a study's outcome, or its failure."""

    parts: StudyParts | None = None
    failure: Failure | None = None
    cost: Attempt


def work_until_closed(connection: Connection, make: MakeWork, limits: WorkerLimits, supervisor: int) -> None:
    """Send None once the models are loaded, or the error that prevents it; then a `Reply` to each study received."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor decides what an interrupt means
    threading.Thread(target=_end_with, args=(supervisor,), daemon=True).start()
    _limit_threads(limits.threads)
    try:
        work = make()
    except Exception as error:
        connection.send(as_cinema_error(error))
        return
    _limit_memory(limits.memory_mb)
    with suppress(EOFError, OSError):  # the supervisor has closed its end, or is gone
        connection.send(None)
        while True:
            reply = _reply(work, connection.recv())
            give_back_memory()  # otherwise a worker grows from study to study as its heap breaks into pieces
            connection.send(reply)


def _reply(work: Work, study: ListedStudy) -> Reply:
    started, cpu = time.perf_counter(), time.process_time()
    try:
        found: StudyParts | Failure = work(study)
    except Exception as error:
        found = _failure(as_cinema_error(error))
    cost = Attempt(
        seconds=round(time.perf_counter() - started, 3),
        cpu_seconds=round(time.process_time() - cpu, 3),
        peak_mb=_peak_mb(),
    )
    if isinstance(found, Failure):
        return Reply(failure=found, cost=cost)
    return Reply(parts=found, cost=cost)


def _failure(error: CinemaError) -> Failure:
    cause: Cause = "error" if isinstance(error, InternalError) else "input"
    if isinstance(error, OutOfMemoryError):
        cause = "memory"
    return Failure(cause=cause, reason=str(error), exit_code=error.exit_code)


def _end_with(supervisor: int) -> None:
    """End this process when its supervisor is gone: it has another parent then."""
    while os.getppid() == supervisor:
        time.sleep(_POLL_S)
    os._exit(1)


def _limit_threads(threads: int) -> None:
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


def _limit_memory(memory_mb: int | None) -> None:
    """Let allocations beyond the limit fail; where a system cannot, the supervisor alone watches the memory."""
    if memory_mb is None:
        return
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (memory_mb << 20, memory_mb << 20))
    except (ImportError, OSError, ValueError):
        return


def _peak_mb() -> float:
    try:
        import resource
    except ImportError:
        return 0.0
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(kilobytes / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)
