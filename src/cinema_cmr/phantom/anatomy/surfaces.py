"""The surfaces of one frame of the heart, with edges as soft as the pixels and slices of a view make them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.phantom.anatomy.chambers import Chamber
from cinema_cmr.phantom.anatomy.heart import N_THETA, N_Z, Z_STEP_MM, HeartFrame, HeartPoints
from cinema_cmr.phantom.arrays import clip_to_unit

__all__ = ["FrameSurfaces", "SoftSurface", "soften_surfaces"]

Floats = NDArray[np.float32]

_STEEPEST = 3.0
"""Rise of a surface's radius along the axis beyond which its edge is softened no further."""


@dataclass(frozen=True, kw_only=True)
class SoftSurface:
    """A surface on the (theta, z) table; the fraction inside is clip(offset - slope * radius, 0, 1)."""

    offset: Floats
    slope: Floats

    def inside(self, points: HeartPoints) -> Floats:
        """Return the fraction inside at each point, not clipped to 0 to 1; 0.5 on the surface."""
        fraction: Floats = self.offset[points.index]
        fraction -= self.slope[points.index] * points.radius
        return fraction

    def share(self, points: HeartPoints) -> Floats:
        """Return the fraction of each point's surroundings that lies inside, 0 to 1."""
        return clip_to_unit(self.inside(points))


@dataclass(frozen=True, kw_only=True)
class FrameSurfaces:
    """Surfaces of one frame, softened for the pixels and sheets of one view."""

    frame: HeartFrame
    sheet_mm: float
    """Distance between sheets along the axis of the heart."""
    endo: SoftSurface
    epi: SoftSurface
    rv_inner: SoftSurface
    rv_blood: SoftSurface
    rv_wall: SoftSurface
    sac: SoftSurface
    chambers: tuple[Chamber, ...]
    """Atria and great vessels, outermost first."""


def soften_surfaces(
    frame: HeartFrame, chambers: tuple[Chamber, ...], pixel_mm: float, sheet_mm: float
) -> FrameSurfaces:
    """Give the surfaces of a frame edges one pixel wide, wider where a surface crosses a sheet obliquely."""

    def soft(radius: Floats) -> SoftSurface:
        table = radius.reshape(N_THETA, N_Z)
        slope = np.full(table.shape, 1 / pixel_mm, dtype=np.float32)
        # Lateral shift of the surface from sheet to sheet; in place, because every frame has six surfaces.
        shift = table[:, 2:] - table[:, :-2]
        shift *= np.float32(sheet_mm / (2 * Z_STEP_MM))
        np.clip(shift, -_STEEPEST * sheet_mm, _STEEPEST * sheet_mm, out=shift)
        shift *= shift
        shift += np.float32(pixel_mm**2)
        np.sqrt(shift, out=shift)
        np.reciprocal(shift, out=slope[:, 1:-1])
        offset = slope * table
        offset += np.float32(0.5)
        return SoftSurface(offset=offset.ravel(), slope=slope.ravel())

    return FrameSurfaces(
        frame=frame,
        sheet_mm=sheet_mm,
        endo=soft(frame.endo),
        epi=soft(frame.epi),
        rv_inner=soft(frame.rv_inner),
        rv_blood=soft(frame.rv_blood),
        rv_wall=soft(frame.rv_wall),
        sac=soft(frame.sac),
        chambers=chambers,
    )
