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
