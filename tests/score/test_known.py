"""Means of what is known."""

from __future__ import annotations

import math

from cinema_cmr.score.known import finite_mean


def test_nan_is_left_out_and_nothing_is_nan_without_a_warning() -> None:
    assert finite_mean([2.0, math.nan, 4.0]) == 3.0
    assert math.isnan(finite_mean([math.nan])) and math.isnan(finite_mean(iter(())))
