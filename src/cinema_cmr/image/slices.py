"""Slice axis of a model's input and its inverse; most models of ours take the native slices unchanged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.card import Grid

__all__ = ["SlicePlan", "plan_slices"]

Array = NDArray[np.float32]
Positions = NDArray[np.floating]


@dataclass(frozen=True, kw_only=True)
class SlicePlan:
    """Matrices along the slice axis; None if the model takes the native slices."""

    n_native: int
    forward: Array | None = None
    """(model slices, native slices) linear weights; rows of zeros are padding."""
    backward: Array | None = None
    """(native slices, model slices) linear weights."""

    @property
    def n_model(self) -> int:
        """Number of slices of the model's input."""
        return self.n_native if self.forward is None else len(self.forward)

    @property
    def uncovered(self) -> tuple[int, ...]:
        """Native slices, from 0, outside the model's input; `to_native` fills them with zeros."""
        if self.backward is None:
            return ()
        return tuple(int(index) for index in np.flatnonzero(~self.backward.any(axis=1)))

    def to_model(self, planes: Array) -> Array:
        """Map (x, y, native z, ...) to (x, y, model z, ...)."""
        return planes if self.forward is None else _apply_along_z(planes, self.forward)

    def to_native(self, planes: Array) -> Array:
        """Map (x, y, model z, ...) to (x, y, native z, ...)."""
        return planes if self.backward is None else _apply_along_z(planes, self.backward)


def plan_slices(positions_mm: NDArray[np.float64], grid: Grid) -> SlicePlan:
    """Plan the resampling of slices at these positions to the grid and back.

    A grid without a slice spacing keeps the native slices, however uneven, and only pads or crops them evenly at both
    ends to its number of slices. A grid with a slice spacing resamples them about the middle of the stack, then pads
    or crops; an end slice extends half a step outwards. Native slices beyond the model's input are `uncovered`: they
    return as zeros, which the segmenter counts as background.
    """
    if grid.slice_spacing_mm is None:
        return _native_slices(len(positions_mm), grid.n_slices)
    step = grid.slice_spacing_mm
    extent = float(positions_mm[-1] - positions_mm[0])
    n_model = grid.n_slices or max(1, round(extent / step) + 1)
    middle = float(positions_mm[0]) + extent / 2
    model_mm = middle + (np.arange(n_model) - (n_model - 1) / 2) * step
    return SlicePlan(
        n_native=len(positions_mm),
        forward=_linear_weights(model_mm, positions_mm, single_mm=step),
        backward=_linear_weights(positions_mm, model_mm, single_mm=step),
    )


def _native_slices(n_native: int, n_model: int | None) -> SlicePlan:
    if n_model is None or n_model == n_native:
        return SlicePlan(n_native=n_native)
    first = (n_model - n_native) // 2
    forward = np.eye(n_model, n_native, k=-first, dtype=np.float32)
    return SlicePlan(n_native=n_native, forward=forward, backward=np.ascontiguousarray(forward.T))


def _linear_weights(targets: Positions, sources: Positions, *, single_mm: float) -> Array:
    """Return (targets, sources) linear weights; end slices, or a single one, extend half a step outwards."""
    weights = np.zeros((len(targets), len(sources)), np.float32)
    reach = (float(np.diff(sources).mean()) if len(sources) > 1 else single_mm) / 2 + 1e-6
    for row, position in enumerate(targets):
        if position < sources[0] - reach or position > sources[-1] + reach:
            continue
        if len(sources) == 1:
            weights[row, 0] = 1
            continue
        upper = int(np.clip(np.searchsorted(sources, position), 1, len(sources) - 1))
        share = np.clip((position - sources[upper - 1]) / (sources[upper] - sources[upper - 1]), 0, 1)
        weights[row, upper - 1], weights[row, upper] = 1 - share, share
    return weights


def _apply_along_z(planes: Array, matrix: Array) -> Array:
    return np.ascontiguousarray(np.moveaxis(np.tensordot(matrix, planes, (1, 2)), 0, 2))
