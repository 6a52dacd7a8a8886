"""The septum of a short-axis stack and the rotational sense of the heart, from the RV insertions.

Angles lie in the image plane, in radians, around the centre of the LV blood: 0 along array axis x, increasing towards
axis y (clockwise as displayed, x to the right and y down), computed in millimetres and thus independent of the pixel
shape.
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
"""Largest distance of septal myocardium from RV blood; at least one and a half pixels."""

FEWEST_CONTACTS = 5
"""Smallest number of septal pixels that locates the septum in a slice."""

INSERTION_PERCENTILES = (2, 98)
"""Percentiles of the ends of the septal arc; the outermost pixels may be stray."""

CLEARLY_ANTERIOR = 0.2
"""Smallest difference of the two insertions along front-and-up (unit vectors) that distinguishes them."""


@dataclass(frozen=True, kw_only=True)
class Septum:
    """Middle of the septum in each slice that shows it, and the sense in which the anterior wall follows."""

    middle: Mapping[int, float]
    """Slice -> angle of the middle between the two insertions."""
    anterior_sense: int
    """+1 if the anterior insertion lies at increasing angles from mid septum, else -1."""
    sense_known: bool
    """False if the file has no orientation; clockwise as displayed is then assumed."""


def blood_centre_mm(cine: Cine, labels: LabelMap, index: int, frame: int) -> tuple[float, float]:
    """Return the centre of the LV blood of a slice, in mm along array axes x and y from the first pixel."""
    x, y = np.nonzero(labels.array[:, :, index, frame] == CODES["lv"])
    dx, dy, _ = cine.spacing_mm
    return float(x.mean() * dx), float(y.mean() * dy)


def circular_mean(angles: Iterable[float]) -> float:
    """Return the mean direction of angles in radians."""
    phasors = np.exp(1j * np.asarray(list(angles), dtype=np.float64))
    return float(np.angle(phasors.mean()))


def find_septum(cine: Cine, labels: LabelMap, frame: int, slices: Iterable[int]) -> Septum:
    """Find the septum of one frame in those slices that have LV, myocardium and RV side by side."""
    insertions = {index: _insertions(cine, labels, index, frame) for index in slices}
    found = {index: ends for index, ends in insertions.items() if ends is not None}
    sense = _patient_sense(cine, list(found.values()))
    return Septum(
        middle={index: (low + high) / 2 for index, (low, high) in found.items()},
        anterior_sense=sense or 1,
        sense_known=sense is not None,
    )


def _insertions(cine: Cine, labels: LabelMap, index: int, frame: int) -> tuple[float, float] | None:
    """Return the angles of both ends of the arc of myocardium beside the RV, the larger one last."""
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
    """Return the sense in patient space, where the anterior insertion lies further to the front and head; else None."""
    if not cine.orientation_known or not insertions:
        return None
    x_axis, y_axis = unit(cine.affine[:3, 0]), unit(cine.affine[:3, 1])
    up_front = unit(np.array([0.0, 1.0, 1.0]))

    def height(angle: float) -> float:
        return float((np.cos(angle) * x_axis + np.sin(angle) * y_axis) @ up_front)

    difference = float(np.mean([height(high) - height(low) for low, high in insertions]))
    return int(np.sign(difference)) if abs(difference) >= CLEARLY_ANTERIOR else None
