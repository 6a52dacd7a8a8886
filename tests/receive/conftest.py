"""pynetdicom leaves the sockets of refused connections to the garbage collector."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def quiet_sockets() -> Iterator[None]:
    """Ignore sockets that are collected open."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield


@pytest.fixture(autouse=True, scope="module")
def collected_sockets() -> Iterator[None]:
    """Collect them before another module's tests."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
