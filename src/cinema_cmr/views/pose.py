"""Position of the heart in the coordinates of the scanner: usual, mirrored, or any other.

The axis comes from the short-axis stack and the direction of the right ventricle from its images. In the usual position
anterior is known from both. In a mirrored body (dextrocardia, an export with left and right exchanged) the mirror image
of the usual position fits. In any other (an animal, a rotated export) apex and base, or the two hands, cannot be
distinguished by directions: the 2-chamber plane is found, which of two planes is 3- and which 4-chamber is not.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.geometry import unit
from cinema_cmr.views.axis import EXPECTED_AXIS, TOWARDS_RV, LongAxis

__all__ = ["MIRROR", "axis_in_pose", "mirrored_angle_deg"]

Array = NDArray[np.float64]

MIRROR = np.array([-1.0, 1.0, 1.0])
"""Exchange of left and right."""

_USUAL_AXIS_DEG = 55.0
_USUAL_RV_DEG = 50.0
"""Limits of the usual position; in phantoms the images give the direction of the RV within 38 degrees."""
_MIRRORED_DEG = 40.0


def axis_in_pose(axis: LongAxis, towards_rv: Array) -> LongAxis:
    """Return the axis with the direction of the RV, its hand, and its own direction in the position that fits."""
    off_axis, off_rv = _deviations_deg(axis.direction, towards_rv, np.ones(3))
    if off_axis <= _USUAL_AXIS_DEG and off_rv <= _USUAL_RV_DEG:
        return axis
    if max(_deviations_deg(axis.direction, towards_rv, MIRROR)) <= _MIRRORED_DEG:
        towards_apex = axis.direction if axis.direction @ (MIRROR * EXPECTED_AXIS) >= 0 else -axis.direction
        return replace(axis, direction=towards_apex, towards_rv=MIRROR * TOWARDS_RV, mirrored=True)
    return replace(axis, towards_rv=towards_rv, handed=False)


def mirrored_angle_deg(direction: Array) -> float:
    """Return the angle in degrees, 0 to 90, between a line and the typical axis of a mirrored body."""
    return float(np.degrees(np.arccos(min(1.0, abs(float(unit(direction) @ (MIRROR * EXPECTED_AXIS)))))))


def _deviations_deg(direction: Array, towards_rv: Array, mirror: Array) -> tuple[float, float]:
    """Return the angles of the axis and, across it, of the RV from those of the usual or the mirrored position."""
    usual_axis = mirror * EXPECTED_AXIS
    axis = unit(direction) if direction @ usual_axis >= 0 else -unit(direction)
    usual_rv = mirror * TOWARDS_RV
    across = [unit(one - (one @ axis) * axis) for one in (usual_rv, towards_rv)]
    angles = (axis @ usual_axis, across[0] @ across[1])
    off_axis, off_rv = (float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))) for cosine in angles)
    return off_axis, off_rv
