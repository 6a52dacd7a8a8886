"""The part of the planes that a model sees: whether the heart fits into it, and a larger one where it does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.image.resample import PlaneCut

__all__ = ["MOST_WIDENINGS", "at_edge", "wider"]

MOST_WIDENINGS = 3
"""Then a window of 168 mm has become one of 360 mm, which holds a whole chest."""

_BY = 1.25
_MULTIPLE = 16
"""Networks halve their grids up to four times."""


def at_edge(labels: NDArray[np.uint8], cut: PlaneCut) -> bool:
    """Whether labels (X, Y, z, t) of the native grid reach an edge of the cut behind which the image goes on."""
    drawn = np.argwhere(labels.any(axis=(2, 3)))
    if not len(drawn):
        return False
    size, step = np.asarray(cut.size), np.asarray(cut.step)
    near = np.maximum(1.0, 1 / step)  # a pixel of the coarser of both grids
    low, high = cut.to_cut(drawn.min(axis=0)), cut.to_cut(drawn.max(axis=0))
    goes_on_before = cut.to_native(np.zeros(2)) > 0.5
    goes_on_behind = cut.to_native(size - 1) < np.asarray(cut.native) - 1.5
    return bool(((low < near) & goes_on_before).any() or ((high > size - 1 - near) & goes_on_behind).any())


def wider(cut: PlaneCut) -> PlaneCut:
    """The cut about the same middle, a quarter larger to each side."""
    x, y = (int(np.ceil(n * _BY / _MULTIPLE)) * _MULTIPLE for n in cut.size)
    return replace(cut, size=(x, y))
