"""Standard in-plane orientation of long-axis cines, which scanners store rotated and mirrored."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.geometry import unit
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine

__all__ = ["mirror", "reorient_to_standard"]

Array = NDArray[np.float64]

_STANDARD: dict[View, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    View.LAX_2C: ((0.52, -0.85, 0.0), (0.0, 0.0, -1.0)),
    View.LAX_3C: ((0.52, -0.85, 0.0), (0.0, 0.0, -1.0)),
    View.LAX_4C: ((-1.0, 0.0, 0.0), (0.0, -0.72, 0.69)),
}
"""View -> RAS directions of its columns (i) and rows (j). The apex points up in the 4-chamber view and left in the
others; the 4-chamber view is displayed from the feet, the others from the left."""


def reorient_to_standard(cine: Cine) -> Cine:
    """Swap and flip the in-plane axes of a long-axis cine so that they come closest to the standard display.

    Nothing is resampled, and `affine` maps each voxel to the same point as before. Short-axis cines, and planes of
    unknown orientation, are returned unchanged.
    """
    if cine.view not in _STANDARD or not cine.orientation_known:
        return cine
    columns = [unit(cine.affine[:3, axis]) for axis in (0, 1)]
    standard = [np.asarray(direction) for direction in _STANDARD[cine.view]]

    def similarity(choice: tuple[bool, ...]) -> float:
        swap, flip_i, flip_j = choice
        first, second = columns[::-1] if swap else columns
        return float((-first if flip_i else first) @ standard[0] + (-second if flip_j else second) @ standard[1])

    swap, flip_i, flip_j = max(product((False, True), repeat=3), key=similarity)
    array = cine.array.swapaxes(0, 1) if swap else cine.array
    affine = cine.affine[:, [1, 0, 2, 3]] if swap else cine.affine
    for axis, flip in enumerate((flip_i, flip_j)):
        if flip:
            array, affine = np.flip(array, axis), _flip_affine(affine, axis, array.shape[axis])
    return replace(cine, array=array, affine=affine, source=None, sources=None)


def mirror(cine: Cine) -> Cine:
    """Flip the first in-plane axis; `affine` maps each voxel to the same point as before."""
    affine = _flip_affine(cine.affine, 0, cine.array.shape[0])
    return replace(cine, array=np.flip(cine.array, 0), affine=affine, source=None, sources=None)


def _flip_affine(affine: Array, axis: int, n: int) -> Array:
    """Return the affine of an array after a flip of `axis`, which has `n` voxels."""
    flipped = affine.copy()
    flipped[:, 3] += (n - 1) * affine[:, axis]
    flipped[:, axis] *= -1
    return flipped
