"""Landmarks of a review and of its results: what differs between the two, and what is taken over."""

from __future__ import annotations

from cinema_cmr.core.edits import MovedPoint
from cinema_cmr.report.record.review import Review
from cinema_cmr.report.record.study_record import StudyRecord

__all__ = ["moved_points", "take_points"]


def moved_points(record: StudyRecord, review: Review) -> tuple[MovedPoint, ...]:
    """Return the landmarks that lie elsewhere than in the results: moved here, or taken back to the model's own."""
    kept = {one.key for one in review.points}
    back = [one for one in (record.edits.points if record.edits else ()) if one.key not in kept]
    moved = [one for one in review.points if not one.in_results]
    return (
        *(MovedPoint(view=one.view, name=one.name, frame=one.frame, position_ras_mm=None) for one in back),
        *(
            MovedPoint(view=one.view, name=one.name, frame=one.frame, position_ras_mm=one.position_ras_mm)
            for one in moved
        ),
    )


def take_points(record: StudyRecord, review: Review) -> Review:
    """Return the review with the landmarks that another program moved after the reader's last act.

    Of a point that was moved here and there the later place stays.
    """
    edits = record.edits
    if edits is None or not edits.moved_points_since(review.last_act):
        return review
    there = {one.key: one.now_ras_mm for one in edits.points}
    drawn = {one.key for one in review.points if not one.in_results and one.changed >= edits.last_time}
    for one in review.points:
        if one.in_results and one.key not in there:
            review = review.with_point(*one.key, None)
    for key, position in there.items():
        if key not in drawn:
            review = review.with_point(*key, position, in_results=True)
    return review
