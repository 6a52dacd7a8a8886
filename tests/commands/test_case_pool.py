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


@pytest.mark.slow
def test_a_case_that_kills_its_process_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "1")  # restored after the test
    assert sorted(each_result(square, [1, 2, 3, 4], workers=2, failed=failed)) == [-3, 1, 4, 16]
