"""Several processes give what one gives; a case that kills its process takes no other along."""

from __future__ import annotations

import os
import signal

import pytest

from cinema_cmr.commands.case_pool import each_result
from cinema_cmr.core.errors import UsageError


def square(n: int) -> int:
    if n == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return n * n


def failed(n: int, error: Exception) -> int:
    assert "died" in str(error)
    return -n


def test_one_worker_works_in_order_in_this_process() -> None:
    assert list(each_result(lambda n: n + 1, [3, 1, 2], workers=1, failed=failed)) == [4, 2, 3]
    with pytest.raises(UsageError, match="at least 1"):
        list(each_result(square, [1], workers=0, failed=failed))


def test_one_worker_keeps_as_few_kernels_as_several_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first case, whose network reads it; its threads are its own."""
    monkeypatch.setattr(os, "environ", {"LRU_CACHE_CAPACITY": "100"})
    found = list(each_result(lambda n: dict(os.environ), [1, 2], workers=1, failed=failed_environment))
    assert found == 2 * [{"LRU_CACHE_CAPACITY": "100", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "256"}]


def failed_environment(n: int, error: Exception) -> dict[str, str]:
    return {}


@pytest.mark.slow
def test_a_case_that_kills_its_process_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "1")  # restored after the test
    assert sorted(each_result(square, [1, 2, 3, 4], workers=2, failed=failed)) == [-3, 1, 4, 16]


def process_of(n: int) -> tuple[int, int]:
    square(n)
    return n, os.getpid()


def failed_process(n: int, error: Exception) -> tuple[int, int]:
    return -n, 0


@pytest.mark.slow
def test_a_case_that_kills_its_process_does_not_make_the_rest_serial(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    found = dict(each_result(process_of, range(20), workers=2, failed=failed_process))
    assert sorted(found) == sorted([*range(3), -3, *range(4, 20)])
    processes = {process for n, process in found.items() if n >= 0}
    assert len(processes) <= 5, "two before, those in flight alone, two after"


@pytest.mark.medium
def test_workers_share_the_cores_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cinema_cmr.commands.case_pool.usable_cores", lambda: 6)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    assert sorted(each_result(threads_of, [1, 2], workers=2, failed=failed)) == [3, 3]


def threads_of(n: int) -> int:
    return int(os.environ["OMP_NUM_THREADS"])
