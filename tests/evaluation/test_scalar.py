"""Answers against what is known, patient by patient."""

from __future__ import annotations

from dataclasses import replace

import pytest
from oracles import CPU, annotated, heart
from test_scalar_predictor import loaded

from cinema_cmr.core.errors import InputError
from cinema_cmr.evaluation.scalar import ScalarResult, evaluate_answers, summarise_classes, summarise_numbers
from cinema_cmr.inference.scalar_predictor import ScalarPredictor

NUMBER = ScalarPredictor(loaded("regress", ("lv_ef_percent",), target={"mean": 50.0, "std": 10.0}), CPU)


def score(patient: str, known: float | str, **answer: float) -> ScalarResult:
    return ScalarResult(patient=patient, answer=answer, known=known, facts={})


def test_what_is_known_comes_from_the_experts_masks() -> None:
    scores = evaluate_answers([annotated(heart((15.0, 10.0)), "a"), annotated(heart((15.0,)), "one frame")], NUMBER)
    (only,) = scores
    assert only.patient == "a" and only.known == pytest.approx(100 * (1 - (10 / 15) ** 2), abs=3)
    with pytest.raises(InputError, match="no study tells 'lv_ef_percent'"):
        evaluate_answers([annotated(heart((15.0,)))], NUMBER)


def test_a_patient_counts_once_and_the_blind_guess_stands_beside() -> None:
    scores = [
        score("a", 60.0, ef=50.0),
        score("a", 60.0, ef=74.0),
        score("b", 40.0, ef=41.0),
        score("c", 50.0, ef=50.0),
    ]
    found = summarise_numbers(scores)
    assert found["n_patients"] == 3 and found["target"] == "ef"
    assert found["mean_absolute_error"]["value"] == pytest.approx((2 + 1 + 0) / 3)
    assert found["mean_absolute_error_of_the_mean"]["value"] == pytest.approx(20 / 3)
    with pytest.raises(InputError, match="a number was expected"):
        summarise_numbers([score("a", "DCM", ef=1.0), score("b", "DCM", ef=1.0)])


def test_classes_are_counted() -> None:
    scores = [score("a", "x", x=0.9, y=0.1), score("b", "x", x=0.2, y=0.8), score("c", "y", x=0.1, y=0.9)]
    found = summarise_classes(scores)
    assert found["accuracy"]["value"] == pytest.approx(2 / 3)
    assert found["balanced_accuracy"]["value"] == pytest.approx(0.75)
    assert found["confusion"] == [[1, 1], [0, 1]] and found["classes"] == ["x", "y"]
    with pytest.raises(InputError, match="class 'z'; the model knows"):
        summarise_classes([replace(scores[0], known="z")])
