"""Image planes planned on the anatomy, with the errors of a technologist.

Long-axis planes contain the axis of the left ventricle at 60 degrees to each other (walls of the AHA segments,
Circulation 2002;105:539); the short-axis stack is perpendicular to it and extends from above the valve plane to beyond
the apex.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.geometry import unit
from cinema_cmr.core.vocabulary import View
from cinema_cmr.phantom.anatomy.heart import Heart
from cinema_cmr.phantom.styles import Style

__all__ = ["VIEW_ANGLES_DEG", "ImagePlane", "plan_view", "scan_seed"]

Array = NDArray[np.float64]

VIEW_ANGLES_DEG = {View.LAX_4C: -30.0, View.LAX_3C: 30.0, View.LAX_2C: 90.0}
"""Angle of each long-axis plane about the axis, from the middle of the septum towards the anterior wall."""

_STREAMS = {View.SAX: 0, View.LAX_2C: 1, View.LAX_3C: 2, View.LAX_4C: 3}


@dataclass(frozen=True, kw_only=True)
class ImagePlane:
    """The grid of one view: (x, y) pixels in `n_slices` parallel slices."""

    view: View
    affine: Array
    """(4, 4) voxel -> RAS mm; the third column is the slice step along the normal of rows and columns."""
    shape: tuple[int, int, int]
    thickness_mm: float
    breathing_mm: Array
    """(z, 3) RAS displacement of the anatomy in each slice relative to its planning."""

    @property
    def normal(self) -> Array:
        """(3,) unit vector across the slices."""
        return unit(np.cross(self.affine[:3, 0], self.affine[:3, 1]))

    @property
    def positions_mm(self) -> Array:
        """(z,) position of each slice along the normal, the first at 0."""
        return np.arange(self.shape[2], dtype=np.float64) * np.linalg.norm(self.affine[:3, 2])

    def corner(self, index: int) -> Array:
        """Return the (3,) RAS position of the first pixel of a slice, in the anatomy."""
        return np.asarray(self.affine[:3, 3] + index * self.affine[:3, 2] - self.breathing_mm[index])

    def points(self, index: int, offset_mm: float = 0.0) -> Array:
        """Return the (x, y, 3) RAS pixels of a slice in the anatomy, `offset_mm` along the normal from its middle."""
        i, j = np.arange(self.shape[0], dtype=np.float64), np.arange(self.shape[1], dtype=np.float64)
        along_x = self.corner(index) + offset_mm * self.normal + i[:, None] * self.affine[:3, 0]
        return np.asarray(along_x[:, None] + j[:, None] * self.affine[:3, 1])


def scan_seed(*numbers: int, scan: int) -> tuple[int, ...]:
    """Return the seed of what differs between scans of a subject; scan 0 leaves the numbers as they are.

    >>> scan_seed(7, 6, scan=0), scan_seed(7, 6, scan=2)
    ((7, 6), (7, 6, 2))
    """
    return numbers if scan == 0 else (*numbers, scan)


def plan_view(heart: Heart, view: View, style: Style, *, scan: int = 0) -> ImagePlane:
    """Plan the plane or stack of a view for a heart in its body, anew for each `scan` of it.

    Raises `UsageError` for an unsupported view.
    """
    if view not in _STREAMS:
        supported = ", ".join(str(one) for one in _STREAMS)
        raise UsageError(f"view '{view}' cannot be planned; expected one of {supported}")
    rng = np.random.default_rng(scan_seed(heart.subject.seed, 6, _STREAMS[view], scan=scan))
    axis = heart.pose.towards_apex
    middle = heart.to_ras(np.array(0.0), np.array(0.0), np.array(0.45 * heart.left.length_mm))
    tilt = np.radians(style.planning_deg) * np.clip(rng.standard_normal(3), -2, 2)
    offset = style.planning_mm * float(np.clip(rng.standard_normal(), -2, 2))
    if view is View.SAX:
        normal = unit(axis + tilt[0] * heart.pose.towards_septum + tilt[1] * heart.pose.towards_anterior)
        return _stack(heart, normal, middle, style=style, rng=rng)
    angle = np.radians(VIEW_ANGLES_DEG[view]) + 1.5 * tilt[0]
    along = np.cos(angle) * heart.pose.towards_septum + np.sin(angle) * heart.pose.towards_anterior
    normal = unit(np.cross(along, axis) + tilt[1] * axis)
    centre = middle + offset * normal + rng.uniform(-12, 12) * along + rng.uniform(-15, 5) * axis
    columns, rows = _display_axes(view, normal)
    return _grid(view, columns, rows, centre=centre, n_slices=1, style=style, rng=rng)


def _stack(heart: Heart, axis: Array, middle: Array, *, style: Style, rng: np.random.Generator) -> ImagePlane:
    """Plan slices from above the outflow tract to beyond the apex, with rows and columns as displayed."""
    columns, rows = _display_axes(View.SAX, axis)
    angle = np.radians(style.in_plane_rotation_deg)
    columns, rows = np.cos(angle) * columns + np.sin(angle) * rows, np.cos(angle) * rows - np.sin(angle) * columns
    highest, lowest = _extent(heart, axis, middle)
    step = style.slice_step_mm
    start = highest + rng.uniform(-0.4, 0.4) * step
    count = int(np.ceil((lowest - start) / step)) + 1
    depth = start + np.array([0, count - 1]).mean() * step
    shift = rng.uniform(-18, 18) * columns + rng.uniform(-15, 15) * rows
    centre = middle + depth * axis + shift
    return _grid(View.SAX, columns, rows, centre=centre, n_slices=count, style=style, rng=rng)


def _extent(heart: Heart, axis: Array, middle: Array) -> tuple[float, float]:
    """Return the start and end of the ventricles along an axis at ED, in mm from `middle`."""
    angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    tip = heart.to_ras(np.array(0.0), np.array(0.0), np.array(heart.left.length_mm + heart.left.cap_mm))
    radius = heart.left.radius_mm
    ring = heart.to_ras(radius * np.cos(angle), radius * np.sin(angle), np.zeros(72))
    outflow = heart.to_ras(
        1.4 * radius * np.cos(angle[6:18]),
        1.4 * radius * np.sin(angle[6:18]),
        np.full(12, heart.at_ed.right.outflow_mm),
    )
    top = np.concatenate([ring, outflow])
    return float(((top - middle) @ axis).min()), float((tip - middle) @ axis)


def _display_axes(view: View, normal: Array) -> tuple[Array, Array]:
    """Return the directions of columns (to the right as displayed) and rows (down).

    2- and 3-chamber views show anterior at the left, the others the patient's left at the right; the 4-chamber view
    shows posterior at the bottom, the others the feet.
    """
    front_left = view in (View.LAX_2C, View.LAX_3C)
    across = np.array([0.0, -1.0, 0.0]) if front_left else np.array([-1.0, 0.0, 0.0])
    down = np.array([0.0, -1.0, 0.0]) if view is View.LAX_4C else np.array([0.0, 0.0, -1.0])
    columns = unit(across - (across @ normal) * normal)
    rows = np.cross(normal, columns)
    return columns, rows if rows @ down > 0 else -rows


def _grid(
    view: View, columns: Array, rows: Array, *, centre: Array, n_slices: int, style: Style, rng: np.random.Generator
) -> ImagePlane:
    # Even sizes with small factors, like scanner matrices; others take several times as long to transform.
    nx, ny = (2 * fft.next_fast_len(round(size / style.pixel_mm / 2)) for size in style.field_of_view_mm)
    normal = np.cross(columns, rows)
    step = style.slice_step_mm if n_slices > 1 else style.thickness_mm
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = columns * style.pixel_mm, rows * style.pixel_mm, normal * step
    affine[:3, 3] = centre - affine[:3, :3] @ (np.array([nx, ny, n_slices]) - 1) / 2
    return ImagePlane(
        view=view,
        affine=affine,
        shape=(nx, ny, n_slices),
        thickness_mm=style.thickness_mm,
        breathing_mm=_draw_breathing(n_slices, style, rng),
    )


def _draw_breathing(n_slices: int, style: Style, rng: np.random.Generator) -> Array:
    """Draw the (z, 3) shifts of breath holds: mostly head to foot, a little forward (Wang et al., MRM 1995;33:713)."""
    depth = style.breathing_mm * np.clip(rng.standard_normal(n_slices), -2.2, 2.2)
    shifts: Array = depth[:, None] * np.array([0.05, 0.25, 1.0])
    return shifts
