"""Agreement statistics against published values and textbook identities."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from cinema_cmr.core.errors import InputError
from cinema_cmr.score.agreement import agreement, icc_2_1, scan_rescan_cov, scan_rescan_interval

SHROUT_FLEISS_1979 = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
"""Table 2: six subjects, four judges. Table 4 gives ICC(2,1) = .29."""


def test_icc_is_the_published_one() -> None:
    assert icc_2_1(SHROUT_FLEISS_1979) == pytest.approx(0.29, abs=0.005)


def test_icc_of_equal_raters_is_one_and_a_constant_shift_lowers_it() -> None:
    ef_percent = np.array([35.0, 48.0, 55.0, 61.0, 66.0])
    assert icc_2_1(np.stack([ef_percent, ef_percent], axis=1)) == pytest.approx(1)
    assert icc_2_1(np.stack([ef_percent, ef_percent + 10], axis=1)) < 0.9


@pytest.mark.parametrize("ratings", [[[60.1, 60.1], [60.1, 60.1]], [[0, 1], [1, 0]]])
def test_icc_without_a_spread_to_explain_is_undefined(ratings: list[list[float]]) -> None:
    assert math.isnan(icc_2_1(ratings))


@pytest.mark.parametrize("ratings", [[[1.0, 2.0]], [[1.0], [2.0]], [1.0, 2.0], [[1.0, np.nan], [2.0, 3.0]]])
def test_icc_needs_two_of_each_all_finite(ratings: list[float]) -> None:
    with pytest.raises(InputError, match="at least 2 subjects x 2 raters"):
        icc_2_1(ratings)


def test_bias_limits_and_error_by_hand() -> None:
    found = agreement([52.0, 58.0, 61.0, 45.0], [50.0, 60.0, 60.0, 42.0])
    assert found.bias == pytest.approx(1)
    spread = math.sqrt((1 + 9 + 0 + 4) / 3)
    assert found.lower_limit == pytest.approx(1 - 1.96 * spread)
    assert found.upper_limit == pytest.approx(1 + 1.96 * spread)
    assert found.mean_absolute_error == pytest.approx(2)
    assert (found.n, found.n_excluded) == (4, 0)


def test_exchanging_the_two_turns_the_bias_round() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.normal(60, 8, size=(2, 30))
    there, back = agreement(first, second), agreement(second, first)
    assert back.bias == pytest.approx(-there.bias)
    assert back.lower_limit == pytest.approx(-there.upper_limit)
    assert back.icc == pytest.approx(there.icc)


def test_a_failed_case_is_counted_and_not_made_zero() -> None:
    whole = agreement([52.0, 58.0, 61.0], [50.0, 60.0, 60.0])
    with_failure = agreement([52.0, np.nan, 58.0, 61.0], [50.0, 55.0, 60.0, 60.0])
    assert with_failure.n_excluded == 1
    assert with_failure.bias == whole.bias


def test_cov_by_hand() -> None:
    """Pairs 100/110 and 60/60: variances 50 and 0 over squared means 105^2 and 60^2."""
    found = scan_rescan_cov([100.0, 60.0], [110.0, 60.0])
    assert found.cov_percent == pytest.approx(100 * math.sqrt(50 / 105**2 / 2))
    assert found.n == 2


def test_cov_recovers_a_known_proportional_noise() -> None:
    rng = np.random.default_rng(4)
    truth = rng.uniform(30, 75, size=20_000)
    first, second = (truth * (1 + rng.normal(0, 0.06, size=truth.size)) for _ in range(2))
    assert scan_rescan_cov(first, second).cov_percent == pytest.approx(6, abs=0.15)


def test_cov_does_not_depend_on_the_unit() -> None:
    first, second = np.array([120.0, 90.0, np.nan]), np.array([110.0, 97.0, 80.0])
    in_ml, in_l = scan_rescan_cov(first, second), scan_rescan_cov(first / 1000, second / 1000)
    assert in_ml.cov_percent == pytest.approx(in_l.cov_percent)
    assert in_ml.n_excluded == 1


def test_the_interval_of_the_cov_holds_a_known_noise() -> None:
    rng = np.random.default_rng(5)
    truth = rng.uniform(30, 75, size=200)
    first, second = (truth * (1 + rng.normal(0, 0.06, size=truth.size)) for _ in range(2))
    found = scan_rescan_interval(first, second, seed=0)
    assert found.value == pytest.approx(scan_rescan_cov(first, second).cov_percent)
    assert 5 < found.low < 6 < found.high < 7 and found.n == 200


def test_cov_refuses_values_around_zero() -> None:
    with pytest.raises(InputError, match="expected values above 0"):
        scan_rescan_cov([1.0, -2.0], [1.0, 1.0])


def test_unmatched_or_too_few_pairs_are_refused() -> None:
    with pytest.raises(InputError, match="same patients"):
        agreement([1.0, 2.0], [1.0])
    with pytest.raises(InputError, match="1 of 2 patients"):
        agreement([1.0, np.nan], [1.0, 2.0])


@pytest.mark.parametrize("shift", [0.0, 6.0])
def test_icc_follows_from_covariance_and_bias(shift: float) -> None:
    rng = np.random.default_rng(5)
    truth = rng.normal(60, 10, 30)
    first, second = truth + rng.normal(0, 3, 30), truth + shift + rng.normal(0, 3, 30)
    covariance, apart = np.cov(first, second), first - second
    prob = stats.sem(apart) ** 2
    expected = 2 * covariance[0, 1] / (np.trace(covariance) + apart.mean() ** 2 - prob)
    assert icc_2_1(np.stack([first, second], axis=1)) == pytest.approx(expected)
