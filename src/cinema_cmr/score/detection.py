"""Telling patients with a lesion from those without by how much of it was segmented.

The threshold is chosen on the patients that were learned from, and only applied to the others.
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
    """How well patients are told apart at a threshold fixed beforehand."""

    threshold: float
    """A patient with more than this counts as having the lesion."""
    sensitivity: Interval
    specificity: Interval


def choose_cutoff(present: ArrayLike, amounts: ArrayLike) -> float:
    """The amount above which the largest sensitivity + specificity is had (Youden, Cancer 1950;3:32).

    `present` (n,) whether a patient has the lesion, `amounts` (n,) how much of it was segmented, in any one unit.
    Candidates lie half-way between neighbouring amounts; of equally good ones the lowest is taken, which
    misses the fewest. Raises `InputError` where all patients are of one kind or an amount is no number.

    >>> choose_cutoff([False, False, True, True], [0.0, 1.0, 3.0, 20.0])
    2.0
    """
    truth, values = _checked(present, amounts)
    if truth.all() or not truth.any():
        raise InputError(f"{len(truth)} patients, all of one kind; a threshold needs patients with and without")
    levels = np.unique(values)
    candidates = (levels[:-1] + levels[1:]) / 2 if len(levels) > 1 else levels
    called = values[:, None] > candidates
    youden = called[truth].mean(axis=0) - called[~truth].mean(axis=0)
    best = np.flatnonzero(np.isclose(youden, youden.max()))
    return float(candidates[best[0]])


def detection_scores(present: ArrayLike, amounts: ArrayLike, *, threshold: float) -> DetectionScores:
    """Sensitivity and specificity with Wilson's intervals; NaN where no patient is of the kind."""
    truth, values = _checked(present, amounts)
    called = values > threshold
    return DetectionScores(
        threshold=threshold,
        sensitivity=proportion_interval(int(called[truth].sum()), int(truth.sum())),
        specificity=proportion_interval(int((~called[~truth]).sum()), int((~truth).sum())),
    )


def proportion_interval(found: int, n: int, *, confidence: float = 0.95) -> Interval:
    """A share of patients with its score interval (Wilson, J Am Stat Assoc 1927;22:209); NaN for none of none."""
    if not 0 <= found <= n:
        raise InputError(f"{found} of {n} patients; expected from 0 to all of them")
    if n == 0:
        return Interval(value=np.nan, low=np.nan, high=np.nan, method="none", n=0, n_excluded=0)
    z, share = float(norm.ppf((1 + confidence) / 2)), found / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low, high = max(0.0, float(centre - half)), min(1.0, float(centre + half))
    return Interval(value=share, low=low, high=high, method="Wilson", n=n, n_excluded=0)


def _checked(present: ArrayLike, amounts: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    truth, values = np.asarray(present, dtype=np.bool_), np.asarray(amounts, dtype=np.float64)
    if truth.ndim != 1 or truth.shape != values.shape or not len(truth):
        raise InputError(f"{truth.shape} patients and {values.shape} amounts; expected one amount a patient")
    if not np.isfinite(values).all():
        raise InputError("an amount is no number; leave such patients out, and say how many")
    return truth, values
