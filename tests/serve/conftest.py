"""Results of one phantom, made once and copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("fastapi")

from browsing import chromium
from serving import chamber_results, finished_results, landmark_results, scar_results, uneven_results

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Finished results that no test changes."""
    return finished_results(tmp_path_factory.mktemp("template"))


@pytest.fixture
def results(template: Path, tmp_path: Path) -> Path:
    """A copy of the results for one test."""
    return Path(shutil.copytree(template, tmp_path / "results"))


@pytest.fixture
def late(tmp_path: Path) -> Path:
    """Results of a late-enhancement study."""
    return scar_results(tmp_path)


@pytest.fixture
def uneven(tmp_path: Path) -> Path:
    """Results of a study whose views have eight and twelve frames."""
    return uneven_results(tmp_path)


@pytest.fixture
def chambers(tmp_path: Path) -> Path:
    """Results whose 4-chamber mask has the atria."""
    return chamber_results(tmp_path)


@pytest.fixture
def marked(tmp_path: Path) -> Path:
    """Results with landmarks of the 4-chamber view."""
    return landmark_results(tmp_path)


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Path:
    shutil.copytree(template, tmp_path / "home/template")
    return tmp_path / "home"


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one
