"""`cinema cohort`: a population's page, and its own ranges."""

from __future__ import annotations

from pathlib import Path

import pytest
from populations import write_population

from cinema_cmr.cli import main


@pytest.mark.medium
def test_the_page_and_the_ranges_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_population(tmp_path / "population", n=90)
    page = tmp_path / "cohort.html"
    assert main(["cohort", str(tmp_path / "population"), "-o", str(page), "--facts", "dose"]) == 0
    assert "90 studies with numbers, 3 without" in capsys.readouterr().out
    assert page.exists() and (tmp_path / "cohort-normal-ranges.csv").exists()


def test_a_wrong_name_and_an_empty_folder_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cohort", str(tmp_path), "-o", str(tmp_path / "page.pdf")]) == 2
    assert main(["cohort", str(tmp_path), "-o", str(tmp_path / "page.html")]) == 3
    assert "no study with numbers" in capsys.readouterr().err
