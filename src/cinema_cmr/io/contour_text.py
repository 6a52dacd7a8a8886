"""Contours as text files, one point a line, as Sunnybrook and others exchange them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import InputError
from cinema_cmr.files.text import read_text

__all__ = ["read_contour"]


def read_contour(path: Path) -> NDArray[np.float64]:
    """Read the (n, 2) points of a contour, column and row in pixels; the centre of the first pixel is (0, 0).

    Raises `InputError` if the file is not a polygon of finite points.
    """
    try:
        points = [[float(number) for number in line.split()] for line in read_text(path).splitlines() if line.strip()]
    except ValueError as error:
        raise InputError(
            f"contour '{path.name}' is not numeric; expected x and y in each line: export or unpack it again"
        ) from error
    if len(points) < 3 or any(len(point) != 2 for point in points):
        raise InputError(
            f"contour '{path.name}' has {len(points)} lines; expected at least three with x and y each: export or"
            " unpack it again"
        )
    polygon = np.asarray(points, dtype=np.float64)
    if not np.isfinite(polygon).all():
        raise InputError(
            f"contour '{path.name}' has points that are nan or inf; expected numbers: export or unpack it again"
        )
    return polygon
