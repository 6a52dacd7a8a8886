"""Detection of patients with a lesion by the amount that was segmented.

The cutoff is chosen on the training patients and only applied to the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from cinema_cmr.core.errors import InputError
from cinema_cmr.score.statistics import Interval

__all__ = ["DetectionScores", "choose_cutoff", "detection_scores", "proportion_interval"]


@dataclass(frozen=True, kw_only=True)
class DetectionScores:
    """Sensitivity and specificity at a cutoff fixed beforehand."""

    threshold: float
    """Cutoff; a patient with a larger amount counts as having the lesion."""
    sensitivity: Interval
    specificity: Interval


def choose_cutoff(present: ArrayLike, amounts: ArrayLike) -> float:
    """Choose the cutoff with the largest sensitivity + specificity (Youden, Cancer 1950;3:32).

    `present` (n,) states whether a patient has the lesion, `amounts` (n,) how much was segmented, in any one unit.
    Candidates lie midway between neighbouring amounts; of equally good ones the lowest is taken, which misses the
    fewest patients. Raises `InputError` if all patients are of one kind or an amount is not finite.

    >>> choose_cutoff([False, False, True, True], [0.0, 1.0, 3.0, 20.0])
    2.0
    """
    truth, values = _check(present, amounts)
    if truth.all() or not truth.any():
        raise InputError(f"{len(truth)} patients are all of one kind; expected patients with and without the lesion")
    levels = np.unique(values)
    candidates = (levels[:-1] + levels[1:]) / 2 if len(levels) > 1 else levels
    called = values[:, None] > candidates
    youden = called[truth].mean(axis=0) - called[~truth].mean(axis=0)
    best = np.flatnonzero(np.isclose(youden, youden.max()))
    return float(candidates[best[0]])


def detection_scores(present: ArrayLike, amounts: ArrayLike, *, threshold: float) -> DetectionScores:
    """Return sensitivity and specificity with Wilson intervals; NaN without patients of the kind."""
    truth, values = _check(present, amounts)
    called = values > threshold
    return DetectionScores(
        threshold=threshold,
        sensitivity=proportion_interval(int(called[truth].sum()), int(truth.sum())),
        specificity=proportion_interval(int((~called[~truth]).sum()), int((~truth).sum())),
    )


def proportion_interval(count: int, n: int, *, confidence: float = 0.95) -> Interval:
    """Return a proportion with its score interval (Wilson, J Am Stat Assoc 1927;22:209); NaN for 0 patients."""
    if not 0 <= count <= n:
        raise InputError(f"a count of {count} of {n} patients was given; expected 0 to {max(n, 0)}")
    if n == 0:
        return Interval(value=np.nan, low=np.nan, high=np.nan, method="none", n=0, n_excluded=0)
    z, share = float(norm.ppf((1 + confidence) / 2)), count / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low, high = max(0.0, float(centre - half)), min(1.0, float(centre + half))
    return Interval(value=share, low=low, high=high, method="Wilson", n=n, n_excluded=0)


def _check(present: ArrayLike, amounts: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    truth, values = np.asarray(present, dtype=np.bool_), np.asarray(amounts, dtype=np.float64)
    if truth.ndim != 1 or truth.shape != values.shape or not len(truth):
        raise InputError(f"{truth.shape} patients have {values.shape} amounts; expected one amount per patient")
    if not np.isfinite(values).all():
        raise InputError("an amount is not finite; expected a number per patient: exclude and count such patients")
    return truth, values
