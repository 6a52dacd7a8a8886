"""Annotations, manual or predicted: label maps on a cine's grid, and landmarks in patient space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import GeometryError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine

__all__ = ["LabelMap", "Landmarks", "check_same_grid"]


@dataclass(frozen=True, kw_only=True)
class LabelMap:
    """Class codes on the grid of the cine they belong to."""

    array: NDArray[np.uint8]
    """(x, y, z, t), the cine's own shape; codes of `scheme`."""
    scheme: str = "cine"
    """Key of the codes' table in `core.vocabulary.LABEL_SCHEMES`."""

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.array.shape))
        return f"LabelMap({shape} voxels, scheme '{self.scheme}')"

    @property
    def shape(self) -> tuple[int, ...]:
        """(x, y, z, t)."""
        return self.array.shape


@dataclass(frozen=True, kw_only=True)
class Landmarks:
    """Points per frame of one long-axis view, in RAS mm, sub-pixel."""

    view: View
    points: Mapping[str, NDArray[np.float64]]
    """Name -> (t, 3); NaN in a frame without the point."""

    def __repr__(self) -> str:
        n_frames = max((len(points) for points in self.points.values()), default=0)
        return f"Landmarks({self.view}: {', '.join(self.points)}; {n_frames} frames)"


def check_same_grid(labels: LabelMap, cine: Cine) -> None:
    """Raise `GeometryError` unless the label map has the cine's shape."""
    if labels.array.shape != cine.array.shape:
        raise GeometryError(
            f"label map has shape {labels.array.shape}, its image {cine.array.shape};"
            " a mask must be on its image's grid"
        )
