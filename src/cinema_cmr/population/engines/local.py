"""All cores of one machine: supervised worker processes, the threads shared out."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence

from cinema_cmr.core.memory import free_memory_bytes, usable_cores
from cinema_cmr.population.listed_studies import ListedStudy
from cinema_cmr.population.supervisor import Job, Supervisor

__all__ = ["default_memory_mb", "default_workers", "work_locally"]

_WORKER_MB = 1500
"""A worker with the bundled models and a study of 25 frames takes some 700 MB."""
_WORKERS_PER_GPU = 4
_LEAST_MB = 2048

_Result = tuple[ListedStudy, bytes] | BaseException


def default_workers(threads: int, gpus: int = 0) -> int:
    """Return one worker for each `threads` cores, four for each GPU, as many as memory holds.

    One thread a worker is the default: reading, measuring and writing run on one thread, whatever a network does.
    """
    wanted = gpus * _WORKERS_PER_GPU if gpus else max(1, usable_cores() // threads)
    return max(1, min(wanted, usable_cores(), (free_memory_bytes() >> 20) // _WORKER_MB))


def default_memory_mb(workers: int) -> int:
    """Return the share of a worker in nine tenths of the memory that is free, 2 GB at least."""
    return max(_LEAST_MB, int(0.9 * (free_memory_bytes() >> 20)) // workers)


def work_locally(
    studies: Sequence[ListedStudy], job: Job, *, workers: int, gpus: int = 0
) -> Iterator[tuple[ListedStudy, bytes]]:
    """Yield each study with the archive of its outcome as it is finished.

    Each thread supervises one worker. An error of the run itself, as a model that does not load, is raised, and ends
    all workers.
    """
    waiting: queue.SimpleQueue[ListedStudy] = queue.SimpleQueue()
    for study in studies:
        waiting.put(study)
    results: queue.Queue[_Result] = queue.Queue(maxsize=2 * workers)
    supervisors = [Supervisor(job, gpu=number % gpus if gpus else None) for number in range(min(workers, len(studies)))]
    stopping = threading.Event()
    threads = [
        threading.Thread(target=_supervise, args=(one, waiting, results, stopping), daemon=True) for one in supervisors
    ]
    for thread in threads:
        thread.start()
    try:
        for _ in studies:
            result = results.get()
            if isinstance(result, BaseException):
                raise result
            yield result
    finally:
        stopping.set()
        for one in supervisors:
            one.stop()
        for thread in threads:
            thread.join()


def _supervise(
    supervisor: Supervisor,
    waiting: queue.SimpleQueue[ListedStudy],
    results: queue.Queue[_Result],
    stopping: threading.Event,
) -> None:
    try:
        while not stopping.is_set():
            try:
                study = waiting.get_nowait()
            except queue.Empty:
                break
            archive = supervisor.run(study)
            _put(results, (study, archive), stopping)
    except BaseException as error:  # raised where the results are read
        _put(results, error, stopping)
    finally:
        supervisor.close()


def _put(results: queue.Queue[_Result], result: _Result, stopping: threading.Event) -> None:
    """Put a result, unless the run stops while the queue is full."""
    while not stopping.is_set():
        try:
            results.put(result, timeout=1.0)
        except queue.Full:
            continue
        return
