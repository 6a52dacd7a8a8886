"""One in-plane grid for the slices of a stack: the majority's; other slices are sheared or resampled onto it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.study import Issue
from cinema_cmr.io.dicom.stack import CineSlice, SliceGrid, Stack

__all__ = ["on_common_grid", "resample_in_plane"]

Array = NDArray[np.float64]
Image = NDArray[np.float32]

_OFF_LINE_MM = 1.0
"""Slices whose first pixel lies nearer than this to the common line are used as they are."""


def on_common_grid(slices: Sequence[CineSlice], hints: tuple[str, ...] = ()) -> tuple[Stack, list[Issue]]:
    """Return a stack of slices on the grid of most of them, and a note on those that have to be resampled onto it.

    A slice to be resampled keeps its own `grid`, and has the origin of its place on the line of the others; its pixels
    are moved when they are read (`resample_in_plane`).
    """
    grid = _most_common_grid(slices)
    start, direction = _line(slices, grid)
    moved = [_moved_origin(one, grid, start, direction) for one in slices]
    placed = [
        replace(one, grid=None) if origin is None else replace(one, origin=origin, own_origin=one.origin)
        for one, origin in zip(slices, moved, strict=True)
    ]
    placed.sort(key=lambda one: float(np.array(one.origin) @ grid.normal))
    stack = Stack(slices=tuple(placed), hints=hints, **vars(grid))
    return stack, _regrid_issues(stack)


def _most_common_grid(slices: Sequence[CineSlice]) -> SliceGrid:
    grids = [one.grid for one in slices if one.grid is not None]
    counts = Counter(grids)
    return max(grids, key=lambda grid: (counts[grid], grid.rows * grid.columns))


def _line(slices: Sequence[CineSlice], grid: SliceGrid) -> tuple[Array, Array]:
    """Return a point and the direction (1 mm along the normal) of the line of first pixels on the common grid.

    The line through two of them that most others lie on, so that slices out of line do not move the others.
    """
    own = np.array([one.origin for one in slices if one.grid == grid])
    along = own @ grid.normal
    pairs = [(i, j) for i, j in combinations(range(len(own)), 2) if abs(along[i] - along[j]) > _OFF_LINE_MM]
    directions = [grid.normal, *((own[j] - own[i]) / (along[j] - along[i]) for i, j in pairs)]
    best: tuple[tuple[int, float], Array, Array] | None = None
    for direction in directions:
        feet = own - along[:, None] * direction
        near = np.linalg.norm(feet[:, None] - feet[None], axis=-1) < _OFF_LINE_MM
        on_line = near[int(near.sum(axis=1).argmax())]
        key = (int(on_line.sum()), -float(np.linalg.norm(direction)))
        if best is None or key > best[0]:
            best = (key, np.median(feet[on_line], axis=0), direction)
    assert best is not None
    return best[1], best[2]


def _moved_origin(one: CineSlice, grid: SliceGrid, start: Array, direction: Array) -> tuple[float, float, float] | None:
    """Return the origin of a slice's place on the common grid; None if it lies on it already."""
    if one.grid is None:
        return None
    # The middle of the common field of view decides the position of a tilted slice.
    middle = grid.centre(start.tolist())
    normal = one.grid.normal
    along = float((np.array(one.origin) - middle) @ normal) / float(direction @ normal)
    origin = start + along * direction
    if one.grid == grid and float(np.linalg.norm(origin - np.array(one.origin))) < _OFF_LINE_MM:
        return None
    return float(origin[0]), float(origin[1]), float(origin[2])


def _regrid_issues(stack: Stack) -> list[Issue]:
    """Return one note on all slices that are resampled, with what differs."""
    moved = {k: one.grid for k, one in enumerate(stack.slices) if one.grid is not None}
    if not moved:
        return []
    differences = sorted({text for grid in moved.values() for text in _differences(grid, stack.grid)})
    listed = ", ".join(map(str, moved))
    return [
        Issue(
            code="slices-regridded",
            severity="info",
            message=f"slices {listed} of {len(stack.slices)} differ from the others in "
            f"{' and '.join(differences) or 'position in plane'}; they were resampled in plane onto the grid of the"
            " others, by their stated positions",
            evidence={"slices": listed, "n_slices": len(moved), "differences": ", ".join(differences) or "position"},
        )
    ]


def _differences(one: SliceGrid, grid: SliceGrid) -> list[str]:
    found = []
    if (one.rows, one.columns) != (grid.rows, grid.columns):
        found.append("matrix")
    if not np.allclose(one.pixel_spacing, grid.pixel_spacing, rtol=1e-3):
        found.append("pixel spacing")
    if not np.allclose(one.normal, grid.normal, atol=2e-3):
        found.append("tilt")
    elif not np.allclose(one.orientation, grid.orientation, atol=2e-3):
        found.append("rotation in plane")
    return found


def resample_in_plane(
    images: Image, grid: SliceGrid, origin: Sequence[float], *, onto: SliceGrid, at: Sequence[float]
) -> Image:
    """Resample images (x, y, t) of `grid` with first pixel at `origin` onto another grid with first pixel `at`.

    Each pixel takes the intensity met along the normal of the new grid, by linear interpolation; 0 beyond the image.
    """
    from scipy.ndimage import affine_transform

    normal, own = onto.normal, grid.normal
    # From a new pixel along the new normal to the slice's own plane, in its own pixel coordinates.
    along = np.eye(3) - np.outer(normal, own) / float(normal @ own)
    to_pixels = grid.steps_mm / np.square(np.linalg.norm(grid.steps_mm, axis=1))[:, None]
    matrix = to_pixels @ along @ onto.steps_mm.T
    offset = to_pixels @ along @ (np.array(at) - np.array(origin))
    shape = (onto.columns, onto.rows)
    # A shift by whole pixels stays exact in spite of rounded positions.
    matrix, offset = (np.where(abs(a - a.round()) < 1e-3, a.round(), a) for a in (matrix, offset))
    frames = [
        affine_transform(images[..., t], matrix, offset=offset, output_shape=shape, order=1)
        for t in range(images.shape[-1])
    ]
    resampled: Image = np.stack(frames, axis=-1)
    return resampled
