"""Effects that were put in come out, with an interval that holds them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cinema_cmr.population.cohort.associations import associations
from cinema_cmr.population.cohort.centiles import Values

RNG = np.random.default_rng(1)
N = 400
SEX = ["F", "M"] * (N // 2)
DOSE = np.arange(N) // 2 % 10 + 0.5
GROUP = ["DCM" if n // 20 % 4 == 0 else "NOR" for n in range(N)]
"""Neither goes with the other, nor with sex."""
EDV = 120 + 2 * DOSE + 30.0 * np.array([one == "DCM" for one in GROUP]) + 40.0 * np.array([s == "M" for s in SEX])
VALUES = Values(name="lv_edv_ml", unit="ml", values=EDV + RNG.normal(0, 5, N), sex=SEX, age=np.full(N, np.nan))


def test_a_number_has_its_slope_adjusted_for_sex() -> None:
    (one,) = associations(VALUES, "dose", [float(d) for d in DOSE])
    assert one.low < 2 < one.high and one.effect == pytest.approx(2, abs=0.7)
    assert (one.contrast, one.adjusted, one.n) == ("per 1 of dose", "sex", N)


def test_groups_are_compared_with_the_largest() -> None:
    column = [None if n % 50 == 0 else group for n, group in enumerate(GROUP)]
    (one,) = associations(VALUES, "group", column)
    assert one.contrast == "DCM against NOR" and one.low < 30 < one.high
    assert one.p_value < 1e-6 and one.n == N - 8


def test_it_is_the_t_test_where_nothing_else_is_known() -> None:
    alone = Values(name="x", unit="", values=VALUES.values, sex=[None] * N, age=VALUES.age)
    (one,) = associations(alone, "group", GROUP)
    groups = [VALUES.values[[g == name for g in GROUP]] for name in ("DCM", "NOR")]
    assert one.p_value == pytest.approx(stats.ttest_ind(*groups).pvalue)
    assert one.effect == pytest.approx(groups[0].mean() - groups[1].mean())


def test_too_few_have_none() -> None:
    assert associations(VALUES, "group", ["NOR"] * N) == []
    assert associations(VALUES, "dose", [1.0, 2.0, *[None] * (N - 2)]) == []
    assert associations(VALUES, "dose", [3.0] * N) == []
