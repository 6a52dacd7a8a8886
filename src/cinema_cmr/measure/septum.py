"""The septum of a short-axis stack, and which way round the heart is, from the RV insertions.

Angles lie in the image plane, in radians, around the LV blood's centre: 0 along array axis x, growing
towards axis y (clockwise as displayed, x to the right and y down), in millimetres, so that oblong pixels do
not bend them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.geometry import unit
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.volumes import CODES

__all__ = ["Septum", "blood_centre_mm", "circular_mean", "find_septum"]

CONTACT_MM = 3.0
"""Myocardium this near to RV blood is septum; at least one and a half pixels."""

FEWEST_CONTACTS = 5
"""Septal pixels below which a slice does not tell where the septum is."""

INSERTION_PERCENTILES = (2, 98)
"""The ends of the septal arc; the outermost pixels may be stray."""

CLEARLY_ANTERIOR = 0.2
"""By how much the two insertions must differ along front-and-up (unit vectors) to be told apart."""


@dataclass(frozen=True, kw_only=True)
class Septum:
    """The septum's middle in each slice that shows it, and the sense in which the anterior wall follows."""

    middle: Mapping[int, float]
    """Slice -> angle of the middle between the two insertions."""
    anterior_sense: int
    """+1 where the anterior insertion lies at growing angles from the septum's middle, else -1."""
    sense_known: bool
    """False where the file carries no orientation: clockwise as displayed is assumed."""


def blood_centre_mm(cine: Cine, labels: LabelMap, index: int, frame: int) -> tuple[float, float]:
    """Centre of the LV blood of a slice, in mm along array axes x and y from the first pixel's centre."""
    x, y = np.nonzero(labels.array[:, :, index, frame] == CODES["lv"])
    dx, dy, _ = cine.spacing_mm
    return float(x.mean() * dx), float(y.mean() * dy)


def circular_mean(angles: Iterable[float]) -> float:
    """Mean direction of angles in radians."""
    turned = np.exp(1j * np.asarray(list(angles), dtype=np.float64))
    return float(np.angle(turned.mean()))


def find_septum(cine: Cine, labels: LabelMap, frame: int, slices: Iterable[int]) -> Septum:
    """The septum of one frame, in those of the slices that have LV, myocardium and RV side by side."""
    insertions = {index: _insertions(cine, labels, index, frame) for index in slices}
    found = {index: ends for index, ends in insertions.items() if ends is not None}
    sense = _patient_sense(cine, list(found.values()))
    return Septum(
        middle={index: (low + high) / 2 for index, (low, high) in found.items()},
        anterior_sense=sense or 1,
        sense_known=sense is not None,
    )


def _insertions(cine: Cine, labels: LabelMap, index: int, frame: int) -> tuple[float, float] | None:
    """Angles of the two ends of the arc of myocardium beside the RV, the second one the larger."""
    plane = labels.array[:, :, index, frame]
    if not (plane == CODES["rv"]).any():
        return None
    dx, dy, _ = cine.spacing_mm
    from_rv = ndimage.distance_transform_edt(plane != CODES["rv"], sampling=(dx, dy))
    near = (plane == CODES["myo"]) & (from_rv <= max(CONTACT_MM, 1.5 * max(dx, dy)))
    x, y = np.nonzero(near)
    if len(x) < FEWEST_CONTACTS:
        return None
    centre_x, centre_y = blood_centre_mm(cine, labels, index, frame)
    return _arc(np.arctan2(y * dy - centre_y, x * dx - centre_x))


def _arc(angles: NDArray[np.float64]) -> tuple[float, float]:
    middle = circular_mean(angles)
    beside = np.angle(np.exp(1j * (angles - middle)))
    low, high = np.percentile(beside, INSERTION_PERCENTILES)
    return middle + float(low), middle + float(high)


def _patient_sense(cine: Cine, insertions: list[tuple[float, float]]) -> int | None:
    """+1 or -1 from patient space, where the anterior insertion is further to the front and to the head."""
    if not cine.orientation_known or not insertions:
        return None
    x_axis, y_axis = unit(cine.affine[:3, 0]), unit(cine.affine[:3, 1])
    up_front = unit(np.array([0.0, 1.0, 1.0]))

    def height(angle: float) -> float:
        return float((np.cos(angle) * x_axis + np.sin(angle) * y_axis) @ up_front)

    difference = float(np.mean([height(high) - height(low) for low, high in insertions]))
    return int(np.sign(difference)) if abs(difference) >= CLEARLY_ANTERIOR else None
