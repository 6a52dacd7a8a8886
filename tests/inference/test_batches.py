"""Batches side by side: order, threads, the limit of what is done ahead, and errors."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
import torch

from cinema_cmr.inference.batches import each_batch
from cinema_cmr.inference.runtime import Runtime

CPU = Runtime(device="cpu", precision="fp32")


@pytest.fixture(params=[1, 3])
def n_threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_the_results_come_in_order_whatever_the_threads(n_threads: int) -> None:
    def slow_first(number: int) -> int:
        time.sleep(0.02 if number == 0 else 0)
        return number * number

    assert list(each_batch(slow_first, range(7), CPU)) == [n * n for n in range(7)]


def test_the_number_of_threads_is_put_back(n_threads: int) -> None:
    list(each_batch(str, range(4), CPU))
    assert torch.get_num_threads() == n_threads
    later: list[int] = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [n_threads]


@pytest.mark.parametrize("n_batches", [1, 2, 3, 5])
def test_the_batches_share_the_threads_out(n_threads: int, n_batches: int) -> None:
    inside = list(each_batch(lambda _: torch.get_num_threads(), range(n_batches), CPU))
    assert inside == [max(1, n_threads // n_batches)] * n_batches


def test_little_is_done_ahead_and_nothing_after_the_end(n_threads: int) -> None:
    done: list[int] = []
    results = each_batch(done.append, range(100), CPU)
    next(results)
    time.sleep(0.05)
    results.close()  # type: ignore[attr-defined]
    assert len(done) <= 2 * n_threads
    assert torch.get_num_threads() == n_threads


def test_an_error_of_a_batch_is_raised_in_its_place(n_threads: int) -> None:
    def fail(number: int) -> int:
        if number == 2:
            raise ValueError("the third")
        return number

    results = each_batch(fail, range(5), CPU)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="the third"):
        next(results)
    assert torch.get_num_threads() == n_threads
