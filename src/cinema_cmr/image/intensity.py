"""Intensities as networks want them: percentiles of the whole cut mapped to 0 and 1, for all its frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["intensity_range", "normalise"]

_MOST_VOXELS = 400_000
"""A percentile of a regular subsample of this many voxels is that of all, but for less than noise."""


def intensity_range(array: NDArray[np.generic], percentiles: tuple[float, float]) -> tuple[float, float]:
    """The two percentiles of the voxels above the lowest value, as outside the image a cut is flat; 0, 1
    if flat.

    Two equal percentiles, as in an image of two values, give a range of one above them.
    """
    values = np.asarray(array, dtype=np.float32).ravel()
    values = values[:: max(1, values.size // _MOST_VOXELS)]
    inside = values[values > values.min()]
    if inside.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(inside, percentiles)
    return float(low), float(high if high > low else low + 1)


def normalise(array: NDArray[np.generic], percentiles: tuple[float, float]) -> NDArray[np.float32]:
    """Intensities of any shape, clipped to their percentiles and mapped to 0 to 1; one scale for all
    frames."""
    low, high = intensity_range(array, percentiles)
    scaled = (np.asarray(array, dtype=np.float32) - low) / (high - low)
    return np.asarray(np.clip(scaled, 0, 1), dtype=np.float32)
