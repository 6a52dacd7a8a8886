"""What is taken away from a predicted label map: pieces apart from the heart, and a second LV cavity in a slice.

A scar map is brought to what holds for all 567 slices that EMIDEC's experts drew (80 cases): see `cleanup_scar`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cinema_cmr.core.components import largest_component
from cinema_cmr.core.vocabulary import LABEL_SCHEMES
from cinema_cmr.inference.postprocess_scar import correct_lesions

__all__ = ["keep_largest_components"]

Labels = NDArray[np.uint8]

_TOGETHER = {
    "cine": (("rv",), ("myo", "lv")),
    "scar": (("lv_cavity", "myo_normal", "infarct", "no_reflow"),),
    "pathology": (("rv",), ("myo", "lv", "edema", "scar")),
}
"""Structures of a scheme that are one piece; the ventricle's blood and its wall stay or go together."""
_CAVITY = {"cine": ("lv", "myo"), "scar": ("lv_cavity", "myo_normal", "infarct", "no_reflow")}
"""The left ventricle's blood, and what its wall is made of."""

_OTHER_CAVITY_MM = 6.0
"""Blood of a slice this far from its largest piece is another chamber's; what papillary muscles part is nearer."""


def keep_largest_components(
    labels: Labels, *, scheme: str, voxel_ml: NDArray[np.float64], pixel_mm: tuple[float, float]
) -> tuple[Labels, dict[str, float]]:
    """Labels (x, y, z) with only the largest connected piece of each structure, and what was removed, in ml.

    Pieces are connected through faces, in plane and across slices; `voxel_ml` is (z,). A slice also keeps one left
    ventricle: a second cavity more than 6 mm away goes with the wall about it. Of a scar map, lesions are then
    settled within the wall (`correct_lesions`).
    """
    codes = {label.name: label.code for label in LABEL_SCHEMES[scheme]}
    kept, removed = labels.copy(), dict[str, float]()
    for names in _TOGETHER[scheme]:
        mask = np.isin(labels, [codes[name] for name in names])
        lost = mask & ~largest_component(mask, voxel_ml)
        _add(removed, _volumes(labels, lost, codes, voxel_ml))
        kept[lost] = 0
    if scheme in _CAVITY:
        of_ventricle = [codes[name] for name in _CAVITY[scheme]]
        lost = _other_ventricles(kept, of_ventricle, pixel_mm)
        _add(removed, _volumes(kept, lost, codes, voxel_ml))
        kept[lost] = 0
    if scheme == "scar":
        settled = correct_lesions(kept)
        _add(removed, _volumes(kept, kept != settled, codes, voxel_ml))
        kept = settled
    return kept, removed


def _volumes(
    labels: Labels, lost: NDArray[np.bool_], codes: Mapping[str, int], voxel_ml: NDArray[np.float64]
) -> dict[str, float]:
    """Structure -> ml of it that are lost, those of which nothing is left out."""
    found = {name: float((lost & (labels == code)).sum(axis=(0, 1)) @ voxel_ml) for name, code in codes.items()}
    return {name: volume for name, volume in found.items() if volume > 0}


def _add(removed: dict[str, float], more: Mapping[str, float]) -> None:
    for name, volume in more.items():
        removed[name] = removed.get(name, 0.0) + volume


def _other_ventricles(kept: Labels, of_ventricle: Sequence[int], pixel_mm: tuple[float, float]) -> NDArray[np.bool_]:
    """(x, y, z) True in second cavities (the first of the codes) and the wall about them, slice by slice."""
    lost = np.zeros(kept.shape, np.bool_)
    for z in range(kept.shape[2]):
        other = _other_cavity(kept[..., z] == of_ventricle[0], pixel_mm)
        if other is not None:
            lost[..., z] = other & np.isin(kept[..., z], of_ventricle)
    return lost


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
