"""Crop of a model's grid out of the planes of a cine in a single interpolation, and its inverse."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.card import Grid

__all__ = ["CropResample"]

Array = NDArray[np.float32]
Points = NDArray[np.float64]
Positions = NDArray[np.floating]


@dataclass(frozen=True, kw_only=True)
class CropResample:
    """Placement of a model's in-plane grid: its pixel u lies at native `centre + (u - (n - 1) / 2) * step`."""

    centre: tuple[float, float]
    """Native in-plane voxel indices (i, j) of the middle of the model's grid."""
    step: tuple[float, float]
    """Native voxels per model pixel along x and y."""
    size: tuple[int, int]
    """Pixels of the model's grid."""
    native: tuple[int, int]
    """Pixels of the native plane."""

    @classmethod
    def around(
        cls, native: tuple[int, int], spacing_mm: tuple[float, ...], grid: Grid, centre: tuple[float, float]
    ) -> CropResample:
        """Centre the grid on a position (i, j) of planes of `native` pixels with `spacing_mm`."""
        step = (grid.spacing_mm / spacing_mm[0], grid.spacing_mm / spacing_mm[1])
        return cls(centre=centre, step=step, size=grid.size, native=native)

    @classmethod
    def full_plane(cls, native: tuple[int, int], spacing_mm: tuple[float, ...], grid: Grid) -> CropResample:
        """Resample whole planes of `native` pixels to the spacing of the grid; its size is ignored."""
        nx, ny = (int(np.ceil(n * mm / grid.spacing_mm)) for n, mm in zip(native, spacing_mm[:2], strict=True))
        step = (grid.spacing_mm / spacing_mm[0], grid.spacing_mm / spacing_mm[1])
        return cls(centre=((native[0] - 1) / 2, (native[1] - 1) / 2), step=step, size=(nx, ny), native=native)

    def to_crop(self, points: Points) -> Points:
        """Map native pixel positions (..., 2) to positions on the model's grid."""
        middle = (np.asarray(self.size) - 1) / 2
        return (np.asarray(points, dtype=np.float64) - self.centre) / self.step + middle

    def to_native(self, points: Points) -> Points:
        """Map positions (..., 2) on the model's grid to native pixels; the inverse of `to_crop`."""
        middle = (np.asarray(self.size) - 1) / 2
        return (np.asarray(points, dtype=np.float64) - middle) * self.step + self.centre

    def apply(self, planes: NDArray[np.generic]) -> Array:
        """Resample native planes (X, Y, ...) to the model's grid (x, y, ...), float32; zero outside the image.

        Linear interpolation. If the model's pixels are larger, the kernel is a triangle of their width, which prevents
        aliasing; a linear ramp is then exact to 0.1 native pixels, the cost of widths that are no whole number of
        pixels.
        """
        return _apply_in_plane(planes, *(_forward_weights(self, axis) for axis in (0, 1)))

    def invert(self, planes: NDArray[np.generic]) -> Array:
        """Resample planes (x, y, ...) of the model's grid to the native grid (X, Y, ...); zero outside the crop."""
        return _apply_in_plane(planes, *(_backward_weights(self, axis) for axis in (0, 1)))


def _apply_in_plane(planes: NDArray[np.generic], along_x: Array, along_y: Array) -> Array:
    """Apply one matrix along x and one along y."""
    array = np.asarray(planes, dtype=np.float32)
    rest = array.shape[2:]
    first = along_x @ array.reshape(array.shape[0], -1)
    second = along_y @ np.moveaxis(first.reshape(len(along_x), array.shape[1], -1), 1, 0).reshape(array.shape[1], -1)
    result = np.moveaxis(second.reshape(len(along_y), len(along_x), -1), 0, 1)
    return np.ascontiguousarray(result.reshape(len(along_x), len(along_y), *rest))


def _forward_weights(crop: CropResample, axis: int) -> Array:
    """Return the (n, N) weights of native voxels for each model pixel."""
    positions = crop.centre[axis] + (np.arange(crop.size[axis]) - (crop.size[axis] - 1) / 2) * crop.step[axis]
    return _triangles(positions, crop.native[axis], width=max(1.0, crop.step[axis]))


def _backward_weights(crop: CropResample, axis: int) -> Array:
    """Return the (N, n) weights of model pixels for each native voxel."""
    positions = (np.arange(crop.native[axis]) - crop.centre[axis]) / crop.step[axis] + (crop.size[axis] - 1) / 2
    return _triangles(positions, crop.size[axis], width=max(1.0, 1 / crop.step[axis]))


def _triangles(positions: Positions, n_sources: int, *, width: float) -> Array:
    """Return one row of triangle weights per position; each sums to one over an unlimited line of sources."""
    margin = int(np.ceil(width)) + 1
    sources = np.arange(-margin, n_sources + margin)
    nearest = np.clip(positions, -margin, n_sources - 1 + margin)[:, None]
    weights = np.clip(1 - np.abs(sources - nearest) / width, 0, None)
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
    inside = (positions > -1) & (positions < n_sources)
    return (weights[:, margin:-margin] * inside[:, None]).astype(np.float32)
