"""Means of what is known."""

from __future__ import annotations

import math

from cinema_cmr.score.known import mean_of_known


def test_nan_is_left_out_and_nothing_is_nan_without_a_warning() -> None:
    assert mean_of_known([2.0, math.nan, 4.0]) == 3.0
    assert math.isnan(mean_of_known([math.nan])) and math.isnan(mean_of_known(iter(())))
