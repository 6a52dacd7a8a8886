"""A cine: one view over the cardiac cycle on one grid, with the geometry and times that it really has."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import GeometryError
from cinema_cmr.core.geometry import check_affine, spacing_of
from cinema_cmr.core.vocabulary import View

__all__ = ["Cine"]


@dataclass(frozen=True, kw_only=True)
class Cine:
    """Images of one view: `array` (x, y, z, t), intensities as acquired (rescale applied), never normalised.

    A long-axis view has z = 1. A single frame has t = 1. Slices run along the third axis in the order of their
    positions along the plane normal.
    """

    array: NDArray[np.float32]
    """(x, y, z, t); x along image columns, y along rows as stored; float32."""
    affine: NDArray[np.float64]
    """(4, 4), voxel (i, j, k) -> RAS mm; for uneven slices its third column is the mean slice step."""
    view: View
    slice_positions_mm: NDArray[np.float64]
    """(z,) position of each slice along the normal, first slice 0, ascending; uneven gaps stand here."""
    frame_times_ms: NDArray[np.float64] | None = None
    """(t,) time of each frame from the first, or None where the file does not tell."""
    rr_interval_ms: float | None = None
    """Length of the cardiac cycle, or None where unknown; never guessed."""
    slice_thickness_mm: float | None = None
    """Thickness of the excited slice, which is not the distance between slices; None where unknown."""
    orientation_known: bool = True
    """False where the file carries no true orientation (ACDC): only spacing may be used then."""
    label: str = ""
    """What to call it in a report, e.g. "series 6"; never a name, identity or date."""
    nifti_header: bytes | None = None
    """The NIfTI header it was read with, so that a mask can be written on the very same grid."""
    nifti_shape: tuple[int, ...] | None = None
    """The shape stored in that file, e.g. (x, y, z) for a single frame."""

    def __post_init__(self) -> None:
        if self.array.ndim != 4:
            raise GeometryError(f"cine array has shape {self.array.shape}; expected four axes (x, y, z, t)")
        check_affine(self.affine)
        if self.slice_positions_mm.shape != (self.n_slices,):
            raise GeometryError(
                f"{self.slice_positions_mm.shape[0]} slice positions for {self.n_slices} slices; expected one each"
            )
        if (np.diff(self.slice_positions_mm) <= 0).any():
            raise GeometryError("slice positions do not ascend; slices must be sorted and distinct")
        if self.frame_times_ms is not None and self.frame_times_ms.shape != (self.n_frames,):
            raise GeometryError(f"{self.frame_times_ms.shape[0]} frame times for {self.n_frames} frames")

    @property
    def n_slices(self) -> int:
        """Number of slices, the length of the third axis."""
        return int(self.array.shape[2])

    @property
    def n_frames(self) -> int:
        """Number of time frames, the length of the fourth axis."""
        return int(self.array.shape[3])

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Voxel size in mm: in plane along x and y, then the mean distance between slices."""
        return spacing_of(self.affine)

    @property
    def slice_weights_mm(self) -> NDArray[np.float64]:
        """(z,) length of normal that each slice stands for: half the way to both neighbours, gaps included.

        The first and last slice stand for their one gap in full; a single slice stands for the affine's third column.
        """
        if self.n_slices == 1:
            return np.array([self.spacing_mm[2]])
        gaps = np.diff(self.slice_positions_mm)
        weights: NDArray[np.float64] = (np.concatenate([gaps[:1], gaps]) + np.concatenate([gaps, gaps[-1:]])) / 2
        return weights

    @property
    def voxel_volumes_ml(self) -> NDArray[np.float64]:
        """(z,) volume in ml of one voxel of each slice; on axes that are not square a pixel is less than dx * dy."""
        area_mm2 = float(np.linalg.norm(np.cross(self.affine[:3, 0], self.affine[:3, 1])))
        return area_mm2 * self.slice_weights_mm / 1000

    def with_array(self, array: NDArray[np.float32]) -> Cine:
        """The same cine with other intensities on the same grid."""
        return replace(self, array=array)
