"""Mitral valve plane over the cycle, from the hinge points of long-axis views, and the blood on its apical side.

Between end-diastole and end-systole the valve moves towards the apex by more than a slice is thick, so that the most
basal slice shows ventricle at first and atrium later. The plane cuts each slice where the valve is in each frame; a
slice counts in part where the plane crosses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import Landmarks
from cinema_cmr.core.geometry import apply_affine, unit
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine

__all__ = ["ValvePlanes", "apical_shares", "find_valve_planes"]

Array = NDArray[np.float64]

_MIN_CROSSING = 0.5
"""Smallest sine of the angle between the hinge lines of two views for a plane through both; 30 degrees."""

_MAX_TILT_DEG = 50.0
"""Largest angle between the valve plane and the slices. In 100 phantoms it is at most 30 degrees; more means hinge
points of another structure or a stack that moved."""


@dataclass(frozen=True, kw_only=True)
class ValvePlanes:
    """The valve plane in each frame of a short-axis stack."""

    points: Array
    """(t, 3) middle of the valve, RAS mm."""
    normals: Array
    """(t, 3) unit normals towards the apex."""
    views: tuple[View, ...]
    """Views that the hinge points are from."""

    @property
    def travel_mm(self) -> float:
        """Largest displacement of the middle of the valve along its mean normal over the cycle."""
        return float(np.ptp(self.points @ unit(self.normals.mean(axis=0))))


def find_valve_planes(cine: Cine, landmarks: Mapping[View, Landmarks]) -> ValvePlanes | None:
    """Find the valve plane in each frame of a stack; None without hinge points or with an implausible plane.

    Frames of another number are matched by their phase of the cycle, and a missing point is interpolated over time.
    With two views or three the plane is the least-squares plane through the hinge lines. With one, or where the lines
    lie too much alike, it is perpendicular to the views.
    """
    usable = {view: marks for view, marks in landmarks.items() if _is_usable(marks)}
    if not usable or not cine.orientation_known:
        return None
    hinges = {view: _resampled(marks, cine.n_frames) for view, marks in usable.items()}
    points = np.mean([(first + second) / 2 for first, second, _ in hinges.values()], axis=0)
    normals = np.stack([_normal([tuple(p[t] for p in view) for view in hinges.values()]) for t in range(cine.n_frames)])
    if (np.abs(normals @ _slice_normal(cine)) < np.cos(np.radians(_MAX_TILT_DEG))).any():
        return None
    return ValvePlanes(points=points, normals=normals, views=tuple(usable))


def apical_shares(cine: Cine, planes: ValvePlanes, voxels: NDArray[np.intp]) -> Array:
    """Return the (n,) share, 0 to 1, of voxels (n, 4: i, j, slice, frame) on the apical side of the valve.

    A voxel stands for the length of its slice along the normal of the stack, gap included.
    """
    i, j, z, t = voxels.T
    normal = _slice_normal(cine)
    positions = apply_affine(cine.affine, np.stack([i, j, cine.slice_indices[z]], axis=1))
    normals = planes.normals[t]
    beyond_mm = np.einsum("ij,ij->i", positions - planes.points[t], normals)
    return np.asarray(np.clip(0.5 + beyond_mm / (np.abs(normals @ normal) * cine.slice_weights_mm[z]), 0, 1))


def _slice_normal(cine: Cine) -> Array:
    """Return the unit normal of the slices, towards the last one."""
    normal = unit(np.cross(cine.affine[:3, 0], cine.affine[:3, 1]))
    return normal if normal @ cine.affine[:3, 2] > 0 else -normal


def _is_usable(landmarks: Landmarks) -> bool:
    return bool(np.isfinite(np.stack(landmarks.tracks())).all(axis=(0, 2)).any())


def _resampled(landmarks: Landmarks, n_frames: int) -> tuple[Array, Array, Array]:
    """Return both hinge points and the apex, (n_frames, 3) each, at the same phases of the cycle."""
    first, second, apex = (_at_phases(points, n_frames) for points in landmarks.tracks())
    return first, second, apex


def _at_phases(points: Array, n_frames: int) -> Array:
    """Interpolate a closed curve of points (t, 3) over the cycle, NaN left out."""
    present = np.isfinite(points).all(axis=1)
    phases = np.flatnonzero(present) / len(points)
    wanted = np.arange(n_frames) / n_frames
    return np.stack([np.interp(wanted, phases, points[present, axis], period=1.0) for axis in range(3)], axis=1)


def _normal(views: list[tuple[Array, Array, Array]]) -> Array:
    """Return the unit normal, towards the apex, of the valve plane in one frame."""
    lines = np.stack([unit(second - first) for first, second, _ in views])
    if _crossing(lines) >= _MIN_CROSSING:
        return _towards(np.linalg.svd(lines)[2][2], views)
    return unit(np.sum([_normal_in_view(*view) for view in views], axis=0))


def _crossing(lines: Array) -> float:
    """Return the largest sine of the angles between unit vectors (n, 3); 0 for one."""
    return max((float(np.linalg.norm(np.cross(one, other))) for one, other in combinations(lines, 2)), default=0.0)


def _normal_in_view(first: Array, second: Array, apex: Array) -> Array:
    """Return the unit normal of the hinge line within the plane of its view, towards the apex."""
    line = unit(second - first)
    axis = apex - (first + second) / 2
    return unit(axis - (axis @ line) * line)


def _towards(normal: Array, views: list[tuple[Array, Array, Array]]) -> Array:
    axis = np.mean([apex - (first + second) / 2 for first, second, apex in views], axis=0)
    return unit(normal if normal @ axis > 0 else -normal)
