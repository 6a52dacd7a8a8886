"""Landmarks in long-axis planes: where a plane cuts the mitral ring, and the tip of the cavity in it.

Each lies in the image plane itself, sub-pixel, in RAS mm: what a reader of that image would mark.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import Landmarks
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.phantom.heart import Heart, HeartFrame
from cinema_cmr.phantom.planes import ImagePlane

__all__ = ["landmarks_of", "mitral_point"]

Array = NDArray[np.float64]

_FIRST_SIDE = {View.LAX_4C: -30.0, View.LAX_2C: 90.0}
"""Angle of the view's first hinge point: septal, anterior; the second is opposite."""


def mitral_point(heart: Heart, frame: HeartFrame, theta: Array) -> Array:
    """(..., 3) RAS of the mitral ring at angles (radians) from the septum's middle towards the anterior wall."""
    angle = np.asarray(theta, dtype=np.float64)
    radius = np.sqrt(heart.left.endo_sq(angle, np.zeros(angle.shape), frame.left))
    base = np.full(angle.shape, frame.left.base_mm)
    return heart.to_ras(radius * np.cos(angle), radius * np.sin(angle), base)


def landmarks_of(heart: Heart, frames: Sequence[HeartFrame], plane: ImagePlane) -> Landmarks | None:
    """The landmarks of a view in all frames; None for a view without any in `core.vocabulary.LANDMARKS`."""
    if plane.view not in LANDMARKS:
        return None
    first, second, apex = LANDMARKS[plane.view]
    shift = plane.breathing_mm[0]
    start = np.radians(_FIRST_SIDE[plane.view])
    found: dict[str, list[Array]] = {first: [], second: [], apex: []}
    for frame in frames:
        hinges = [_ring_in_plane(heart, frame, plane, side) for side in (start, start + np.pi)]
        tip = _tip_in_plane(heart, frame, plane)
        for name, point in zip((first, second, apex), (*hinges, tip), strict=True):
            found[name].append(point + shift)
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
    """The point of the cavity in the plane that is furthest from the middle of the mitral valve.

    Where the plane passes beside the whole tip: the nearest point of the tip, put into the plane.
    """
    outlines = _outlines(heart, frame)
    off = _off_plane(plane, outlines)
    after, off_after = np.roll(outlines, -1, axis=0), np.roll(off, -1, axis=0)
    cut = (off > 0) != (off_after > 0)
    if not cut.any():
        nearest = np.unravel_index(np.argmin(np.abs(off)), off.shape)
        return np.asarray(outlines[nearest] - off[nearest] * plane.normal)
    share = (off[cut] / (off[cut] - off_after[cut]))[:, None]
    crossings = outlines[cut] + share * (after[cut] - outlines[cut])
    valve = heart.to_ras(*(np.asarray(value) for value in (0.0, 0.0, frame.left.base_mm)))
    return np.asarray(crossings[np.argmax(np.linalg.norm(crossings - valve, axis=1))])


def _outlines(heart: Heart, frame: HeartFrame) -> Array:
    """(theta, level, 3) RAS of the cavity's outline at levels of its last eighth, from the tip on."""
    theta = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    levels = 1 - np.linspace(0, 0.35, 20) ** 2
    radius = np.sqrt(np.maximum(heart.left.endo_sq(theta[:, None], levels[None], frame.left), 0))
    height = np.broadcast_to(frame.left.base_mm + levels * frame.left.length_mm, radius.shape)
    return heart.to_ras(radius * np.cos(theta)[:, None], radius * np.sin(theta)[:, None], height)
