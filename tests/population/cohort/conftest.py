"""One population for all tests of this folder: to write it takes seconds."""

from __future__ import annotations

from pathlib import Path

import pytest
from populations import write_population

from cinema_cmr.population.cohort.cohort import Cohort, read_cohort


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """240 studies with numbers and three without, in a folder beside which pages can lie."""
    folder: Path = tmp_path_factory.mktemp("cohort") / "population"
    write_population(folder)
    (folder / "reports").mkdir()
    (folder / "reports" / "s7.html").write_text("report")
    return read_cohort(folder)
