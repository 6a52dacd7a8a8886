"""The studies of one call, one after another or by several processes."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from typing import TypeVar

from cinema_cmr.core.errors import InternalError, UsageError
from cinema_cmr.core.memory import give_back_memory, usable_cores, worker_environment

__all__ = ["each_result"]

Case = TypeVar("Case")
Result = TypeVar("Result")


def each_result(
    work: Callable[[Case], Result],
    cases: Sequence[Case],
    *,
    workers: int,
    failed: Callable[[Case, Exception], Result],
    threads: int | None = None,
) -> Iterator[Result]:
    """Yield the result of each case as it is finished, in order with one worker; `work` must be picklable with more.

    The cores are shared out among the workers; `threads` are those of a single one, None for all that it takes by
    itself. A worker that dies takes no other case along: those in flight are done again, each alone, and one that kills
    its worker again has the result of `failed`; the rest goes on as before.
    """
    if workers < 1:
        raise UsageError(f"{workers} workers; expected at least 1: set --workers")
    if workers == 1 or len(cases) < 2:
        os.environ.update(worker_environment(threads))  # before the first case loads a network: torch reads it once
        for case in cases:
            yield _worked(work, case)
        return
    os.environ.update(worker_environment(max(1, usable_cores() // workers)))
    waiting = deque(cases)
    while waiting:
        died: list[Case] = []
        yield from _pooled(work, waiting, min(workers, len(waiting)), died)
        for case in died:
            yield _alone(work, case, failed)


def _pooled(work: Callable[[Case], Result], waiting: deque[Case], workers: int, died: list[Case]) -> Iterator[Result]:
    """Work off what is waiting until a worker dies: those in flight, of which one is to blame, are added to `died`."""
    running: dict[Future[Result], Case] = {}
    with _pool(workers) as pool:
        try:
            while not died:
                while waiting and len(running) < workers:
                    future = pool.submit(_worked, work, waiting[0])
                    running[future] = waiting.popleft()
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    case = running.pop(future)
                    if _has_died(future):
                        died.append(case)
                    else:
                        yield future.result()
        except (
            BrokenExecutor
        ):  # at the next submission: a worker died, before its result said so or with none in flight
            pass
        finally:
            pool.shutdown(cancel_futures=True)
    for future, case in running.items():
        if _has_died(future):
            died.append(case)
        else:
            yield future.result()


def _worked(work: Callable[[Case], Result], case: Case) -> Result:
    result = work(case)
    give_back_memory()
    return result


def _has_died(future: Future[Result]) -> bool:
    return future.cancelled() or isinstance(future.exception(), BrokenExecutor)


def _alone(work: Callable[[Case], Result], case: Case, failed: Callable[[Case, Exception], Result]) -> Result:
    with _pool(1) as pool:
        try:
            return pool.submit(_worked, work, case).result()
        except BrokenExecutor:
            return failed(case, InternalError("its process died; expected a study that can be read: check the files"))


def _pool(workers: int) -> ProcessPoolExecutor:
    """Spawned processes inherit no locks or threads, and behave the same on every system."""
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
