"""Means with bootstrap intervals over patients, and paired tests of two methods on the same patients.

One value per patient: slices, frames or seeds of one patient are averaged beforehand. NaN marks a patient without a
value, who is excluded and counted.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cinema_cmr.core.errors import InputError

__all__ = [
    "Interval",
    "PairedTest",
    "bootstrap_interval",
    "complete_cases",
    "finite_mean",
    "holm",
    "mean_interval",
    "paired_wilcoxon",
    "rank_correlation",
]

Array = NDArray[np.float64]

RESAMPLES = 9999
"""Number of bootstrap resamples; each end of a 95 % interval rests on 250 of them."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A statistic over patients with its confidence interval."""

    value: float
    low: float
    high: float
    method: str
    """"BCa"; "percentile" if BCa is undefined (a statistic at its limit); "none" without an interval."""
    n: int
    """Patients used."""
    n_excluded: int
    """Patients excluded because they have no value."""


@dataclass(frozen=True, kw_only=True)
class PairedTest:
    """Paired comparison of two methods on the same patients."""

    p_value: float
    """Two-sided Wilcoxon signed-rank test; 1 if no patient differs."""
    median_difference: float
    """First minus second."""
    n: int
    n_excluded: int


def mean_interval(values: ArrayLike, *, seed: int, confidence: float = 0.95) -> Interval:
    """Return the mean over patients with its BCa interval; NaN values are excluded and counted.

    The value is NaN if no patient has one.
    """
    return bootstrap_interval(np.mean, values, seed=seed, confidence=confidence, along_axis=True)


def finite_mean(values: Iterable[float]) -> float:
    """Return the mean of the values that are not NaN; NaN without a warning if there are none.

    >>> finite_mean([1.0, float("nan"), 3.0]), finite_mean([])
    (2.0, nan)
    """
    present = [value for value in values if not np.isnan(value)]
    return float(np.mean(present)) if present else float("nan")


def bootstrap_interval(
    statistic: Callable[..., float | Array],
    *samples: ArrayLike,
    seed: int,
    confidence: float = 0.95,
    along_axis: bool = False,
) -> Interval:
    """Return a statistic of one or more values per patient with its BCa interval, e.g. AUROC.

    `samples` are (n,) each, in the same order of patients, and are resampled together, patient by patient.
    Bias-corrected and accelerated bootstrap: Efron, JASA 1987;82:171. The same seed gives the same interval.
    `statistic` receives the resampled arrays; a resample for which it is NaN (a class without patients) makes the
    interval NaN, so that a statistic that can be undefined needs enough patients. With `along_axis` it receives many
    resamples at once and the axis of the patients as `axis=`, which is faster and gives the same. Raises `InputError`
    for samples of different length.
    """
    used, n_excluded = complete_cases(*samples)
    n = used.shape[1]
    value = float(statistic(*used)) if n else float("nan")
    low, high, method = (float("nan"), float("nan"), "none")
    if n > 1:
        low, high, method = _bootstrap(statistic, used, seed, confidence, along_axis=along_axis)
    return Interval(value=value, low=low, high=high, method=method, n=n, n_excluded=n_excluded)


def paired_wilcoxon(first: ArrayLike, second: ArrayLike) -> PairedTest:
    """Test the scores (n,) of two methods on the same patients with Wilcoxon's signed-rank test.

    Biometrics Bull 1945;1:80. Patients without a difference carry no rank (Wilcoxon's rule). Raises
    `InputError` for fewer than two pairs.
    """
    pairs, n_excluded = complete_cases(first, second, at_least=2)
    difference = pairs[0] - pairs[1]
    from scipy import stats  # slow to import, and pages of one study need none

    p_value = float(stats.wilcoxon(difference).pvalue) if difference.any() else 1.0
    return PairedTest(
        p_value=p_value,
        median_difference=float(np.median(difference)),
        n=pairs.shape[1],
        n_excluded=n_excluded,
    )


def holm(p_values: ArrayLike) -> Array:
    """Correct the p-values (n,) of one family of tests for the probability of any false positive.

    Holm, Scand J Stat 1979;6:65: the smallest of n is multiplied by n, the next by n - 1 and so on; corrected values
    never decrease and never exceed 1. NaN marks a test that could not be made; it stays NaN and does not count.

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    given = np.asarray(p_values, dtype=np.float64)
    corrected = np.full_like(given, np.nan)
    valid = np.flatnonzero(~np.isnan(given))
    order = valid[np.argsort(given[valid], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(given[order] * factors))
    return corrected


def rank_correlation(first: ArrayLike, second: ArrayLike) -> float:
    """Return Spearman's rank correlation of two values (n,) per patient, -1 to 1 (Am J Psychol 1904;15:72).

    NaN for fewer than three complete patients, or if one of the two values is constant.
    """
    pairs, _ = complete_cases(first, second)
    if pairs.shape[1] < 3 or not np.ptp(pairs, axis=1).all():
        return float("nan")
    from scipy import stats

    return float(stats.spearmanr(pairs[0], pairs[1]).statistic)


def complete_cases(*samples: ArrayLike, at_least: int = 0) -> tuple[Array, int]:
    """Return the patients with a value in every sample as (samples, n), and the number of excluded ones.

    Raises `InputError` for samples of different length, an infinite value, or fewer than `at_least` patients.
    """
    arrays = [np.asarray(sample, dtype=np.float64) for sample in samples]
    shapes = [array.shape for array in arrays]
    if len(set(shapes)) != 1 or len(shapes[0]) != 1:
        raise InputError(f"samples have shapes {shapes}; expected one value per patient and the same patients in each")
    table = np.stack(arrays)
    if np.isinf(table).any():
        raise InputError(
            "samples hold an infinite value; expected finite values, or NaN for what could not be measured"
        )
    complete = table[:, ~np.isnan(table).any(axis=0)]
    if complete.shape[1] < at_least:
        raise InputError(
            f"{complete.shape[1]} of {table.shape[1]} patients have all values; expected at least {at_least}"
        )
    return complete, table.shape[1] - complete.shape[1]


def _bootstrap(
    statistic: Callable[..., float | Array], samples: Array, seed: int, confidence: float, *, along_axis: bool
) -> tuple[float, float, str]:
    from scipy import stats

    for method in ("BCa", "percentile"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", stats.DegenerateDataWarning)
            warnings.simplefilter("ignore", RuntimeWarning)
            result = stats.bootstrap(
                tuple(samples),
                statistic,
                n_resamples=RESAMPLES,
                paired=True,
                vectorized=along_axis,
                confidence_level=confidence,
                method=method,
                rng=np.random.default_rng(seed),
            )
        low, high = (float(end) for end in result.confidence_interval)
        if np.isfinite([low, high]).all():
            return low, high, method
    return float("nan"), float("nan"), "none"
