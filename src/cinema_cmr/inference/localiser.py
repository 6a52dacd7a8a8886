"""Where the heart is in a stack or a long-axis plane, found from the images alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cinema_cmr.core.components import largest_component
from cinema_cmr.core.geometry import apply_affine
from cinema_cmr.core.results import HeartLocation
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.views.motion import axis_from_motion

__all__ = ["locate_heart"]

_ROUNDS = 4
_CLOSE_MM = 8.0
"""A crop this near to the heart's middle is not moved again: in training it was 12 mm off (one SD) in each axis."""
_CLEAR_MM = 8.0
"""A heart seen this far inside the window on all sides is whole: its middle is known and needs no second look."""
_LEAST_ML = 5.0
"""Less labelled volume than this is no heart: the smallest of 100 ACDC patients has 130 ml."""
_SURELY_ML = 50.0
"""As much in the window around the middle of the image is the heart: there is no need to search the field."""
_MANY_SLICES = 8
"""Of a stack of so many every second slice shows where the heart is."""

Point = tuple[float, float]


def locate_heart(cine: Cine, segmenter: Segmenter, *, place: Point | None = None) -> HeartLocation:
    """The middle of the heart in plane, where the model sees all of it; of a long axis first looked for at `place`.

    Where the stack has time, the first guess is where it beats, otherwise the middle of the image: of late
    enhancement, which is planned around the heart (in 80 EMIDEC cases its middle lies within 6 mm of it), whatever
    is seen there; of a cine's single frame only as much as a heart. Where nothing else found it, the model looks at
    overlapping windows over the whole field. Then the window is moved to the middle of what was segmented until it
    stays, or until that lies well inside the window. `evidence` tells the rounds, the movement and the volume seen.
    Of a long stack every second slice is looked at, with one network of the model.
    """
    segmenter, cine = segmenter.localizer(), _thinned(cine)
    for start, method, least_ml in _guesses(cine, segmenter, place):
        found = _settled(cine, segmenter, start, method, least_ml=least_ml)
        if found is not None:
            return found
    start = _coarse_centre(cine, segmenter)
    found = _settled(cine, segmenter, start, "coarse pass")
    return found or HeartLocation(centre=start, method="coarse pass", evidence={"volume_ml": 0.0, "rounds": 0})


def _guesses(cine: Cine, segmenter: Segmenter, place: Point | None) -> Iterator[tuple[Point, str, float]]:
    """Where to look first, how that was found, and the volume that must be seen from there."""
    middle = ((cine.array.shape[0] - 1) / 2, (cine.array.shape[1] - 1) / 2)
    if cine.view is not View.SAX and place is not None:
        yield place, "planes", _LEAST_ML
    elif cine.n_frames > 1:
        beat = apply_affine(np.linalg.inv(cine.affine), axis_from_motion(cine).centre)
        yield (float(beat[0]), float(beat[1])), "motion", _LEAST_ML
    elif cine.view is View.SAX:
        yield middle, "image middle", _LEAST_ML if segmenter.card.modality == "lge" else _SURELY_ML


def _settled(
    cine: Cine, segmenter: Segmenter, start: Point, method: str, *, least_ml: float = _LEAST_ML
) -> HeartLocation | None:
    """Move the window to the middle of what it shows; None where it shows less than `least_ml` of a heart."""
    grid, spacing_mm = segmenter.grid(cine.view), np.array(cine.spacing_mm[:2])
    centre, volume_ml, rounds, settled = start, 0.0, 0, False
    while rounds < _ROUNDS and not settled:
        rounds += 1
        labels = _seen(cine, segmenter, centre)
        volume_ml = float((labels > 0).sum(axis=(0, 1)).max(axis=1) @ cine.voxel_volumes_ml)
        if volume_ml < _LEAST_ML:
            return None
        first, last = _box(labels > 0)
        reach_mm = np.maximum(np.subtract(centre, first), np.subtract(last, centre)) * spacing_mm
        clear_mm = np.array(grid.size) * grid.spacing_mm / 2 - reach_mm
        middle = (first + last) / 2
        moved_mm = float(np.hypot(*((middle - centre) * spacing_mm)))
        settled = moved_mm < _CLOSE_MM or bool(clear_mm.min() >= _CLEAR_MM)
        centre = (float(middle[0]), float(middle[1]))
    if volume_ml < least_ml:
        return None
    distance = float(np.hypot(*(np.subtract(centre, start) * cine.spacing_mm[:2])))
    evidence = {"rounds": rounds, "moved_mm": round(distance, 1), "volume_ml": round(volume_ml, 1)}
    return HeartLocation(centre=centre, method=method, evidence=evidence)


