"""Values of the 17 AHA segments, interpolated smoothly over the wall of the left ventricle.

Segments: Cerqueira et al., Circulation 2002;105:539. Angles run from the middle of the septum towards the
anterior wall, levels from base (0) to the tip of the cavity (1).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["SEGMENT_CENTRES", "SegmentValues", "draw_contraction", "draw_thickness", "interpolate_segments"]

Array = NDArray[np.float64]
SegmentValues = tuple[float, ...]
"""17 values in the order of the segment numbers."""

_BASAL = {1: 90.0, 2: 30.0, 3: -30.0, 4: -90.0, 5: -150.0, 6: 150.0}
_APICAL = {13: 90.0, 14: 0.0, 15: -90.0, 16: 180.0}
_NODES = np.linspace(0, 2 * np.pi, 1441)
_LEVELS = (1 / 6, 1 / 2, 5 / 6)

SEGMENT_CENTRES: Mapping[int, tuple[float, float]] = {
    **{number: (angle, _LEVELS[0]) for number, angle in _BASAL.items()},
    **{number + 6: (angle, _LEVELS[1]) for number, angle in _BASAL.items()},
    **{number: (angle, _LEVELS[2]) for number, angle in _APICAL.items()},
}
"""Segment -> angle in degrees and level of its centre; without 17, the apex."""

_NORMAL_THICKNESS = (1.0, 1.1, 1.15, 1.0, 0.95, 0.95, 0.92, 1.0, 1.05, 0.95, 0.9, 0.9, 0.82, 0.85, 0.82, 0.8, 0.6)
"""Relative to the mean: the septum is thickest, the apex thin (Kawel et al., Circ Cardiovasc Imaging 2012;5:500)."""

_TERRITORIES = {
    "left anterior descending": (1, 2, 7, 8, 13, 14, 17),
    "right coronary": (3, 4, 9, 10, 15),
    "circumflex": (5, 6, 11, 12, 16),
}
"""Coronary artery -> its segments (Cerqueira et al. 2002)."""


def draw_thickness(group: str, contraction: SegmentValues, rng: np.random.Generator) -> SegmentValues:
    """Draw the relative ED thickness of each segment; hypertrophy is asymmetric, mostly septal, and scar is thin."""
    values = np.array(_NORMAL_THICKNESS) * (1 + 0.06 * rng.standard_normal(17))
    pattern, peak = rng.uniform(), rng.uniform(0.5, 1.1)
    if group == "HCM":
        centre = (15.0, 0.3) if pattern < 0.75 else (0.0, 0.85)
        for number, (angle, level) in SEGMENT_CENTRES.items():
            angle_off = (angle - centre[0] + 180) % 360 - 180
            values[number - 1] *= 1 + peak * np.exp(
                -0.5 * (angle_off / 65) ** 2 - 0.5 * ((level - centre[1]) / 0.4) ** 2
            )
    thinning = rng.uniform(0.55, 0.85)
    if group == "MINF":
        values *= np.where(np.array(contraction) < 0.3, thinning, 1.0)
    return tuple(float(value) for value in values)


def draw_contraction(group: str, rng: np.random.Generator) -> SegmentValues:
    """Draw the relative contraction of each segment; segments of an infarct hardly move or bulge."""
    values = np.clip(1 + 0.05 * rng.standard_normal(17), 0.88, 1.12)
    territory = list(_TERRITORIES)[int(rng.choice(3, p=(0.5, 0.3, 0.2)))]
    remaining = rng.uniform(-0.1, 0.25, 17)
    border = rng.uniform(0.25, 1.0)
    if group == "MINF":
        for number in _TERRITORIES[territory]:
            basal = number <= 6
            values[number - 1] = border if basal else remaining[number - 1]
    if group == "DCM":
        values = np.clip(values + 0.12 * rng.standard_normal(17), 0.5, 1.4)
    return tuple(float(value) for value in values)


def interpolate_segments(values: SegmentValues, theta: Array, level: Array) -> Array:
    """Interpolate segment values at angles (radians) and levels (0 base to 1 tip), smoothly between the centres."""
    angle = np.mod(theta, 2 * np.pi)
    at_levels = [np.interp(angle, _NODES, ring) for ring in _rings(values)]
    nodes = (*_LEVELS, 1.0)
    result = np.broadcast_to(at_levels[0], np.broadcast_shapes(np.shape(theta), np.shape(level))).copy()
    for low, high, upper in zip(nodes[:-1], nodes[1:], at_levels[1:], strict=True):
        share = np.clip((level - low) / (high - low), 0, 1)
        result = result + share * (upper - result)
    return np.asarray(result)


@lru_cache(maxsize=64)
def _rings(values: SegmentValues) -> tuple[Array, ...]:
    """Return the values around the basal, mid and apical level and at the tip, on `_NODES`."""
    mid = {number + 6: angle for number, angle in _BASAL.items()}
    rings = [_ring(values, centres, _NODES) for centres in (_BASAL, mid, _APICAL)]
    return (*rings, np.full(_NODES.shape, values[16]))


def _ring(values: SegmentValues, centres: Mapping[int, float], theta: Array) -> Array:
    """Return the values around one level, with von Mises weights of the distance to each segment."""
    sharpness = 1.2 * len(centres)
    total, weights = np.zeros(np.shape(theta)), np.zeros(np.shape(theta))
    for number, angle in centres.items():
        weight = np.exp(sharpness * (np.cos(theta - np.radians(angle)) - 1))
        total += weight * values[number - 1]
        weights += weight
    return total / weights
