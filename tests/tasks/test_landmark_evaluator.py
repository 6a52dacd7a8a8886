"""Distances in mm, what was found, and the motion that points measure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from long_axes import POINTS, Reads, annotated, in_patient, model
from oracles import CPU, heart
from oracles import annotated as short_axis

from cinema_cmr.core.annotation import Landmarks
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.tasks.evaluator import PredictionOptions
from cinema_cmr.tasks.landmark import LandmarkEvaluator, score_landmarks
from cinema_cmr.tasks.result import Result, summarise

NAMES = LANDMARKS[View.LAX_4C]


def landmarks(points: np.ndarray) -> dict[View, Landmarks]:  # type: ignore[type-arg]
    placed = in_patient(points)
    return {View.LAX_4C: Landmarks(view=View.LAX_4C, points={n: placed[:, k] for k, n in enumerate(NAMES)})}


def moved(voxels: float) -> np.ndarray:  # type: ignore[type-arg]
    """The points, so many voxels of 1.2 mm further along the columns."""
    return POINTS + np.array([voxels, 0.0])


def scored(patient: str, voxels: float) -> Result:
    return score_landmarks(replace(annotated(patient), landmarks=landmarks(POINTS)), landmarks(moved(voxels)))


def test_a_shift_of_known_length_is_the_distance() -> None:
    result = scored("p", 2.0)
    names = [f"distance_mm_lax_4c:{name}" for name in NAMES]
    assert all(result.scores[name] == pytest.approx(2.4) for name in ("distance_mm", *names))
    assert all(result.scores[f"found_lax_4c:{name}"] == 1 for name in NAMES)
    assert all(frame == pytest.approx(dict.fromkeys(names, 2.4)) for frame in result.frames)
    assert result.measured["mapse_mean_mm"] == pytest.approx(result.reference["mapse_mean_mm"])


def test_only_studies_with_landmarks_of_the_views_can_be_scored() -> None:
    its = LandmarkEvaluator(model(), CPU, PredictionOptions())
    assert its.not_scorable(annotated("a")) is None
    assert its.not_scorable(short_axis(heart())) == "no landmarks of the 4-chamber"
    assert its.evaluate(annotated("a")).scores["distance_mm"] < 0.6


def test_the_summary_is_over_patients() -> None:
    found = summarise([scored("a", 1.0), scored("b", 3.0)])
    assert found.n_patients == 2 and found.scores["distance_mm"].value == pytest.approx(2.4)
    assert found.scores["distance_mm_lax_4c:apex"].n == 2
    assert found.measurements["mapse_septal_mm"].bias == pytest.approx(0.0, abs=1e-9)


def test_a_point_that_was_not_found_has_no_distance() -> None:
    its = LandmarkEvaluator(model(Reads(lost=2)), CPU, PredictionOptions())
    found = summarise([its.evaluate(annotated("a")), its.evaluate(annotated("b"))]).scores
    assert found["found_lax_4c:apex"].value == 0 and found["found_lax_4c:mitral_septal"].value == 1
    assert found["distance_mm_lax_4c:apex"].n == 0
