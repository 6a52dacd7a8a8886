"""Where a short-axis mask says that the landmarks of the long-axis planes are, roughly."""

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
from cinema_cmr.measure.volumes import CODES, base_end

__all__ = ["estimate_landmarks"]

Array = NDArray[np.float64]

_LEAST_SLICES = 3


def estimate_landmarks(study: Study, labels: LabelMap) -> dict[View, Mapping[str, Array]]:
    """Landmarks (3,) in RAS mm of each long-axis view of the study, from its short-axis `labels`; to a centimetre.

    The ventricle's axis is a line through the middles of its blood at end-diastole, the mitral ring a circle about it
    as wide as the blood at the base, the right ventricle tells which side is the septum. Points are laid into
    each plane. Nothing where fewer than three slices show the ventricle, the right one is not seen, or
    a view's place in the patient is not known.

    Raises `GeometryError` for labels on another grid.
    """
    cine = study.cine(View.SAX)
    check_same_grid(labels, cine)
    heart = _heart_of(cine, labels) if cine.orientation_known else None
    if heart is None:
        return {}
    views = [view for view in LANDMARKS if view in study and study.cine(view).orientation_known]
    return {view: heart.in_plane(study.cine(view)) for view in views}


@dataclass(frozen=True, kw_only=True)
class _Heart:
    """Where the left ventricle lies, RAS mm."""

    base: Array
    apex: Array
    towards_rv: Array
    """Unit vector across the axis."""
    radius_mm: float
    """Of the mitral ring."""

    def in_plane(self, cine: Cine) -> dict[str, Array]:
        """The two ends of the ring's diameter along a plane, and the apex, all laid into it."""
        axis = unit(self.apex - self.base)
        normal = unit(np.cross(cine.affine[:3, 0], cine.affine[:3, 1]))
        along = unit(np.cross(normal, axis))
        towards_first = self.towards_rv if cine.view is View.LAX_4C else np.cross(self.towards_rv, axis)
        way = self.radius_mm * (along if along @ towards_first > 0 else -along)
        points = (self.base + way, self.base - way, self.apex)
        off = [(point - cine.affine[:3, 3]) @ normal for point in points]
        names = LANDMARKS[cine.view]
        return {name: p - far * normal for name, p, far in zip(names, points, off, strict=True)}


def _heart_of(cine: Cine, labels: LabelMap) -> _Heart | None:
    """The ventricle at end-diastole; None where the mask says too little."""
    base = base_end(cine, labels)
    frame = int(np.argmax(np.count_nonzero(labels.array == CODES["lv"], axis=(0, 1, 2))))
    middles = {name: _middles(cine, labels.array[..., frame] == CODES[name]) for name in ("lv", "rv")}
    slices = sorted(middles["lv"], reverse=base == "last")
    if base is None or len(slices) < _LEAST_SLICES or not middles["rv"].keys() & middles["lv"].keys():
        return None
    line = np.stack([middles["lv"][z] for z in slices])
    depth = np.array([cine.slice_positions_mm[z] for z in slices])
    slope, start = np.polyfit(depth, line, 1)
    # The tip lies somewhere between the last slice with blood and the one after it.
    beyond = 0.5 * (depth[-1] - depth[0]) / (len(depth) - 1)
    first, tip = start + slope * depth[0], start + slope * (depth[-1] + beyond)
    axis = unit(tip - first)
    aside = np.mean([middles["rv"][z] - middles["lv"][z] for z in middles["rv"].keys() & middles["lv"].keys()], axis=0)
    area = max(np.count_nonzero(labels.array[:, :, z, frame] == CODES["lv"]) for z in slices[:2])
    radius = float(np.sqrt(area * cine.spacing_mm[0] * cine.spacing_mm[1] / np.pi))
    return _Heart(base=first, apex=tip, towards_rv=unit(aside - (aside @ axis) * axis), radius_mm=radius)


def _middles(cine: Cine, mask: NDArray[np.bool_]) -> dict[int, Array]:
    """Slice -> the middle of what is labelled in it, RAS mm."""
    found = {}
    for z in np.flatnonzero(mask.any(axis=(0, 1))):
        i, j = np.argwhere(mask[:, :, z]).mean(axis=0)
        found[int(z)] = apply_affine(cine.affine, np.array([i, j, float(z)]))
    return found