def _seen(cine: Cine, segmenter: Segmenter, centre: Point) -> NDArray[np.uint8]:
    """Largest piece labelled heart in up to two frames, (X, Y, z, frames) on the native grid."""
    frames = [0] if cine.n_frames == 1 else [0, cine.n_frames * 2 // 5 or 1]
    crop = segmenter.plan(cine, centre)
    labels = [
        segmenter.native(prob, crop).argmax(axis=-1).astype(np.uint8)
        for _, prob in segmenter.probabilities(cine, crop, frames)
    ]
    return np.stack([np.where(largest_component(one > 0), one, 0).astype(np.uint8) for one in labels], axis=-1)


def _box(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last voxel (i, j) of what is set."""
    spots = np.argwhere(mask.any(axis=(2, 3)))
    return spots.min(axis=0), spots.max(axis=0)


def _box_middle(mask: NDArray[np.bool_]) -> Point:
    first, last = _box(mask)
    middle = (first + last) / 2
    return float(middle[0]), float(middle[1])


def _coarse_centre(cine: Cine, segmenter: Segmenter) -> Point:
    """The middle of the largest piece that overlapping windows over the first frame call heart.

    The middle of the stack is enough to find it. Where no window does, the place with the
    highest probability of heart, smoothed over a heart's width.
    """
    cine = _middle_slices(cine)
    total = np.zeros(cine.array.shape[:3], np.float32)
    weight = np.zeros(cine.array.shape[:2], np.float32)
    for centre in _windows(cine, segmenter):
        crop = segmenter.plan(cine, centre)
        _, prob = next(iter(segmenter.probabilities(cine, crop, [0])))
        total += crop.invert(prob[..., 1:].sum(axis=-1))
        weight += crop.invert(np.ones(crop.size, np.float32))
    mean = total / np.maximum(weight, 1)[..., None]
    heart = largest_component(mean > 0.5, mean)
    if heart.any():
        return _box_middle(heart[..., None])
    smooth = ndimage.gaussian_filter(mean.sum(axis=2), [25 / mm for mm in cine.spacing_mm[:2]])
    i, j = np.unravel_index(int(smooth.argmax()), smooth.shape)
    return float(i), float(j)


def _thinned(cine: Cine) -> Cine:
    """Every second slice of a long stack."""
    return _chosen_slices(cine, slice(0, cine.n_slices, 2)) if cine.n_slices >= _MANY_SLICES else cine


def _middle_slices(cine: Cine) -> Cine:
    """A stack without its outer quarters; a short one whole."""
    n = cine.n_slices
    return _chosen_slices(cine, slice(n // 4, n - n // 4)) if n >= 4 else cine


def _chosen_slices(cine: Cine, chosen: slice) -> Cine:
    positions = cine.slice_positions_mm[chosen]
    return replace(
        cine,
        array=cine.array[:, :, chosen],
        slice_positions_mm=positions - positions[0],
        nifti_header=None,
        nifti_shape=None,
    )


def _windows(cine: Cine, segmenter: Segmenter) -> Iterator[Point]:
    """Middles of windows that cover the field, each half over its neighbour."""
    grid = segmenter.grid(cine.view)
    axes = []
    for axis in (0, 1):
        n, mm = cine.array.shape[axis], cine.spacing_mm[axis]
        width = grid.size[axis] * grid.spacing_mm / mm
        count = max(1, int(np.ceil((n - width) / (width / 2))) + 1)
        first, last = (width / 2, n - width / 2) if count > 1 else (n / 2, n / 2)
        axes.append(np.linspace(first, last, count) - 0.5)
    for i in axes[0]:
        for j in axes[1]:
            yield float(i), float(j)
