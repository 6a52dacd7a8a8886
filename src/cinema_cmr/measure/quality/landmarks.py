"""Long-axis landmarks that no heart can have are left out, and the reader is told.

The limits are wide: they catch points that sit on another structure, not hearts that are ill. A mitral ring is
some 25 to 45 mm across and a left ventricle 60 to 120 mm long (Kawel-Boehm et al., JCMR 2020;22:87, with room for
disease); between neighbouring frames of a cycle of 20 or more nothing moves by a centimetre.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import Landmarks
from cinema_cmr.core.results import Flag, LandmarkPrediction
from cinema_cmr.core.vocabulary import LANDMARKS, View

__all__ = ["plausible_by_view", "plausible_landmarks"]

_RING_MM = (16.0, 62.0)
_LENGTH_MM = (42.0, 140.0)
_STEP_SHARE, _STEP_SHARE_OF_MANY = 0.25, 0.12
"""So far a point may lie off the middle between those of the frames before and after it, against the usual length of
the axis: in a cycle of any number of frames, and in one of 15 or more."""
_MANY = 15
_SPREAD_MM = 19.0
"""Hinges travel by up to 20 mm in all, the apex hardly: a point this far from its own median place is another one."""

_SURE = 0.5
"""Confidence of a point: its heatmap is 0.85 high and more on images like those that `cinema-lax` learned from."""

_MOST_LEFT_OUT = 0.2
"""So many frames left out, or more, say that the model does not see this heart."""

Frames = NDArray[np.bool_]


def plausible_landmarks(found: LandmarkPrediction) -> tuple[Landmarks | None, tuple[Flag, ...]]:
    """The landmarks without frames that no heart can show (NaN there), and a flag that tells how many they were.

    None where a fifth of the frames or more would go, or have no points at all.
    """
    landmarks = found.landmarks
    odd, missing, unsure = _odd_frames(landmarks), _missing_frames(landmarks), _unsure_frames(found)
    n_frames = len(odd)
    bad = odd | missing | unsure
    if not bad.any():
        return landmarks, ()
    evidence: dict[str, str | int] = {
        "frames": n_frames,
        "implausible_frames": int(odd.sum()),
        "frames_without_a_point": int(missing.sum()),
        "unsure_frames": int(unsure.sum()),
        "model": found.model,
    }
    title = landmarks.view.title
    if bad.mean() >= _MOST_LEFT_OUT:
        message = (
            f"{title} landmarks are missing, unsure or no heart's in {int(bad.sum())} of {n_frames} frames; nothing is"
            " measured from them"
        )
        flag = Flag(
            code=f"landmarks-implausible-{landmarks.view}", severity="warning", message=message, evidence=evidence
        )
        return None, (flag,)
    message = f"{title} landmarks of {int(bad.sum())} of {n_frames} frames are missing, unsure or no heart's: left out"
    flag = Flag(code=f"landmarks-excluded-{landmarks.view}", severity="info", message=message, evidence=evidence)
    kept = {name: np.where(bad[:, None], np.nan, points) for name, points in landmarks.points.items()}
    return Landmarks(view=landmarks.view, points=kept), (flag,)


def plausible_by_view(
    predictions: Mapping[View, LandmarkPrediction],
) -> tuple[dict[View, Landmarks], tuple[Flag, ...]]:
    """Return the `plausible_landmarks` of each view that has any, and the flags of all views."""
    checked = {view: plausible_landmarks(prediction) for view, prediction in predictions.items()}
    kept = {view: landmarks for view, (landmarks, _) in checked.items() if landmarks is not None}
    return kept, tuple(flag for _, flags in checked.values() for flag in flags)


def _missing_frames(landmarks: Landmarks) -> Frames:
    stacked = np.stack([landmarks.points[name][:, 0] for name in LANDMARKS[landmarks.view]])
    return np.asarray(np.isnan(stacked).any(axis=0))


def _unsure_frames(found: LandmarkPrediction) -> Frames:
    """(t,) frames with a point of low confidence; never of a model that has no heatmaps."""
    lowest = np.stack([found.confidence[name] for name in LANDMARKS[found.landmarks.view]])
    return np.asarray((lowest < _SURE).any(axis=0))


def _odd_frames(landmarks: Landmarks) -> Frames:
    """(t,) frames whose points are all there but cannot be a ventricle's."""
    first, second, apex = (landmarks.points[name] for name in LANDMARKS[landmarks.view])
    ring = np.linalg.norm(first - second, axis=1)
    length = np.linalg.norm(apex - (first + second) / 2, axis=1)
    odd = (ring < _RING_MM[0]) | (ring > _RING_MM[1]) | (length < _LENGTH_MM[0]) | (length > _LENGTH_MM[1])
    known = np.isfinite(length)
    if not known.any():
        return np.asarray(odd)
    usual = float(np.median(length[known]))
    for points in (first, second, apex):
        odd |= np.linalg.norm(points - np.nanmedian(points, axis=0), axis=1) > _SPREAD_MM
        odd |= _jumps(points, (_STEP_SHARE_OF_MANY if len(points) >= _MANY else _STEP_SHARE) * usual)
    return np.asarray(odd)


def _jumps(points: NDArray[np.float64], largest_mm: float) -> Frames:
    """(t,) frames whose point lies far from where the frames before and after it have theirs."""
    if len(points) < 3:
        return np.zeros(len(points), dtype=bool)
    between = (np.roll(points, 1, axis=0) + np.roll(points, -1, axis=0)) / 2
    return np.asarray(np.linalg.norm(points - between, axis=1) > largest_mm)
