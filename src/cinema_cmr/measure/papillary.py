"""Papillary muscles and trabeculae: part of the LV blood (as masks draw them), or of the mass.

Muscle within the blood is found by its signal: a pixel that is nearer to the myocardium of its slice and frame than to
the blood in the middle of the cavity. Pixels that touch the wall are left out, since they are dark for the wall's share
in them; trabeculae along the wall are therefore found in part only. Slow or dephased blood is dark too: look at the
difference between both rules before using it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.volumes import CODES, Volumes

__all__ = ["PAPILLARY_RULES", "PapillaryRule", "muscle_in_blood", "with_muscle_in_mass"]

PapillaryRule = Literal["blood", "mass"]

PAPILLARY_RULES: dict[PapillaryRule, str] = {
    "blood": "papillary muscles in the blood pool",
    "mass": "papillary muscles in the mass, not in the blood (pixels off the wall, nearer to its signal)",
}

_BLOOD_PERCENTILE = 80.0
"""Of the cavity's pixels off the wall: blood is most of them, and the brightest."""

_FEWEST_PIXELS = 12
"""Smallest number of pixels of wall, and of cavity off the wall, from which both signals are known."""

_LEAST_CONTRAST = 0.15
"""Smallest difference of both signals, as a share of the blood's, from which muscle can be distinguished."""

_NEIGHBOURS = np.ones((3, 3), dtype=bool)


def muscle_in_blood(cine: Cine, labels: LabelMap) -> NDArray[np.bool_]:
    """Return a mask (x, y, z, t) of the muscle within the LV blood of a cine mask; all False without contrast."""
    muscle = np.zeros(labels.array.shape, dtype=bool)
    for k, frame in np.argwhere((labels.array == CODES["lv"]).any(axis=(0, 1))):
        muscle[:, :, k, frame] = _muscle_of(cine.array[:, :, k, frame], labels.array[:, :, k, frame])
    return muscle


def _muscle_of(image: NDArray[np.float32], plane: NDArray[np.uint8]) -> NDArray[np.bool_]:
    blood, wall = plane == CODES["lv"], plane == CODES["myo"]
    inner = ndimage.binary_erosion(blood, _NEIGHBOURS)
    if min(inner.sum(), wall.sum()) < _FEWEST_PIXELS:
        return np.zeros_like(blood)
    bright, dark = float(np.percentile(image[inner], _BLOOD_PERCENTILE)), float(np.median(image[wall]))
    if bright - dark < _LEAST_CONTRAST * abs(bright):
        return np.zeros_like(blood)
    return np.asarray(inner & (image < (bright + dark) / 2))


def with_muscle_in_mass(volumes: Volumes, cine: Cine, labels: LabelMap) -> Volumes:
    """Return the volumes with the muscle in the counted blood moved from LV to myocardium.

    A slice whose blood the basal rule excludes gives nothing to the mass, and a slice cut by the valve plane the share
    of its muscle that it has of its blood.
    """
    counted = np.count_nonzero(muscle_in_blood(cine, labels), axis=(0, 1)) * volumes.lv_shares
    muscle_ml = cine.voxel_volumes_ml @ counted
    return replace(volumes, lv_ml=volumes.lv_ml - muscle_ml, myo_ml=volumes.myo_ml + muscle_ml)
