"""The page of a population from Python, and its own ranges in memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from populations import write_population

from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.measure.normal_ranges import parse_normal_ranges
from cinema_cmr.pipeline.cohort_page import cohort
from cinema_cmr.pipeline.populations import read_population


@pytest.mark.medium
def test_the_ranges_in_memory_are_those_of_the_table(tmp_path: Path) -> None:
    write_population(tmp_path / "population", n=240)
    done = cohort(read_population(tmp_path / "population"), tmp_path / "cohort.html", facts=["dose"])
    assert (done.n_done, done.n_failed) == (240, 3) and done.page.read_text().startswith("<!")
    assert done.ranges and {row.sex for row in done.ranges} <= {"F", "M"}
    assert done.ranges_file is not None
    assert len(parse_normal_ranges(done.ranges_file.read_text(), "csv")) == len(done.ranges)


def test_a_wrong_name_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no page; expected"):
        cohort(tmp_path, tmp_path / "page.pdf")
    with pytest.raises(InputError, match="no study with numbers"):
        cohort(tmp_path, tmp_path / "page.html")
