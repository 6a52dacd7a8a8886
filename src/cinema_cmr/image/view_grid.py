"""One frame of a view on a model's grid: in plane about the heart, along the stack about its middle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from cinema_cmr.core.card import Grid
from cinema_cmr.image.augment import (
    Augmentation,
    change_intensities,
    draw_intensities,
    draw_plane,
    move_planes,
)
from cinema_cmr.image.intensity import normalise
from cinema_cmr.image.resample import plan_crop, plan_full_plane
from cinema_cmr.image.slices import plan_slices

__all__ = ["on_view_grid", "redrawn_on_view_grid", "zoomed"]


def zoomed(grid: Grid, factor: float) -> Grid:
    """The grid that shows the heart `factor` times as large, with as many voxels.

    >>> zoomed(Grid(spacing_mm=1.0, size=(8, 8), slice_spacing_mm=10.0), 1.25).slice_spacing_mm
    8.0
    """
    between = None if grid.slice_spacing_mm is None else grid.slice_spacing_mm / factor
    return replace(grid, spacing_mm=grid.spacing_mm / factor, slice_spacing_mm=between)


def on_view_grid(
    frame: NDArray[np.float32],
    grid: Grid,
    *,
    spacing_mm: tuple[float, float, float],
    slice_positions_mm: NDArray[np.float64],
    heart: tuple[float, float],
) -> NDArray[np.float32]:
    """A frame (X, Y, Z) about `heart` (voxels i, j) on the grid (x, y, z), 0 to 1; zero outside the image.

    Slices are resampled, padded or cut as `image.slices.plan_slices` says; intensities are scaled by the
    percentiles of what is then seen of this frame.
    """
    crop = plan_crop((frame.shape[0], frame.shape[1]), spacing_mm, grid, heart)
    # From the darkest voxel on, so that the zeros outside the image are the lowest value.
    planes = crop.apply(frame - frame.min())
    return plan_slices(slice_positions_mm, grid).to_model(normalise(planes, grid.percentiles))


def redrawn_on_view_grid(
    frame: NDArray[np.float32],
    grid: Grid,
    *,
    spacing_mm: tuple[float, float, float],
    slice_positions_mm: NDArray[np.float64],
    heart: tuple[float, float],
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """As `on_view_grid`, moved in plane and changed in intensity as is drawn from `rng`; slices stay where they are."""
    whole = plan_full_plane((frame.shape[0], frame.shape[1]), spacing_mm, grid)
    planes = torch.from_numpy(whole.apply(frame - frame.min())).permute(2, 0, 1).unsqueeze(1)
    at = whole.to_crop(np.array(heart))
    draw = draw_plane(
        rng, augmentation, heart=(float(at[0]), float(at[1])), shape=whole.size, spacing_mm=grid.spacing_mm
    )
    moved = move_planes(planes, draw, grid.size, mode="bilinear").squeeze(1).permute(1, 2, 0)
    scaled = torch.from_numpy(normalise(moved.numpy(), grid.percentiles))
    changed = change_intensities(scaled, draw_intensities(rng, augmentation)).numpy()
    return plan_slices(slice_positions_mm, grid).to_model(changed)
