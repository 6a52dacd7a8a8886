"""Distances in mm, what was found, and the motion that points measure."""

from __future__ import annotations

import numpy as np
import pytest
from long_axes import POINTS, Reads, annotated, in_patient, model
from oracles import CPU, heart
from oracles import annotated as short_axis

from cinema_cmr.core.annotation import Landmarks
from cinema_cmr.core.errors import InputError
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.evaluation.landmark import evaluate_landmarks, score_landmarks, summarise_landmarks
from cinema_cmr.inference.landmark_predictor import LandmarkPredictor

NAMES = LANDMARKS[View.LAX_4C]
FINDER = LandmarkPredictor(model(), CPU)


def landmarks(points: np.ndarray) -> dict[View, Landmarks]:  # type: ignore[type-arg]
    placed = in_patient(points)
    return {View.LAX_4C: Landmarks(view=View.LAX_4C, points={n: placed[:, k] for k, n in enumerate(NAMES)})}


def moved(voxels: float) -> np.ndarray:  # type: ignore[type-arg]
    """The points, so many voxels of 1.2 mm further along the columns."""
    return POINTS + np.array([voxels, 0.0])


def test_a_shift_of_known_length_is_the_distance() -> None:
    score = score_landmarks("p", landmarks(moved(2.0)), landmarks(POINTS))
    assert all(np.allclose(distances, 2 * 1.2) for distances in score.distances_mm.values())
    assert set(score.distances_mm) == {f"lax_4c:{name}" for name in NAMES} and set(score.found.values()) == {1.0}
    assert score.measured["mapse_mean_mm"] == pytest.approx(score.reference["mapse_mean_mm"])


def test_studies_without_landmarks_are_passed_over() -> None:
    studies = [annotated("a"), short_axis(heart()), annotated("b", POINTS + 3)]
    seen: list[str] = []
    scores = evaluate_landmarks(studies, FINDER, report=lambda score: seen.append(score.patient))
    assert seen == ["a", "b"] == [score.patient for score in scores]
    with pytest.raises(InputError, match="no study has 4-chamber landmarks"):
        evaluate_landmarks([short_axis(heart())], FINDER)


def test_the_summary_is_over_patients() -> None:
    scores = [
        score_landmarks("a", landmarks(moved(1.0)), landmarks(POINTS)),
        score_landmarks("b", landmarks(moved(3.0)), landmarks(POINTS)),
    ]
    found = summarise_landmarks(scores)
    assert found["n_patients"] == 2 and found["distance_mm"]["value"] == pytest.approx(2.4)
    assert found["distances_mm"]["lax_4c:apex"]["n"] == 2
    assert found["measurements"]["mapse_septal_mm"]["bias"] == pytest.approx(0.0, abs=1e-9)
    with pytest.raises(InputError, match="nothing was evaluated"):
        summarise_landmarks([])


def test_a_point_that_was_not_found_is_said() -> None:
    finder = LandmarkPredictor(model(Reads(lost=2)), CPU)
    found = summarise_landmarks(evaluate_landmarks([annotated("a"), annotated("b")], finder))
    assert found["found"]["lax_4c:apex"] == 0 and found["found"]["lax_4c:mitral_septal"] == 1
    assert found["distances_mm"]["lax_4c:apex"]["n"] == 0
