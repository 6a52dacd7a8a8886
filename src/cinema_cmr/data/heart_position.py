"""Where the heart is in each view, from geometry and motion alone: no label and no model is asked."""

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
Place = tuple[float, float]

_PULL = 1e-3
"""Weight of the images' middle against a plane: it decides only along directions that no plane fixes."""


def heart_positions(study: Study) -> dict[View, Place]:
    """In-plane voxel indices (i, j) of the heart's middle in each measured view.

    Where planes of two views are known in patient space, it is the point in which they meet, seen in each of
    them; a short-axis stack alone is searched where it beats; else, and where that point is outside an image,
    it is the image's middle.
    """
    cines = [cine for cine in study.cines if cine.view is not View.OTHER]
    placed = [cine for cine in cines if cine.orientation_known]
    point = intersection_point(placed) if len(placed) > 1 else None
    return {cine.view: _place(cine, point if cine.orientation_known else None) for cine in cines}


def intersection_point(cines: Sequence[Cine]) -> Array:
    """The point (RAS mm) nearest to the planes of all views; of a stack its middle plane counts.

    Along a direction that the planes leave open it is the middle of the images.
    """
    middles = np.stack([_middle(cine) for cine in cines])
    normals = np.stack([unit(np.cross(cine.affine[:3, 0], cine.affine[:3, 1])) for cine in cines])
    matrix = normals.T @ normals + _PULL * np.eye(3)
    wanted = normals.T @ (normals * middles).sum(axis=1) + _PULL * middles.mean(axis=0)
    point: Array = np.linalg.solve(matrix, wanted)
    return point


def _middle(cine: Cine) -> Array:
    return apply_affine(cine.affine, (np.array(cine.array.shape[:3]) - 1) / 2)


def _place(cine: Cine, point: Array | None) -> Place:
    if point is None and cine.view is View.SAX and cine.n_frames > 1:
        point = axis_from_motion(cine).centre
    nx, ny = cine.array.shape[:2]
    if point is not None:
        i, j = apply_affine(np.linalg.inv(cine.affine), point)[:2]
        if 0 <= i <= nx - 1 and 0 <= j <= ny - 1:
            return float(i), float(j)
    return (nx - 1) / 2, (ny - 1) / 2
