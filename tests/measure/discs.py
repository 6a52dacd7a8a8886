"""Discs as masks, and the area of closed curves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def disc(radius: float, *, centre: tuple[float, float] = (30.0, 24.0), shape: tuple[int, int] = (64, 56)) -> Array:
    rows, columns = np.indices(shape)
    return (np.hypot(columns - centre[0], rows - centre[1]) <= radius).astype(float)


def area(curve: Array) -> float:
    """Signed area by the shoelace formula."""
    x, y = curve.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
