"""Position of the heart in each view, from geometry and motion alone: without labels or a model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.geometry import apply_affine, unit
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.views.motion import axis_from_motion

__all__ = ["heart_positions", "intersection_point"]

Array = NDArray[np.float64]
PixelPosition = tuple[float, float]

_CENTRE_WEIGHT = 1e-3
"""Weight of the image centres relative to a plane: it only matters along directions that no plane fixes."""


def heart_positions(study: Study) -> dict[View, PixelPosition]:
    """Return the in-plane voxel indices (i, j) of the centre of the heart in each measured view.

    If planes of two views are known in patient space, this is their intersection point, projected into each view. In a
    short-axis stack alone, it is the centre of motion. Otherwise, and if that point is outside an image, it is the
    image centre.
    """
    cines = [cine for cine in study.cines if cine.view is not View.OTHER]
    oriented = [cine for cine in cines if cine.orientation_known]
    point = intersection_point(oriented) if len(oriented) > 1 else None
    return {cine.view: _heart_position(cine, point if cine.orientation_known else None) for cine in cines}


def intersection_point(cines: Sequence[Cine]) -> Array:
    """Return the point (RAS mm) nearest to the planes of all views; a stack is represented by its middle plane.

    Along a direction that the planes do not fix, it is the mean of the image centres.
    """
    centres = np.stack([_image_centre(cine) for cine in cines])
    normals = np.stack([unit(np.cross(cine.affine[:3, 0], cine.affine[:3, 1])) for cine in cines])
    matrix = normals.T @ normals + _CENTRE_WEIGHT * np.eye(3)
    targets = normals.T @ (normals * centres).sum(axis=1) + _CENTRE_WEIGHT * centres.mean(axis=0)
    point: Array = np.linalg.solve(matrix, targets)
    return point


def _image_centre(cine: Cine) -> Array:
    return apply_affine(cine.affine, (np.array(cine.array.shape[:3]) - 1) / 2)


def _heart_position(cine: Cine, point: Array | None) -> PixelPosition:
    if point is None and cine.view is View.SAX and cine.n_frames > 1:
        point = axis_from_motion(cine).centre
    nx, ny = cine.array.shape[:2]
    if point is not None:
        i, j = apply_affine(np.linalg.inv(cine.affine), point)[:2]
        if 0 <= i <= nx - 1 and 0 <= j <= ny - 1:
            return float(i), float(j)
    return (nx - 1) / 2, (ny - 1) / 2
