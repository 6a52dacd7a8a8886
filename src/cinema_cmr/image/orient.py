"""Long-axis planes turned one way: scanners store them mirrored and turned, patient space tells how they lie."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.geometry import unit
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine

__all__ = ["standard_orientation"]

Array = NDArray[np.float64]

_STANDARD: dict[View, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    View.LAX_2C: ((0.52, -0.85, 0.0), (0.0, 0.0, -1.0)),
    View.LAX_3C: ((0.52, -0.85, 0.0), (0.0, 0.0, -1.0)),
    View.LAX_4C: ((-1.0, 0.0, 0.0), (0.0, -0.72, 0.69)),
}
"""View -> directions in RAS that its columns (i) and rows (j) run along: the apex lies up in the 4-chamber, left in
the other views; the 4-chamber is seen from the feet, the others from the left."""


def standard_orientation(cine: Cine) -> Cine:
    """The same long-axis cine with its in-plane axes exchanged and turned round so that they lie nearest to how
    the view is looked at; nothing is resampled, and `affine` still leads to the same points.

    A short axis, and a plane whose place in the patient is not known, stay as they are.
    """
    if cine.view not in _STANDARD or not cine.orientation_known:
        return cine
    columns = [unit(cine.affine[:3, axis]) for axis in (0, 1)]
    wanted = [np.asarray(direction) for direction in _STANDARD[cine.view]]

    def likeness(choice: tuple[bool, ...]) -> float:
        swap, flip_i, flip_j = choice
        first, second = columns[::-1] if swap else columns
        return float((-first if flip_i else first) @ wanted[0] + (-second if flip_j else second) @ wanted[1])

    swap, flip_i, flip_j = max(product((False, True), repeat=3), key=likeness)
    array = cine.array.swapaxes(0, 1) if swap else cine.array
    affine = cine.affine[:, [1, 0, 2, 3]] if swap else cine.affine
    for axis, flip in enumerate((flip_i, flip_j)):
        if flip:
            array, affine = np.flip(array, axis), _turned_round(affine, axis, array.shape[axis])
    return replace(cine, array=array, affine=affine, nifti_header=None, nifti_shape=None)


def _turned_round(affine: Array, axis: int, n: int) -> Array:
    """The affine of an array whose `axis` of `n` voxels is read from its other end."""
    turned = affine.copy()
    turned[:, 3] += (n - 1) * affine[:, axis]
    turned[:, axis] *= -1
    return turned
