"""Hinge points and apex of a cavity that ends at the mitral plane: corners of its straight cut, furthest point.

Experts who draw the cavity of the left ventricle in a long-axis view close it by a straight line between the hinge
points of the mitral valve. Where nothing but the cavity is drawn, the line is found by its shape; where the wall is
drawn too, it is also the part of the border without wall, although networks may bulge it and draw pieces of wall wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cinema_cmr.core.components import largest_component
from cinema_cmr.measure.contours import loops, smooth_masks

__all__ = ["points_of_cut"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_STEP_MM = 1.0
_ARM_MM = 9.0
"""Length of the border before a corner, whose direction is compared with that of the cut."""
_MIN_CUT_MM, _MAX_CUT_MM = 10.0, 80.0
_SHARP = 1.2
"""Radians beyond which a corner counts no more: the apex of a narrow ventricle is sharper than the corners of a cut."""
_TALL, _HEIGHT_WEIGHT = 2.0, 0.3
"""Height, as a fraction of the cut's length, up to which a taller cavity speaks for a cut, and its worth in radians."""
_FAR_MM = 8.0
"""Distance from the wall beyond which the border is free of it, no more."""
_FREE_MM = 3.0
"""Least mean distance of a cut from the wall; nearer is beside it, since a mask may leave one or two pixels between."""
_LOST_MM = 15.0
"""Distance from the wall at which a corner is none of the valve, even where the other is."""


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """What counts for a cut; weights in radians of corner, lengths as fractions."""

    corner: float = 1.0
    bend_per_mm: float = 0.5
    """Weight of the largest distance of the border from the straight line."""
    free_per_mm: float = 0.0
    """Weight of the mean distance of the cut from the wall."""
    end_per_mm: float = 0.0
    """Weight against the distances of both corners from the wall."""
    bare_per_mm: float = 0.0
    """Weight against the mean distance from the wall of the border beyond the cut."""
    straight: float = 0.85
    """Least distance of the corners, of the border between them."""
    height: float = 0.75
    """Least height of the cavity above the cut, of its length; a wall is longer than the cavity wide."""
    width: float = 0.55
    """Least length of the cut, of the mean width of the cavity."""
    n_candidates: int = 1500


_BY_SHAPE = _Rule()
_BY_WALL = _Rule(
    corner=0.8,
    bend_per_mm=0.4,
    free_per_mm=0.2,
    end_per_mm=0.05,
    bare_per_mm=1.5,
    straight=0.7,
    height=0.6,
    width=0.0,
    n_candidates=400,
)
"""Weights chosen on masks that a network drew in 53 real four-chamber images (`benchmarks/long_axis_masks.py`)."""


def points_of_cut(cavity: Mask, spacing_mm: tuple[float, float], *, wall: Mask | None = None) -> Array | None:
    """Return (3, 2) pixels: both corners of the straight cut of a cavity (x, y), in any order, and the point furthest
    from their middle; None without a cavity, where it is too small for a cut, or enclosed by its wall.

    `wall` (x, y), not empty, or None where none was drawn. Of all pieces of the border that are 10 to 80 mm long and
    have the cavity standing above them, the one is taken that is straightest between the sharpest corners, and most
    free of wall.
    """
    border = _border(cavity, spacing_mm)
    if border is None:
        return None
    if wall is None:
        found = _best_cut(border, _BY_SHAPE, np.zeros(len(border)))
    else:
        away_mm = ndimage.distance_transform_edt(~wall, sampling=spacing_mm)
        off_mm = ndimage.map_coordinates(away_mm, (border / spacing_mm).T, order=1, mode="nearest")
        found = _best_cut(border, _BY_WALL, np.minimum(off_mm, _FAR_MM))
        found = None if found is None else _extended_to_the_wall(found, off_mm)
    if found is None:
        return None
    middle = border[list(found)].mean(axis=0)
    far = int(np.argmax(((border - middle) ** 2).sum(axis=1)))
    return np.asarray(border[[*found, far]] / np.asarray(spacing_mm))


def _extended_to_the_wall(cut: tuple[int, int], off_mm: Array) -> tuple[int, int]:
    """Return the cut with the ends that lie in blood that was drawn into the atrium moved along the border to the wall.

    Those are both if neither is near the wall, else an end far from it.
    """
    ends, n, near = list(cut), len(off_mm), off_mm <= _FREE_MM
    if not near.any():
        return cut
    reach_mm = _FREE_MM if min(off_mm[ends]) > _FREE_MM else _LOST_MM
    for k, way in enumerate((-1, 1)):
        if off_mm[ends[k]] > reach_mm:
            ends[k] = int((ends[k] + way * np.argmax(near[(ends[k] + way * np.arange(n)) % n])) % n)
    return ends[0], ends[1]


def _border(cavity: Mask, spacing_mm: tuple[float, float]) -> Array | None:
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


def _best_cut(border: Array, rule: _Rule, off_mm: Array) -> tuple[int, int] | None:
    """Return the positions on the border (n, 2) of the first and last point of the cut.

    `off_mm` (n,): distance of each point from the wall.
    """
    n, arm = len(border), round(_ARM_MM / _STEP_MM)
    lengths = np.arange(round(_MIN_CUT_MM / _STEP_MM), min(round(_MAX_CUT_MM / _STEP_MM), n - 2 * arm) + 1)
    first = np.arange(n)
    last = (first[None] + lengths[:, None]) % n
    chord = border[last] - border[None]
    before, after = border - np.roll(border, arm, axis=0), np.roll(border, -arm, axis=0) - border
    turn = _sharpness(before[None], chord) + _sharpness(chord, after[last])
    possible = np.hypot(chord[..., 0], chord[..., 1]) > rule.straight * lengths[:, None] * _STEP_MM
    sums = np.concatenate([[0.0], np.cumsum(np.tile(off_mm, 2))])
    inside = sums[first + lengths[:, None]] - sums[first]
    if rule.free_per_mm:
        possible &= inside >= _FREE_MM * lengths[:, None]
    bare = (off_mm.sum() - inside) / (n - lengths[:, None])
    evidence = rule.corner * turn + rule.free_per_mm * inside / lengths[:, None] - rule.bare_per_mm * bare
    evidence -= rule.end_per_mm * (off_mm + off_mm[last])
    order = np.argsort(-np.where(possible, evidence, -np.inf), axis=None)[: rule.n_candidates]
    rows, starts = np.unravel_index(order[possible.flat[order]], turn.shape)
    if not len(rows):
        return None
    score = evidence[rows, starts] - _penalties(border, starts, lengths[rows], rule)
    top = int(np.argmax(score))
    return (int(starts[top]), int(last[rows[top], starts[top]])) if np.isfinite(score[top]) else None


def _penalties(border: Array, starts: NDArray[np.intp], lengths: NDArray[np.int64], rule: _Rule) -> Array:
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
    penalty = rule.bend_per_mm * bend - _HEIGHT_WEIGHT * np.minimum(above / size, _TALL)
    return np.where((above < rule.height * size) | (size < rule.width * width), np.inf, penalty)


def _area(border: Array) -> float:
    x, y = border.T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


def _sharpness(first: Array, second: Array) -> Array:
    """Return the unsigned angle from each direction (..., 2) to the other, in radians, up to that of a sharp corner."""
    cross = first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
    return np.asarray(np.minimum(np.abs(np.arctan2(cross, (first * second).sum(axis=-1))), _SHARP))
