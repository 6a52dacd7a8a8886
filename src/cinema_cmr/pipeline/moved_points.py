"""Landmarks of finished results with points that a reader moved, and the points that differ from the model's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import Landmarks
from cinema_cmr.core.edits import MovedPoint, PointEdit, Position
from cinema_cmr.core.errors import InputError, UsageError, unknown_name
from cinema_cmr.core.results import LandmarkPrediction
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.pipeline.restored_parts import stored_landmarks
from cinema_cmr.report.record.study_record import StudyRecord

__all__ = ["check_point", "move_points", "parse_point", "taken_back"]

_SAME_MM = 0.01
"""Distance from the model's own point below which nothing was moved: records have six digits."""

Key = tuple[View, str, int]


def parse_point(text: str, position: Sequence[float] | None) -> MovedPoint:
    """Return the moved point of a text such as "lax_4c:mitral_septal:8"; None for a position is the model's own.

    Raises `UsageError` for another form, `UnknownNameError` for a view or landmark that does not exist.
    """
    parts = text.split(":")
    if len(parts) != 3 or not parts[2].isdecimal() or (position is not None and len(position) != 3):
        raise UsageError(f"'{text}' was given for a landmark; expected VIEW:NAME:FRAME and x, y, z in RAS mm")
    ras = None if position is None else (float(position[0]), float(position[1]), float(position[2]))
    if ras is not None and not np.isfinite(ras).all():
        raise UsageError(f"'{text}' was given a position that is not finite; expected x, y, z in RAS mm")
    return MovedPoint(view=View.parse(parts[0]), name=parts[1], frame=int(parts[2]), position_ras_mm=ras)


def check_point(record: StudyRecord, view: View, name: str, frame: int) -> None:
    """Raise `InputError` for a view without landmarks or a frame that it lacks, `UnknownNameError` for another name."""
    found = {one.view: one for one in record.landmarks}
    if view not in found:
        raise InputError(
            f"a landmark of the {view.title} view was given, of which '{record.study.name}' has none; expected one of:"
            f" {', '.join(found) or 'none'}"
        )
    if name not in LANDMARKS[view]:
        raise unknown_name("landmark", name, LANDMARKS[view])
    n_frames = len(found[view].points_ras_mm[name])
    if not 0 <= frame < n_frames:
        raise InputError(f"frame {frame} of the {view.title} landmarks; expected 0 to {n_frames - 1}")


def move_points(
    record: StudyRecord, moved: Iterable[MovedPoint]
) -> tuple[dict[View, LandmarkPrediction], tuple[PointEdit, ...]]:
    """Return the landmarks of a record with moved points, and all points that then differ from the model's own.

    A moved point is certain: its confidence is 1. Raises as `check_point`.
    """
    predictions = {view: _copied(one) for view, one in stored_landmarks(record).items()}
    edits = {edit.key: edit for edit in (record.edits.points if record.edits else ())}
    for one in moved:
        check_point(record, one.view, one.name, one.frame)
        _move(predictions[one.view], edits, one)
    for view, prediction in predictions.items():
        frames = frozenset(edit.frame for edit in edits.values() if edit.view == view)
        predictions[view] = replace(prediction, corrected_frames=frames)
    return predictions, tuple(edits[key] for key in sorted(edits))


def taken_back(record: StudyRecord) -> tuple[MovedPoint, ...]:
    """Return what makes every moved landmark of a record the model's own again."""
    edits = record.edits.points if record.edits else ()
    return tuple(MovedPoint(view=one.view, name=one.name, frame=one.frame, position_ras_mm=None) for one in edits)


def _move(prediction: LandmarkPrediction, edits: dict[Key, PointEdit], one: MovedPoint) -> None:
    """Move a point in place, or take it back to the model's own."""
    points, confidence = prediction.landmarks.points[one.name], prediction.confidence[one.name]
    key = one.view, one.name, one.frame
    before = edits.pop(key, None)
    own = before.model_ras_mm if before else _position(points[one.frame])
    certainty = before.model_confidence if before else _number(confidence[one.frame])
    position = None if one.position_ras_mm is None else _rounded(one.position_ras_mm)
    if position is None or (own is not None and np.linalg.norm(np.subtract(position, own)) < _SAME_MM):
        points[one.frame] = np.nan if own is None else own
        confidence[one.frame] = np.nan if certainty is None else certainty
        return
    points[one.frame], confidence[one.frame] = position, 1.0
    edits[key] = PointEdit(
        view=one.view,
        name=one.name,
        frame=one.frame,
        model_ras_mm=own,
        model_confidence=certainty,
        now_ras_mm=position,
    )


def _copied(prediction: LandmarkPrediction) -> LandmarkPrediction:
    """Return a prediction whose points and confidences can be changed in place."""
    points: Mapping[str, NDArray[np.float64]] = {k: v.copy() for k, v in prediction.landmarks.points.items()}
    return replace(
        prediction,
        landmarks=Landmarks(view=prediction.landmarks.view, points=points),
        confidence={name: values.copy() for name, values in prediction.confidence.items()},
    )


def _position(point: NDArray[np.float64]) -> Position | None:
    return (float(point[0]), float(point[1]), float(point[2])) if np.isfinite(point).all() else None


def _rounded(position: Position) -> Position:
    """Return a position to the micrometre, as records keep it."""
    x, y, z = (round(value, 3) for value in position)
    return x, y, z


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
