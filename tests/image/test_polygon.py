"""Filled contours have the area of their shape, holes included."""

from __future__ import annotations

import numpy as np

from cinema_cmr.image.polygon import fill_polygons


def circle(radius: float, centre: tuple[float, float] = (20.3, 15.2), n: int = 200) -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return np.stack([centre[0] + radius * np.cos(angles), centre[1] + radius * np.sin(angles)], axis=1)


def test_a_circle_and_a_ring() -> None:
    x, y = np.mgrid[:40, :32]
    distance = np.hypot(x - 20.3, y - 15.2)
    np.testing.assert_array_equal(fill_polygons([circle(9.97, n=2000)], (40, 32)), distance < 9.97)
    ring = fill_polygons([circle(9.97, n=2000), circle(5.03, n=2000)], (40, 32))
    np.testing.assert_array_equal(ring, (distance < 9.97) & (distance >= 5.03))


def test_vertices_on_pixel_rows_are_crossed_once() -> None:
    diamond = np.array([[5.0, 1], [9, 5], [5, 9], [1, 5]])
    filled = fill_polygons([diamond], (11, 11))
    assert filled[5, 2:9].all() and not filled[:, 0].any() and not filled[0].any() and not filled[:, 10].any()
    assert filled.sum() in range(25, 42)


def test_a_contour_may_leave_the_image() -> None:
    filled = fill_polygons([circle(10, centre=(0, 0))], (12, 12))
    assert filled[0, 0] and filled[9, 0] and not filled[8, 8]


def test_centres_on_the_contour_are_inside_left_and_top_alone_so_that_areas_side_by_side_share_none() -> None:
    left = np.array([[1.0, 1.0], [3.0, 1.0], [3.0, 4.0], [1.0, 4.0]])
    right = left + np.array([2.0, 0.0])
    below = left + np.array([0.0, 3.0])
    filled = [fill_polygons([polygon], (8, 9)).astype(int) for polygon in (left, right, below)]
    np.testing.assert_array_equal(np.argwhere(filled[0]), [[x, y] for x in (1, 2) for y in (1, 2, 3)])
    assert sum(filled).max() == 1 and sum(map(np.sum, filled)) == 18
    np.testing.assert_array_equal(filled[0], fill_polygons([left[::-1]], (8, 9)))
