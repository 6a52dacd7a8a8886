"""The stored images that a cine was read from, so that results can refer to them.

Kept in memory alone: identifiers of images are never written to logs, JSON, tables or NIfTI files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import GeometryError

__all__ = ["CineSources", "SourceImage"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceImage:
    """One stored DICOM image, or one frame of a multi-frame object."""

    instance_uid: str = field(repr=False)
    """SOP Instance UID."""
    frame: int = 0
    """Frame within the object, from 0."""
    resampled: bool = False
    """Whether the cine shows it resampled in plane, as the stack has another grid."""


@dataclass(frozen=True, kw_only=True)
class CineSources:
    """Images and true slice positions of a cine from DICOM."""

    images: tuple[tuple[SourceImage | None, ...], ...] = field(repr=False)
    """Slice, then frame of the cine -> the image shown there; None for a frame that was interpolated in time."""
    origins_mm: NDArray[np.float64] = field(repr=False)
    """(z, 3) centre of the first pixel of each slice, RAS mm: uneven gaps and slices out of line stand here."""

    def __post_init__(self) -> None:
        if self.origins_mm.shape != (len(self.images), 3):
            raise GeometryError(f"slice origins of shape {self.origins_mm.shape}; expected ({len(self.images)}, 3)")

    def select(self, *, frames: Sequence[int] | None = None, slices: Sequence[int] | None = None) -> CineSources:
        """Return the sources of some frames and slices, by their indices from 0; None keeps all."""
        kept = list(range(len(self.images)) if slices is None else slices)
        rows = (self.images[k] for k in kept)
        return CineSources(
            images=tuple(row if frames is None else tuple(row[t] for t in frames) for row in rows),
            origins_mm=self.origins_mm[kept],
        )
