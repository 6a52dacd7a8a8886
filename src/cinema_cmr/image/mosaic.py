"""Mosaic of grey pictures in one image, for visual inspection."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from cinema_cmr.core.errors import UsageError

__all__ = ["mosaic"]

_GAP = 4
_BACKGROUND = 64
_CAPTION = 16
"""Height of a line of text, pixels."""
_INK = 235


def mosaic(
    rows: Sequence[Sequence[NDArray[np.float32]]], *, heads: Sequence[str] = (), titles: Sequence[str] = ()
) -> Image.Image:
    """Arrange rows of pictures (x, y) of 0 to 1, x to the right and y down, separated by a few grey pixels.

    `heads` stand above the columns, `titles` above the rows (empty: no line of its own). Values beyond 0 to 1 are
    clipped; NaN takes the grey of the gaps. Raises `UsageError` without any picture.
    """
    sizes = [[picture.shape for picture in row] for row in rows if row]
    if not sizes:
        raise UsageError("a mosaic of no pictures was requested; expected at least one")
    width = max(sum(shape[0] + _GAP for shape in row) for row in sizes) + _GAP
    lines = [titles[k] if k < len(titles) else "" for k in range(len(rows))]
    head = _CAPTION if heads else 0
    height = sum(max(shape[1] for shape in row) + _GAP for row in sizes) + _GAP + head
    height += _CAPTION * sum(1 for row, line in zip(rows, lines, strict=True) if row and line)
    canvas = np.full((height, width), _BACKGROUND, np.uint8)
    top, texts = _GAP + head, list[tuple[int, int, str]]()
    for row, line in ((row, line) for row, line in zip(rows, lines, strict=True) if row):
        if line:
            texts.append((_GAP, top - 2, line))
            top += _CAPTION
        left = _GAP
        for picture in row:
            canvas[top : top + picture.shape[1], left : left + picture.shape[0]] = _to_grey(picture)
            left += picture.shape[0] + _GAP
        top += max(picture.shape[1] for picture in row) + _GAP
    for column, text in enumerate(heads):
        texts.append((_GAP + sum(shape[0] + _GAP for shape in sizes[0][:column]), 2, text))
    return _written(Image.fromarray(canvas), texts)


def _written(image: Image.Image, texts: Sequence[tuple[int, int, str]]) -> Image.Image:
    """Return the image with texts, each from its left and upper edge, in pixels."""
    drawing, font = ImageDraw.Draw(image), ImageFont.load_default(size=12)
    for left, top, text in texts:
        drawing.text((left, top), text, fill=_INK, font=font)
    return image


def _to_grey(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    grey = np.where(np.isfinite(picture), np.clip(picture, 0, 1) * 255, _BACKGROUND)
    return np.rint(grey).astype(np.uint8).T
