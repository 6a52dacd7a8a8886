"""Whether the images of two slices show the body at one size, pixel for pixel, or at two whose ratio is stated.

Slices beside each other cut the same chest: its outline and the organs agree at the true ratio of pixel sizes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["scale_evidence"]

Image = NDArray[np.float32]

_COARSE = 64
"""Pixels along the longer side, in which images are compared."""
_SHIFT = 4
"""Largest displacement tried, in coarse pixels: a sixteenth of the field of view, as by breathing and re-planning."""
_MIN_PIXELS = 100


def scale_evidence(images: Image, other: Image, ratio: float) -> tuple[float, float]:
    """Return correlation of two slices (x, y, t) of one matrix, pixel for pixel, and what it loses by scaling.

    `ratio` is the size of the pixels of `images` relative to those of `other`. The loss is positive if the images are
    more alike without scaling, negative if they are with it. Displacements are found and taken back.
    """
    pairs = [_compared(images, other, ratio), _compared(other, images, 1 / ratio)]
    return min(plain for plain, _ in pairs), float(np.mean([plain - scaled for plain, scaled in pairs]))


def _compared(images: Image, other: Image, ratio: float) -> tuple[float, float]:
    """Return the correlation pixel for pixel, and that with pixels `ratio` times as large as those of the other."""
    beside, share = _coarse(other), min(ratio, 1.0)
    plain, scaled = (_best_likeness(_coarse(images, one), beside, share) for one in (1.0, ratio))
    return plain, scaled


def _coarse(images: Image, ratio: float = 1.0) -> NDArray[np.float64]:
    """Return the mean over the cycle, coarsened, with pixels `ratio` times as large about the centre.

    NaN where the image does not reach.
    """
    mean = np.asarray(images.mean(axis=-1), dtype=np.float64)
    step = max(mean.shape) / _COARSE
    shape = np.array([max(round(n / step), 1) for n in mean.shape])
    smooth = ndimage.gaussian_filter(np.minimum(mean, np.percentile(mean, 98)), step / 2)
    scale = np.array(mean.shape) / shape / ratio
    offset = (np.array(mean.shape) - 1) / 2 - scale * (shape - 1) / 2
    coarse: NDArray[np.float64] = ndimage.affine_transform(
        smooth, scale, offset=offset, output_shape=tuple(shape.tolist()), order=1, cval=np.nan
    )
    return coarse


def _best_likeness(own: NDArray[np.float64], other: NDArray[np.float64], share: float) -> float:
    """Return the largest correlation of the middle of `other`, a share of it, with `own`, over displacements."""
    s = _SHIFT
    m, n = (max(s, int((1 - share) / 2 * size) + 1 + s) for size in other.shape)
    inner = other[m:-m, n:-n]
    if inner.size < _MIN_PIXELS:
        return 0.0
    moved = (
        own[m + i : own.shape[0] - m + i, n + j : own.shape[1] - n + j]
        for i in range(-s, s + 1)
        for j in range(-s, s + 1)
    )
    return max(_correlation(one, inner) for one in moved)


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    known = np.isfinite(one)
    if known.sum() < known.size / 2:
        return 0.0
    a, b = one[known] - one[known].mean(), other[known] - other[known].mean()
    return float((a * b).sum() / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-9))
