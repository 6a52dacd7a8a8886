"""Geometry of the heart: the left ventricle's long axis, planes that contain it, and their rotation about it.

All in RAS mm. The axis points from base to apex.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.geometry import unit

__all__ = [
    "EXPECTED_AXIS",
    "TOWARDS_RV",
    "LongAxis",
    "Plane",
    "angle_to_expected_deg",
    "axis_from_planes",
    "contains_axis",
    "intersection_lines",
    "orient_to_apex",
    "rotation_deg",
]

Array = NDArray[np.float64]

EXPECTED_AXIS = unit(np.array([-0.57, 0.62, -0.53]))
"""RAS direction of a typical left ventricular axis, base to apex: left, anterior, inferior in about equal parts."""

TOWARDS_RV = np.array([1.0, 1.0, 0.0])
"""The right ventricle lies to the right of and anterior to the left ventricular axis, at the same level."""


@dataclass(frozen=True, kw_only=True)
class Plane:
    """One image plane: its centre and unit normal, RAS mm."""

    centre: Array
    normal: Array


@dataclass(frozen=True, kw_only=True)
class LongAxis:
    """A line from the base to the apex of the left ventricle."""

    centre: Array
    direction: Array
    half_length_mm: float
    """The axis is reliable up to this distance on both sides of its centre."""
    source: str
    towards_rv: Array | None = None
    """RAS direction of the RV from the images; None for the usual one, to the right and anterior."""
    mirrored: bool = False
    """Whether left and right of the body are exchanged, as in dextrocardia or a mirrored export."""
    handed: bool = True
    """Whether anterior and inferior can be distinguished; False in an unusual position of the heart."""

    def point(self, along_mm: float) -> Array:
        """Return the (3,) RAS point at `along_mm` from the centre towards the apex."""
        return self.centre + along_mm * self.direction

    def distances_mm(self, plane: Plane) -> Array:
        """Return the (3,) distances of the plane from the axis at its basal end, centre and apical end."""
        ends = (-self.half_length_mm, 0.0, self.half_length_mm)
        return np.array([abs(float((self.point(at) - plane.centre) @ plane.normal)) for at in ends])


def orient_to_apex(direction: Array) -> Array:
    """Return the direction or its opposite, whichever points from base to apex in a typical chest."""
    return direction if float(direction @ EXPECTED_AXIS) >= 0 else -direction


def angle_to_expected_deg(direction: Array) -> float:
    """Return the angle in degrees, 0 to 90, between a line and the typical left ventricular axis."""
    return float(np.degrees(np.arccos(min(1.0, abs(float(unit(direction) @ EXPECTED_AXIS))))))


def rotation_deg(normal: Array, axis: Array, *, towards_rv: Array | None = None) -> float:
    """Return the rotation of a plane that contains the axis about it, in degrees from -90 (exclusive) to 90.

    0 is the plane through the middle of the right ventricle (to the right and anterior); it increases towards the
    anterior wall, so that the AHA segments (Circulation 2002;105:539) give -30 for 4-chamber, 30 for 3-chamber, 90 for
    2-chamber. `towards_rv` replaces the usual direction of the right ventricle.
    """
    usual = TOWARDS_RV if towards_rv is None else towards_rv
    towards_rv = unit(usual - (usual @ axis) * axis)
    towards_anterior = np.cross(towards_rv, axis)
    trace = np.cross(normal, axis)
    angle = float(np.degrees(np.arctan2(trace @ towards_anterior, trace @ towards_rv)))
    return 90 - (90 - angle) % 180


def axis_from_planes(planes: Sequence[Plane]) -> tuple[LongAxis, int] | None:
    """Return the line in which most planes intersect, and the number of planes that contain it.

    None if no line is plausible as an axis. In a tie, the line nearest to the typical direction.
    """
    best: tuple[tuple[int, float], LongAxis] | None = None
    for line in intersection_lines(planes):
        deviation = angle_to_expected_deg(line.direction)
        if deviation > 40:
            continue
        containing = sum(contains_axis(plane, line) for plane in planes)
        if best is None or (containing, -deviation) > best[0]:
            best = ((containing, -deviation), line)
    return None if best is None else (best[1], best[0][0])


def intersection_lines(planes: Sequence[Plane]) -> list[LongAxis]:
    """Return the intersection lines of planes at 25 degrees or more to each other, near the centre of their images."""
    lines = []
    for one, other in combinations(planes, 2):
        direction = np.cross(one.normal, other.normal)
        if np.linalg.norm(direction) < np.sin(np.radians(25)):
            continue
        direction = orient_to_apex(unit(direction))
        middle = (one.centre + other.centre) / 2
        rows = np.stack([one.normal, other.normal, direction])
        sides = [one.normal @ one.centre, other.normal @ other.centre, direction @ middle]
        centre = np.linalg.solve(rows, np.array(sides))
        lines.append(LongAxis(centre=centre, direction=direction, half_length_mm=30.0, source="plane intersection"))
    return lines


def contains_axis(plane: Plane, axis: LongAxis) -> bool:
    """Return True if the axis lies in the plane, within 15 degrees and 12 mm."""
    sine = abs(float(plane.normal @ axis.direction))
    return sine < np.sin(np.radians(15)) and float(axis.distances_mm(plane)[1]) < 12
