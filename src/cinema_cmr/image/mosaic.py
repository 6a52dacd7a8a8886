"""Mosaic of grey pictures in one image, for visual inspection."""

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
    """Arrange rows of pictures (x, y) of 0 to 1, x to the right and y down, separated by a few grey pixels.

    Values beyond 0 to 1 are clipped; NaN takes the grey of the gaps. Raises `UsageError` without any picture.
    """
    sizes = [[picture.shape for picture in row] for row in rows if row]
    if not sizes:
        raise UsageError("a mosaic of no pictures was requested; expected at least one")
    width = max(sum(shape[0] + _GAP for shape in row) for row in sizes) + _GAP
    height = sum(max(shape[1] for shape in row) + _GAP for row in sizes) + _GAP
    canvas = np.full((height, width), _BACKGROUND, np.uint8)
    top = _GAP
    for row in (row for row in rows if row):
        left = _GAP
        for picture in row:
            canvas[top : top + picture.shape[1], left : left + picture.shape[0]] = _to_grey(picture)
            left += picture.shape[0] + _GAP
        top += max(picture.shape[1] for picture in row) + _GAP
    return Image.fromarray(canvas)


def _to_grey(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    grey = np.where(np.isfinite(picture), np.clip(picture, 0, 1) * 255, _BACKGROUND)
    return np.rint(grey).astype(np.uint8).T
