"""Landmarks in long-axis planes: where a plane cuts the mitral ring, and the tip of the cavity in it.

Each lies in the image plane itself, sub-pixel, in RAS mm: what a reader of that image would mark.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import Landmarks
from cinema_cmr.core.geometry import unit
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.phantom.heart import Heart, HeartFrame
from cinema_cmr.phantom.planes import ImagePlane

__all__ = ["mitral_point", "plane_landmarks"]

Array = NDArray[np.float64]

_FIRST_SIDE = {View.LAX_4C: -30.0, View.LAX_2C: 90.0}
"""Angle of the view's first hinge point: septal, anterior; the second is opposite."""


def mitral_point(heart: Heart, frame: HeartFrame, theta: Array) -> Array:
    """(..., 3) RAS of the mitral ring at angles (radians) from the septum's middle towards the anterior wall."""
    angle = np.asarray(theta, dtype=np.float64)
    radius = np.sqrt(heart.left.endo_sq(angle, np.zeros(angle.shape), frame.left))
    base = np.full(angle.shape, frame.left.base_mm)
    return heart.to_ras(radius * np.cos(angle), radius * np.sin(angle), base)


def plane_landmarks(heart: Heart, frames: Sequence[HeartFrame], plane: ImagePlane) -> Landmarks | None:
    """The landmarks of a view in all frames; None for a view without any in `core.vocabulary.LANDMARKS`."""
    if plane.view not in LANDMARKS:
        return None
    first, second, apex = LANDMARKS[plane.view]
    shift = plane.breathing_mm[0]
    start = np.radians(_FIRST_SIDE[plane.view])
    found: dict[str, list[Array]] = {first: [], second: [], apex: []}
    for frame in frames:
        for name, side in ((first, start), (second, start + np.pi)):
            found[name].append(_ring_in_plane(heart, frame, plane, side) + shift)
        found[apex].append(_tip_in_plane(heart, frame, plane) + shift)
    return Landmarks(view=plane.view, points={name: np.array(values) for name, values in found.items()})


def _off_plane(plane: ImagePlane, points: Array) -> Array:
    """Signed distance of anatomical points from the middle of the slice, mm."""
    return np.asarray((points - plane.corner(0)) @ plane.normal)


def _ring_in_plane(heart: Heart, frame: HeartFrame, plane: ImagePlane, side: float) -> Array:
    """Where the ring crosses the plane nearest to an angle: between points a degree apart, straight."""
    ring = mitral_point(heart, frame, side + np.radians(np.linspace(-82.0, 82.0, 165)))
    off = _off_plane(plane, ring)
    crossings = np.flatnonzero((off[:-1] > 0) != (off[1:] > 0))
    if not len(crossings):
        return np.full(3, np.nan)
    first = int(crossings[np.argmin(np.abs(crossings - 82))])
    share = off[first] / (off[first] - off[first + 1])
    return np.asarray(ring[first] + share * (ring[first + 1] - ring[first]))


def _tip_in_plane(heart: Heart, frame: HeartFrame, plane: ImagePlane) -> Array:
    """The furthest point of the cavity in the plane along the ventricle's axis.

    The cavity's outline in the plane is sampled by level on either side; near the tip it is a smooth arc.
    """
    # From the tip on, some levels at a time: the plane mostly cuts the cavity near its tip.
    for levels in np.split(1 - np.linspace(0, 0.12, 240), 12):
        at, crosses = _outline(heart, frame, plane, levels)
        if crosses:
            break
    tip = at[int(np.argmin(np.abs(_off_plane(plane, at))))]
    tip = at[np.abs(_off_plane(plane, at)) <= np.abs(_off_plane(plane, tip)) + 0.3].mean(axis=0)
    return np.asarray(tip - _off_plane(plane, tip) * unit(plane.normal))


def _outline(heart: Heart, frame: HeartFrame, plane: ImagePlane, levels: Array) -> tuple[Array, bool]:
    """(theta, 3) RAS of the cavity's outline at the first of the levels that the plane cuts; else at the last."""
    theta = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    radius = np.sqrt(np.maximum(heart.left.endo_sq(theta[:, None], levels[None], frame.left), 0))
    height = np.broadcast_to(frame.left.base_mm + levels * frame.left.length_mm, radius.shape)
    points = heart.to_ras(radius * np.cos(theta)[:, None], radius * np.sin(theta)[:, None], height)
    side = _off_plane(plane, points) > 0
    crosses = (side != np.roll(side, 1, axis=0)).any(axis=0)
    first = int(np.argmax(crosses)) if crosses.any() else len(levels) - 1
    return points[:, first], bool(crosses.any())
