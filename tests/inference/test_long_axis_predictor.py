"""Long-axis views: masks are predicted once, and guide the landmarks if they are of the same plane."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from long_axes import POINTS, annotated, cine, in_patient, model
from oracles import CPU, Nothing

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.card import Grid, ModelCard
from cinema_cmr.core.results import HeartLocation, Prediction
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.inference.landmark_predictor import LandmarkPredictor
from cinema_cmr.inference.long_axis_predictor import predict_landmarks, segment_long_axes
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.models.loaded import LoadedModel

STUDY = annotated().study
NAMES = LANDMARKS[View.LAX_4C]


def empty_segmenter() -> Segmenter:
    grid = Grid(spacing_mm=1.5, size=(64, 64), percentiles=(0.0, 100.0))
    card = ModelCard(name="empty", task="segment", architecture="none", config={}, grids={View.LAX_4C: grid})
    return Segmenter(LoadedModel(model=Nothing(), card=card), CPU)


def prediction_of(labels: np.ndarray) -> Prediction:  # type: ignore[type-arg]
    return Prediction(
        view=View.LAX_4C,
        labels=LabelMap(array=labels),
        confidence=np.ones(labels.shape[3], np.float32),
        location=HeartLocation(centre=(0.0, 0.0), method="given"),
    )


EMPTY = prediction_of(np.zeros(cine().array.shape, np.uint8))


def test_views_are_segmented_unless_they_are_predicted_already() -> None:
    assert set(segment_long_axes(STUDY, empty_segmenter(), predicted={})) == {View.LAX_4C}
    assert segment_long_axes(STUDY, empty_segmenter(), predicted={View.LAX_4C: EMPTY}) == {}
    assert segment_long_axes(STUDY, empty_segmenter(), predicted={}, views=[View.LAX_2C]) == {}
    assert segment_long_axes(STUDY, None, predicted={}) == {}
    assert segment_long_axes(replace(STUDY, modality="lge"), empty_segmenter(), predicted={}) == {}


@pytest.mark.parametrize("predicted", [{}, {View.LAX_4C: EMPTY}])
def test_landmarks_without_a_useful_mask_come_from_the_heatmaps(predicted: dict[View, Prediction]) -> None:
    found = predict_landmarks(STUDY, predicted, LandmarkPredictor(model(), CPU))[View.LAX_4C]
    points = np.stack([found.landmarks.points[name] for name in NAMES], axis=1)
    assert np.abs(points - in_patient(POINTS)).max() < 0.5


def test_no_landmarks_without_a_predictor_a_cine_or_a_view() -> None:
    predictor = LandmarkPredictor(model(), CPU)
    assert predict_landmarks(STUDY, {}, None) == {}
    assert predict_landmarks(replace(STUDY, modality="lge"), {}, predictor) == {}
    assert predict_landmarks(replace(STUDY, cines=()), {}, predictor) == {}


def test_a_mask_with_atria_guides_as_one_without() -> None:
    """Its points stand where the images show none, which only a mask can."""
    i, j = np.meshgrid(np.arange(130), np.arange(120), indexing="ij")
    plane = np.zeros((130, 120), np.uint8)
    for code, reach in ((2, 1.35), (3, 1.0)):
        plane[(((i - 72) / (18 * reach)) ** 2 + ((j - 70) / (52 * reach)) ** 2 < 1) & (j <= 70)] = code
    plane[(((i - 72) / 16) ** 2 + ((j - 70) / 30) ** 2 < 1) & (j > 70)] = 4
    labels = np.repeat(plane[:, :, None, None], 2, axis=3)
    dark = replace(STUDY, cines=(replace(cine(), array=np.zeros(labels.shape, np.float32)),))
    predictor = LandmarkPredictor(model(), CPU)
    drawn = replace(EMPTY, labels=LabelMap(array=labels, scheme="chambers"))
    without = replace(EMPTY, labels=drawn.labels.in_scheme("cine"))
    points = [
        predict_landmarks(dark, {View.LAX_4C: one}, predictor)[View.LAX_4C].landmarks.points for one in (drawn, without)
    ]
    assert all(np.isfinite(points[0][name]).all() for name in NAMES)
    assert all((points[0][name] == points[1][name]).all() for name in NAMES)
