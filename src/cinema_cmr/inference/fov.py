"""Field of view of a model: test for truncated labels, and expansion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.image.resample import CropResample

__all__ = ["MAX_FOV_EXPANSIONS", "expand_fov", "is_truncated"]

MAX_FOV_EXPANSIONS = 3
"""Number of expansions that turn 168 mm into 360 mm, which contains a whole chest."""

_FACTOR = 1.25
_MULTIPLE = 16
"""Factor of the grid size; networks halve their grids up to four times."""


def is_truncated(labels: NDArray[np.uint8], crop: CropResample) -> bool:
    """Return whether labels (X, Y, z, t) of the native grid touch an edge of the crop inside the image."""
    voxels = np.argwhere(labels.any(axis=(2, 3)))
    if not len(voxels):
        return False
    size, step = np.asarray(crop.size), np.asarray(crop.step)
    margin = np.maximum(1.0, 1 / step)  # one pixel of the coarser grid
    low, high = crop.to_crop(voxels.min(axis=0)), crop.to_crop(voxels.max(axis=0))
    continues_below = crop.to_native(np.zeros(2)) > 0.5
    continues_above = crop.to_native(size - 1) < np.asarray(crop.native) - 1.5
    return bool(((low < margin) & continues_below).any() or ((high > size - 1 - margin) & continues_above).any())


def expand_fov(crop: CropResample) -> CropResample:
    """Return a crop around the same centre that is larger by a quarter in each direction."""
    x, y = (int(np.ceil(n * _FACTOR / _MULTIPLE)) * _MULTIPLE for n in crop.size)
    return replace(crop, size=(x, y))
