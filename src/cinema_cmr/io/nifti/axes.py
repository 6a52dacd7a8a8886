"""Whether the axes of a NIfTI file are (x, y, slice, time), and if not, the permutation that makes them so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import GeometryError
from cinema_cmr.core.study import Issue

__all__ = ["check_axes"]

Image = NDArray[np.float32]

_MOST_FRAMES = 64
"""Longer axes may be a side of the plane."""


def check_axes(array: Image, sizes_mm: Sequence[float]) -> list[Issue]:
    """Raise where the image plane is not first, as with time first; tell where time and slices are exchanged.

    A stack has 1 to 30 slices of 64 pixels a side or more. In five real ones, of two vendors and ACDC,
    neighbouring slices differ 3 to 13 times as much as neighbouring frames. The pixels of a plane are square.
    """
    issues = []
    shape, (x, y, z, t) = array.shape, array.shape
    order = _right_order(array)
    turned = z >= 2 * min(x, y) or t >= 4 * min(x, y) or (order is not None and {0, 1} != set(order[:2]))
    if not turned and z > 1 and t > 1:
        exchanged = _time_axis(array, 2, 3) == 2
        dx, dy, dz = (round(size, 3) for size in sizes_mm)
        turned = z > 32 and (exchanged or dx != dy == dz)
        if exchanged:
            message = "the time axis changes more than the slices do: time must be last, (x, y, slice, time): "
            message += "use np.transpose(array, (0, 1, 3, 2)) and save it with its spacing reordered too"
            issues.append(Issue(code="time-and-slices-exchanged", severity="error", message=message))
    if turned:
        way = "reorder its axes so" if order is None else f"use np.transpose(array, {order})"
        raise GeometryError(
            f"shape {shape if t > 1 else shape[:3]} has time or slices first; expected the image plane"
            f" first and time last, (x, y, slice, time): {way} and save it with its spacing reordered too"
        )
    return issues


def _right_order(array: Image) -> tuple[int, ...] | None:
    """The permutation that makes it (x, y, slice, time); None where sizes and differences do not tell for sure."""
    by_length = sorted(range(4), key=lambda axis: array.shape[axis])
    one, other = sorted(by_length[:2])
    first, second = sorted(by_length[2:])
    longest, shortest_side = array.shape[by_length[1]], array.shape[by_length[2]]
    if longest > _MOST_FRAMES or 1.5 * longest > shortest_side or array.shape[by_length[0]] < 2:
        return None
    time = _time_axis(array, one, other)
    # An array of numpy's order is (time, slice, row, column): x is its last axis.
    plane = (3, 2) if (first, second) == (2, 3) else (first, second)
    return None if time is None else (*plane, one + other - time, time)


def _time_axis(array: Image, one: int, other: int) -> int | None:
    """Which of two axes is time: neighbours along it differ less; None where both do about alike."""
    plane = tuple(axis for axis in range(4) if axis not in (one, other))
    thin = array.transpose(*plane, one, other)[::3, ::3]
    of_one, of_other = (float(np.abs(np.diff(thin, axis=axis)).mean()) for axis in (2, 3))
    if max(of_one, of_other) <= 1.5 * min(of_one, of_other):
        return None
    return one if of_one < of_other else other
