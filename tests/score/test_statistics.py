"""Bootstrap intervals and paired tests against known distributions and counts, and missing patients."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from cinema_cmr.core.errors import InputError
from cinema_cmr.score.classification import auroc
from cinema_cmr.score.statistics import (
    bootstrap_interval,
    complete_cases,
    finite_mean,
    holm,
    mean_interval,
    paired_wilcoxon,
    rank_correlation,
)


def test_interval_of_a_normal_mean_is_close_to_students() -> None:
    values = np.random.default_rng(0).normal(55, 8, size=80)
    found = mean_interval(values, seed=0)
    expected = stats.t.interval(0.95, 79, values.mean(), stats.sem(values))
    assert found.value == values.mean()
    assert (found.low, found.high) == pytest.approx(expected, abs=0.15)
    assert (found.method, found.n) == ("BCa", 80)


def test_interval_leans_towards_the_long_tail() -> None:
    """What BCa is for: a skewed sample has an interval that reaches further on the side of its tail."""
    found = mean_interval(np.random.default_rng(1).exponential(2, size=40), seed=0)
    assert found.high - found.value > found.value - found.low


def test_wider_confidence_gives_a_wider_interval() -> None:
    values = np.arange(20.0)
    narrow, wide = (mean_interval(values, seed=0, confidence=level) for level in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_same_seed_same_interval() -> None:
    values = np.random.default_rng(2).random(25)
    assert mean_interval(values, seed=7) == mean_interval(values, seed=7)
    assert mean_interval(values, seed=7) != mean_interval(values, seed=8)


def test_patients_without_a_value_are_left_out_and_counted() -> None:
    found = mean_interval([0.9, np.nan, 0.8, 0.7, np.nan], seed=0)
    assert found.value == pytest.approx(0.8)
    assert (found.n, found.n_excluded) == (3, 2)


@pytest.mark.parametrize(("values", "n"), [([0.5], 1), ([np.nan], 0), ([], 0)])
def test_fewer_than_two_patients_have_no_interval(values: list[float], n: int) -> None:
    found = mean_interval(values, seed=0)
    assert (found.method, found.n) == ("none", n)
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert math.isnan(found.value) == (n == 0)


def test_a_statistic_at_its_limit_falls_back_and_says_so() -> None:
    found = mean_interval(np.ones(10), seed=0)
    assert (found.value, found.low, found.high, found.method) == (1, 1, 1, "percentile")


def test_patients_are_drawn_with_both_their_values() -> None:
    """Pairs that are always 1 apart differ by 1 in every draw, whatever the spread between patients."""
    first = np.random.default_rng(3).normal(50, 20, size=30)
    found = bootstrap_interval(lambda a, b: float(np.mean(a - b)), first + 1, first, seed=0)
    assert (found.low, found.high) == pytest.approx((1, 1))


@pytest.mark.medium
def test_any_statistic_can_be_asked_for() -> None:
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 2, size=60)
    found = bootstrap_interval(auroc, labels, labels + rng.normal(0, 1, size=60), seed=0)
    assert found.low < found.value < found.high
    assert found.value == pytest.approx(0.76, abs=0.12)


@pytest.mark.slow
def test_nineteen_of_twenty_intervals_hold_the_truth() -> None:
    rng = np.random.default_rng(5)
    intervals = [mean_interval(rng.gamma(4, 1, size=40), seed=trial) for trial in range(100)]
    held = np.mean([interval.low <= 4 <= interval.high for interval in intervals])
    assert 0.88 <= held <= 0.99


def test_paired_test_is_wilcoxons() -> None:
    rng = np.random.default_rng(6)
    first = rng.normal(0.90, 0.02, size=20)
    second = first - rng.normal(0.01, 0.01, size=20)
    found = paired_wilcoxon(first, second)
    assert found.p_value == stats.wilcoxon(first, second).pvalue
    assert found.median_difference == pytest.approx(np.median(first - second))


def test_paired_test_by_counting() -> None:
    """Five patients all in favour of one method: 2 of the 32 patterns of signs are that extreme."""
    found = paired_wilcoxon([5.0, 7.0, 9.0, 4.0, 8.0, np.nan], [4.0, 5.0, 6.0, 0.0, 3.0, 1.0])
    assert found.p_value == pytest.approx(2 / 32)
    assert (found.n, found.n_excluded) == (5, 1)


def test_equal_methods_do_not_differ() -> None:
    assert paired_wilcoxon([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]).p_value == 1


def test_samples_of_different_patients_are_refused() -> None:
    with pytest.raises(InputError, match="same patients in each"):
        complete_cases([1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(InputError, match="one value per patient"):
        mean_interval([[0.9, 0.8], [0.7, 0.6]], seed=0)


def test_infinite_values_are_refused() -> None:
    with pytest.raises(InputError, match="infinite"):
        mean_interval([1.0, np.inf], seed=0)


def efron_bca(values: np.ndarray, draws: int) -> tuple[float, float]:
    rng, n = np.random.default_rng(11), values.size
    means = values[rng.integers(n, size=(draws, n))].mean(axis=1)
    bias = stats.norm.ppf((means < values.mean()).mean())
    pulled = values.mean() - (values.sum() - values) / (n - 1)
    acceleration = -(-(pulled**3)).sum() / (6 * (pulled**2).sum() ** 1.5)
    z = bias + stats.norm.ppf([0.025, 0.975])
    low, high = np.quantile(means, stats.norm.cdf(bias + z / (1 - acceleration * z)))
    return float(low), float(high)


def test_bca_interval_is_efrons_and_not_the_plain_percentiles() -> None:
    values = np.random.default_rng(8).exponential(size=25)
    found = mean_interval(values, seed=0)
    low, high = efron_bca(values, 40_000)
    width = high - low
    plain = stats.bootstrap((values,), np.mean, method="percentile", rng=np.random.default_rng(0)).confidence_interval
    assert abs(plain.high - high) > 0.06 * width
    assert found.method == "BCa"
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.03 * width)


def test_holm_corrects_the_smallest_most_and_leaves_out_what_is_not_known() -> None:
    assert holm([0.02, float("nan"), 0.01]).tolist()[0::2] == [0.02, 0.02]
    assert np.isnan(holm([0.02, float("nan"), 0.01])[1])
    assert holm([0.9, 0.8, 0.7]).tolist() == [1.0, 1.0, 1.0]


def test_ranks_correlate_whatever_the_scale() -> None:
    x = np.arange(6.0)
    assert rank_correlation(x, np.exp(x)) == pytest.approx(1) and rank_correlation(x, -x) == pytest.approx(-1)
    assert np.isnan(rank_correlation(x, np.ones(6))) and np.isnan(rank_correlation(x[:2], x[:2]))


def test_finite_mean_ignores_nan_and_gives_nan_for_nothing_without_a_warning() -> None:
    assert finite_mean([2.0, math.nan, 4.0]) == 3.0
    assert math.isnan(finite_mean([math.nan])) and math.isnan(finite_mean(iter(())))
