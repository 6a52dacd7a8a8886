"""Means over what could be measured."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

__all__ = ["finite_mean"]


def finite_mean(values: Iterable[float]) -> float:
    """Mean of the values that are not NaN; NaN where none is, without a warning.

    >>> finite_mean([1.0, float("nan"), 3.0]), finite_mean([])
    (2.0, nan)
    """
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
