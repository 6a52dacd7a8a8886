"""A label map on the axes of its image: programs store one grid with its axes in another order or direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation
from nibabel.spatialimages import SpatialImage
from numpy.typing import NDArray

__all__ = ["LabelAxes"]

_N_AXES = 3
_AS_STORED = np.array([(0, 1), (1, 1), (2, 1)], dtype=np.float64)
"""nibabel's orientation of axes that are those of the image: each along its own, in its direction."""


@dataclass(frozen=True, kw_only=True)
class LabelAxes:
    """The stored axes of a label map beside those of its image: which is which, and in which direction."""

    shape: tuple[int, ...]
    """Stored, with 1 for axes that the file lacks: (x, y, z, t)."""
    affine: NDArray[np.float64]
    """Stored voxel -> RAS mm."""
    sizes_mm: NDArray[np.float64]
    """(3,) stored voxel sizes; some files have them in pixdim alone, and not in the affine."""
    orientation: NDArray[np.float64]
    """(3, 2) axis of the image along each stored one, and 1, or -1 if they run against each other."""

    @classmethod
    def of(cls, labels: SpatialImage, image_affine: NDArray[np.float64] | None) -> LabelAxes:
        """Compare a label map with its image (voxel -> RAS mm).

        The axes count as the image's where that affine is None, and where one of the two has no inverse.
        """
        affine = np.asarray(labels.header.get_best_affine(), dtype=np.float64)
        orientation = _AS_STORED
        if image_affine is not None and _is_invertible(affine) and _is_invertible(image_affine):
            found = io_orientation(np.linalg.inv(image_affine) @ affine)
            orientation = _AS_STORED if np.isnan(found).any() else found
        return cls(
            shape=(*labels.shape, 1, 1, 1)[: max(_N_AXES + 1, len(labels.shape))],
            affine=affine,
            sizes_mm=np.abs(np.asarray(labels.header["pixdim"][1:4], dtype=np.float64)),
            orientation=orientation,
        )

    @property
    def _order(self) -> NDArray[np.intp]:
        """Stored axis along each of the image's."""
        return np.argsort(self.orientation[:, 0])

    @property
    def shape_on_image(self) -> tuple[int, ...]:
        """Shape in the order of the image's axes."""
        return (*(self.shape[axis] for axis in self._order), *self.shape[_N_AXES:])

    @property
    def sizes_on_image_mm(self) -> NDArray[np.float64]:
        """(3,) voxel sizes in the order of the image's axes."""
        return self.sizes_mm[self._order]

    @property
    def affine_on_image(self) -> NDArray[np.float64]:
        """Voxel -> RAS mm once the axes are those of the image."""
        placed: NDArray[np.float64] = self.affine @ inv_ornt_aff(self.orientation, self.shape[:_N_AXES])
        return placed

    def apply(self, stored: NDArray[Any]) -> NDArray[Any]:
        """Return the stored values (x, y, z, t) with the axes of the image; nothing is resampled."""
        return np.asarray(apply_orientation(stored.reshape(self.shape), self.orientation))


def _is_invertible(affine: NDArray[np.float64]) -> bool:
    return bool(np.isfinite(affine).all() and np.linalg.det(affine[:3, :3]) != 0)
