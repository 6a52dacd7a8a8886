"""The long-axis views of a study beside its stack: their masks, and landmarks from all that has been seen."""

from __future__ import annotations

from collections.abc import Mapping

from cinema_cmr.core.annotation import Landmarks
from cinema_cmr.core.results import LandmarkPrediction, Prediction
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.inference.landmark_predictor import LandmarkPredictor
from cinema_cmr.inference.predictor import predict_study
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.measure.long_axis_mask import landmarks_from_mask
from cinema_cmr.measure.long_axis_place import estimate_landmarks

__all__ = ["predict_landmarks", "segment_long_axes"]


def segment_long_axes(
    study: Study, segmenter: Segmenter | None, *, seen: Mapping[View, Prediction]
) -> dict[View, Prediction]:
    """Masks of the long-axis cines of a cine study that are not `seen` yet; {} without a model or such a view."""
    if segmenter is None or study.modality != "cine":
        return {}
    has_any = any(view in study and view not in seen for view in segmenter.card.grids)
    found = predict_study(study, segmenter) if has_any else {}
    return {view: prediction for view, prediction in found.items() if view not in seen}


def predict_landmarks(
    study: Study, seen: Mapping[View, Prediction], finder: LandmarkPredictor | None
) -> dict[View, LandmarkPrediction]:
    """Landmarks of the long-axis cines: where masks of the same planes show them, else where the short-axis mask lets
    them be expected; {} without a model or such a view.

    Masks of these planes that are not `seen` are drawn by the finder's own segmenter, if it has one.
    """
    if finder is None or study.modality != "cine" or not any(view in study for view in finder.card.grids):
        return {}
    stack = seen.get(View.SAX)
    is_cine = stack is not None and stack.labels.scheme == "cine"
    expected = estimate_landmarks(study, stack.labels) if stack is not None and is_cine else None
    masks = {**seen, **segment_long_axes(study, finder.segmenter, seen=seen)}
    drawn: dict[View, Landmarks] = {}
    for view in finder.card.grids:
        if view in masks and view in study and masks[view].labels.scheme == "cine":
            points = landmarks_from_mask(masks[view].labels, study.cine(view))
            drawn |= {} if points is None else {view: points}
    return finder.predict(study, expected, drawn)
