"""Intensity normalisation of network input: percentiles of the whole crop become 0 and 1, for all its frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["normalise", "percentile_range"]

_MAX_VOXELS = 400_000
"""Size of the regular subsample whose percentiles stand for those of all voxels; the difference is below the noise."""


def percentile_range(array: NDArray[np.generic], percentiles: tuple[float, float]) -> tuple[float, float]:
    """Return two percentiles of the voxels above the lowest value, which fills a crop outside the image.

    A flat array gives (0, 1). Equal percentiles, as in an image of two values, give a range of one above them.
    """
    values = np.asarray(array, dtype=np.float32).ravel()
    values = values[:: max(1, values.size // _MAX_VOXELS)]
    inside = values[values > values.min()]
    if inside.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(inside, percentiles)
    return float(low), float(high if high > low else low + 1)


def normalise(array: NDArray[np.generic], percentiles: tuple[float, float]) -> NDArray[np.float32]:
    """Map intensities of any shape from their percentiles to 0 and 1 and clip them; one scale for all frames."""
    low, high = percentile_range(array, percentiles)
    scaled = (np.asarray(array, dtype=np.float32) - low) / (high - low)
    return np.asarray(np.clip(scaled, 0, 1), dtype=np.float32)
