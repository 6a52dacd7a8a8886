"""Resampling of one frame to a model's grid: centred on the heart in plane, on the middle of the stack across it."""

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
from cinema_cmr.image.resample import CropResample
from cinema_cmr.image.slices import plan_slices

__all__ = ["augment_to_view_grid", "resample_to_view_grid", "zoom_grid"]


def zoom_grid(grid: Grid, factor: float) -> Grid:
    """Return the grid of the same size on which the heart appears `factor` times as large.

    >>> zoom_grid(Grid(spacing_mm=1.0, size=(8, 8), slice_spacing_mm=10.0), 1.25).slice_spacing_mm
    8.0
    """
    between = None if grid.slice_spacing_mm is None else grid.slice_spacing_mm / factor
    return replace(grid, spacing_mm=grid.spacing_mm / factor, slice_spacing_mm=between)


def resample_to_view_grid(
    frame: NDArray[np.float32],
    grid: Grid,
    *,
    spacing_mm: tuple[float, float, float],
    slice_positions_mm: NDArray[np.float64],
    heart: tuple[float, float],
) -> NDArray[np.float32]:
    """Resample a frame (X, Y, Z) to the grid (x, y, z) around `heart` (voxels i, j), 0 to 1; zero outside the image.

    Slices are resampled, padded or cropped by `image.slices.plan_slices`; intensities are scaled by the percentiles of
    the crop of this frame.
    """
    crop = CropResample.around((frame.shape[0], frame.shape[1]), spacing_mm, grid, heart)
    # The darkest voxel becomes 0, so that the zeros outside the image are the lowest value.
    planes = crop.apply(frame - frame.min())
    return plan_slices(slice_positions_mm, grid).to_model(normalise(planes, grid.percentiles))


def augment_to_view_grid(
    frame: NDArray[np.float32],
    grid: Grid,
    *,
    spacing_mm: tuple[float, float, float],
    slice_positions_mm: NDArray[np.float64],
    heart: tuple[float, float],
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Resample as `resample_to_view_grid` does, with a random transform in plane and of intensity drawn from `rng`."""
    whole = CropResample.full_plane((frame.shape[0], frame.shape[1]), spacing_mm, grid)
    planes = torch.from_numpy(whole.apply(frame - frame.min())).permute(2, 0, 1).unsqueeze(1)
    i, j = whole.to_crop(np.array(heart))
    draw = draw_plane(rng, augmentation, heart=(float(i), float(j)), shape=whole.size, spacing_mm=grid.spacing_mm)
    moved = move_planes(planes, draw, grid.size, mode="bilinear").squeeze(1).permute(1, 2, 0)
    scaled = torch.from_numpy(normalise(moved.numpy(), grid.percentiles))
    changed = change_intensities(scaled, draw_intensities(rng, augmentation)).numpy()
    return plan_slices(slice_positions_mm, grid).to_model(changed)
