"""Lines and planes of the heart: the left ventricle's long axis, planes that hold it, their turn about it.

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
    "LongAxis",
    "Plane",
    "angle_to_expected_deg",
    "axis_from_planes",
    "holds",
    "meeting_lines",
    "rotation_deg",
    "towards_apex",
]

Array = NDArray[np.float64]

EXPECTED_AXIS = unit(np.array([-0.57, 0.62, -0.53]))
"""RAS direction of a usual left ventricle's axis, base to apex: left, forward, down in about equal parts."""

_TOWARDS_RV = np.array([1.0, 1.0, 0.0])
"""From the left ventricle's axis the right ventricle lies to the right and in front, on the same level."""


@dataclass(frozen=True, kw_only=True)
class Plane:
    """One image plane: a point in its middle and its unit normal, RAS mm."""

    centre: Array
    normal: Array


@dataclass(frozen=True, kw_only=True)
class LongAxis:
    """A line from the left ventricle's base to its apex."""

    centre: Array
    direction: Array
    half_length_mm: float
    """The axis is trusted this far to both sides of its centre."""
    source: str

    def point(self, along_mm: float) -> Array:
        """(3,) RAS point so many mm from the centre towards the apex."""
        return self.centre + along_mm * self.direction

    def distances_mm(self, plane: Plane) -> Array:
        """(3,) distances of the plane from the axis at its basal end, centre and apical end."""
        ends = (-self.half_length_mm, 0.0, self.half_length_mm)
        return np.array([abs(float((self.point(at) - plane.centre) @ plane.normal)) for at in ends])


def towards_apex(direction: Array) -> Array:
    """The direction or its opposite, whichever points from base to apex in a usual chest."""
    return direction if float(direction @ EXPECTED_AXIS) >= 0 else -direction


def angle_to_expected_deg(direction: Array) -> float:
    """Angle in degrees, 0 to 90, between a line and the axis of a usual left ventricle."""
    return float(np.degrees(np.arccos(min(1.0, abs(float(unit(direction) @ EXPECTED_AXIS))))))


def rotation_deg(normal: Array, axis: Array) -> float:
    """How far a plane that holds the axis is turned about it, in degrees from -90 (not included) to 90.

    0 is the plane through the right ventricle's middle (to the right and in front); it grows towards the
    anterior wall, so that the AHA's walls (Circulation 2002;105:539) give -30 for 4-chamber, 30 for
    3-chamber, 90 for 2-chamber.
    """
    towards_rv = unit(_TOWARDS_RV - (_TOWARDS_RV @ axis) * axis)
    towards_anterior = np.cross(towards_rv, axis)
    trace = np.cross(normal, axis)
    angle = float(np.degrees(np.arctan2(trace @ towards_anterior, trace @ towards_rv)))
    return 90 - (90 - angle) % 180


def axis_from_planes(planes: Sequence[Plane]) -> tuple[LongAxis, int] | None:
    """The line in which most planes meet, if it runs as an axis may, and how many planes hold it.

    Of lines held by as many planes, the one nearest to the usual direction.
    """
    best: tuple[tuple[int, float], LongAxis] | None = None
    for line in meeting_lines(planes):
        off = angle_to_expected_deg(line.direction)
        if off > 40:
            continue
        holding = sum(holds(plane, line) for plane in planes)
        if best is None or (holding, -off) > best[0]:
            best = ((holding, -off), line)
    return None if best is None else (best[1], best[0][0])


def meeting_lines(planes: Sequence[Plane]) -> list[LongAxis]:
    """Lines in which planes at 25 degrees or more to each other meet, near the middle of their images."""
    lines = []
    for one, other in combinations(planes, 2):
        direction = np.cross(one.normal, other.normal)
        if np.linalg.norm(direction) < np.sin(np.radians(25)):
            continue
        direction = towards_apex(unit(direction))
        middle = (one.centre + other.centre) / 2
        rows = np.stack([one.normal, other.normal, direction])
        sides = [one.normal @ one.centre, other.normal @ other.centre, direction @ middle]
        centre = np.linalg.solve(rows, np.array(sides))
        lines.append(LongAxis(centre=centre, direction=direction, half_length_mm=30.0, source="where planes meet"))
    return lines


def holds(plane: Plane, axis: LongAxis) -> bool:
    """True where the axis lies in the plane, within 15 degrees and 12 mm."""
    sine = abs(float(plane.normal @ axis.direction))
    return sine < np.sin(np.radians(15)) and float(axis.distances_mm(plane)[1]) < 12
