"""The left ventricular long axis in a short-axis stack, from motion and from the round shape of the cavity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.geometry import apply_affine, unit
from cinema_cmr.core.volume import Cine
from cinema_cmr.views.axis import LongAxis, orient_to_apex

__all__ = ["axis_from_motion", "moving_images"]

Array = NDArray[np.float64]

_GRID_MM = 3.0
_RADII_MM = (14.0, 18.0, 22.0, 26.0, 30.0, 34.0)
"""Radii tried for the left ventricular cavity, from a small end-systolic to a dilated one."""
_WALL_MM = (2.0, 11.0)
_HEART_SIGMA_MM = 25.0
_FIELD_SIGMA_MM = 60.0
"""Generous: in 100 ACDC patients the ventricle is 14 to 16 mm (SD) from the image centre, 66 mm at most."""
_NEAR_HEART_MM = 35.0
_NEAR_AXIS_MM = 10.0
_MAX_TILT = 0.36
"""Steepest slope of the axis relative to the stack's normal (20 degrees)."""


def axis_from_motion(cine: Cine) -> LongAxis:
    """Return the left ventricular axis of a short-axis stack (x, y, z, t), where the image moves and is round.

    The heart is where the first harmonic over the cycle is strong; near it, in each slice, the left ventricle is the
    bright disc in a dark ring; a line is fitted through the discs. With only the ED and ES frames of 100 ACDC patients,
    the line passed 2.3 mm from the centre of the labelled cavity in the median, 16 mm at worst
    (tests/views/test_motion.py).
    """
    images, step = _downsample(cine)
    x, y = _pixel_offsets_mm(images.shape[:2], step)
    score = _roundness(images.mean(axis=3), step)
    near = _heart_weight(_first_harmonic(images), step, x, y)
    total = (score * near[..., None]).sum(axis=2)
    top = np.unravel_index(int(total.argmax()), total.shape)
    close = np.exp(-0.5 * ((x - x[top]) ** 2 + (y - y[top]) ** 2) / _NEAR_AXIS_MM**2)
    by_slice = (score * close[..., None]).reshape(-1, images.shape[2])
    best = by_slice.argmax(axis=0)
    weights = by_slice.max(axis=0) + 1e-9
    centres = np.stack([x.ravel()[best], y.ravel()[best]], axis=1)
    return _fit_axis(cine, centres, weights)


def moving_images(cine: Cine) -> Array:
    """Return the (x, y, z, t) change of the image about its mean over time, near the heart, on a grid of about 3 mm."""
    images, step = _downsample(cine)
    x, y = _pixel_offsets_mm(images.shape[:2], step)
    near = _heart_weight(_first_harmonic(images), step, x, y)
    moving: Array = (images - images.mean(axis=3, keepdims=True)) * near[..., None, None]
    return moving


def _fit_axis(cine: Cine, centres_mm: Array, weights: Array) -> LongAxis:
    """Fit a line through one point per slice (mm from the image centre), no steeper than `_MAX_TILT`."""
    at = cine.slice_positions_mm
    middle = float(np.average(at, weights=weights))
    spread = float(np.average((at - middle) ** 2, weights=weights))
    mean = np.average(centres_mm, axis=0, weights=weights)
    slope = np.zeros(2)
    if spread > 0:
        slope = np.average((at - middle)[:, None] * (centres_mm - mean), axis=0, weights=weights) / spread
        slope *= min(1.0, _MAX_TILT / max(float(np.linalg.norm(slope)), 1e-9))
    ends = np.array([mean + slope * (end - middle) for end in (at[0], middle, at[-1])])
    points = [_patient_point(cine, end, position) for end, position in zip(ends, (at[0], middle, at[-1]), strict=True)]
    normal = np.cross(cine.affine[:3, 0], cine.affine[:3, 1])
    direction = unit(normal if len(at) == 1 else points[2] - points[0])
    half = max(15.0, min(40.0, float(at[-1] - at[0]) / 2))
    return LongAxis(centre=points[1], direction=orient_to_apex(direction), half_length_mm=half, source="motion")


def _patient_point(cine: Cine, in_plane_mm: Array, position_mm: float) -> Array:
    dx, dy, _ = cine.spacing_mm
    nx, ny = cine.array.shape[:2]
    length = float(cine.slice_positions_mm[-1])
    k = position_mm / length * (cine.n_slices - 1) if length > 0 else 0.0
    voxel = np.array([(nx - 1) / 2 + in_plane_mm[0] / dx, (ny - 1) / 2 + in_plane_mm[1] / dy, k])
    return apply_affine(cine.affine, voxel)


