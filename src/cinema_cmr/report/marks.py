"""Landmarks as SVG paths over a film of their view: the valve's hinges joined by a line, and the apex."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import Landmarks
from cinema_cmr.core.geometry import apply_affine
from cinema_cmr.core.volume import Cine
from cinema_cmr.report.display import Box
from cinema_cmr.report.frames import UNITS_PER_PIXEL

__all__ = ["landmark_paths"]

_RADIUS_PX = 3.5


def landmark_paths(landmarks: Landmarks, cine: Cine, box: Box, size: tuple[int, int]) -> dict[str, tuple[str, ...]]:
    """Names "valve" and "apex" -> one SVG path a frame, empty where a point is missing.

    `cine` is turned for display as the film is, `size` the film's width and height in screen pixels; coordinates are
    whole numbers of 1 / `UNITS_PER_PIXEL` of them.
    """
    to_voxels = np.linalg.inv(cine.affine)
    scale = np.array(size) / [box.right - box.left, box.bottom - box.top] * UNITS_PER_PIXEL
    on_screen = [
        (apply_affine(to_voxels, points)[:, :2] + 0.5 - [box.left, box.top]) * scale for points in landmarks.tracks()
    ]
    first, second, apex = on_screen
    return {
        "valve": tuple(_valve(a, b) for a, b in zip(first, second, strict=True)),
        "apex": tuple(_circle(point) for point in apex),
    }


def _valve(first: NDArray[np.float64], second: NDArray[np.float64]) -> str:
    if np.isnan([first, second]).any():
        return _circle(first) + _circle(second)
    (x, y), (to_x, to_y) = np.rint([first, second]).astype(int).tolist()
    return f"M{x} {y}L{to_x} {to_y}" + _circle(first) + _circle(second)


def _circle(point: NDArray[np.float64]) -> str:
    if np.isnan(point).any():
        return ""
    x, y = np.rint(point).astype(int).tolist()
    radius = round(_RADIUS_PX * UNITS_PER_PIXEL)
    return f"M{x - radius} {y}a{radius} {radius} 0 1 0 {2 * radius} 0a{radius} {radius} 0 1 0 {-2 * radius} 0"
