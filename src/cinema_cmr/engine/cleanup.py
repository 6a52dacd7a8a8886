"""What is taken away from a predicted label map: pieces apart from the heart, and a second LV cavity in a slice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cinema_cmr.core.vocabulary import LABEL_SCHEMES

__all__ = ["keep_largest"]

Labels = NDArray[np.uint8]

_TOGETHER = {
    "cine": (("rv",), ("myo", "lv")),
    "scar": (("lv_cavity", "myo_normal", "infarct", "no_reflow"),),
    "pathology": (("rv",), ("myo", "lv", "edema", "scar")),
}
"""Structures of a scheme that are one piece; the ventricle's blood and its wall stay or go together."""


_OTHER_CAVITY_MM = 6.0
"""Blood of a slice this far from its largest piece is another chamber's; what papillary muscles part is nearer."""


def keep_largest(
    labels: Labels, *, scheme: str, voxel_ml: NDArray[np.float64], pixel_mm: tuple[float, float]
) -> tuple[Labels, dict[str, float]]:
    """Labels (x, y, z) with only the largest connected piece of each structure, and what was removed, in ml.

    Pieces are connected through faces, in plane and across slices; `voxel_ml` is (z,). Of a cine, a slice also
    keeps one left ventricle: a second cavity more than 6 mm away goes with the wall about it.
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
    if scheme == "cine":
        _one_cavity_a_slice(kept, removed, codes, voxel_ml=voxel_ml, pixel_mm=pixel_mm)
    return kept, removed


def _one_cavity_a_slice(
    kept: Labels,
    removed: dict[str, float],
    codes: dict[str, int],
    *,
    voxel_ml: NDArray[np.float64],
    pixel_mm: tuple[float, float],
) -> None:
    """Take second cavities and their wall out of `kept`, slice by slice, and add them to `removed`."""
    for z in range(kept.shape[2]):
        plane = kept[..., z]
        other = _other_cavity(plane == codes["lv"], pixel_mm)
        if other is None:
            continue
        for name in ("lv", "myo"):
            lost = other & (plane == codes[name])
            if lost.any():
                removed[name] = removed.get(name, 0.0) + float(lost.sum() * voxel_ml[z])
            plane[lost] = 0


def _other_cavity(cavity: NDArray[np.bool_], pixel_mm: tuple[float, float]) -> NDArray[np.bool_] | None:
    """Where in a plane (x, y) it is nearer to a far second piece than to the rest; None where there is none."""
    pieces, n_pieces = ndimage.label(cavity)
    if n_pieces < 2:
        return None
    largest = 1 + int(np.bincount(pieces.ravel())[1:].argmax())
    away_mm = ndimage.distance_transform_edt(pieces != largest, sampling=pixel_mm)
    far = [k for k in range(1, n_pieces + 1) if k != largest and away_mm[pieces == k].min() > _OTHER_CAVITY_MM]
    if not far:
        return None
    i, j = ndimage.distance_transform_edt(~cavity, sampling=pixel_mm, return_distances=False, return_indices=True)
    nearest: NDArray[np.bool_] = np.isin(pieces[i, j], far)
    return nearest


def _largest(mask: NDArray[np.bool_], voxel_ml: NDArray[np.float64]) -> NDArray[np.bool_]:
    pieces, n_pieces = ndimage.label(mask)
    if n_pieces < 2:
        return mask
    weights = np.broadcast_to(voxel_ml, mask.shape)
    sizes = ndimage.sum_labels(weights, pieces, np.arange(1, n_pieces + 1))
    largest: NDArray[np.bool_] = pieces == 1 + int(np.argmax(sizes))
    return largest
