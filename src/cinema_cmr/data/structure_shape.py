"""Shapes that structures of the heart do not have: an RV that is an ellipse, an LV that is none, a wall without cavity.

A slice of the LV fills 0.98 or more of the ellipse with its second moments, one of the RV at most 0.95 (means over the
slices and labelled frames of every third ACDC training patient).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.vocabulary import CINE_LABELS

__all__ = ["ellipse_fill", "shape_remarks"]

_CODES = {label.name: label.code for label in CINE_LABELS}
_MIN_VOXELS = 50
"""Of a slice whose outline has a shape, and of the cavities of a wall over all slices and frames."""
_FEW_VOXELS = 20
"""A drawn structure has more, over all slices and frames."""
_ELLIPSE_FILL = 0.96
"""Between the least of LVs and the most of RVs (above)."""
_REACH_MM = 120.0
"""Distance in plane from the middle of all labels that no part of a heart has."""

Mask = NDArray[np.bool_]


def shape_remarks(labels: LabelMap, spacing_mm: tuple[float, float, float]) -> tuple[str, ...]:
    """Return a remark on each structure of a short axis with a shape that it does not have; none for other schemes."""
    if labels.scheme != "cine":
        return ()
    masks = {name: labels.array == code for name, code in _CODES.items()}
    present = {name: mask for name, mask in masks.items() if mask.any()}
    return (*_size_remarks(present, labels, spacing_mm), *(_outline_remarks(present) if labels.shape[2] > 1 else ()))


def ellipse_fill(mask: Mask) -> float | None:
    """Return the area of a structure (x, y, ...) over that of the ellipse with its second moments.

    1 for an ellipse, less for a crescent or a ring; mean over its slices, weighted by area; None if all are too small.
    """
    planes = np.moveaxis(mask.reshape(*mask.shape[:2], -1), 2, 0)
    spots = [points for plane in planes if len(points := np.argwhere(plane)) >= _MIN_VOXELS]
    if not spots:
        return None
    # A pixel has a second moment of its own, 1/12.
    moments = [np.linalg.det(np.cov(points.T) + np.eye(2) / 12) for points in spots]
    areas = np.array([len(points) for points in spots])
    return float(np.average(areas / (4 * np.pi * np.sqrt(moments)), weights=areas))


def _size_remarks(present: dict[str, Mask], labels: LabelMap, spacing_mm: tuple[float, float, float]) -> Iterator[str]:
    for name, mask in present.items():
        number = int(mask.sum())
        if number < _FEW_VOXELS and (not labels.drawn or name in labels.drawn):
            yield (
                f"only {number} voxel{'' if number == 1 else 's'} of {name}, and the rest of it is learned as"
                " background; if it was not drawn, state in labels.json what was"
            )
    spots = np.argwhere(labels.array.any(axis=(2, 3))) * spacing_mm[:2]
    if len(spots):
        far = np.linalg.norm(spots - np.median(spots, axis=0), axis=1)
        if far.max() > _REACH_MM:
            yield (
                f"{np.count_nonzero(far > _REACH_MM)} labelled pixels lie up to {far.max():.0f} mm from the middle of"
                " the labels, further than a heart reaches: remove stray ones"
            )


def _outline_remarks(present: dict[str, Mask]) -> Iterator[str]:
    """Yield remarks on outlines where wall or LV are not drawn; where both are, their nesting shows exchanged codes."""
    if "myo" in present:
        if "lv" not in present and not _has_cavity(present["myo"]):
            yield (
                "the myocardium encloses no cavity; expected a ring: check for an outer border that is filled, or for"
                " another structure under its code"
            )
        return
    for name, mask in present.items():
        fill = ellipse_fill(mask)
        if fill is not None and (fill < _ELLIPSE_FILL) is (name == "lv"):
            shape = "no ellipse, as if it were an RV or a wall" if name == "lv" else "an ellipse, as if it were an LV"
            yield (
                f"the {name} is {shape} (it fills {fill:.2f} of one; LVs fill {_ELLIPSE_FILL:g} or more): check for"
                " exchanged codes"
            )


def _has_cavity(wall: Mask) -> bool:
    """Return True if a wall (x, y, ...) encloses background in its slices."""
    # Imported late: it takes longer than the rest of a command's start.
    from scipy.ndimage import binary_fill_holes

    planes = np.moveaxis(wall.reshape(*wall.shape[:2], -1), 2, 0)
    holes = sum(int((binary_fill_holes(plane) & ~plane).sum()) for plane in planes if plane.any())
    return holes >= _MIN_VOXELS
