"""Filled contours: which pixel centres lie inside polygons, by the even-odd rule."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

__all__ = ["fill_polygons"]


def fill_polygons(polygons: Iterable[NDArray[np.float64]], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the (x, y) mask of pixel centres inside an odd number of polygons, each (n, 2) in pixel indices.

    A contour within another one is a hole, as in DICOM's CLOSEDPLANAR_XOR. A centre exactly on a contour is inside on
    its left and top (lower x and y) and outside on its right and bottom, so that areas side by side share no pixel.

    >>> corners = np.array([[1.0, 1.0], [3.0, 1.0], [3.0, 3.0], [1.0, 3.0]])
    >>> np.argwhere(fill_polygons([corners], (5, 5))).tolist()
    [[1, 1], [1, 2], [2, 1], [2, 2]]
    >>> square = np.array([[0.5, 0.5], [2.5, 0.5], [2.5, 2.5], [0.5, 2.5]])
    >>> int(fill_polygons([square], (4, 4)).sum())
    4
    """
    mask = np.zeros(shape, dtype=bool)
    rows = np.arange(shape[1])
    for polygon in polygons:
        start, end = polygon, np.roll(polygon, -1, axis=0)
        for j in rows[int(max(0, np.floor(polygon[:, 1].min()))) : int(np.ceil(polygon[:, 1].max())) + 1]:
            # An edge counts with its lower end and without its upper one, so that a vertex is crossed once.
            crossed = (start[:, 1] <= j) != (end[:, 1] <= j)
            a, b = start[crossed], end[crossed]
            crossings = a[:, 0] + (j - a[:, 1]) / (b[:, 1] - a[:, 1]) * (b[:, 0] - a[:, 0])
            inside = np.count_nonzero(crossings[None] > np.arange(shape[0])[:, None], axis=1) % 2 == 1
            mask[:, j] ^= inside
    return mask
