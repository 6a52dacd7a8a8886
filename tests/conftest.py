"""Fixtures of the whole house: where the development scans are, and one thread for torch so that runs repeat."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(autouse=True, scope="session")
def no_waiting_for_the_disk() -> Iterator[None]:
    """Written files are read back by this machine, which loses no power: waiting for the disk takes half a minute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(autouse=True, scope="session")
def interrupts_arrive() -> Iterator[None]:
    """A shell lets what it starts in the background ignore Ctrl-C; the tests of it need what a terminal gives."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def same_random_weights() -> None:
    """Each test draws the same random weights, whatever ran before it in its process."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of development scans; skips the test where there is none."""
    root = Path(__file__).resolve().parents[1]
    folder = Path(os.environ.get("CINEMA_TEST_DATA", root.parent / "shared" / "data"))
    if not (folder / "README.md").exists():
        pytest.skip("development scans not found: set CINEMA_TEST_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def pasted_page() -> ModuleType:
    """The module that pastes the lines of a page into a shell."""
    path = Path(__file__).resolve().parents[1] / "benchmarks" / "pasted_page.py"
    spec = importlib.util.spec_from_file_location("pasted_page", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
