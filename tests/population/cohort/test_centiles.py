"""Centiles of a population whose distribution is known, and the table of ranges read back."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.measure.normal_ranges import normal_range, parse_normal_ranges
from cinema_cmr.population.cohort.centiles import Values, age_bands, centile_ranges, distributions, ranges_csv


@pytest.fixture
def values() -> Values:
    rng = np.random.default_rng(0)
    sexes = ["F", "M"] * 2000
    edv = rng.normal([120.0, 160.0] * 2000, 20.0)
    edv[5] = np.nan
    return Values(name="lv_edv_ml", unit="ml", values=edv, sex=sexes, age=rng.uniform(45, 75, 4000))


def test_centiles_are_those_of_the_distribution(values: Values) -> None:
    women, men = distributions(values)
    assert (women.sex, women.n, men.n) == ("F", 2000, 1999)
    assert women.mean == pytest.approx(120, abs=1.5) and men.sd == pytest.approx(20, abs=1)
    assert (women.low, women.high) == (pytest.approx(120 - 39.2, abs=3), pytest.approx(120 + 39.2, abs=3))
    # Petersen: women 88 to 161, men 109 to 218.
    assert women.below / women.n_with_range == pytest.approx(0.055, abs=0.015)
    assert men.above / men.n_with_range < 0.01
    assert "Petersen" in women.citation


def test_own_ranges_are_read_back_as_normal_ranges(values: Values) -> None:
    rows = centile_ranges(values, "own, cohort")
    table = parse_normal_ranges(ranges_csv(rows), "csv")
    assert table == tuple(rows)
    found = normal_range("lv_edv_ml", "M", 57, table)
    assert found is not None and (found.age_low, found.age_high) == (50, 59)
    assert found.lower == pytest.approx(160 - 39.2, abs=5) and "n 6" in found.citation


@pytest.mark.parametrize(
    ("counts", "bands"),
    [
        ({45: 40, 55: 50, 65: 40}, [(40, 49), (50, 59), (60, 69)]),
        ({45: 20, 55: 30, 65: 60}, [(40, 59), (60, 69)]),
        ({45: 60, 55: 60, 65: 10}, [(40, 49), (50, 69)]),
        ({45: 25, 75: 20}, [(40, 79)]),
        ({45: 10}, []),
    ],
)
def test_bands_hold_enough_studies_and_leave_no_gap(counts: dict[int, int], bands: list[tuple[int, int]]) -> None:
    ages = np.array([float(age) for age, n in counts.items() for _ in range(n)] + [np.nan])
    assert age_bands(ages) == bands


def test_without_sex_all_are_one_group() -> None:
    values = Values(name="x", unit="", values=np.arange(5.0), sex=[None] * 5, age=np.full(5, np.nan))
    (one,) = distributions(values)
    assert (one.sex, one.median, one.n_with_range) == ("all", 2.0, 0)
    assert centile_ranges(values, "s") == []
