"""Hinge points and apex from a cavity that is cut straight at the mitral plane: corners of the cut, furthest point.

Experts who draw the cavity of the left ventricle in a long-axis view close it by a straight line between the hinge
points of the mitral valve. Where nothing but such a cavity is drawn, the line is found by its shape alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.components import largest_component
from cinema_cmr.measure.contours import loops, smooth_masks

__all__ = ["points_of_cut"]

Array = NDArray[np.float64]

_STEP_MM = 1.0
_ARM_MM = 9.0
"""Length of the border before a corner, whose direction is compared with that of the cut."""
_MIN_CUT_MM, _MAX_CUT_MM = 10.0, 80.0
_MIN_HEIGHT = 0.75
"""Smallest height of the cavity above the cut, as a fraction of its length; a wall is longer than the cavity wide."""
_TALL, _HEIGHT_WEIGHT = 2.0, 0.3
"""Height, as a fraction of the cut's length, up to which a taller cavity speaks for a cut, and its worth in radians."""
_MIN_WIDTH = 0.55
"""Smallest length of the cut, as a fraction of the mean width of the cavity."""
_MIN_STRAIGHT = 0.85
"""Smallest distance of the ends of the cut, as a fraction of the border between them."""
_N_CANDIDATES = 1500
_SHARP = 1.2
"""Radians beyond which a corner counts no more: the apex of a narrow ventricle is sharper than the corners of a cut."""
_BEND_PER_MM = 0.5
"""Radians of corner that a bend of the cut by one millimetre outweighs."""


def points_of_cut(cavity: NDArray[np.bool_], spacing_mm: tuple[float, float]) -> Array | None:
    """Return (3, 2) pixels: both corners of the straight cut of a cavity (x, y), in any order, and the point furthest
    from their middle; None without a cavity, or where it is too small for a cut.

    Of all pieces of the border that are 10 to 80 mm long and have the cavity standing above them, the one is taken that
    is straightest between the sharpest corners.
    """
    border = _border(cavity, spacing_mm)
    if border is None:
        return None
    found = _best_cut(border)
    if found is None:
        return None
    first, last = found
    middle = (border[first] + border[last]) / 2
    far = int(np.argmax(((border - middle) ** 2).sum(axis=1)))
    return np.asarray(border[[first, last, far]] / np.asarray(spacing_mm))


def _border(cavity: NDArray[np.bool_], spacing_mm: tuple[float, float]) -> Array | None:
    """Return the closed border of the largest piece as points (n, 2) in mm, a millimetre apart; None without one."""
    if not cavity.any():
        return None
    curves = loops(smooth_masks(largest_component(cavity)))
    if not curves:
        return None
    curve = max(curves, key=len)[:, ::-1] * spacing_mm
    if (curve[0] != curve[-1]).any():
        curve = np.vstack([curve, curve[:1]])
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(curve, axis=0).T))])
    n = int(along[-1] / _STEP_MM)
    if n * _STEP_MM < 2 * (_MIN_CUT_MM + _ARM_MM):
        return None
    at = np.arange(n) * along[-1] / n
    return np.column_stack([np.interp(at, along, curve[:, axis]) for axis in (0, 1)])


def _best_cut(border: Array) -> tuple[int, int] | None:
    """Return the positions on the border (n, 2) of the first and last point of the cut."""
    n, arm = len(border), round(_ARM_MM / _STEP_MM)
    lengths = np.arange(round(_MIN_CUT_MM / _STEP_MM), min(round(_MAX_CUT_MM / _STEP_MM), n - 2 * arm) + 1)
    first = np.arange(n)
    last = (first[None] + lengths[:, None]) % n
    chord = border[last] - border[None]
    size = np.hypot(chord[..., 0], chord[..., 1])
    before, after = border - np.roll(border, arm, axis=0), np.roll(border, -arm, axis=0) - border
    turn = _sharpness(before[None], chord) + _sharpness(chord, after[last])
    straight = size > _MIN_STRAIGHT * lengths[:, None] * _STEP_MM
    best = np.argsort(-np.where(straight, turn, -np.inf), axis=None)[:_N_CANDIDATES]
    rows, starts = np.unravel_index(best[straight.flat[best]], turn.shape)
    if not len(rows):
        return None
    score = turn[rows, starts] - _penalties(border, starts, lengths[rows])
    top = int(np.argmax(score))
    return (int(starts[top]), int(last[rows[top], starts[top]])) if np.isfinite(score[top]) else None


def _penalties(border: Array, starts: NDArray[np.intp], lengths: NDArray[np.int64]) -> Array:
    """Return what speaks against each cut (k,) of a border (n, 2), in radians of corner; infinite if it is impossible.

    A cut reaches from one of the `starts` over as many points as the `lengths` say.
    """
    n = len(border)
    chord = border[(starts + lengths) % n] - border[starts]
    size = np.hypot(chord[:, 0], chord[:, 1])
    across = np.stack([-chord[:, 1], chord[:, 0]], axis=1) / size[:, None]
    # (k, n): of every point of the border in its order from the start on
    height = np.abs((across @ border.T) - (across * border[starts]).sum(axis=1, keepdims=True))
    height = np.take_along_axis(height, (starts[:, None] + np.arange(n)) % n, axis=1)
    of_cut = np.arange(n) <= lengths[:, None]
    bend, above = np.where(of_cut, height, 0).max(axis=1), np.where(of_cut, 0, height).max(axis=1)
    width = _area(border) / np.maximum(above, 1e-6)
    penalty = _BEND_PER_MM * bend - _HEIGHT_WEIGHT * np.minimum(above / size, _TALL)
    return np.where((above < _MIN_HEIGHT * size) | (size < _MIN_WIDTH * width), np.inf, penalty)


def _area(border: Array) -> float:
    x, y = border.T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


def _sharpness(first: Array, second: Array) -> Array:
    """Return the unsigned angle from each direction (..., 2) to the other, in radians, up to that of a sharp corner."""
    cross = first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
    return np.asarray(np.minimum(np.abs(np.arctan2(cross, (first * second).sum(axis=-1))), _SHARP))
