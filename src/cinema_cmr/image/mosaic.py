"""Rows of grey pictures side by side in one image, to be looked at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cinema_cmr.core.errors import UsageError

__all__ = ["mosaic"]

_GAP = 4
_BACKGROUND = 64


def mosaic(rows: Sequence[Sequence[NDArray[np.float32]]]) -> Image.Image:
    """Pictures (x, y) of 0 to 1, x to the right and y downwards, row below row, a few grey pixels apart.

    What is beyond 0 to 1 is clipped; NaN is shown in the middle grey of the gaps. Raises `UsageError` where
    there is no picture.
    """
    sizes = [[picture.shape for picture in row] for row in rows if row]
    if not sizes:
        raise UsageError("no picture to show; expected at least one")
    width = max(sum(shape[0] + _GAP for shape in row) for row in sizes) + _GAP
    height = sum(max(shape[1] for shape in row) + _GAP for row in sizes) + _GAP
    canvas = np.full((height, width), _BACKGROUND, np.uint8)
    top = _GAP
    for row in (row for row in rows if row):
        left = _GAP
        for picture in row:
            canvas[top : top + picture.shape[1], left : left + picture.shape[0]] = _grey(picture)
            left += picture.shape[0] + _GAP
        top += max(picture.shape[1] for picture in row) + _GAP
    return Image.fromarray(canvas)


def _grey(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    known = np.where(np.isfinite(picture), np.clip(picture, 0, 1) * 255, _BACKGROUND)
    return np.rint(known).astype(np.uint8).T
