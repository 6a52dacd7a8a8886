"""Means over what could be measured."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

__all__ = ["mean_of_known"]


def mean_of_known(values: Iterable[float]) -> float:
    """Mean of the values that are not NaN; NaN where none is, without a warning.

    >>> mean_of_known([1.0, float("nan"), 3.0]), mean_of_known([])
    (2.0, nan)
    """
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
