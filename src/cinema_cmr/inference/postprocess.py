"""Post-processing of a predicted label map: largest connected components, and one LV cavity per slice.

Scar maps are also corrected to rules that hold for all 567 expert slices of EMIDEC (80 cases): see `correct_lesions`.
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

_COMPONENT_GROUPS = {
    "cine": (("rv",), ("myo", "lv")),
    "chambers": (("rv",), ("myo", "lv"), ("la",), ("ra",)),
    "scar": (("lv_cavity", "myo_normal", "infarct", "no_reflow"),),
    "pathology": (("rv",), ("myo", "lv", "edema", "scar")),
}
"""Scheme -> groups of structures that form one component; blood and wall of a ventricle stay together."""
_CAVITY = {
    "cine": ("lv", "myo"),
    "chambers": ("lv", "myo"),
    "scar": ("lv_cavity", "myo_normal", "infarct", "no_reflow"),
}
"""Scheme -> blood of the left ventricle, followed by the structures of its wall."""

_OTHER_CAVITY_MM = 6.0
"""Distance from the largest component of blood in a slice beyond which blood belongs to another chamber; blood
separated by papillary muscles is closer."""


def keep_largest_components(
    labels: Labels, *, scheme: str, voxel_ml: NDArray[np.float64], pixel_mm: tuple[float, float]
) -> tuple[Labels, dict[str, float]]:
    """Keep the largest connected component of each structure in labels (x, y, z).

    Also returns the removed volumes in ml. Components are connected through faces, in plane and across slices;
    `voxel_ml` is (z,). A slice keeps one left ventricle: a second cavity more than 6 mm away is removed with the wall
    around it. Lesions of a scar map are then corrected within the wall (`correct_lesions`).
    """
    codes = {label.name: label.code for label in LABEL_SCHEMES[scheme]}
    kept, removed = labels.copy(), dict[str, float]()
    for names in _COMPONENT_GROUPS[scheme]:
        mask = np.isin(labels, [codes[name] for name in names])
        removal = mask & ~largest_component(mask, voxel_ml)
        _add(removed, _volumes(labels, removal, codes, voxel_ml))
        kept[removal] = 0
    if scheme in _CAVITY:
        ventricle_codes = [codes[name] for name in _CAVITY[scheme]]
        removal = _other_ventricles(kept, ventricle_codes, pixel_mm)
        _add(removed, _volumes(kept, removal, codes, voxel_ml))
        kept[removal] = 0
    if scheme == "scar":
        corrected = correct_lesions(kept)
        _add(removed, _volumes(kept, kept != corrected, codes, voxel_ml))
        kept = corrected
    return kept, removed


def _volumes(
    labels: Labels, removal: NDArray[np.bool_], codes: Mapping[str, int], voxel_ml: NDArray[np.float64]
) -> dict[str, float]:
    """Return structure -> removed volume in ml, without structures that lose nothing."""
    volumes = {name: float((removal & (labels == code)).sum(axis=(0, 1)) @ voxel_ml) for name, code in codes.items()}
    return {name: volume for name, volume in volumes.items() if volume > 0}


def _add(removed: dict[str, float], more: Mapping[str, float]) -> None:
    for name, volume in more.items():
        removed[name] = removed.get(name, 0.0) + volume


def _other_ventricles(kept: Labels, ventricle_codes: Sequence[int], pixel_mm: tuple[float, float]) -> NDArray[np.bool_]:
    """Return the (x, y, z) mask of second cavities (the first of the codes) and the wall around them, by slice."""
    mask = np.zeros(kept.shape, np.bool_)
    for z in range(kept.shape[2]):
        other = _other_cavity(kept[..., z] == ventricle_codes[0], pixel_mm)
        if other is not None:
            mask[..., z] = other & np.isin(kept[..., z], ventricle_codes)
    return mask


def _other_cavity(cavity: NDArray[np.bool_], pixel_mm: tuple[float, float]) -> NDArray[np.bool_] | None:
    """Return the mask of a plane (x, y) closer to a distant second component than to the rest; None without one."""
    components, n_components = ndimage.label(cavity)
    if n_components < 2:
        return None
    largest = 1 + int(np.bincount(components.ravel())[1:].argmax())
    distance_mm = ndimage.distance_transform_edt(components != largest, sampling=pixel_mm)
    far = [
        k for k in range(1, n_components + 1) if k != largest and distance_mm[components == k].min() > _OTHER_CAVITY_MM
    ]
    if not far:
        return None
    i, j = ndimage.distance_transform_edt(~cavity, sampling=pixel_mm, return_distances=False, return_indices=True)
    nearest: NDArray[np.bool_] = np.isin(components[i, j], far)
    return nearest
