"""Agreement of two methods on the same patients: bias, limits of agreement, error, ICC and repeatability.

One value per patient. A pair with a value that could not be measured (NaN) is excluded and counted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cinema_cmr.core.errors import InputError
from cinema_cmr.score.statistics import Interval, complete_cases, mean_interval

__all__ = ["Agreement", "Repeatability", "agreement", "icc_2_1", "scan_rescan_cov", "scan_rescan_interval"]

LIMITS_WIDTH_SD = 1.96
"""Standard deviations between the bias and each limit of agreement, for 95 % of normally distributed differences."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Agreement of measured with reference values, in the unit of the values, except `icc`."""

    bias: float
    """Mean of measured minus reference."""
    lower_limit: float
    upper_limit: float
    mean_absolute_error: float
    icc: float
    """ICC(2,1), absolute agreement of single measurements; at most 1."""
    n: int
    """Pairs used."""
    n_excluded: int
    """Pairs excluded because one of the two values could not be measured."""


@dataclass(frozen=True, kw_only=True)
class Repeatability:
    """Scan-rescan variation of a measurement."""

    cov_percent: float
    n: int
    n_excluded: int


def agreement(measured: ArrayLike, reference: ArrayLike) -> Agreement:
    """Return bias, limits of agreement, mean absolute error and ICC(2,1) of paired values (n,).

    Limits after Bland and Altman, Lancet 1986;1:307. Raises `InputError` for fewer than two complete pairs, which have
    no spread.
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
    """Return the intraclass correlation for absolute agreement of single ratings, two-way random effects.

    `ratings` is (subjects, raters), all finite. Shrout and Fleiss, Psychol Bull 1979;86:420, ICC(2,1): (BMS -
    EMS) / (BMS + (k - 1) EMS + k (JMS - EMS) / n). NaN if all ratings are equal. Raises `InputError` for
    fewer than two subjects or raters, or for values that are not finite.
    """
    table = np.asarray(ratings, dtype=np.float64)
    if table.ndim != 2 or min(table.shape) < 2 or not np.isfinite(table).all():
        raise InputError(f"ratings have shape {table.shape}; expected at least 2 subjects x 2 raters, all finite")
    n, k = table.shape
    subject_means, rater_means, mean = table.mean(axis=1), table.mean(axis=0), table.mean()
    between = k * np.square(subject_means - mean).sum() / (n - 1)
    raters = n * np.square(rater_means - mean).sum() / (k - 1)
    error = np.square(table - subject_means[:, None] - rater_means + mean).sum() / ((n - 1) * (k - 1))
    denominator = between + (k - 1) * error + k * (raters - error) / n
    defined = np.ptp(table) > 0 and denominator > 0
    return float((between - error) / denominator) if defined else float("nan")


def scan_rescan_cov(first: ArrayLike, second: ArrayLike) -> Repeatability:
    """Return the coefficient of variation between two scans of each patient, in percent.

    Square root of the mean over patients of within-pair variance / squared pair mean, where the variance is
    (first - second)^2 / 2 (root mean square precision: Glüer et al., Osteoporos Int 1995;5:262). Raises
    `InputError` for fewer than two complete pairs, or for a pair with a mean of 0 or less.
    """
    pairs, n_excluded = complete_cases(first, second, at_least=2)
    cov_percent = 100 * float(np.sqrt(_relative_variance(pairs).mean()))
    return Repeatability(cov_percent=cov_percent, n=pairs.shape[1], n_excluded=n_excluded)


def scan_rescan_interval(first: ArrayLike, second: ArrayLike, *, seed: int) -> Interval:
    """Return `scan_rescan_cov` with the bootstrap interval of the mean relative variance over patients."""
    pairs, n_excluded = complete_cases(first, second, at_least=2)
    interval = mean_interval(_relative_variance(pairs), seed=seed)
    value, low, high = 100 * np.sqrt([interval.value, interval.low, interval.high])
    return replace(interval, value=float(value), low=float(low), high=float(high), n_excluded=n_excluded)


def _relative_variance(pairs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (n,) variance over squared mean of each pair (2, n)."""
    means = pairs.mean(axis=0)
    if (means <= 0).any():
        raise InputError(f"a pair of scans has a mean of {means.min():g}; expected values above 0: exclude the pair")
    relative: NDArray[np.float64] = pairs.var(axis=0, ddof=1) / np.square(means)
    return relative
