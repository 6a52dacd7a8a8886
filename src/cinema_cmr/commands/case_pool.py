"""The studies of one call, one after another or by several processes."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, as_completed
from typing import TypeVar

from cinema_cmr.core.errors import InternalError, UsageError

__all__ = ["each_result"]

Case = TypeVar("Case")
Result = TypeVar("Result")

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def each_result(
    work: Callable[[Case], Result], cases: Sequence[Case], *, workers: int, failed: Callable[[Case, Exception], Result]
) -> Iterator[Result]:
    """Yield the result of each case as it is finished, in order with one worker; `work` must be picklable with more.

    The cores are shared out among the workers. A worker that dies takes no other case along: those it leaves are done
    again, each alone, and one that kills its worker again has the result of `failed`.
    """
    if workers < 1:
        raise UsageError(f"{workers} workers; expected at least 1: set --workers")
    if workers == 1 or len(cases) < 2:
        yield from map(work, cases)
        return
    threads = max(1, (os.cpu_count() or 1) // workers)
    os.environ.update(dict.fromkeys(_THREADS, str(threads)))
    died: list[Case] = []
    with _pool(min(workers, len(cases))) as pool:
        pending: dict[Future[Result], Case] = {pool.submit(work, case): case for case in cases}
        try:
            for future in as_completed(pending):
                if isinstance(future.exception(), BrokenExecutor):
                    died.append(pending[future])
                else:
                    yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)
    for case in died:
        yield _alone(work, case, failed)


def _alone(work: Callable[[Case], Result], case: Case, failed: Callable[[Case, Exception], Result]) -> Result:
    with _pool(1) as pool:
        try:
            return pool.submit(work, case).result()
        except BrokenExecutor:
            return failed(case, InternalError("its process died; expected a study that can be read: check the files"))


def _pool(workers: int) -> ProcessPoolExecutor:
    """Spawned processes inherit no locks or threads, and behave the same on every system."""
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
