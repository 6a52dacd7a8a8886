"""Cutting a model's grid out of a cine's planes in one interpolation, and the record that undoes it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.card import Grid

__all__ = ["CropResample", "plan_crop", "plan_full_plane"]

Array = NDArray[np.float32]
Points = NDArray[np.float64]
Positions = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class CropResample:
    """Where a model's in-plane grid lies: its pixel u is at native `centre + (u - (n - 1) / 2) * step`."""

    centre: tuple[float, float]
    """Native in-plane voxel indices (i, j) of the middle of the model's grid."""
    step: tuple[float, float]
    """Native voxels per model pixel along x and y."""
    size: tuple[int, int]
    """Pixels of the model's grid."""
    native: tuple[int, int]
    """Pixels of the native plane."""

    def to_crop(self, points: Points) -> Points:
        """Native pixel positions (..., 2) -> positions on the model's grid."""
        middle = (np.asarray(self.size) - 1) / 2
        return (np.asarray(points, dtype=np.float64) - self.centre) / self.step + middle

    def to_native(self, points: Points) -> Points:
        """Positions (..., 2) on the model's grid -> native pixels; undoes `to_crop`."""
        middle = (np.asarray(self.size) - 1) / 2
        return (np.asarray(points, dtype=np.float64) - middle) * self.step + self.centre

    def apply(self, planes: NDArray[np.generic]) -> Array:
        """Resample native planes (X, Y, ...) to the model's grid (x, y, ...), float32; zero outside the image.

        Linear interpolation; where the model's pixels are larger, a triangle of their width, which prevents aliasing.
        A linear ramp stays exact up to 0.1 native pixels, the cost of widths that are no whole number of pixels.
        """
        return _along_planes(planes, *(_weights(self, axis) for axis in (0, 1)))

    def invert(self, planes: NDArray[np.generic]) -> Array:
        """Resample planes (x, y, ...) of the model's grid to the native one (X, Y, ...); zero outside the crop."""
        return _along_planes(planes, *(_weights_back(self, axis) for axis in (0, 1)))


def plan_crop(
    native: tuple[int, int], spacing_mm: tuple[float, ...], grid: Grid, centre: tuple[float, float]
) -> CropResample:
    """The cut of `grid` around a native position (i, j), on planes of `native` pixels of `spacing_mm`."""
    step = (grid.spacing_mm / spacing_mm[0], grid.spacing_mm / spacing_mm[1])
    return CropResample(centre=centre, step=step, size=grid.size, native=native)


def plan_full_plane(native: tuple[int, int], spacing_mm: tuple[float, ...], grid: Grid) -> CropResample:
    """The cut that takes whole planes of `native` pixels to the grid's spacing, whatever the grid's size."""
    size = tuple(int(np.ceil(n * mm / grid.spacing_mm)) for n, mm in zip(native, spacing_mm[:2], strict=True))
    whole = replace(grid, size=(size[0], size[1]))
    return plan_crop(native, spacing_mm, whole, ((native[0] - 1) / 2, (native[1] - 1) / 2))


def _along_planes(planes: NDArray[np.generic], along_x: Array, along_y: Array) -> Array:
    """Apply a matrix to each of the first two axes."""
    array = np.asarray(planes, dtype=np.float32)
    rest = array.shape[2:]
    first = along_x @ array.reshape(array.shape[0], -1)
    second = along_y @ np.moveaxis(first.reshape(len(along_x), array.shape[1], -1), 1, 0).reshape(array.shape[1], -1)
    result = np.moveaxis(second.reshape(len(along_y), len(along_x), -1), 0, 1)
    return np.ascontiguousarray(result.reshape(len(along_x), len(along_y), *rest))


def _weights(crop: CropResample, axis: int) -> Array:
    """(n, N) weights of native voxels for each model pixel."""
    at = crop.centre[axis] + (np.arange(crop.size[axis]) - (crop.size[axis] - 1) / 2) * crop.step[axis]
    return _triangles(at, crop.native[axis], width=max(1.0, crop.step[axis]))


def _weights_back(crop: CropResample, axis: int) -> Array:
    """(N, n) weights of model pixels for each native voxel."""
    at = (np.arange(crop.native[axis]) - crop.centre[axis]) / crop.step[axis] + (crop.size[axis] - 1) / 2
    return _triangles(at, crop.size[axis], width=max(1.0, 1 / crop.step[axis]))


def _triangles(at: Positions, n_sources: int, *, width: float) -> Array:
    """Rows of triangle weights around positions `at`; each sums to one over an endless line of sources."""
    margin = int(np.ceil(width)) + 1
    sources = np.arange(-margin, n_sources + margin)
    weights = np.clip(1 - np.abs(sources - np.clip(at, -margin, n_sources - 1 + margin)[:, None]) / width, 0, None)
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
    inside = (at > -1) & (at < n_sources)
    return (weights[:, margin:-margin] * inside[:, None]).astype(np.float32)
