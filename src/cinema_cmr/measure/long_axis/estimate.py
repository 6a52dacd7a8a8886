"""Approximate landmarks of long-axis planes, estimated from a short-axis mask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap, check_same_grid
from cinema_cmr.core.geometry import apply_affine, unit
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.basal.end import find_base
from cinema_cmr.measure.volumes import CODES

__all__ = ["estimate_landmarks"]

Array = NDArray[np.float64]

_MIN_SLICES = 3
_TO_AORTA = 0.25
"""Distance of the aorta's root from the axis of the ventricle in the 3-chamber view, of the ring's radius."""


def estimate_landmarks(study: Study, labels: LabelMap) -> dict[View, Mapping[str, Array]]:
    """Estimate landmarks (3,) in RAS mm of each long-axis view from the short-axis `labels`, to about a centimetre.

    The axis of the ventricle is a line through the centroids of its blood at end-diastole, the mitral ring a circle
    around it as wide as the blood at the base, and the right ventricle determines the side of the septum. The points
    are projected into each plane. Empty if fewer than three slices show the left ventricle, if the right one is
    missing, or if the orientation is unknown.

    Raises `GeometryError` for labels on another grid.
    """
    cine = study.cine(View.SAX)
    check_same_grid(labels, cine)
    heart = _estimate_heart(cine, labels) if cine.orientation_known else None
    if heart is None:
        return {}
    views = [view for view in LANDMARKS if view in study and study.cine(view).orientation_known]
    return {view: heart.project(study.cine(view)) for view in views}


@dataclass(frozen=True, kw_only=True)
class _Heart:
    """Position of the left ventricle, RAS mm."""

    base: Array
    apex: Array
    towards_rv: Array
    """Unit vector across the axis."""
    radius_mm: float
    """Radius of the mitral ring."""

    def project(self, cine: Cine) -> dict[str, Array]:
        """Return the ends of the ring diameter along a plane, and the apex, projected into it.

        In the 3-chamber view the valve begins beside the aorta, not at the septum.
        """
        axis = unit(self.apex - self.base)
        normal = unit(np.cross(cine.affine[:3, 0], cine.affine[:3, 1]))
        along = unit(np.cross(normal, axis))
        towards_first = np.cross(self.towards_rv, axis) if cine.view is View.LAX_2C else self.towards_rv
        radius = self.radius_mm * (along if along @ towards_first > 0 else -along)
        to_first = _TO_AORTA * radius if cine.view is View.LAX_3C else radius
        points = (self.base + to_first, self.base - radius, self.apex)
        distances = [(point - cine.affine[:3, 3]) @ normal for point in points]
        names = LANDMARKS[cine.view]
        return {name: p - mm * normal for name, p, mm in zip(names, points, distances, strict=True)}


def _estimate_heart(cine: Cine, labels: LabelMap) -> _Heart | None:
    """Return the ventricle at end-diastole; None if the mask is insufficient."""
    base = find_base(cine, labels).end
    frame = int(np.argmax(np.count_nonzero(labels.array == CODES["lv"], axis=(0, 1, 2))))
    centroids = {name: _centroids(cine, labels.array[..., frame] == CODES[name]) for name in ("lv", "rv")}
    slices = sorted(centroids["lv"], reverse=base == "last")
    if base is None or len(slices) < _MIN_SLICES or not centroids["rv"].keys() & centroids["lv"].keys():
        return None
    line = np.stack([centroids["lv"][z] for z in slices])
    depth = np.array([cine.slice_positions_mm[z] for z in slices])
    slope, start = np.polyfit(depth, line, 1)
    # The tip lies between the last slice with blood and the next one.
    beyond = 0.5 * (depth[-1] - depth[0]) / (len(depth) - 1)
    first, tip = start + slope * depth[0], start + slope * (depth[-1] + beyond)
    axis = unit(tip - first)
    aside = np.mean(
        [centroids["rv"][z] - centroids["lv"][z] for z in centroids["rv"].keys() & centroids["lv"].keys()], axis=0
    )
    area = max(np.count_nonzero(labels.array[:, :, z, frame] == CODES["lv"]) for z in slices[:2])
    radius = float(np.sqrt(area * cine.spacing_mm[0] * cine.spacing_mm[1] / np.pi))
    return _Heart(base=first, apex=tip, towards_rv=unit(aside - (aside @ axis) * axis), radius_mm=radius)


def _centroids(cine: Cine, mask: NDArray[np.bool_]) -> dict[int, Array]:
    """Return slice -> centroid of its labels, RAS mm."""
    points = {}
    for z in np.flatnonzero(mask.any(axis=(0, 1))):
        i, j = np.argwhere(mask[:, :, z]).mean(axis=0)
        points[int(z)] = apply_affine(cine.affine, np.array([i, j, cine.slice_indices[z]]))
    return points
