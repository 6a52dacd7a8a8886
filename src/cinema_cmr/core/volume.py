"""A cine: one view over the cardiac cycle on one grid, with its true geometry and times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import GeometryError, UsageError
from cinema_cmr.core.geometry import check_affine, slice_step_mm, spacing_of
from cinema_cmr.core.sources import CineSources
from cinema_cmr.core.vocabulary import View

__all__ = ["Cine"]

Selection = int | slice | Sequence[int] | None
"""Indices along one axis; None for all of them."""


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
    slice_positions_mm: NDArray[np.float64] = None  # type: ignore[assignment]
    """(z,) position of each slice along the normal, first slice 0, ascending; uneven gaps stand here. Left out: even
    steps of the affine."""
    frame_times_ms: NDArray[np.float64] | None = None
    """(t,) time of each frame from the first; None where unknown."""
    rr_interval_ms: float | None = None
    """Length of the cardiac cycle; None where unknown, never guessed."""
    slice_thickness_mm: float | None = None
    """Thickness of the excited slice, not the distance between slices; None where unknown."""
    orientation_known: bool = True
    """False where the file carries no true orientation (ACDC): only spacing may be used then."""
    in_phase: bool = True
    """False where a frame does not show one phase of the cycle in all slices: frames must not be compared then."""
    has_image: bool = True
    """False where only the grid is at hand, as of results without their image; `array` is zero then."""
    label: str = ""
    """Label for reports, e.g. "series 6"; never a name, identity or date."""
    source: object | None = field(default=None, repr=False, compare=False)
    """The file's own grid, kept and read by `io` alone; None for a cine from DICOM or on a changed grid."""
    sources: CineSources | None = field(default=None, repr=False, compare=False)
    """The DICOM images that the cine was read from; None for another format or a changed grid. Never written."""

    def __post_init__(self) -> None:
        self._take_lists()
        if self.array.ndim != 4:
            raise GeometryError(f"cine array has shape {self.array.shape}; expected four axes (x, y, z, t)")
        check_affine(self.affine)
        if self.slice_positions_mm is None:
            object.__setattr__(self, "slice_positions_mm", np.arange(self.n_slices) * slice_step_mm(self.affine))
        if self.slice_positions_mm.shape != (self.n_slices,):
            raise GeometryError(
                f"{self.slice_positions_mm.shape[0]} slice positions for {self.n_slices} slices; expected one each"
            )
        if not (np.isfinite(self.slice_positions_mm).all() and (np.diff(self.slice_positions_mm) > 0).all()):
            raise GeometryError("slice positions do not ascend; slices must be sorted and distinct")
        times = self.frame_times_ms
        if times is not None and (times.shape != (self.n_frames,) or not np.isfinite(times).all()):
            raise GeometryError(f"{times.shape[0]} frame times for {self.n_frames} frames; expected a finite one each")

    def _take_lists(self) -> None:
        """Take lists of numbers as arrays, and the name of a view as the view."""
        for name in ("array", "affine", "slice_positions_mm", "frame_times_ms"):
            value = getattr(self, name)
            if value is not None and not hasattr(value, "ndim"):
                object.__setattr__(self, name, np.asarray(value, dtype=np.float32 if name == "array" else np.float64))
        object.__setattr__(self, "view", View.parse(self.view))

    def __repr__(self) -> str:
        size, spacing = (
            " x ".join(words) for words in (map(str, self.shape[:3]), map("{:.4g}".format, self.spacing_mm))
        )
        label = f", '{self.label[:60]}'" if self.label else ""
        return f"Cine({self.view}: {size} voxels of {spacing} mm, {self.n_frames} frames{label})"

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Sizes (x, y, z, t)."""
        n_x, n_y, n_z, n_t = self.array.shape
        return n_x, n_y, n_z, n_t

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
    def slice_indices(self) -> NDArray[np.float64]:
        """(z,) third voxel coordinate of each slice on the affine: whole numbers, unless the slices are uneven."""
        if self.n_slices == 1:
            return np.zeros(1)
        beyond_first = self.slice_positions_mm - self.slice_positions_mm[0]
        indices: NDArray[np.float64] = beyond_first / beyond_first[-1] * (self.n_slices - 1)
        return indices

    @property
    def slice_weights_mm(self) -> NDArray[np.float64]:
        """(z,) extent along the normal of each slice: half the distance to both neighbours, gaps included.

        For the first and the last slice their one gap in full; for a single slice the affine's third column.
        """
        if self.n_slices == 1:
            return np.array([self.spacing_mm[2]])
        gaps = np.diff(self.slice_positions_mm)
        weights: NDArray[np.float64] = (np.concatenate([gaps[:1], gaps]) + np.concatenate([gaps, gaps[-1:]])) / 2
        return weights

    @property
    def voxel_volumes_ml(self) -> NDArray[np.float64]:
        """(z,) volume in ml of one voxel of each slice; on oblique in-plane axes less than dx * dy * dz."""
        area_mm2 = float(np.linalg.norm(np.cross(self.affine[:3, 0], self.affine[:3, 1])))
        return area_mm2 * self.slice_weights_mm / 1000

    def with_array(self, array: NDArray[np.float32]) -> Cine:
        """Return the cine with other intensities on the same grid."""
        return replace(self, array=array)

    if TYPE_CHECKING:  # bound by `cinema_cmr.api`, which every public name comes through

        @staticmethod
        def from_nifti(path: Path | str, *, view: View | str = View.SAX) -> Cine:
            """Read one NIfTI image, 3D or 4D, as a cine of a view."""

        def to_nifti(self, path: Path | str, *, overwrite: bool = False) -> None:
            """Write the intensities as NIfTI, on the grid of the file that the cine was read from."""

    def select(self, *, frames: Selection = None, slices: Selection = None) -> Cine:
        """Return some frames and slices of the cine, in the order given, on the grid that they lie on.

        Frame times count from the first selected frame. Slices must be given in ascending order. Raises `UsageError`
        for an empty selection or an index outside of the cine.

        >>> cine = Cine(array=np.zeros((4, 4, 3, 8), np.float32), affine=np.diag([1.0, 1, 10, 1]), view=View.SAX,
        ...             slice_positions_mm=np.array([0.0, 10, 20]))
        >>> part = cine.select(frames=[0, 3], slices=slice(1, 3))
        >>> part.shape, part.affine[2, 3].item()
        ((4, 4, 2, 2), 10.0)
        """
        if frames is None and slices is None:
            return self
        part = self if slices is None else self._with_slices(_indices(slices, self.n_slices, "slice"))
        return part if frames is None else part._with_frames(_indices(frames, self.n_frames, "frame"))

    def _with_frames(self, indices: list[int]) -> Cine:
        times = None if self.frame_times_ms is None else self.frame_times_ms[indices] - self.frame_times_ms[indices[0]]
        sources = self.sources and self.sources.select(frames=indices)
        return replace(self, array=self.array[..., indices], frame_times_ms=times, source=None, sources=sources)

    def _with_slices(self, indices: list[int]) -> Cine:
        positions, at = self.slice_positions_mm[indices], self.slice_indices[indices]
        affine = self.affine.copy()
        affine[:3, 3] += affine[:3, 2] * at[0]
        if len(indices) > 1:
            affine[:3, 2] *= (at[-1] - at[0]) / (len(indices) - 1)
        return replace(
            self,
            array=self.array[:, :, indices],
            affine=affine,
            slice_positions_mm=positions - positions[0],
            source=None,
            sources=self.sources and self.sources.select(slices=indices),
        )


def _indices(selection: int | slice | Sequence[int], size: int, axis: str) -> list[int]:
    """Return a selection as indices from 0; negative ones count from the end."""
    if isinstance(selection, slice):
        found = list(range(*selection.indices(size)))
    else:
        given = [selection] if isinstance(selection, int | np.integer) else list(selection)
        found = [index + size if index < 0 else index for index in given]
    if not found or min(found) < 0 or max(found) >= size:
        raise UsageError(f"{axis} selection {selection}; expected at least one of {size} {axis}s, counted from 0")
    return found
