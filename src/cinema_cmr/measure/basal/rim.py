"""Share of the rim of the LV blood that is myocardium, slice by slice: closed below the valve, open beyond it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.vocabulary import CINE_LABELS
from cinema_cmr.core.volume import Cine

__all__ = ["enclosed_fractions"]

_CODES = {label.name: label.code for label in CINE_LABELS}


def enclosed_fractions(cine: Cine, labels: LabelMap) -> NDArray[np.float64]:
    """Return the (z, t) share of the rim of the LV blood, by length, that borders myocardium; NaN without LV blood.

    The rim consists of the pixel edges between LV blood and any other label, so that flips and rotations by 90 degrees
    do not change it.
    """
    dx, dy, _ = cine.spacing_mm
    padded = np.pad(_crop_to_labels(labels.array), ((1, 1), (1, 1), (0, 0), (0, 0)))
    blood = padded == _CODES["lv"]
    shape = padded.shape[2:]
    rim, wall = np.zeros(shape), np.zeros(shape)
    for axis, edge_mm in ((0, dy), (1, dx)):
        for step in (-1, 1):
            neighbour = np.roll(padded, step, axis)
            edges = blood & (neighbour != _CODES["lv"])
            rim += edge_mm * edges.sum(axis=(0, 1))
            wall += edge_mm * (edges & (neighbour == _CODES["myo"])).sum(axis=(0, 1))
    with np.errstate(invalid="ignore"):
        return np.asarray(wall / rim)


def _crop_to_labels(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Crop to the in-plane box around all labels, because most of an image is empty."""
    labelled = np.any(array > 0, axis=(2, 3))
    if not labelled.any():
        return array[:1, :1]
    rows, columns = np.flatnonzero(labelled.any(axis=1)), np.flatnonzero(labelled.any(axis=0))
    return array[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
