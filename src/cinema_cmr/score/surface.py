"""Distances between the surfaces of two masks, in mm, on anisotropic grids and unevenly spaced slices.

The surface of a mask is its voxels with a face neighbour outside the mask or the grid; for a single slice it is the
outline in the plane. Distances are measured between the true positions of voxel centres, so that an uneven gap between
slices counts with its length; slices are assumed to be aligned with each other.

Two empty masks give NaN, which is excluded from means and counted. One empty mask gives the diagonal of the grid, the
largest possible distance, so that a missed or invented structure worsens a mean instead of dropping out of it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree

from cinema_cmr.core.errors import GeometryError
from cinema_cmr.score.overlap import Labels, Mask, class_masks

__all__ = ["SurfaceDistances", "surface_distances", "surface_distances_by_class"]

Points = NDArray[np.float64]


class SurfaceDistances(NamedTuple):
    """Two distances between two surfaces, in mm."""

    hausdorff_95_mm: float
    """Larger of the two directed 95th percentiles of distances to the other surface."""
    average_mm: float
    """Average symmetric surface distance: mean over the points of both surfaces."""


def surface_distances(
    predicted: Mask,
    reference: Mask,
    *,
    pixel_mm: tuple[float, float],
    slice_positions_mm: NDArray[np.floating],
) -> SurfaceDistances:
    """Return the 95th-percentile Hausdorff and average symmetric surface distance of two masks (x, y, z).

    `pixel_mm` is the in-plane spacing along x and y (`Cine.spacing_mm[:2]`), `slice_positions_mm` (z,) are
    the slices' positions along the normal (`Cine.slice_positions_mm`). Definitions: Heimann et al., IEEE TMI
    2009;28:1251, with the 95th percentile in place of the maximum. Raises `GeometryError` for
    shapes that do not match.
    """
    axes_mm = _axes_mm(predicted.shape, pixel_mm, slice_positions_mm)
    if predicted.shape != reference.shape:
        raise GeometryError(
            f"prediction has shape {predicted.shape}, reference {reference.shape}; expected the same grid"
        )
    if not predicted.any() and not reference.any():
        return SurfaceDistances(np.nan, np.nan)
    if not predicted.any() or not reference.any():
        diagonal = float(np.linalg.norm([np.ptp(axis) for axis in axes_mm]))
        return SurfaceDistances(diagonal, diagonal)
    return _surface_to_surface(_surface_points(predicted, axes_mm), _surface_points(reference, axes_mm))


def surface_distances_by_class(
    predicted: Labels,
    reference: Labels,
    *,
    pixel_mm: tuple[float, float],
    slice_positions_mm: NDArray[np.floating],
    scheme: str = "cine",
) -> dict[str, SurfaceDistances]:
    """Return the `surface_distances` of every class of a label scheme, for label maps (x, y, z) of one frame."""
    return {
        name: surface_distances(first, second, pixel_mm=pixel_mm, slice_positions_mm=slice_positions_mm)
        for name, first, second in class_masks(predicted, reference, scheme=scheme)
    }


def _axes_mm(
    shape: tuple[int, ...], pixel_mm: tuple[float, float], slice_positions_mm: NDArray[np.floating]
) -> list[Points]:
    """Return the positions of voxel centres along each axis, in mm."""
    if len(shape) != 3 or slice_positions_mm.shape != shape[2:]:
        raise GeometryError(
            f"mask has shape {shape} and {slice_positions_mm.size} slice positions; expected (x, y, z) and one"
            " position per slice"
        )
    in_plane = [np.arange(n) * step for n, step in zip(shape, pixel_mm, strict=False)]
    return [np.asarray(axis, dtype=np.float64) for axis in (*in_plane, slice_positions_mm)]


def _surface_points(mask: Mask, axes_mm: list[Points]) -> Points:
    """Return the (n, 3) positions in mm of the voxels on the surface of a mask."""
    neighbours = ndimage.generate_binary_structure(3, 1)
    if mask.shape[2] == 1:
        neighbours[:, :, [0, 2]] = False
    surface = mask & ~ndimage.binary_erosion(mask, neighbours)
    return np.stack([axis[index] for axis, index in zip(axes_mm, np.nonzero(surface), strict=True)], axis=1)


def _surface_to_surface(predicted: Points, reference: Points) -> SurfaceDistances:
    to_reference, _ = KDTree(reference).query(predicted)
    to_prediction, _ = KDTree(predicted).query(reference)
    percentiles = np.percentile(to_reference, 95), np.percentile(to_prediction, 95)
    return SurfaceDistances(float(max(percentiles)), float(np.concatenate([to_reference, to_prediction]).mean()))
