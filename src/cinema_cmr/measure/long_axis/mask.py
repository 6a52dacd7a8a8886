"""Long-axis landmarks from a mask: the corners of the cavity at the mitral opening, and the apex.

Segmentation and landmark networks fail at different places; `inference.landmark_predictor` combines them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cinema_cmr.core.annotation import LabelMap, Landmarks, check_same_grid
from cinema_cmr.core.components import largest_component
from cinema_cmr.core.geometry import apply_affine, unit
from cinema_cmr.core.vocabulary import ATRIUM_LABELS, LANDMARKS, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.long_axis.cut import points_of_cut
from cinema_cmr.measure.volumes import CODES

__all__ = ["in_order", "landmarks_from_mask"]

Array = NDArray[np.float64]

_CLEAR_SIDE_MM = 15.0
"""Difference of the hinge points' distances from the right ventricle beyond which it says which is septal."""

_FROM_FIRST_TO_SECOND = {
    View.LAX_4C: np.array([-1.0, 0.0, 0.0]),
    View.LAX_2C: np.array([0.0, -1.0, -1.0]),
    View.LAX_3C: np.array([-1.0, -1.0, -1.0]),
}
"""View -> RAS direction from its first to its second hinge point: septal to lateral points left, anterior to inferior
points to the back and the feet, anteroseptal to inferolateral all three ways."""

_BESIDE_RV = (View.LAX_4C, View.LAX_3C)
"""Views whose first hinge point is the one beside the right ventricle."""

_LEFT_ATRIUM = next(label.code for label in ATRIUM_LABELS if label.name == "la")

_BEHIND_CUT_MM = np.arange(1.5, 8.0, 0.75)
"""Distances behind the cut at which the left atrium is sought; the closed valve lies between."""
_CURTAIN_MM = 2.0
"""Thickness of the tissue between left atrium and aorta, to which the valve reaches."""
_LEAST_MITRAL_MM = 10.0
"""Least length of the part of a cut that is mitral valve."""


def landmarks_from_mask(labels: LabelMap, cine: Cine) -> Landmarks | None:
    """Return hinge points and tip of the cavity from the mask of a long-axis view, RAS mm in each frame.

    The opening at the base is the part of the cavity's border without wall that lies straightest between the sharpest
    corners (`measure.long_axis.cut`); the corners are the hinge points, the border's furthest point the tip. In the
    3-chamber view, where the aorta leaves through a part of the opening, the valve ends where the left atrium behind it
    does, so that a mask without atrium has no points. NaN in a frame without cavity, wall or opening. Of the hinge
    points of a 4- or 3-chamber view the septal one is beside the right ventricle; where that is not clear, as in the
    2-chamber view, the patient's axes name them. None for another view, and where neither does.

    Raises `GeometryError` for labels on another grid.
    """
    check_same_grid(labels, cine)
    if cine.view not in LANDMARKS:
        return None
    voxels = np.full((cine.n_frames, 3, 2), np.nan)
    for frame in range(cine.n_frames):
        found = _find_points(labels.array[:, :, 0, frame], cine)
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
    nearer = _nearer_to_rv_mm(alike[seen], labels.array[:, :, 0, seen], cine) if cine.view in _BESIDE_RV else 0.0
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


def _find_points(plane: NDArray[np.uint8], cine: Cine) -> Array | None:
    """Return (3, 2) voxels: both ends of the valve in any order, and the tip; None if the mask lacks them."""
    wall, spacing_mm = plane == CODES["myo"], cine.spacing_mm[:2]
    found = points_of_cut(plane == CODES["lv"], spacing_mm, wall=wall) if wall.any() else None
    if found is None or cine.view is not View.LAX_3C:
        return found
    return _mitral_part(found, plane == _LEFT_ATRIUM, spacing_mm)


def _mitral_part(points: Array, atrium: NDArray[np.bool_], spacing_mm: tuple[float, float]) -> Array | None:
    """Return the points (3, 2) of a cut with the corner further from the left atrium moved to where that begins.

    None if too little of the cut has an atrium (x, y) behind it.
    """
    scale = np.asarray(spacing_mm)
    first, second, tip = points * scale
    along = (second - first) / np.linalg.norm(second - first)
    outward = (first + second) / 2 - tip
    outward = unit(outward - (outward @ along) * along)
    at_mm = np.arange(0.0, float(np.linalg.norm(second - first)), 0.5)
    behind = first + at_mm[:, None, None] * along + _BEHIND_CUT_MM[:, None] * outward
    inside = ndimage.map_coordinates(
        atrium.astype(np.float32), np.moveaxis(behind / scale, -1, 0), order=1, mode="constant"
    )
    mitral_mm = at_mm[(inside > 0.5).any(axis=1)]
    if not len(mitral_mm) or np.ptp(mitral_mm) < _LEAST_MITRAL_MM:
        return None
    gaps_mm = (mitral_mm[0], at_mm[-1] - mitral_mm[-1])
    if gaps_mm[0] > gaps_mm[1]:
        first = first + max(gaps_mm[0] - _CURTAIN_MM, 0) * along
    else:
        second = second - max(gaps_mm[1] - _CURTAIN_MM, 0) * along
    return np.asarray(np.stack([first, second, tip]) / scale)
