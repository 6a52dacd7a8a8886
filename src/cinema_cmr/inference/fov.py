"""The part of the planes that a model sees: whether the heart fits into it, and a larger one where it does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.image.resample import CropResample

__all__ = ["MAX_FOV_EXPANSIONS", "expand_fov", "is_truncated"]

MAX_FOV_EXPANSIONS = 3
"""Then a window of 168 mm has become one of 360 mm, which holds a whole chest."""

_BY = 1.25
_MULTIPLE = 16
"""Networks halve their grids up to four times."""


def is_truncated(labels: NDArray[np.uint8], crop: CropResample) -> bool:
    """Whether labels (X, Y, z, t) of the native grid reach an edge of the cut behind which the image goes on."""
    drawn = np.argwhere(labels.any(axis=(2, 3)))
    if not len(drawn):
        return False
    size, step = np.asarray(crop.size), np.asarray(crop.step)
    near = np.maximum(1.0, 1 / step)  # a pixel of the coarser of both grids
    low, high = crop.to_crop(drawn.min(axis=0)), crop.to_crop(drawn.max(axis=0))
    goes_on_before = crop.to_native(np.zeros(2)) > 0.5
    goes_on_behind = crop.to_native(size - 1) < np.asarray(crop.native) - 1.5
    return bool(((low < near) & goes_on_before).any() or ((high > size - 1 - near) & goes_on_behind).any())


def expand_fov(crop: CropResample) -> CropResample:
    """The cut about the same middle, a quarter larger to each side."""
    x, y = (int(np.ceil(n * _BY / _MULTIPLE)) * _MULTIPLE for n in crop.size)
    return replace(crop, size=(x, y))
