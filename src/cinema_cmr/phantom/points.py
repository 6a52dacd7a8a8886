"""Exact landmarks in long-axis planes: the hinge points of the mitral ring and the tip of the cavity.

Each lies in the image plane itself, sub-pixel, in RAS mm, at the point that a reader of the image would mark.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import Landmarks
from cinema_cmr.core.geometry import unit
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.phantom.anatomy.chambers import AORTA, LEFT_ATRIUM, Chambers, chamber_depth
from cinema_cmr.phantom.anatomy.heart import Heart, HeartFrame
from cinema_cmr.phantom.planes import ImagePlane

__all__ = ["mitral_point", "plane_landmarks"]

Array = NDArray[np.float64]

_FIRST_SIDE = {View.LAX_4C: -30.0, View.LAX_3C: 30.0, View.LAX_2C: 90.0}
"""Angle of the first hinge point of each view (septal, anteroseptal, anterior); the second lies opposite."""
_ALONG_RING = 400
"""Points between both ends of the ring in a plane, at which the root of the aorta is sought."""
_BEHIND_RING_MM = 4.0
"""Distance from the ring at which the left atrium is sought; the valve lies between."""


def mitral_point(heart: Heart, frame: HeartFrame, theta: Array) -> Array:
    """Return (..., 3) RAS points of the mitral ring at angles (radians) from mid septum towards the anterior wall."""
    angle = np.asarray(theta, dtype=np.float64)
    radius = np.sqrt(heart.left.endo_sq(angle, np.zeros(angle.shape), frame.left))
    base = np.full(angle.shape, frame.left.base_mm)
    return heart.to_ras(radius * np.cos(angle), radius * np.sin(angle), base)


def plane_landmarks(heart: Heart, frames: Sequence[HeartFrame], plane: ImagePlane) -> Landmarks | None:
    """Return the landmarks of a view in all frames; None for a view that has none (`core.vocabulary.LANDMARKS`)."""
    if plane.view not in LANDMARKS:
        return None
    first, second, apex = LANDMARKS[plane.view]
    shift = plane.breathing_mm[0]
    start = np.radians(_FIRST_SIDE[plane.view])
    points: dict[str, list[Array]] = {first: [], second: [], apex: []}
    for frame in frames:
        ends = [_ring_in_plane(heart, frame, plane, side) for side in (start, start + np.pi)]
        if plane.view is View.LAX_3C:
            ends[0] = _beside_aorta(heart, frame, *ends)
        for name, end in zip((first, second), ends, strict=True):
            points[name].append(end + shift)
        points[apex].append(_tip_in_plane(heart, frame, plane) + shift)
    return Landmarks(view=plane.view, points={name: np.array(values) for name, values in points.items()})


def _plane_distance(plane: ImagePlane, points: Array) -> Array:
    """Return the signed distance of anatomical points from the middle of the slice, in mm."""
    return np.asarray((points - plane.corner(0)) @ plane.normal)


def _ring_in_plane(heart: Heart, frame: HeartFrame, plane: ImagePlane, side: float) -> Array:
    """Return the crossing of ring and plane nearest to an angle, interpolated between points 1 degree apart."""
    ring = mitral_point(heart, frame, side + np.radians(np.linspace(-82.0, 82.0, 165)))
    off = _plane_distance(plane, ring)
    crossings = np.flatnonzero((off[:-1] > 0) != (off[1:] > 0))
    if not len(crossings):
        return np.full(3, np.nan)
    first = int(crossings[np.argmin(np.abs(crossings - 82))])
    share = off[first] / (off[first] - off[first + 1])
    return np.asarray(ring[first] + share * (ring[first + 1] - ring[first]))


def _beside_aorta(heart: Heart, frame: HeartFrame, first: Array, second: Array) -> Array:
    """Return the end of the mitral valve on the way from `second` to `first`, both ends of the ring in a plane.

    The valve ends at the root of the aorta; where the plane misses that, with the left atrium behind it. `first` itself
    where the atrium reaches as far.
    """
    chambers = {chamber.name: chamber for chamber in Chambers(heart=heart).at(frame)}
    along = second + np.linspace(0, 1, _ALONG_RING)[:, None] * (first - second)
    aorta = chamber_depth(chambers[AORTA], heart.locate(along)) > 0
    behind = heart.locate(along - _BEHIND_RING_MM * heart.pose.towards_apex)
    atrium = chamber_depth(chambers[LEFT_ATRIUM], behind) > -chambers[LEFT_ATRIUM].wall_mm / 2
    ends = [int(np.argmax(aorta))] if aorta.any() else []
    ends += [int(np.flatnonzero(atrium)[-1])] if atrium.any() else []
    return np.asarray(along[min(ends)]) if ends else first


def _tip_in_plane(heart: Heart, frame: HeartFrame, plane: ImagePlane) -> Array:
    """Return the point of the cavity in the plane that lies furthest along the axis of the ventricle.

    The outline of the cavity in the plane is sampled by level on either side; near the tip it is a smooth arc.
    """
    # Start at the tip, a few levels at a time: the plane usually intersects the cavity near its tip.
    for levels in np.split(1 - np.linspace(0, 0.12, 240), 12):
        outline, crosses = _outline(heart, frame, plane, levels)
        if crosses:
            break
    tip = outline[int(np.argmin(np.abs(_plane_distance(plane, outline))))]
    limit = np.abs(_plane_distance(plane, tip)) + 0.3
    tip = outline[np.abs(_plane_distance(plane, outline)) <= limit].mean(axis=0)
    return np.asarray(tip - _plane_distance(plane, tip) * unit(plane.normal))


def _outline(heart: Heart, frame: HeartFrame, plane: ImagePlane, levels: Array) -> tuple[Array, bool]:
    """Return the (theta, 3) outline of the cavity at the first level that crosses the plane, or at the last level."""
    theta = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    radius = np.sqrt(np.maximum(heart.left.endo_sq(theta[:, None], levels[None], frame.left), 0))
    height = np.broadcast_to(frame.left.base_mm + levels * frame.left.length_mm, radius.shape)
    points = heart.to_ras(radius * np.cos(theta)[:, None], radius * np.sin(theta)[:, None], height)
    side = _plane_distance(plane, points) > 0
    crosses = (side != np.roll(side, 1, axis=0)).any(axis=0)
    first = int(np.argmax(crosses)) if crosses.any() else len(levels) - 1
    return points[:, first], bool(crosses.any())
