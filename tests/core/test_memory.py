"""A size that a file claims is refused before it is allocated."""

from __future__ import annotations

import os

import pytest

from cinema_cmr.core.errors import InputError, OutOfMemoryError
from cinema_cmr.core.memory import check_memory, free_memory_bytes, usable_cores


def test_what_fits_passes_and_what_does_not_is_refused_with_both_sizes() -> None:
    free = free_memory_bytes()
    assert 0 < free < 1 << 50
    check_memory(1 << 20, "a stack")
    with pytest.raises(InputError, match=r"a stack takes 1125899\.9 GB of memory, of which .* GB are free"):
        check_memory(1 << 50, "a stack")


def test_the_smallest_of_machine_and_process_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cinema_cmr.core.memory._of_machine", lambda: 5000)
    monkeypatch.setattr("cinema_cmr.core.memory._of_container", lambda: None)
    monkeypatch.setattr("cinema_cmr.core.memory._of_process", lambda: 4000)
    assert free_memory_bytes() == 4000
    monkeypatch.setattr("cinema_cmr.core.memory._of_process", lambda: -1)
    assert free_memory_bytes() == 0


def test_the_limit_of_data_counts() -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (3 << 30, before[1]))
    try:
        assert free_memory_bytes() < 3 << 30
        with pytest.raises(OutOfMemoryError):
            check_memory(4 << 30, "a stack")
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def test_cores_are_those_that_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5, 6}, raising=False)
    assert usable_cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores() == 1
