"""Long-axis landmarks as a mask shows them: where the wall ends on both sides of the mouth of the left ventricle.

Segmentation and landmark networks fail in different places; `inference.landmark_predictor` combines them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cinema_cmr.core.annotation import LabelMap, Landmarks, check_same_grid
from cinema_cmr.core.components import largest_component
from cinema_cmr.core.geometry import apply_affine
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.volumes import CODES

__all__ = ["landmarks_from_mask"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_N_RAYS = 360
_STEP_MM = 0.5
_TOUCH_MM = 3.0
"""Blood so near to the wall lies at it: a mask may leave a pixel or two between its classes."""

_FROM_FIRST_TO_SECOND = {View.LAX_4C: np.array([-1.0, 0.0, 0.0]), View.LAX_2C: np.array([0.0, -1.0, -1.0])}
"""RAS direction from the view's first hinge point to its second: septal to lateral is to the left, anterior to inferior
to the back and the feet."""


def landmarks_from_mask(labels: LabelMap, cine: Cine) -> Landmarks | None:
    """Hinge points and tip of the cavity of a 2- or 4-chamber view's mask in each frame, RAS mm.

    From the middle of the blood, rays go to its end. Where the wall is near, the ventricle ends; the widest gap of the
    wall is the mouth, its two ends are the hinge points, whether or not the blood was drawn into the atrium; the
    tip is what of the blood's end lies furthest from their middle. NaN in a frame that shows no cavity, no wall or
    no gap. None for another view, and where the plane's place in the patient is not known, which tells the
    hinge points apart.

    Raises `GeometryError` for labels on another grid.
    """
    check_same_grid(labels, cine)
    if cine.view not in LANDMARKS or not cine.orientation_known:
        return None
    found = np.full((cine.n_frames, 3, 3), np.nan)
    for frame in range(cine.n_frames):
        points = _points(labels.array[:, :, 0, frame], cine.spacing_mm[:2])
        if points is not None:
            placed = apply_affine(cine.affine, np.column_stack([points, np.zeros(3)]))
            way = (placed[1] - placed[0]) @ _FROM_FIRST_TO_SECOND[cine.view]
            found[frame] = placed if way > 0 else placed[[1, 0, 2]]
    return Landmarks(view=cine.view, points={name: found[:, k] for k, name in enumerate(LANDMARKS[cine.view])})


def _points(plane: NDArray[np.uint8], spacing_mm: tuple[float, float]) -> Array | None:
    """(3, 2) voxels: both ends of the mouth, in no order, and the tip; None where the mask does not show them."""
    blood, wall = largest_component(plane == CODES["lv"]), plane == CODES["myo"]
    if not blood.any() or not wall.any():
        return None
    ends = _ends(blood, spacing_mm)
    away = ndimage.distance_transform_edt(~wall, sampling=spacing_mm)
    off_mm = ndimage.map_coordinates(away, ends.T, order=1, mode="nearest")
    gap = _widest_gap(off_mm)
    if gap is None:
        return None
    first, last = gap
    hinges = ends[[first, last]]
    far = (((ends - hinges.mean(axis=0)) * spacing_mm) ** 2).sum(axis=1)
    far[_between(first, last)] = 0
    return np.vstack([hinges, ends[np.argmax(far)]])


def _ends(blood: Mask, spacing_mm: tuple[float, float]) -> Array:
    """(rays, 2) voxels where the blood ends last on rays from its middle."""
    spots = np.argwhere(blood)
    middle = spots.mean(axis=0)
    reach = np.arange(0, np.hypot(*((spots - middle) * spacing_mm).T).max() + 2, _STEP_MM)
    angles = np.arange(_N_RAYS) * 2 * np.pi / _N_RAYS
    outward = np.stack([np.cos(angles), np.sin(angles)], axis=1) / spacing_mm
    at = middle + reach[None, :, None] * outward[:, None]
    inside = ndimage.map_coordinates(blood.astype(np.float32), np.moveaxis(at, -1, 0), order=1) >= 0.5
    last = inside.shape[1] - 1 - np.argmax(inside[:, ::-1], axis=1)
    return np.asarray(at[np.arange(_N_RAYS), last])


def _widest_gap(off_mm: Array) -> tuple[int, int] | None:
    """The rays with wall on both sides of the run without it that goes furthest from the wall; None without both."""
    free = off_mm > _TOUCH_MM
    if not free.any() or free.all():
        return None
    start = int(np.flatnonzero(~free)[0])
    runs, n_runs = ndimage.label(np.roll(free, -start))
    sums = ndimage.sum_labels(np.roll(off_mm, -start), runs, np.arange(1, n_runs + 1))
    rays = np.flatnonzero(runs == 1 + int(np.argmax(sums)))
    return int(rays[0] - 1 + start) % _N_RAYS, int(rays[-1] + 1 + start) % _N_RAYS


def _between(first: int, last: int) -> NDArray[np.intp]:
    """Rays from `first` on to `last`, round the circle."""
    return np.asarray((first + np.arange((last - first) % _N_RAYS + 1)) % _N_RAYS)
