"""Long-axis landmarks from a mask: the ends of the wall on both sides of the mitral opening, and the apex.

Segmentation and landmark networks fail at different places; `inference.landmark_predictor` combines them.
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

__all__ = ["in_order", "landmarks_from_mask"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_N_RAYS = 360
_STEP_MM = 0.5
_TOUCH_MM = 3.0
"""Distance within which blood touches the wall; a mask may leave one or two pixels between its classes."""

_CLEAR_SIDE_MM = 15.0
"""Difference of the hinge points' distances from the right ventricle beyond which it says which is septal."""

_FROM_FIRST_TO_SECOND = {View.LAX_4C: np.array([-1.0, 0.0, 0.0]), View.LAX_2C: np.array([0.0, -1.0, -1.0])}
"""View -> RAS direction from its first to its second hinge point: septal to lateral points left, anterior to inferior
points to the back and the feet."""


def landmarks_from_mask(labels: LabelMap, cine: Cine) -> Landmarks | None:
    """Return hinge points and tip of the cavity from the mask of a 2- or 4-chamber view, RAS mm in each frame.

    Rays run from the middle of the blood to its boundary. The widest part of the boundary without adjacent wall is the
    mitral opening, and its two ends are the hinge points, whether or not the mask extends into the atrium; the tip is
    the boundary point furthest from their middle. NaN in a frame without cavity, wall or opening. Of the hinge points
    of a 4-chamber view the one beside the right ventricle is septal; where that is not clear, as in the 2-chamber view,
    the patient's axes name them. None for another view, and where neither does.

    Raises `GeometryError` for labels on another grid.
    """
    check_same_grid(labels, cine)
    if cine.view not in LANDMARKS:
        return None
    voxels = np.full((cine.n_frames, 3, 2), np.nan)
    for frame in range(cine.n_frames):
        found = _find_points(labels.array[:, :, 0, frame], cine.spacing_mm[:2])
        voxels[frame] = np.nan if found is None else found
    ordered = in_order(voxels, labels, cine)
    if ordered is None:
        return None
    placed = apply_affine(cine.affine, np.concatenate([ordered, np.zeros((*ordered.shape[:2], 1))], axis=2))
    return Landmarks(view=cine.view, points={name: placed[:, k] for k, name in enumerate(LANDMARKS[cine.view])})


def in_order(voxels: Array, labels: LabelMap, cine: Cine) -> Array | None:
    """Return the points (t, 3, 2) of all frames with both hinge points in the order of their names; None if unknown.

    Within each frame they are first arranged like those of the first frame that has any.
    """
    seen = np.isfinite(voxels[:, 0, 0])
    if not seen.any():
        return voxels
    swapped = voxels[:, [1, 0, 2]]
    first = voxels[int(np.argmax(seen)), 1] - voxels[int(np.argmax(seen)), 0]
    alike = np.where(((voxels[:, 1] - voxels[:, 0]) @ first < 0)[:, None, None], swapped, voxels)
    nearer = _nearer_to_rv_mm(alike[seen], labels.array[:, :, 0, seen], cine) if cine.view is View.LAX_4C else 0.0
    if abs(nearer) > _CLEAR_SIDE_MM:
        return alike if nearer > 0 else alike[:, [1, 0, 2]]
    if not cine.orientation_known:
        return None
    way = np.nanmean(alike[:, 1] - alike[:, 0], axis=0) @ cine.affine[:3, :2].T
    return alike if way @ _FROM_FIRST_TO_SECOND[cine.view] > 0 else alike[:, [1, 0, 2]]


def _nearer_to_rv_mm(voxels: Array, planes: NDArray[np.uint8], cine: Cine) -> float:
    """Return by how much the first hinge point is nearer to the right ventricle than the second, median over frames.

    Frames without a right ventricle do not count; 0 without any.
    """
    nearer = []
    for points, plane in zip(voxels, np.moveaxis(planes, -1, 0), strict=True):
        blood = largest_component(plane == CODES["rv"])
        if blood.any():
            away_mm = ndimage.distance_transform_edt(~blood, sampling=cine.spacing_mm[:2])
            first, second = ndimage.map_coordinates(away_mm, points[:2].T, order=1, mode="nearest")
            nearer.append(second - first)
    return float(np.median(nearer)) if nearer else 0.0


def _find_points(plane: NDArray[np.uint8], spacing_mm: tuple[float, float]) -> Array | None:
    """Return (3, 2) voxels: both ends of the opening in any order, and the tip; None if the mask lacks them."""
    blood, wall = largest_component(plane == CODES["lv"]), plane == CODES["myo"]
    if not blood.any() or not wall.any():
        return None
    boundary = _boundary(blood, spacing_mm)
    wall_mm = ndimage.distance_transform_edt(~wall, sampling=spacing_mm)
    off_mm = ndimage.map_coordinates(wall_mm, boundary.T, order=1, mode="nearest")
    gap = _widest_gap(off_mm)
    if gap is None:
        return None
    first, last = gap
    hinges = boundary[[first, last]]
    far = (((boundary - hinges.mean(axis=0)) * spacing_mm) ** 2).sum(axis=1)
    far[_ray_range(first, last)] = 0
    return np.vstack([hinges, boundary[np.argmax(far)]])


def _boundary(blood: Mask, spacing_mm: tuple[float, float]) -> Array:
    """Return the (rays, 2) outermost voxels of the blood on rays from its middle."""
    voxels = np.argwhere(blood)
    middle = voxels.mean(axis=0)
    reach = np.arange(0, np.hypot(*((voxels - middle) * spacing_mm).T).max() + 2, _STEP_MM)
    angles = np.arange(_N_RAYS) * 2 * np.pi / _N_RAYS
    outward = np.stack([np.cos(angles), np.sin(angles)], axis=1) / spacing_mm
    samples = middle + reach[None, :, None] * outward[:, None]
    inside = ndimage.map_coordinates(blood.astype(np.float32), np.moveaxis(samples, -1, 0), order=1) >= 0.5
    last = inside.shape[1] - 1 - np.argmax(inside[:, ::-1], axis=1)
    return np.asarray(samples[np.arange(_N_RAYS), last])


def _widest_gap(off_mm: Array) -> tuple[int, int] | None:
    """Return the rays on both sides of the run of rays that is furthest from the wall; None if there is no such run."""
    free = off_mm > _TOUCH_MM
    if not free.any() or free.all():
        return None
    start = int(np.flatnonzero(~free)[0])
    runs, n_runs = ndimage.label(np.roll(free, -start))
    sums = ndimage.sum_labels(np.roll(off_mm, -start), runs, np.arange(1, n_runs + 1))
    rays = np.flatnonzero(runs == 1 + int(np.argmax(sums)))
    return int(rays[0] - 1 + start) % _N_RAYS, int(rays[-1] + 1 + start) % _N_RAYS


def _ray_range(first: int, last: int) -> NDArray[np.intp]:
    """Return the rays from `first` to `last` around the circle."""
    return np.asarray((first + np.arange((last - first) % _N_RAYS + 1)) % _N_RAYS)
