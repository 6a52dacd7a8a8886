"""Basal end of a short-axis stack, from three kinds of evidence, two of which outweigh the third.

Masks: wall, LV blood and RV together fall in area towards the apex. They are compared at end-diastole, in slices whose
wall is closed: above the valve rim and wall open and the areas fall too, so that over all slices a stack without its
apical ones looks as if it ended at the base on the other side. Long axes: mitral hinge points and apex. Orientation:
the direction of the apex in an average chest, which also holds in dextrocardia and does not depend on how the patient
lay; animals and rotated exports break it. Without two that agree, the masks decide if their walls are closed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cinema_cmr.core.annotation import LabelMap, Landmarks
from cinema_cmr.core.geometry import unit
from cinema_cmr.core.vocabulary import CINE_LABELS, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.basal.rim import enclosed_fractions

__all__ = ["BasalEnd", "BasalEvidence", "Source", "find_base"]

BasalEnd = Literal["first", "last"]
"""First or last slice of the stack."""

Source = Literal["masks", "long axes", "orientation"]

APEX_DIRECTION_RAS = np.array([-1.0, 1.0, -1.0])
"""Direction of the apex in an average chest: left, front, feet."""

MAX_APEX_ANGLE_DEG = 75.0
"""Largest angle of the normal of the stack to that direction; 70 in the mirror image of an average chest."""

CLOSED_WALL = 0.9
"""Share of the rim in myocardium from which a slice lies between valve and apex."""

MIN_CLOSED_SLICES = 3
"""Smallest number of closed slices that are compared with each other; with fewer, all slices with LV blood are."""

CLEAR_TILT, CLEAR_OPEN_TILT = 0.03, 0.05
"""Smallest tilt that determines the base, over closed slices and over others. ACDC's 100 training patients (expert
labels) have 0.06 or more. If one, two or three apical slices are missing, 0, 0 and 2 of them reach it on the wrong
side; of 100 phantoms none does."""

SLIGHT_TILT = 0.01
"""Smallest tilt that is better than none."""

MIN_AXIS_MM = 20.0
"""Smallest distance of hinge points and apex along the normal of the stack."""

_CODES = {label.name: label.code for label in CINE_LABELS}


@dataclass(frozen=True, kw_only=True)
class BasalEvidence:
    """The basal end of a stack and what shows it."""

    end: BasalEnd | None
    """End of the stack at which the base lies; None if nothing determines it."""
    votes: Mapping[Source, BasalEnd]
    """The end by each kind of evidence that is clear."""
    tilt: float
    """Offset of the centroid of the heart's areas from the middle of their slices, as a share of the length; positive
    towards the first slice."""
    walled: bool
    """Whether any myocardium is labelled; without it the base changes no volume."""

    @property
    def by_tilt(self) -> BasalEnd | None:
        """The end by the masks, however slightly; None if they show nothing."""
        return _end(self.tilt, SLIGHT_TILT)

    @property
    def opposed(self) -> tuple[Source, ...]:
        """Evidence for the other end, that of masks however slight."""
        slight: dict[Source, BasalEnd] = {} if self.by_tilt is None else {"masks": self.by_tilt}
        return tuple(source for source, end in {**slight, **self.votes}.items() if end != self.end)


def find_base(cine: Cine, labels: LabelMap, landmarks: Mapping[View, Landmarks] | None = None) -> BasalEvidence:
    """Find the basal end of a stack from its mask, the `landmarks` of long-axis views (RAS mm) and its orientation."""
    tilt, closed = _tilt(cine, labels)
    by_masks = _end(tilt, CLEAR_TILT if closed else CLEAR_OPEN_TILT)
    others: dict[Source, BasalEnd | None] = {
        "long axes": _end(_depth_of_apex_mm(cine, landmarks or {}), MIN_AXIS_MM),
        "orientation": _base_by_orientation(cine),
    }
    ordered: dict[Source, BasalEnd | None]
    ordered = {"masks": by_masks, **others} if closed else {**others, "masks": by_masks}
    votes: dict[Source, BasalEnd] = {source: end for source, end in ordered.items() if end is not None}
    return BasalEvidence(
        # Of ends with as many votes the one whose first vote comes first.
        end=Counter(votes.values()).most_common(1)[0][0] if votes else _end(tilt, SLIGHT_TILT),
        votes=votes,
        tilt=tilt,
        walled=bool((labels.array == _CODES["myo"]).any()),
    )


def _end(value: float, smallest: float) -> BasalEnd | None:
    """Return the end of a value that is positive if the first slice is the basal one; None below `smallest`."""
    if abs(value) < smallest:
        return None
    return "first" if value > 0 else "last"


def _tilt(cine: Cine, labels: LabelMap) -> tuple[float, bool]:
    """Return the tilt of the heart at ED towards the first slice, and whether it is that of closed slices."""
    blood = np.count_nonzero(labels.array == _CODES["lv"], axis=(0, 1))
    if not blood.any():
        return 0.0, False
    ed = int(np.argmax(cine.slice_weights_mm @ blood))
    frame = labels.array[..., ed : ed + 1]
    rim = np.nan_to_num(enclosed_fractions(cine, LabelMap(array=frame))[:, 0])
    slices = np.flatnonzero(rim >= CLOSED_WALL)
    closed = len(slices) >= MIN_CLOSED_SLICES
    slices = slices if closed else np.flatnonzero(blood[:, ed])
    depths_mm, extents_mm = cine.slice_positions_mm[slices], cine.slice_weights_mm[slices]
    length_mm = float(depths_mm[-1] - depths_mm[0])
    if not length_mm:
        return 0.0, False
    middle_mm = np.average(depths_mm, weights=extents_mm)
    areas = np.count_nonzero(frame[:, :, slices, 0], axis=(0, 1))
    return float((middle_mm - np.average(depths_mm, weights=extents_mm * areas)) / length_mm), closed


def _depth_of_apex_mm(cine: Cine, landmarks: Mapping[View, Landmarks]) -> float:
    """Return the mean distance of the apex beyond the hinge points along the stack; 0 if none of them can be placed."""
    if not cine.orientation_known:
        return 0.0
    normal = unit(np.cross(cine.affine[:3, 0], cine.affine[:3, 1]))
    upwards = normal if normal @ cine.affine[:3, 2] > 0 else -normal
    depths = [
        (apex - (first + second) / 2) @ upwards for first, second, apex in (one.tracks() for one in landmarks.values())
    ]
    found = [float(np.nanmean(depth)) for depth in depths if np.isfinite(depth).any()]
    return float(np.mean(found)) if found else 0.0


def _base_by_orientation(cine: Cine) -> BasalEnd | None:
    if not cine.orientation_known:
        return None
    towards_apex = float(unit(cine.affine[:3, 2]) @ unit(APEX_DIRECTION_RAS))
    return _end(towards_apex, float(np.cos(np.radians(MAX_APEX_ANGLE_DEG))))
