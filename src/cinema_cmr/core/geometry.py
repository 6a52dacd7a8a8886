"""Affines, planes and distances in patient space.

Everything is in millimetres in RAS+, as in NIfTI: x grows towards the patient's right, y to the front, z to the head.
DICOM's LPS grows towards left and back, so going from one to the other changes the signs of x and y.
An affine maps voxel indices (i, j, k) to RAS mm.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import GeometryError

__all__ = [
    "apply_affine",
    "check_affine",
    "corner_distance_mm",
    "lps_to_ras",
    "plane_angle_deg",
    "slice_step_mm",
    "spacing_of",
    "unit",
]

Array = NDArray[np.float64]


def unit(vector: NDArray[np.floating]) -> Array:
    """The vector scaled to length one; a zero vector raises `GeometryError`."""
    length = float(np.linalg.norm(vector))
    if not np.isfinite(length) or length == 0:
        raise GeometryError(f"direction {np.asarray(vector).tolist()} has no length; expected a non-zero vector")
    return np.asarray(vector, dtype=np.float64) / length


def spacing_of(affine: NDArray[np.floating]) -> tuple[float, float, float]:
    """Voxel size in mm along i, j, k: the lengths of the affine's columns.

    >>> spacing_of(np.diag([-1.5, -1.5, 8.0, 1.0]))
    (1.5, 1.5, 8.0)
    """
    with np.errstate(over="ignore"):  # of a damaged header: infinite, and refused by `check_affine`
        lengths = np.linalg.norm(np.asarray(affine, dtype=np.float64)[:3, :3], axis=0)
    return float(lengths[0]), float(lengths[1]), float(lengths[2])


def slice_step_mm(affine: NDArray[np.floating]) -> float:
    """Return the distance of neighbouring slices along their normal: on skewed axes less than the column's length.

    >>> slice_step_mm(np.diag([-1.5, -1.5, 8.0, 1.0]))
    8.0
    """
    return abs(float(unit(np.cross(affine[:3, 0], affine[:3, 1])) @ affine[:3, 2]))


def apply_affine(affine: NDArray[np.floating], points: NDArray[np.floating]) -> Array:
    """Points (..., 3) in voxel indices -> (..., 3) in RAS mm (or back, with the inverse affine)."""
    matrix = np.asarray(affine, dtype=np.float64)
    moved: Array = np.asarray(points, dtype=np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
    return moved


def corner_distance_mm(affine: NDArray[np.floating], other: NDArray[np.floating], shape: Sequence[int]) -> float:
    """Return the largest distance of a corner voxel of a grid (i, j, k) by one affine from the same by another.

    >>> corner_distance_mm(np.eye(4), np.diag([1.0, 1.0, 2.0, 1.0]), (5, 5, 4))
    3.0
    """
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.asarray(shape[:3]) - 1)
    return float(np.linalg.norm(apply_affine(affine, corners) - apply_affine(other, corners), axis=1).max())


_MAX_ENTRY = 1e12
"""Of an affine, in mm: beyond it products overflow."""


def check_affine(affine: NDArray[np.floating]) -> Array:
    """The affine as float64, after checks; raises `GeometryError` for NaN, zero size or a collapsed axis."""
    matrix = np.asarray(affine, dtype=np.float64)
    if matrix.shape != (4, 4) or not (np.abs(matrix) < _MAX_ENTRY).all():
        raise GeometryError(f"affine {matrix.tolist()} is not a finite 4 x 4 matrix")
    first, second, third = matrix[:3, :3].T
    if abs(first @ np.cross(second, third)) < 1e-9:  # LAPACK's determinant warns of some sizes
        raise GeometryError(f"affine {matrix.tolist()} has an axis without length; voxel sizes must be above 0 mm")
    return matrix


def lps_to_ras(matrix: NDArray[np.floating]) -> Array:
    """DICOM (LPS) points (..., 3) or affines (4, 4) -> RAS: the signs of x and y change.

    >>> lps_to_ras(np.array([10.0, -20.0, 5.0])).tolist()
    [-10.0, 20.0, 5.0]
    """
    values = np.asarray(matrix, dtype=np.float64)
    signs = np.array([-1.0, -1.0, 1.0])
    flipped: Array = np.diag([*signs, 1.0]) @ values if values.shape == (4, 4) else values * signs
    return flipped


def plane_angle_deg(normal_a: NDArray[np.floating], normal_b: NDArray[np.floating]) -> float:
    """Angle between two planes in degrees, 0 (parallel) to 90, from their normals."""
    cosine = abs(float(unit(normal_a) @ unit(normal_b)))
    return float(np.degrees(np.arccos(min(1.0, cosine))))
