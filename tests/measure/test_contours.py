"""Contours of masks whose shape and length are known."""

from __future__ import annotations

import numpy as np
import pytest
from discs import area, disc
from numpy.typing import NDArray

from cinema_cmr.measure.contours import curve_length_mm, loops, smooth_masks

Array = NDArray[np.float64]


@pytest.mark.parametrize("radius", [6.0, 12.0, 18.5])
def test_outline_of_a_disc_is_its_circle(radius: float) -> None:
    (curve,) = loops(smooth_masks(disc(radius) > 0))
    distances = np.hypot(curve[:, 0] - 30, curve[:, 1] - 24)
    assert np.abs(distances - radius).max() < 0.75
    assert abs(area(curve)) == pytest.approx(np.pi * radius**2, rel=0.04)


def test_a_linear_field_is_cut_where_it_is_one_half() -> None:
    field = np.tile(np.linspace(1, 0, 11), (5, 1))
    (curve,) = loops(field)
    inside = curve[(curve[:, 1] >= 0) & (curve[:, 1] <= 4) & (curve[:, 0] > 1)]
    assert np.allclose(inside[:, 0], 5.0)


def test_pieces_and_holes_have_a_curve_each_and_turn_the_other_way() -> None:
    ring = disc(14) - disc(6)
    ring[2:5, 2:5] = 1
    areas = sorted(area(curve) for curve in loops(ring))
    assert len(areas) == 3
    assert areas[0] < 0 < areas[1] < areas[2] or areas[0] < areas[1] < 0 < areas[2]
    assert max(map(abs, areas)) == pytest.approx(np.pi * 14**2, rel=0.05)


def test_curves_close_at_the_border_and_nothing_has_none() -> None:
    (curve,) = loops(np.ones((4, 6)))
    assert abs(area(curve)) == pytest.approx(4 * 6, rel=0.1)
    assert loops(np.zeros((4, 6))) == []


def test_the_size_of_the_field_around_changes_no_curve() -> None:
    field = np.random.default_rng(2).uniform(0, 1, (7, 9)).astype(np.float32)
    for curve, wide in zip(loops(field), loops(np.pad(field, ((64, 30), (128, 20)))), strict=True):
        np.testing.assert_allclose(wide - (128, 64), curve, atol=1e-12)
    narrow = np.zeros((40, 50))
    narrow[17:20, 23:27] = 1
    (curve,) = loops(narrow)
    assert {(22.5, 17.0), (26.5, 18.0), (24.0, 16.5), (24.0, 19.5)} <= {tuple(point) for point in curve.tolist()}


def test_pixels_that_touch_at_a_corner_are_parted() -> None:
    field = np.zeros((4, 4))
    field[1, 1] = field[2, 2] = 1
    assert len(loops(field)) == 2


def test_every_point_of_a_random_field_is_on_exactly_one_curve() -> None:
    field = np.random.default_rng(1).uniform(0, 1, (30, 40))
    points = np.concatenate(loops(field))
    inside = np.pad(field, 1) >= 0.5
    crossings = (inside[:, 1:] ^ inside[:, :-1]).sum() + (inside[1:] ^ inside[:-1]).sum()
    assert len(points) == crossings
    assert len(np.unique(points.round(9), axis=0)) == crossings


def test_blurring_never_loses_a_structure() -> None:
    mask = np.zeros((9, 9, 3), bool)
    mask[4, 4, 0] = True
    mask[2:7, 2:7, 1] = True
    smooth = smooth_masks(mask)
    assert [len(loops(smooth[..., k])) for k in range(3)] == [1, 1, 0]


@pytest.mark.parametrize("radius", [6.0, 12.0, 18.5])
def test_length_of_a_disc_is_its_circumference(radius: float) -> None:
    (curve,) = loops(smooth_masks(disc(radius) > 0))
    assert curve_length_mm(curve, (1.0, 1.0)) == pytest.approx(2 * np.pi * radius, rel=0.02)


def test_length_of_a_square_counts_the_sides_of_its_pixels() -> None:
    square = np.array([[0.0, 0], [3, 0], [3, 2], [0, 2]])
    assert curve_length_mm(square, (2.0, 0.5)) == pytest.approx(2 * (3 * 2.0 + 2 * 0.5))
