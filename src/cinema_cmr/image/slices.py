"""A stack's slices as a model wants them, and back; most models of ours take the true slices as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.card import Grid

__all__ = ["SlicePlan", "plan_slices"]

Array = NDArray[np.float32]
Positions = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class SlicePlan:
    """Matrices along the slice axis; None where the model takes the true slices."""

    n_native: int
    forth: Array | None = None
    """(model slices, native slices) linear weights; rows of zeros are padding."""
    back: Array | None = None
    """(native slices, model slices)."""

    @property
    def n_model(self) -> int:
        """Slices that the model is given."""
        return self.n_native if self.forth is None else len(self.forth)

    @property
    def unseen(self) -> tuple[int, ...]:
        """Native slices, from 0, that the model is not shown and that come back as zeros."""
        if self.back is None:
            return ()
        return tuple(int(index) for index in np.flatnonzero(~self.back.any(axis=1)))

    def to_model(self, planes: Array) -> Array:
        """(x, y, native z, ...) -> (x, y, model z, ...)."""
        return planes if self.forth is None else _along_third(planes, self.forth)

    def to_native(self, planes: Array) -> Array:
        """(x, y, model z, ...) -> (x, y, native z, ...)."""
        return planes if self.back is None else _along_third(planes, self.back)


def plan_slices(positions_mm: NDArray[np.float64], grid: Grid) -> SlicePlan:
    """How slices at these positions come onto the grid and back.

    Without a slice spacing in the grid the true slices are kept, however uneven, and only padded or cut
    evenly at both ends to the model's number. With one they are resampled about the stack's middle, then
    padded or cut; an end slice reaches half a step outwards. Native slices beyond what the model was
    given are `unseen`: they come back as zeros, which the segmenter counts as background.
    """
    if grid.slice_spacing_mm is None:
        return _true_slices(len(positions_mm), grid.n_slices)
    step = grid.slice_spacing_mm
    extent = float(positions_mm[-1] - positions_mm[0])
    n_model = grid.n_slices or max(1, round(extent / step) + 1)
    middle = float(positions_mm[0]) + extent / 2
    at = middle + (np.arange(n_model) - (n_model - 1) / 2) * step
    return SlicePlan(
        n_native=len(positions_mm),
        forth=_linear(at, positions_mm, single_mm=step),
        back=_linear(positions_mm, at, single_mm=step),
    )


def _true_slices(n_native: int, n_model: int | None) -> SlicePlan:
    if n_model is None or n_model == n_native:
        return SlicePlan(n_native=n_native)
    first = (n_model - n_native) // 2
    forth = np.eye(n_model, n_native, k=-first, dtype=np.float32)
    return SlicePlan(n_native=n_native, forth=forth, back=np.ascontiguousarray(forth.T))


def _linear(wanted: Positions, given: Positions, *, single_mm: float) -> Array:
    """(wanted, given) linear weights; the end slices, or the single one, reach half a step outwards."""
    weights = np.zeros((len(wanted), len(given)), np.float32)
    reach = (float(np.diff(given).mean()) if len(given) > 1 else single_mm) / 2 + 1e-6
    for row, position in enumerate(wanted):
        if position < given[0] - reach or position > given[-1] + reach:
            continue
        if len(given) == 1:
            weights[row, 0] = 1
            continue
        upper = int(np.clip(np.searchsorted(given, position), 1, len(given) - 1))
        share = np.clip((position - given[upper - 1]) / (given[upper] - given[upper - 1]), 0, 1)
        weights[row, upper - 1], weights[row, upper] = 1 - share, share
    return weights


def _along_third(planes: Array, matrix: Array) -> Array:
    return np.ascontiguousarray(np.moveaxis(np.tensordot(matrix, planes, (1, 2)), 0, 2))
