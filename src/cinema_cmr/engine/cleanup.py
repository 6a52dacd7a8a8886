"""What is taken away from a predicted label map: pieces apart from the heart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cinema_cmr.core.vocabulary import LABEL_SCHEMES

__all__ = ["keep_largest"]

Labels = NDArray[np.uint8]

_TOGETHER = {"cine": (("rv",), ("myo", "lv")), "scar": (("lv_cavity", "myo_normal", "infarct", "no_reflow"),)}
"""Structures of a scheme that are one piece; the ventricle's blood and its wall stay or go together."""


def keep_largest(labels: Labels, *, scheme: str, voxel_ml: NDArray[np.float64]) -> tuple[Labels, dict[str, float]]:
    """Labels (x, y, z) with only the largest connected piece of each structure, and what was removed, in ml.

    Pieces are connected through faces, in plane and across slices; `voxel_ml` is (z,).
    """
    codes = {label.name: label.code for label in LABEL_SCHEMES[scheme]}
    kept, removed = labels.copy(), {}
    for names in _TOGETHER[scheme]:
        mask = np.isin(labels, [codes[name] for name in names])
        lost = mask & ~_largest(mask, voxel_ml)
        for name in names:
            volume = float((lost & (labels == codes[name])).sum(axis=(0, 1)) @ voxel_ml)
            if volume > 0:
                removed[name] = volume
        kept[lost] = 0
    return kept, removed


def _largest(mask: NDArray[np.bool_], voxel_ml: NDArray[np.float64]) -> NDArray[np.bool_]:
    pieces, n_pieces = ndimage.label(mask)
    if n_pieces < 2:
        return mask
    weights = np.broadcast_to(voxel_ml, mask.shape)
    sizes = ndimage.sum_labels(weights, pieces, np.arange(1, n_pieces + 1))
    largest: NDArray[np.bool_] = pieces == 1 + int(np.argmax(sizes))
    return largest
