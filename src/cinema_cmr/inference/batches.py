"""Batches through a network side by side on the cores of a CPU."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

from cinema_cmr.inference.runtime import Runtime

__all__ = ["each_batch"]

B = TypeVar("B")
R = TypeVar("R")


def each_batch(work: Callable[[B], R], batches: Sequence[B], runtime: Runtime) -> Iterator[R]:
    """Yield the result of each batch in order; on a CPU, as many batches at once as torch has threads.

    The batches share the threads out, one each where there are enough batches: threads that work on one batch wait for
    each other at every layer. The results are those of one batch after the other, as no network of ours depends on the
    number of threads. What the caller does between two results runs beside the batches that follow; at most two a
    worker are ahead.
    """
    given = torch.get_num_threads()
    n_workers = min(given, len(batches)) if runtime.device == "cpu" else 1
    if n_workers < 2:
        yield from map(work, batches)
        return
    pool = ThreadPoolExecutor(n_workers, "batch", initializer=torch.set_num_threads, initargs=(given // n_workers,))
    try:
        yield from _ahead(pool, work, batches, 2 * n_workers)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(given)  # each thread has its own number, but new ones take the last that was set


def _ahead(pool: ThreadPoolExecutor, work: Callable[[B], R], batches: Iterable[B], n_ahead: int) -> Iterator[R]:
    pending: deque[Future[R]] = deque()
    for batch in batches:
        pending.append(pool.submit(work, batch))
        if len(pending) == n_ahead:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()
