"""Masks and landmarks of the long-axis views of a study, using the predictions of its other views."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cinema_cmr.core.annotation import Landmarks
from cinema_cmr.core.results import LandmarkPrediction, Prediction
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import VENTRICULAR_SCHEMES, View
from cinema_cmr.data.heart_position import heart_positions
from cinema_cmr.inference.landmark_predictor import LandmarkPredictor
from cinema_cmr.inference.predictor import predict_cine
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.measure.long_axis.estimate import estimate_landmarks
from cinema_cmr.measure.long_axis.mask import landmarks_from_mask

__all__ = ["predict_landmarks", "segment_long_axes"]


def segment_long_axes(
    study: Study,
    segmenter: Segmenter | None,
    *,
    predicted: Mapping[View, Prediction],
    views: Iterable[View] | None = None,
) -> dict[View, Prediction]:
    """Segment the long-axis cines of a cine study that are not `predicted` yet; {} without a model or such a view.

    `views`: those that are needed; None for all of the model's.
    """
    if segmenter is None or study.modality != "cine":
        return {}
    wanted = list(segmenter.card.grids) if views is None else [view for view in views if view in segmenter.card.grids]
    missing = [view for view in wanted if view in study and view not in predicted]
    places = heart_positions(study) if missing else {}
    return {view: predict_cine(study.cine(view), segmenter, place=places.get(view)) for view in missing}


def predict_landmarks(
    study: Study, predicted: Mapping[View, Prediction], predictor: LandmarkPredictor | None
) -> dict[View, LandmarkPrediction]:
    """Predict the landmarks of the long-axis cines, guided by masks; {} without a predictor or such a view.

    Masks of the same planes guide the search, else estimates from the short-axis mask. Masks that are not `predicted`
    yet come from the segmenter of the predictor, if it has one.
    """
    if predictor is None or study.modality != "cine" or not any(view in study for view in predictor.card.grids):
        return {}
    stack = predicted.get(View.SAX)
    is_cine = stack is not None and stack.labels.scheme == "cine"
    expected = estimate_landmarks(study, stack.labels) if stack is not None and is_cine else None
    views = predictor.card.grids
    masks = {**predicted, **segment_long_axes(study, predictor.segmenter, predicted=predicted, views=views)}
    mask_points: dict[View, Landmarks] = {}
    for view in views:
        if view in masks and view in study and masks[view].labels.scheme in VENTRICULAR_SCHEMES:
            points = landmarks_from_mask(masks[view].labels, study.cine(view))
            mask_points |= {} if points is None else {view: points}
    return predictor.predict(study, expected, mask_points)
