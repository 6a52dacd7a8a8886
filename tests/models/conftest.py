"""Where the small models in the published layout lie, with what the reference computes with them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def parity() -> Path:
    """The folder of parity models; skips the test where there is none."""
    root = Path(__file__).resolve().parents[2]
    folder = Path(os.environ.get("CINEMA_TEST_PARITY", root.parent / "shared" / "parity"))
    if not (folder / "base_keys.json").exists():
        pytest.skip("parity models not found: set CINEMA_TEST_PARITY to their folder")
    return folder
