"""The page: everything is on it, nothing is fetched, and its ranges are taken by `cinema analyse`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cinema_cmr.core.errors import UnknownNameError, UsageError
from cinema_cmr.measure.normal_ranges import parse_normal_ranges
from cinema_cmr.population.cohort.cohort import Cohort
from cinema_cmr.population.cohort.page import CohortOptions, write_cohort_page


@pytest.mark.medium
def test_the_page_has_every_part_and_is_complete_in_itself(cohort: Cohort) -> None:
    path = cohort.folder.parent / "page.html"
    options = CohortOptions(facts=("group", "dose"), time="scan_date", reference="group=NOR")
    table, ranges = write_cohort_page(cohort, path, options)
    page = path.read_text(encoding="utf-8")
    for part in ("243 studies", "240 with numbers", "3 failed", "DCM against NOR", "per 1 of dose", "2019 Q2", "old"):
        assert part in page, part
    assert "s3, s4" in page and "s10, s11" in page
    assert page.count("<svg") == 4 and page.count("data:image/png") == 6
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)
    assert not re.findall(r"\b1 (?:errors|warnings|studies)\b", page)
    assert 'href="population/reports/s7.html"' in page
    rows = parse_normal_ranges(table.read_text(encoding="utf-8"), "csv")
    assert len(rows) == len(ranges) > 0
    assert all(row.upper < 200 for row in rows if row.sex == "F"), "the healthy alone"


@pytest.mark.medium
def test_a_study_leads_to_the_viewer_and_no_text_is_markup(cohort: Cohort) -> None:
    path = cohort.folder.parent / "linked.html"
    write_cohort_page(cohort, path, CohortOptions(link="http://localhost:8000/{study}?a=<b>"))
    page = path.read_text(encoding="utf-8")
    assert 'href="http://localhost:8000/s7?a=&lt;b&gt;"' in page
    assert "None chosen" in page and "2019 Q2" not in page


def test_wrong_options_are_refused(cohort: Cohort, tmp_path: Path) -> None:
    for wrong in ({"link": "javascript:{study}"}, {"link": "http://x"}, {"reference": "NOR"}):
        with pytest.raises(UsageError):
            CohortOptions(**wrong)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError):
        write_cohort_page(cohort, tmp_path / "p.html", CohortOptions(reference="grup=NOR"))
