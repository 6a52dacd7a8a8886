"""Borders of masks as smooth closed curves below the size of a pixel, and their lengths."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["curve_length_mm", "loops", "smooth_masks"]

Array = NDArray[np.float64]

_LEVEL = 0.5
_SMOOTHING_PIXELS = 0.7
"""Takes the stairs off a mask's border; at a heart's curvature it moves by less than a tenth of a pixel."""


def smooth_masks(masks: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Masks (rows, columns, ...) blurred in plane, so that the 0.5 level is a smooth border.

    A plane whose structure is so small that blurring would make it vanish stays as it is.
    """
    from scipy.ndimage import gaussian_filter

    sharp = masks.astype(np.float32)
    sigma = (_SMOOTHING_PIXELS, _SMOOTHING_PIXELS, *(0.0,) * (masks.ndim - 2))
    blurred: NDArray[np.float32] = gaussian_filter(sharp, sigma, mode="nearest")
    vanished = (blurred.max(axis=(0, 1)) < _LEVEL) & masks.any(axis=(0, 1))
    return np.where(vanished, sharp, blurred)


def loops(field: NDArray[np.floating]) -> list[Array]:
    """The closed curves on which a field (rows, columns) is 0.5, each (n, 2) as (column, row).

    By marching squares, in pixel indices (a pixel's centre is whole). Beyond its border the field counts as
    0, so that every curve closes; where two corners touch, the inside is taken as parted.
    """
    inside = np.asarray(field) >= _LEVEL
    if not inside.any():
        return []
    # The curves run within a pixel of the inside, so that the rest of a large field need not be searched.
    part, corner = _around(inside)
    padded = np.pad(np.asarray(field, dtype=np.float64), 1)[part]
    following = _segments(padded >= _LEVEL)
    return [_points(edges, padded, corner) - 1 for edges in _chains(following)]


def _around(inside: NDArray[np.bool_]) -> tuple[tuple[slice, slice], tuple[int, int]]:
    """Return rows and columns of the inside with a pixel around it, in the padded field, and the first of each."""
    spans = [np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0)]
    rows, columns = (slice(int(span[0]), int(span[-1]) + 3) for span in spans)
    return (rows, columns), (rows.start, columns.start)


def _segments(inside: NDArray[np.bool_]) -> dict[int, int]:
    """Crossed grid edge -> the next one along the curve.

    An edge's number is 2 x (flat index of its first pixel), plus 1 where it runs down. Going clockwise round
    a cell, each edge that goes in is joined with the next one that goes out; the neighbouring cell sees that
    edge go in.
    """
    n_columns = inside.shape[1]
    corners = [inside[:-1, :-1], inside[:-1, 1:], inside[1:, 1:], inside[1:, :-1]]
    first = np.arange(inside.size).reshape(inside.shape)[:-1, :-1] * 2
    edges = [first, first + 3, first + 2 * n_columns, first + 1]
    goes_in = [~corners[k] & corners[(k + 1) % 4] for k in range(4)]
    goes_out = [corners[k] & ~corners[(k + 1) % 4] for k in range(4)]
    following: dict[int, int] = {}
    for k in range(4):
        waiting = goes_in[k]
        for step in (1, 2, 3):
            other = (k + step) % 4
            joined = waiting & goes_out[other]
            following.update(zip(edges[k][joined].tolist(), edges[other][joined].tolist(), strict=True))
            waiting = waiting & ~joined
    return following


def _chains(following: dict[int, int]) -> Iterator[list[int]]:
    while following:
        edge, after = following.popitem()
        chain = [edge]
        while after in following:
            chain.append(after)
            after = following.pop(after)
        yield chain


def _points(edges: list[int], field: Array, corner: tuple[int, int]) -> Array:
    """Where the level is crossed on each edge, by linear interpolation; (n, 2) as (column, row).

    `corner` is the (row, column) of the field's first pixel.
    """
    numbers = np.array(edges)
    rows, columns = np.divmod(numbers // 2, field.shape[1])
    down = numbers % 2
    start, end = field[rows, columns], field[rows + down, columns + 1 - down]
    along = (_LEVEL - start) / (end - start)
    return np.stack([columns + corner[1] + along * (1 - down), rows + corner[0] + along * down], axis=1)


def curve_length_mm(curve: Array, spacing_mm: tuple[float, float]) -> float:
    """Return the length of a closed curve (n, 2) in pixels (column, row), whose sides are (column, row) millimetres."""
    steps = np.diff(curve, axis=0, append=curve[:1]) * spacing_mm
    return float(np.linalg.norm(steps, axis=1).sum())
