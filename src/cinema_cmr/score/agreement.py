"""Agreement between two ways to measure the same patients: bias, limits, error, ICC, repeatability.

One value a patient. A pair with a value that could not be measured (NaN) is left out and counted, never made
a number.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cinema_cmr.core.errors import InputError
from cinema_cmr.score.statistics import Interval, complete_cases, mean_interval

__all__ = ["Agreement", "Repeatability", "agreement", "icc_2_1", "scan_rescan_cov", "scan_rescan_interval"]

LIMITS_WIDTH_SD = 1.96
"""Standard deviations from the bias to each limit of agreement: 95 % of normally distributed differences."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How well measured values agree with reference values; in the values' own unit, except `icc`."""

    bias: float
    """Mean of measured minus reference."""
    lower_limit: float
    upper_limit: float
    mean_absolute_error: float
    icc: float
    """ICC(2,1): absolute agreement of single measurements, 1 at best."""
    n: int
    """Pairs used."""
    n_excluded: int
    """Pairs left out because one of the two could not be measured."""


@dataclass(frozen=True, kw_only=True)
class Repeatability:
    """How much a measurement differs between two scans of one patient."""

    cov_percent: float
    n: int
    n_excluded: int


def agreement(measured: ArrayLike, reference: ArrayLike) -> Agreement:
    """Bias, limits of agreement, mean absolute error and ICC(2,1) of paired values (n,).

    Limits after Bland and Altman, Lancet 1986;1:307. Raises `InputError` for fewer than two complete pairs:
    spread cannot be told from one.
    """
    pairs, n_excluded = complete_cases(measured, reference, at_least=2)
    difference = pairs[0] - pairs[1]
    bias, spread = float(difference.mean()), float(difference.std(ddof=1))
    return Agreement(
        bias=bias,
        lower_limit=bias - LIMITS_WIDTH_SD * spread,
        upper_limit=bias + LIMITS_WIDTH_SD * spread,
        mean_absolute_error=float(np.abs(difference).mean()),
        icc=icc_2_1(pairs.T),
        n=pairs.shape[1],
        n_excluded=n_excluded,
    )


def icc_2_1(ratings: ArrayLike) -> float:
    """Intraclass correlation for absolute agreement of a single rating, two-way random effects.

    `ratings` is (subjects, raters), all finite. Shrout and Fleiss, Psychol Bull 1979;86:420, ICC(2,1): (BMS -
    EMS) / (BMS + (k - 1) EMS + k (JMS - EMS) / n). NaN where all ratings are equal. Raises `InputError` for
    fewer than two subjects or raters, or for values that are not finite.
    """
    table = np.asarray(ratings, dtype=np.float64)
    if table.ndim != 2 or min(table.shape) < 2 or not np.isfinite(table).all():
        raise InputError(f"ratings have shape {table.shape}; ICC needs at least 2 subjects x 2 raters, all finite")
    n, k = table.shape
    of_subjects, of_raters, mean = table.mean(axis=1), table.mean(axis=0), table.mean()
    between = k * np.square(of_subjects - mean).sum() / (n - 1)
    raters = n * np.square(of_raters - mean).sum() / (k - 1)
    error = np.square(table - of_subjects[:, None] - of_raters + mean).sum() / ((n - 1) * (k - 1))
    denominator = between + (k - 1) * error + k * (raters - error) / n
    defined = np.ptp(table) > 0 and denominator > 0
    return float((between - error) / denominator) if defined else float("nan")


def scan_rescan_cov(first: ArrayLike, second: ArrayLike) -> Repeatability:
    """Coefficient of variation between two scans of each patient, in percent.

    Square root of the mean over patients of within-pair variance / pair mean squared, where the variance is
    (first - second)^2 / 2 (root mean square precision: Glüer et al., Osteoporos Int 1995;5:262). Raises
    `InputError` for fewer than two complete pairs, or for a pair whose mean is not above zero.
    """
    pairs, n_excluded = complete_cases(first, second, at_least=2)
    cov_percent = 100 * float(np.sqrt(_relative_variance(pairs).mean()))
    return Repeatability(cov_percent=cov_percent, n=pairs.shape[1], n_excluded=n_excluded)


def scan_rescan_interval(first: ArrayLike, second: ArrayLike, *, seed: int) -> Interval:
    """`scan_rescan_cov` with the interval that the mean of its relative variances has over patients."""
    pairs, n_excluded = complete_cases(first, second, at_least=2)
    of_mean = mean_interval(_relative_variance(pairs), seed=seed)
    value, low, high = 100 * np.sqrt([of_mean.value, of_mean.low, of_mean.high])
    return replace(of_mean, value=float(value), low=float(low), high=float(high), n_excluded=n_excluded)


def _relative_variance(pairs: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2, n) -> of each pair its variance over its mean squared."""
    means = pairs.mean(axis=0)
    if (means <= 0).any():
        raise InputError(f"a pair of scans has mean {means.min():g}; a coefficient of variation needs values above 0")
    relative: NDArray[np.float64] = pairs.var(axis=0, ddof=1) / np.square(means)
    return relative
