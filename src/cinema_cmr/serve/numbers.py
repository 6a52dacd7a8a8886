"""Measurements of corrected labels at once: the very functions of `measure`, on the part of the image with labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap, Landmarks
from cinema_cmr.core.results import LandmarkPrediction, Measurements
from cinema_cmr.core.serialise import from_dict
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.measure import MeasureOptions, measure_masks
from cinema_cmr.measure.quality.landmarks import plausible_by_view
from cinema_cmr.report.record.run_record import RunRecord
from cinema_cmr.report.record.study_record import LandmarkRecord, Point, StudyRecord
from cinema_cmr.serve.review import Review

__all__ = ["crop_to_labels", "measure_corrected"]

_MARGIN = 2
"""Pixels kept around the labels."""


def measure_corrected(
    record: StudyRecord,
    run: RunRecord,
    cines: Mapping[View, Cine],
    labels: Mapping[View, LabelMap],
    review: Review,
) -> Measurements:
    """Measure labels by the options of a run; the reader's ED and ES take the place of those found."""
    known = {field.name for field in fields(MeasureOptions)}
    options = from_dict(MeasureOptions, {name: value for name, value in run.options.items() if name in known})
    chosen = {name: getattr(review, name) for name in ("ed_frame", "es_frame")}
    options = replace(options, **{name: frame for name, frame in chosen.items() if frame is not None})
    cropped = {view: crop_to_labels(cines[view], labels[view]) for view in labels}
    study = Study(
        name="", cines=tuple(cine for cine, _ in cropped.values()), subject=record.subject, modality=record.study.modality
    )
    landmarks, _ = plausible_by_view({one.view: _landmarks(one) for one in record.landmarks})
    return measure_masks(study, {view: part for view, (_, part) in cropped.items()}, options=options, landmarks=landmarks)


def crop_to_labels(cine: Cine, labels: LabelMap) -> tuple[Cine, LabelMap]:
    """Return the in-plane part around all labels: most of an image is empty, and adds to no measurement."""
    found = np.any(labels.array > 0, axis=(2, 3))
    if not found.any():
        return cine, labels
    (left, right), (top, bottom) = (_extent(np.any(found, axis=axis)) for axis in (1, 0))
    affine = cine.affine.copy()
    affine[:3, 3] += affine[:3, 0] * left + affine[:3, 1] * top
    part = replace(cine, array=cine.array[left:right, top:bottom], affine=affine, source=None, sources=None)
    return part, replace(labels, array=np.ascontiguousarray(labels.array[left:right, top:bottom]))


def _extent(found: NDArray[np.bool_]) -> tuple[int, int]:
    places = np.flatnonzero(found)
    return max(0, int(places[0]) - _MARGIN), min(found.size, int(places[-1]) + 1 + _MARGIN)


def _landmarks(one: LandmarkRecord) -> LandmarkPrediction:
    points = {name: np.array([_point(point) for point in by_frame]) for name, by_frame in one.points_ras_mm.items()}
    confidence = {name: np.array(by_frame, dtype=np.float64) for name, by_frame in one.confidence.items()}
    landmarks = Landmarks(view=one.view, points=points)
    return LandmarkPrediction(landmarks=landmarks, confidence=confidence, centre=(np.nan, np.nan), model=one.model)


def _point(point: Point | None) -> tuple[float, float, float]:
    return (np.nan, np.nan, np.nan) if point is None else point
