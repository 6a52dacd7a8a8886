"""Fixtures of the whole house: where the development scans are, and one thread for torch so that runs repeat."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of development scans; skips the test where there is none."""
    root = Path(__file__).resolve().parents[1]
    folder = Path(os.environ.get("CINEMA_TEST_DATA", root.parent / "shared" / "data"))
    if not (folder / "README.md").exists():
        pytest.skip("development scans not found: set CINEMA_TEST_DATA to their folder")
    return folder
