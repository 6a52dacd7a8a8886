"""Corners of a cavity that is cut straight are found by its shape, whatever its size, side and direction."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cinema_cmr.measure.long_axis.cut import points_of_cut

SPACING = (1.4, 1.2)
SHAPE = (200, 220)

Array = NDArray[np.float64]


def cavity(long_mm: float, wide_mm: float, cut: float, angle_deg: float, lean: float = 0.0) -> tuple[Array, Array]:
    """An ellipse's part beyond `cut` of its half length, cut aslant by `lean`; and its points (3, 2) in pixels."""
    i, j = np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij")
    centre, angle = np.array([100.0, 110.0]) * SPACING, np.radians(angle_deg)
    axes = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    u, v = np.moveaxis((np.stack([i, j], axis=-1) * SPACING - centre) @ axes.T, -1, 0)
    mask = ((u / long_mm) ** 2 + (v / wide_mm) ** 2 < 1) & (u > -cut * long_mm + lean * v)
    ends = []
    for sign in (-1.0, 1.0):
        way = np.linspace(0, sign * wide_mm, 4000)
        line = np.stack([-cut * long_mm + lean * way, way], axis=1)
        inside = ((line / (long_mm, wide_mm)) ** 2).sum(axis=1) < 1
        ends.append(line[np.flatnonzero(inside)[-1]])
    tip = np.array([long_mm, 0.0])
    return mask, (np.array([*ends, tip]) @ axes + centre) / SPACING


@pytest.mark.parametrize(
    ("long_mm", "wide_mm", "cut", "angle", "lean"),
    [(60, 25, 0.5, 0, 0.0), (60, 25, 0.6, 37, 0.3), (45, 30, 0.4, 200, -0.2), (35, 12, 0.5, 110, 0.0)],
    ids=["upright", "leaning", "round", "narrow"],
)
def test_corners_and_tip_of_a_cut_ellipse(
    long_mm: float, wide_mm: float, cut: float, angle: float, lean: float
) -> None:
    mask, truth = cavity(long_mm, wide_mm, cut, angle, lean)
    found = points_of_cut(mask.astype(bool), SPACING)
    assert found is not None
    ordered = found if np.linalg.norm(found[0] - truth[0]) < np.linalg.norm(found[1] - truth[0]) else found[[1, 0, 2]]
    apart = np.linalg.norm((ordered - truth) * SPACING, axis=1)
    assert apart[:2].max() < 3.0 and apart[2] < 6.0


def test_other_pieces_change_nothing_and_too_little_has_no_cut() -> None:
    mask, _ = cavity(60, 25, 0.5, 20)
    alone, beside = mask.astype(bool), mask.astype(bool)
    beside[2:6, 2:6] = True
    first, second = points_of_cut(alone, SPACING), points_of_cut(beside, SPACING)
    assert first is not None and second is not None and np.allclose(first, second)
    small = np.zeros(SHAPE, dtype=bool)
    assert points_of_cut(small, SPACING) is None
    small[10:14, 10:14] = True
    assert points_of_cut(small, SPACING) is None
