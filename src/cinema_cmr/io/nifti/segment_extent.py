"""Segmentations of 3D Slicer, which are stored on the part of their image's grid that holds the segments."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.spatialimages import SpatialImage
from numpy.typing import NDArray

from cinema_cmr.io.nifti.label_axes import LabelAxes

__all__ = ["is_segmentation", "on_whole_grid"]

_EXTENT = b"Segmentation_ReferenceImageExtentOffset"
"""Key of a segmentation's NRRD header: the first voxel of the part, on the grid of the image."""
_HEADER_BYTES = 65536
_OFF = 0.05
"""Largest difference from a whole number of voxels, and of an axis from the image's, for the same grid."""


def is_segmentation(path: Path) -> bool:
    """Return True for a NRRD file that 3D Slicer wrote as a segmentation, such as `heart.seg.nrrd`."""
    if path.suffix.lower() != ".nrrd":
        return False
    with path.open("rb") as file:
        return _EXTENT in file.read(_HEADER_BYTES).partition(b"\n\n")[0].replace(b"\r\n", b"\n")


def on_whole_grid(part: SpatialImage, image_affine: NDArray[np.float64], shape: tuple[int, ...]) -> SpatialImage:
    """Return a label map on a part of an image's grid (x, y, z, t) as one on all of it, background elsewhere.

    By its position, voxel -> RAS mm; nothing is resampled. One that is no part of that grid is returned as it is.
    """
    axes = LabelAxes.of(part, image_affine)
    size = np.array(axes.shape_on_image[:3])
    if axes.shape_on_image == shape or axes.shape_on_image[3:] != shape[3:]:
        return part
    within = np.linalg.inv(image_affine) @ axes.affine_on_image
    first = np.round(within[:3, 3]).astype(int)
    same_axes = np.allclose(within[:3, :3], np.eye(3), rtol=0, atol=_OFF / max(size))
    whole = np.allclose(within[:3, 3], first, rtol=0, atol=_OFF)
    if not (same_axes and whole and (first >= 0).all() and (first + size <= shape[:3]).all()):
        return part
    stored = axes.apply(np.asanyarray(part.dataobj))
    array = np.zeros(shape, stored.dtype)
    x, y, z = (slice(start, start + n) for start, n in zip(first, size, strict=True))
    array[x, y, z] = stored
    return nib.Nifti1Image(array, image_affine)
