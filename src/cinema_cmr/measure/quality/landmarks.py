"""Exclusion of implausible long-axis landmarks, with a flag.

The limits are wide: they catch points on another structure, not diseased hearts. A mitral ring is 25 to 45 mm wide and
a left ventricle 60 to 120 mm long (Kawel-Boehm et al., JCMR 2020;22:87, with a margin for disease); between
neighbouring frames of a cycle of 20 or more nothing moves by a centimetre.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import Landmarks
from cinema_cmr.core.results import Flag, LandmarkPrediction, Measurement
from cinema_cmr.core.vocabulary import LANDMARKS, View

__all__ = ["mapse_uneven", "plausible_by_view", "plausible_landmarks"]

_RING_MM = (16.0, 62.0)
_LEAST_FROM_AORTA_MM = 12.0
"""Least width of the valve in the 3-chamber view, where the ring is narrowest."""
_LENGTH_MM = (42.0, 140.0)
_STEP_SHARE, _FINE_STEP_SHARE = 0.25, 0.12
"""Largest distance of a point from the midpoint of its neighbouring frames, as a share of the median axis length: for
any number of frames, and for 15 or more."""
_FINE_FRAMES = 15
_SPREAD_MM = 19.0
"""Largest distance of a point from its median position; hinges travel up to 20 mm in total, the apex hardly moves."""

_MIN_CONFIDENCE = 0.5
"""Smallest confidence of a point; heatmaps reach 0.85 or more on images like the training data of `cinema-lax`."""

_MAX_EXCLUDED = 0.2
"""Share of excluded frames at which the model fails on this heart."""

_UNEVEN_MM = 10.0
"""Difference of MAPSE of both sides of the 4-chamber view above which a hinge point is rather elsewhere: 3.5 mm in the
median by the cavities drawn of 264 people in two frames, above 10 mm in 22, crude as those are (LOG.md, 2026-12-01)."""

Frames = NDArray[np.bool_]


def plausible_landmarks(prediction: LandmarkPrediction) -> tuple[Landmarks | None, tuple[Flag, ...]]:
    """Return the landmarks with NaN in implausible frames, and a flag with their number.

    The landmarks are None if a fifth of the frames or more are implausible, uncertain or without points. Frames that a
    reader corrected are kept, also alone.
    """
    landmarks = prediction.landmarks
    odd, missing, uncertain = _odd_frames(landmarks), _missing_frames(landmarks), _uncertain_frames(prediction)
    n_frames = len(odd)
    corrected = np.isin(np.arange(n_frames), sorted(prediction.corrected_frames)) & ~missing
    excluded = (odd | missing | uncertain) & ~corrected
    if not excluded.any():
        return landmarks, ()
    evidence: dict[str, str | int] = {
        "frames": n_frames,
        "implausible_frames": int(odd.sum()),
        "frames_without_a_point": int(missing.sum()),
        "uncertain_frames": int(uncertain.sum()),
        "model": prediction.model,
    }
    title = landmarks.view.title
    if excluded.mean() >= _MAX_EXCLUDED:
        message = (
            f"{title} landmarks are missing, uncertain or implausible in {int(excluded.sum())} of {n_frames} frames and"
            f" were {'measured in the corrected frames alone' if corrected.any() else 'not measured'}"
        )
        flag = Flag(
            code=f"landmarks-implausible-{landmarks.view}", severity="warning", message=message, evidence=evidence
        )
        return (_only(landmarks, corrected) if corrected.any() else None), (flag,)
    message = f"{title} landmarks of {int(excluded.sum())} of {n_frames} frames were excluded as implausible"
    flag = Flag(code=f"landmarks-excluded-{landmarks.view}", severity="info", message=message, evidence=evidence)
    return _only(landmarks, ~excluded), (flag,)


def _only(landmarks: Landmarks, kept: Frames) -> Landmarks:
    """Return the landmarks with NaN in all other frames."""
    points = {name: np.where(kept[:, None], points, np.nan) for name, points in landmarks.points.items()}
    return Landmarks(view=landmarks.view, points=points)


def plausible_by_view(
    predictions: Mapping[View, LandmarkPrediction],
) -> tuple[dict[View, Landmarks], tuple[Flag, ...]]:
    """Return the `plausible_landmarks` of each view that has any, and the flags of all views."""
    checked = {view: plausible_landmarks(prediction) for view, prediction in predictions.items()}
    kept = {view: landmarks for view, (landmarks, _) in checked.items() if landmarks is not None}
    return kept, tuple(flag for _, flags in checked.values() for flag in flags)


def mapse_uneven(values: Mapping[str, Measurement]) -> Flag | None:
    """Report a septal and a lateral hinge point whose excursions differ by a centimetre and more."""
    septal, lateral = (values[name].value if name in values else None for name in _SIDES)
    if septal is None or lateral is None or abs(septal - lateral) <= _UNEVEN_MM:
        return None
    ed, es = values[_SIDES[0]].frames
    return Flag(
        code="mapse-uneven",
        severity="warning",
        message=f"MAPSE is {septal:.1f} mm at the septal and {lateral:.1f} mm at the lateral hinge point: one of them"
        f" probably lies on another structure; look at both in frames {ed} and {es} of the 4-chamber view",
        evidence={"septal_mm": round(septal, 1), "lateral_mm": round(lateral, 1)},
    )


_SIDES = ("mapse_septal_mm", "mapse_lateral_mm")


def _missing_frames(landmarks: Landmarks) -> Frames:
    return np.asarray(np.isnan(np.stack(landmarks.tracks())[..., 0]).any(axis=0))


def _uncertain_frames(prediction: LandmarkPrediction) -> Frames:
    """Return the (t,) mask of frames with a point of low confidence; always False for a model without heatmaps."""
    lowest = np.stack([prediction.confidence[name] for name in LANDMARKS[prediction.landmarks.view]])
    return np.asarray((lowest < _MIN_CONFIDENCE).any(axis=0))


def _odd_frames(landmarks: Landmarks) -> Frames:
    """Return the (t,) mask of frames with all points, but in positions that no ventricle has."""
    first, second, apex = landmarks.tracks()
    ring = np.linalg.norm(first - second, axis=1)
    length = np.linalg.norm(apex - (first + second) / 2, axis=1)
    least = _LEAST_FROM_AORTA_MM if landmarks.view is View.LAX_3C else _RING_MM[0]
    odd = (ring < least) | (ring > _RING_MM[1]) | (length < _LENGTH_MM[0]) | (length > _LENGTH_MM[1])
    finite = np.isfinite(length)
    if not finite.any():
        return np.asarray(odd)
    median_mm = float(np.median(length[finite]))
    for points in (first, second, apex):
        odd |= np.linalg.norm(points - np.nanmedian(points, axis=0), axis=1) > _SPREAD_MM
        odd |= _jumps(points, (_FINE_STEP_SHARE if len(points) >= _FINE_FRAMES else _STEP_SHARE) * median_mm)
    return np.asarray(odd)


def _jumps(points: NDArray[np.float64], largest_mm: float) -> Frames:
    """Return the (t,) mask of frames whose point lies far from the midpoint of its neighbouring frames."""
    if len(points) < 3:
        return np.zeros(len(points), dtype=bool)
    between = (np.roll(points, 1, axis=0) + np.roll(points, -1, axis=0)) / 2
    return np.asarray(np.linalg.norm(points - between, axis=1) > largest_mm)
