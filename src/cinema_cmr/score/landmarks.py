"""Distances between predicted and reference landmarks, in mm of patient space."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import Landmarks
from cinema_cmr.core.errors import InputError, UsageError

__all__ = ["detection_rates", "hinge_and_apex_distances_mm", "landmark_distances_mm"]

Array = NDArray[np.float64]


def landmark_distances_mm(predicted: Landmarks, reference: Landmarks) -> dict[str, Array]:
    """Return the Euclidean distance of each named point, (t,) in mm; NaN in frames where either lacks the point.

    Report `detection_rates` with it, because a missed point has no distance. Raises `UsageError` for
    landmarks of different views or names, `InputError` for different numbers of frames.
    """
    return {name: np.linalg.norm(points - target, axis=-1) for name, points, target in _pairs(predicted, reference)}


def detection_rates(predicted: Landmarks, reference: Landmarks) -> dict[str, float]:
    """Return the fraction of frames with a reference point that have a predicted one, 0 to 1; NaN without any.

    Raises as `landmark_distances_mm` does.
    """
    return {name: _detection_rate(points, target) for name, points, target in _pairs(predicted, reference)}


def hinge_and_apex_distances_mm(found: Array, drawn: Array) -> tuple[float, float]:
    """Return the mean distance of two hinge points whose sides are not known, and that of the apex.

    Both (3, n) in mm: hinge points in any order, paired by the smaller sum of distances, then the apex.

    >>> drawn = np.array([[0.0, 0.0], [30.0, 0.0], [15.0, 80.0]])
    >>> hinge_and_apex_distances_mm(drawn[[1, 0, 2]] + [0.0, 2.0], drawn)
    (2.0, 2.0)
    """
    apart = [np.linalg.norm(found[order] - drawn, axis=1) for order in ([0, 1, 2], [1, 0, 2])]
    nearer = min(apart, key=lambda one: float(one[:2].sum()))
    return float(nearer[:2].mean()), float(nearer[2])


def _detection_rate(points: Array, target: Array) -> float:
    present = np.isfinite(target).all(axis=-1)
    return float(np.isfinite(points[present]).all(axis=-1).mean()) if present.any() else float("nan")


def _pairs(predicted: Landmarks, reference: Landmarks) -> list[tuple[str, Array, Array]]:
    """Return name, predicted (t, 3) and reference (t, 3) of every point, after checks."""
    if predicted.view != reference.view or predicted.points.keys() != reference.points.keys():
        raise UsageError(
            f"predicted landmarks are {sorted(predicted.points)} of the {predicted.view.title} view, those of the"
            f" reference {sorted(reference.points)} of the {reference.view.title} view; expected the same of both"
        )
    pairs = [(name, points, reference.points[name]) for name, points in predicted.points.items()]
    for name, points, target in pairs:
        if points.shape != target.shape:
            raise InputError(
                f"landmark '{name}' has shape {points.shape}; expected that of its reference, {target.shape}"
            )
    return pairs
