"""Groups that differ are shown to differ, by so many standard deviations."""

from __future__ import annotations

import pytest
from populations import N

from cinema_cmr.population.cohort.cohort import Cohort
from cinema_cmr.population.cohort.drift import drift_rows


def test_scanners_and_periods_have_rows(cohort: Cohort) -> None:
    new, old = drift_rows(cohort, cohort.table.values("scanner"), ["lv_edv_ml"])
    assert (new.group, new.n, old.n) == ("new", 3 * N // 4, N // 4)
    # Numbers divisible by 4 are women's: 40 ml less than half of the others.
    difference = old.differences["lv_edv_ml"]
    assert difference is not None and difference[0] + difference[1] < 0
    periods = drift_rows(cohort, cohort.column("scan_date"), ["lv_edv_ml"], periods=True)
    assert [(row.group, row.n) for row in periods] == [("2018 Q2", N // 2), ("2019 Q2", N // 2)]
    assert periods[0].flagged == pytest.approx(0)
    assert drift_rows(cohort, [None] * N, ["lv_edv_ml"]) == []
    assert drift_rows(cohort, ["one"] * N, ["lv_edv_ml"])[0].differences == {"lv_edv_ml": None}


def test_of_many_periods_the_latest_are_shown_and_of_many_groups_the_largest(cohort: Cohort) -> None:
    years = [1960 + row % 60 for row in range(N)]
    periods = [row.group for row in drift_rows(cohort, years, ["lv_edv_ml"], periods=True)]
    assert periods == [str(year) for year in range(1980, 2020)]
    weeks = [f"week {row % 60}" for row in range(N)]
    assert [row.group for row in drift_rows(cohort, weeks, [], periods=True)][-2:] == ["week 58", "week 59"]
    groups = [*(["large"] * (N - 59)), *(f"z{n}" for n in range(59))]
    rows = drift_rows(cohort, groups, ["lv_edv_ml"])
    assert (len(rows), rows[0].group, rows[0].n) == (40, "large", N - 59)