_MIN_BLOCKS = 8
"""Of a small field of view, as of a mouse."""


def _downsample(cine: Cine) -> tuple[Array, tuple[float, float]]:
    """Return images averaged to about 3 mm, each slice scaled to its own bright level, and the grid step."""
    dx, dy, _ = cine.spacing_mm
    nx, ny = cine.array.shape[:2]
    fx, fy = (max(1, min(round(_GRID_MM / size), n // _MIN_BLOCKS)) for size, n in ((dx, nx), (dy, ny)))
    nx, ny = nx // fx, ny // fy
    # Cropped evenly on both sides, so that the image centre is preserved.
    x0, y0 = (cine.array.shape[0] - nx * fx) // 2, (cine.array.shape[1] - ny * fy) // 2
    # Relative to the darkest voxel, as the convolution pads with zeros.
    cropped = cine.array[x0 : x0 + nx * fx, y0 : y0 + ny * fy] - cine.array.min()
    blocks = cropped.reshape(nx, fx, ny, fy, *cropped.shape[2:]).mean(axis=(1, 3), dtype=np.float64)
    bright = np.percentile(blocks, 99, axis=(0, 1, 3), keepdims=True)
    scaled: Array = blocks / np.maximum(bright, 1e-6)
    return scaled, (dx * fx, dy * fy)


def _pixel_offsets_mm(shape: tuple[int, ...], step: tuple[float, float]) -> tuple[Array, Array]:
    """Return the offset of each pixel from the image centre along x and y."""
    axes = [(np.arange(n) - (n - 1) / 2) * size for n, size in zip(shape, step, strict=True)]
    x, y = np.meshgrid(*axes, indexing="ij")
    return x, y


def _first_harmonic(images: Array) -> Array:
    """Return the (x, y, z) amplitude of the first harmonic over the cycle; for two frames half their difference."""
    phase = np.exp(-2j * np.pi * np.arange(images.shape[3]) / images.shape[3])
    amplitude: Array = np.abs(images @ phase) / images.shape[3]
    return amplitude


def _heart_weight(motion: Array, step: tuple[float, float], x: Array, y: Array) -> Array:
    """Return an (x, y) weight that falls off from the position of strongest motion over all slices."""
    distance = _kernel_distance(step, 2.4 * _HEART_SIGMA_MM)
    blur = np.exp(-0.5 * (distance / _HEART_SIGMA_MM) ** 2)
    where = _convolve(motion.mean(axis=2, keepdims=True), blur / blur.sum())[..., 0]
    where *= np.exp(-0.5 * (x**2 + y**2) / _FIELD_SIGMA_MM**2)
    top = np.unravel_index(int(where.argmax()), where.shape)
    weight: Array = np.exp(-0.5 * ((x - x[top]) ** 2 + (y - y[top]) ** 2) / _NEAR_HEART_MM**2)
    return weight


def _roundness(mean: Array, step: tuple[float, float]) -> Array:
    """Return (x, y, z): how much brighter a disc about each pixel is than a ring around it, at the best radius."""
    best = np.zeros(mean.shape)
    distance = _kernel_distance(step, _RADII_MM[-1] + _WALL_MM[1])
    for radius in _RADII_MM:
        disc = distance <= radius
        ring = (distance > radius + _WALL_MM[0]) & (distance <= radius + _WALL_MM[1])
        best = np.maximum(best, _convolve(mean, disc / disc.sum() - ring / ring.sum()))
    return best


def _kernel_distance(step: tuple[float, float], reach_mm: float) -> Array:
    x, y = (np.arange(-n, n + 1) * size for size in step for n in [int(np.ceil(reach_mm / size))])
    distance: Array = np.hypot(*np.meshgrid(x, y, indexing="ij"))
    return distance


def _convolve(images: Array, kernel: Array) -> Array:
    """Convolve each (x, y) image with the kernel, zero outside, on the same grid."""
    shape = (images.shape[0] + kernel.shape[0] - 1, images.shape[1] + kernel.shape[1] - 1)
    product = np.fft.rfft2(images, shape, axes=(0, 1)) * np.fft.rfft2(kernel, shape)[..., None]
    full: Array = np.fft.irfft2(product, shape, axes=(0, 1))
    i, j = (kernel.shape[0] - 1) // 2, (kernel.shape[1] - 1) // 2
    return full[i : i + images.shape[0], j : j + images.shape[1]]
