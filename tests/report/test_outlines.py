"""Closed curves as paths."""

from __future__ import annotations

import re

import numpy as np
import pytest
from discs import area, disc
from numpy.typing import NDArray

from cinema_cmr.measure.contours import loops, smooth_masks
from cinema_cmr.report.outlines import path_text, resampled

Array = NDArray[np.float64]


def drawn(text: str) -> list[list[tuple[int, int]]]:
    """The points of a path of one start and relative steps."""
    curves = []
    for part in filter(None, text.split("z")):
        numbers = [int(n) for n in re.findall(r"-?\d+", part)]
        steps = np.array(numbers).reshape(-1, 2)
        curves.append([(int(x), int(y)) for x, y in steps.cumsum(axis=0)])
    return curves


def test_resampling_keeps_shape_and_spreads_points() -> None:
    (curve,) = loops(smooth_masks(disc(15) > 0))
    fewer = resampled(curve, step=4)
    gaps = np.linalg.norm(np.diff(fewer, axis=0), axis=1)
    assert len(fewer) < len(curve) / 2
    assert gaps.max() - gaps.min() < 0.3
    assert abs(area(fewer)) == pytest.approx(abs(area(curve)), rel=0.02)


def test_path_text_reads_back_as_the_rounded_curves() -> None:
    curves = [
        np.array([[1.2, 2.0], [10.4, -3.6], [10.4, -3.5], [0, 7]]),
        np.array([[5.0, 5], [6, 5], [6, 9]]),
    ]
    assert drawn(path_text(curves)) == [[(1, 2), (10, -4), (0, 7)], [(5, 5), (6, 5), (6, 9)]]
    assert path_text([]) == ""
    assert path_text([np.array([[1.0, 1.0], [1.2, 1.1]])]) == ""
