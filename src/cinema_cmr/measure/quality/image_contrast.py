"""Quality check of the images themselves: the contrast of blood and wall beside the noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cinema_cmr.core.results import Flag
from cinema_cmr.measure.quality.context import Check, QualityContext
from cinema_cmr.measure.volumes import CODES

__all__ = ["CONTRAST_CHECKS", "LEAST_CONTRAST_TO_NOISE", "contrast_to_noise", "low_contrast", "noise_sd"]

LEAST_CONTRAST_TO_NOISE = 3.5
"""Contrast of blood and wall, in standard deviations of the noise, below which a flag is raised; chosen on training
patients (LOG.md, 2026-12-01): their images have 12 and more, with noise of 15 % of the range 1.0 to 3.6."""

_FEWEST_PIXELS = 12
"""Smallest number of pixels of wall, and of cavity off the wall, from which both signals are known."""

_SECOND_DIFFERENCES = np.array([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]])
"""Leaves nothing of a plane or an edge along an axis, and six times the SD of noise that is independent by pixel."""

_MEDIAN_TO_SD = 1.4826
"""Median absolute deviation -> standard deviation, for normally distributed noise."""

_NEIGHBOURS = np.ones((3, 3), dtype=bool)


def low_contrast(context: QualityContext) -> Flag | None:
    """Report images in which blood is no brighter than the wall, or by little more than the noise; ACDC: none."""
    found = {frame: _of_frame(context, frame) for frame in context.key_frames}
    known = {frame: ratio for frame, ratio in found.items() if ratio is not None}
    if not known:
        return None
    frame, ratio = min(known.items(), key=lambda one: one[1])
    if ratio >= LEAST_CONTRAST_TO_NOISE:
        return None
    if ratio > 0:
        what = f"brighter than its wall by only {ratio:.1f} standard deviations of the noise"
    else:
        what = "not brighter than its wall, as in a cine: noise, bright for dark, or outlines of something else"
    evidence: dict[str, str | int | float] = {"frame": frame}
    if np.isfinite(ratio):
        evidence["contrast_to_noise"] = round(ratio, 2)
    return Flag(
        code="low-contrast",
        severity="warning",
        message=f"the LV's blood in frame {frame} is {what}; check the outlines before using volumes and EF",
        evidence=evidence,
    )


def contrast_to_noise(image: NDArray[np.float32], plane: NDArray[np.uint8]) -> float | None:
    """Return by how many standard deviations of the noise LV blood is brighter than the wall in one slice.

    `image` and `plane`, its labels, are (x, y). Negative for blood that is darker; infinite without noise; None where
    blood or wall is too small to be known.
    """
    blood, wall = plane == CODES["lv"], plane == CODES["myo"]
    inner = ndimage.binary_erosion(blood, _NEIGHBOURS)
    if min(inner.sum(), wall.sum()) < _FEWEST_PIXELS:
        return None
    contrast = float(np.median(image[inner]) - np.median(image[wall]))
    sd = noise_sd(image, ndimage.binary_dilation(blood | wall, _NEIGHBOURS, iterations=3))
    return contrast / sd if sd else float(np.copysign(np.inf, contrast))


def noise_sd(image: NDArray[np.float32], where: NDArray[np.bool_]) -> float:
    """Return the standard deviation of noise that is independent by pixel, robust against edges.

    From second differences in both directions (Immerkaer, Computer Vision and Image Understanding 1996;64:300), their
    median absolute value in place of the mean; noise that interpolation or a filter made smooth is underestimated.
    """
    rough = ndimage.convolve(image.astype(np.float64), _SECOND_DIFFERENCES, mode="nearest")
    return float(_MEDIAN_TO_SD * np.median(np.abs(rough[where])) / 6)


def _of_frame(context: QualityContext, frame: int) -> float | None:
    """Return the median over the slices of a frame, or None without any."""
    slices = range(context.labels.array.shape[2])
    ratios = [
        contrast_to_noise(context.cine.array[:, :, index, frame], context.labels.array[:, :, index, frame])
        for index in slices
    ]
    known = [ratio for ratio in ratios if ratio is not None]
    return float(np.median(known)) if known else None


CONTRAST_CHECKS: tuple[Check, ...] = (low_contrast,)
